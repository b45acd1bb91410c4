"""What the page beyond the paper finds, in sentences that are computed from records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from ..analysis.curves import EPSILON
from ..analysis.estimate import Estimate
from ..analysis.noise_floor import noise_floor
from ..analysis.pooled import mean_effect, on_average
from ..analysis.prunability import TOLERANCE, LossCurve
from ..analysis.timing import TimedCurves, gains
from ..claims.c11_similar_masks import Cosines
from ..claims.pools import Pool
from ..records import summary
from ..records.store import Record
from ..specs.likelihood import Domain
from ..specs.study import Study
from ..wording import listing, number_text
from . import plot_files
from .beyond import in_signs
from .fig11_plots import domain_of

if TYPE_CHECKING:
    import pandas as pd

#: What tests of linguistic knowledge are held against.
_FACTS = (Domain.KNOWLEDGE, Domain.READING)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a section finds.

    Attributes:
        sentence: the finding in one sentence, with its numbers.
        more: further sentences, if any.
        known: whether there are records that show it.
    """

    sentence: str
    more: str = ""
    known: bool = True

    @property
    def text(self) -> str:
        """All sentences."""
        return f"{self.sentence} {self.more}".rstrip()


def still_missing(study: Study, records: Mapping[str, Record]) -> str:
    """Return in a sentence how many records a study lacks, which are still to come; empty if it lacks none.

    Args:
        study: the study.
        records: records by the id of their spec.
    """
    return "" if _whole(study, records) else f"{summary.missing(study, records)} These are still to come."


def _whole(study: Study, records: Mapping[str, Record]) -> bool:
    return all(spec.id in records for spec in study.specs())


def unknown(what: str, study: Study, records: Mapping[str, Record]) -> Finding:
    """Return that something is not known yet, with how many records are missing and the command that makes them.

    Args:
        what: what is not known, as a sentence begins with it.
        study: the study whose records would show it.
        records: records by the id of their spec.
    """
    command = f"`essparse run {study.figure} --scale {study.scale}` makes them."
    return Finding(
        sentence=f"{what} is not known yet.", more=f"{summary.missing(study, records)} {command}", known=False
    )


def headline(findings: Sequence[Finding]) -> str:
    """Return the first sentences of the findings that are known, or that none is."""
    return " ".join(finding.sentence for finding in findings if finding.known) or "Nothing is measured yet."


def one_run(pool: Pool, study: Study, records: Mapping[str, Record]) -> Finding:
    """Return how far chance alone moves a single run, and the mean of all runs.

    Args:
        pool: drops of fine-tuned models on tasks that they have learned.
        study: the study that the drops are of.
        records: its records, by id.
    """
    counted = [difference for difference in pool.counted if difference.seeds > 1]
    if not counted:
        return unknown("What one run can show", study, records)
    floors = [noise_floor(difference) for difference in counted]
    single, mean = [floor.single for floor in floors], [floor.mean for floor in floors]
    seeds = [difference.seeds for difference in counted]
    beyond = sum(each > EPSILON for each in single)
    more = [
        f"That is more than the tolerated {EPSILON:g} point on {beyond} of {len(single)} tasks.",
        f"The mean of {_range(seeds, 0)} runs narrows it to {_range(mean, 1, '±')} points.",
    ]
    return Finding(
        sentence=f"Where pruning costs nothing, chance still moves one run by up to {_range(single, 1, '±')} points.",
        more=" ".join([*more, *_left_out(pool)]),
    )


def _range(values: Sequence[float], digits: int, sign: str = "", unit: str = "") -> str:
    """Return the least and the greatest value in words, each with its sign and unit; one number if they read alike."""
    low, high = (f"{sign}{number_text(value, digits)}{unit}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def zeros(percents: Mapping[str, Mapping[str, float]], study: Study, records: Mapping[str, Record]) -> Finding:
    """Return between which shares a model's zero weights lie, by what counts as zero.

    Args:
        percents: percentage of zeros by model and by reading; the first model is spoken of.
        study: the study of the first model.
        records: its records, by id.
    """
    if not percents:
        return unknown("What “zero” means", study, records)
    model, shares = next(iter(percents.items()))
    least, most = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
    none = sum(not share for share in shares.values())
    return Finding(
        sentence=f"Of the {model}, {_percent(shares[least])} to {_percent(shares[most])} of the weights are zero, "
        "depending on what counts as zero.",
        more=f"The fewest are zero by “{in_signs(least)}”, the most by “{in_signs(most)}”. "
        f"By {none} of {len(shares)} readings no weight is zero at all.",
    )


def _percent(share: float) -> str:
    """Return a percentage in three digits without an exponent."""
    return f"{np.format_float_positional(share, 3, unique=False, fractional=False, trim='-')}%"


def rates(cosines: Sequence[Cosines], study: Study, records: Mapping[str, Record]) -> Finding:
    """Return how alike the masks of one model are at two learning rates, and by chance.

    Args:
        cosines: of one model, as ``beyond.at_two_rates`` returns them.
        study: the study of the masks, with its controls.
        records: its records, by id.
    """
    if not cosines:
        lacking = next((each for each in study.controls if not _whole(each, records)), study)
        return unknown("What the learning rate does to the masks", lacking, records)
    first, last = cosines[0], cosines[-1]
    sparsity = max(set(first.inside) & set(last.inside))
    high, low = (100 * fmean(each.inside[sparsity]) for each in (first, last))
    return Finding(
        sentence=f"The learning rate alone moves the masks' cosine at {sparsity:.0%} sparsity from "
        f"{number_text(low, 1)}% (at {last.rate}) to {number_text(high, 1)}% (at {first.rate}); chance gives "
        f"{1 - sparsity:.0%}.",
        more=f"Both rates train the same {first.model}. Up to {sparsity:.0%}, {_above(first, last)} above the "
        f"{first.limit:.0%} that the paper reports.",
    )


def _above(first: Cosines, last: Cosines) -> str:
    """Return at which of two learning rates all mean cosines up to 40% lie above the limit, as a subject with verb."""
    above = [each.rate for each in (first, last) if each.least_mean > each.limit]
    if len(above) == 1:
        return f"only the cosine at {above[0]} stays"
    return "both cosines stay" if above else "neither cosine stays"


def emergence(study: Study, curves: Sequence[LossCurve], records: Mapping[str, Record]) -> Finding:
    """Return how far the models can be pruned after the first step at which that is known, and after the last.

    Args:
        study: the study of the curves.
        curves: its loss curves.
        records: its records, by id.
    """
    known = [(curve.step, 100 * curve.prunable().value) for curve in curves if curve.prunable().known]
    if not known:
        return unknown("How prunability emerges", study, records)
    by_step = {step: [value for at, value in known if at == step] for step in sorted(dict(known))}
    first, last = min(by_step), max(by_step)
    can_go = {step: _range(values, 0, unit="%") for step, values in by_step.items()}
    until = f"of the weights can go before the loss on new text rises by {TOLERANCE:.0%}"
    if first == last:
        return Finding(
            sentence=f"After {last:,} steps of pre-training, {can_go[last]} {until}.",
            more="How that emerges is not known yet.",
        )
    return Finding(
        sentence=f"After {first:,} steps of pre-training, {can_go[first]} {until}; "
        f"after {last:,} steps it is {can_go[last]}."
    )


def domains(pool: Pool, study: Study, records: Mapping[str, Record]) -> Finding:
    """Return how much tests of language lose, and how much less than tests of knowledge and of reading.

    Args:
        pool: drops of one language model that is not trained after the pruning, on tasks that it has learned.
        study: the study that the drops are of.
        records: its records, by id.
    """
    language = [effect for effect in pool.effects if domain_of(effect.task) == Domain.LANGUAGE]
    facts = [effect for effect in pool.effects if domain_of(effect.task) in _FACTS]
    if not language or not facts:
        return unknown("Whether language outlasts facts", study, records)
    first, second = mean_effect(language), mean_effect(facts)
    gap = (second - first).estimate
    more = [f"The difference is {gap.text()} points{'' if _told(gap) else ', which chance alone can bring'}."]
    more.append(f"Tests of knowledge and of reading are {listing([effect.task for effect in facts])}.")
    tested = listing([effect.task for effect in language])
    return Finding(
        sentence=f"With {pool.of.removeprefix('at ')} of the weights gone, {tested} loses {first.estimate.text()} "
        f"points, and tests of knowledge and of reading lose {second.estimate.text()} on average.",
        more=" ".join([*more, *_left_out(pool)]),
    )


def _left_out(pool: Pool) -> list[str]:
    """Return a sentence that names the tasks that a pool does not count, with their reasons; nothing without any."""
    others = [f"{each.difference.curve.task} ({each.reason})" for each in pool.others]
    return [f"Left out: {listing(others)}."] if others else []


def _told(estimate: Estimate) -> bool:
    """Return whether an estimate is told from 0 by its whole interval."""
    return estimate.low > 0 or estimate.high < 0


def no_training(timed: Sequence[TimedCurves], study: Study, records: Mapping[str, Record]) -> Finding:
    """Return up to which sparsity training after the pruning brings no gain that shows, and what it brings beyond.

    Args:
        timed: curves of models that were pruned before and after their fine-tuning.
        study: the study of the curves.
        records: its records, by id.
    """
    effects = gains(timed)
    if not effects:
        return unknown("What training after the pruning brings", study, records)
    means = {sparsity: on_average(effects[sparsity]) for sparsity in sorted(effects)}
    tasks = [effect.task for effect in effects[max(effects)]]
    others = [each.before.task for each in timed if each.before.task not in tasks]
    first = next((sparsity for sparsity, mean in means.items() if mean.low > 0), None)
    until = [sparsity for sparsity in means if first is None or sparsity < first]
    parts = []
    if until:
        parts.append(f"Up to {until[-1]:.0%} of the weights, training after the pruning brings no gain that shows")
    if first is not None:
        parts.append(f"{'with' if parts else 'With'} {first:.0%} gone it brings {means[first].text()} points")
    last = max(means)
    more = [] if last == first else [f"With {last:.0%} gone it brings {means[last].text()} points."]
    if until:
        more.insert(0, f"With {until[-1]:.0%} gone the two differ by {means[until[-1]].text()} points.")
    more.append(f"These are means over {listing(tasks)}.")
    if others:
        more.append(f"Left out of the means: {listing(others)}, measured at fewer sparsities.")
    return Finding(sentence=f"{'; '.join(parts)}.", more=" ".join(more))


def sources(studies: Sequence[tuple[Study, Mapping[str, Record]]]) -> pd.DataFrame:
    """Return a row for each study: its figure, its records, and the fingerprint of these.

    Args:
        studies: each study with its records, by id.
    """
    import pandas as pd

    rows = []
    for study, records in studies:
        rows.append({"figure": study.figure.removeprefix("fig"), **plot_files.sources(study, records)})
    return pd.DataFrame(rows)
