"""Which records count: those of a study's added seeds do all together, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from ..specs.study import Study
from .store import Record, Store


def counted(store: Store, chosen: Sequence[Study], every: Sequence[Study]) -> dict[str, Record]:
    """Return the records that count for some studies, by id.

    They are those in the files that the studies' specs belong to, of other studies' trials too. Left out are trials
    that are added to a study of which not all added trials have records: nothing that is half done leans to either
    side, in any figure. What a study asks for without adding it always counts.

    Args:
        store: the records of one scale.
        chosen: the studies whose records are wanted, all of that scale.
        every: all studies of that scale, which may add trials.

    Raises:
        DamagedRecord: a line of a file is damaged (the message gives file and line).
        InputError: a file cannot be read.
    """
    records = store.records_of_studies(*chosen)
    counts: set[str] = set()
    pending: set[str] = set()
    with_controls = [*every, *(control for study in every for control in study.controls)]
    for study in with_controls:
        added = study.added_trials()
        if any(trial.id in records for trial in added):
            elsewhere = store.records_of(*(trial for trial in added if trial.id not in records))
            whole = all(trial.id in records or trial.id in elsewhere for trial in added)
            (counts if whole else pending).update(trial.id for trial in added)
    if pending:
        for study in (*chosen, *with_controls):
            counts |= {trial.id for trial in study.trials()} - {trial.id for trial in study.added_trials()}
    return {id_: record for id_, record in records.items() if id_ not in pending - counts}
