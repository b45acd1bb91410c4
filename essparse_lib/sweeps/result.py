"""What a sweep comes to: what it was asked, what it found, and what its report is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..analysis.curve import Curve
from ..records.record import Record
from .answer import Answer
from .tolerance import Tolerance


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """A sweep and its answer so far.

    Attributes:
        model: the model's name, its id on the hub, or its local folder.
        data: what the data are called, such as the name of their file.
        answer: what the sweep says.
        sentence: the answer in one sentence, with its number and its interval.
        tolerance: the loss that is tolerated.
        precision: the widest interval that was asked for, from 0 to 1.
        curve: the scores; None where no dense trial has succeeded yet.
        records: the records that the curve is made of, and of trials that failed.
        settings: what was done and how, in words, by what each is called, in the order of the report.
        notes: what there is to say of the data: sentences.
        command: the command that goes on with the sweep.
        reason: why it ended: as narrow as asked, the budget, or the most seeds; a clause.
        saved: the folder of the model that was saved, or empty.
    """

    model: str
    data: str
    answer: Answer
    sentence: str
    tolerance: Tolerance
    precision: float
    curve: Curve | None
    records: Sequence[Record]
    settings: dict[str, str]
    notes: Sequence[str]
    command: str
    reason: str
    saved: str = ""
