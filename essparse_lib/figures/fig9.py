"""Figure 9: lottery tickets (IMP with rewinding) against one-shot magnitude masks, at the same sparsity."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ..study.contrasts import Contrast
from ..study.grid import Study, swept
from ..study.store import Record
from . import language

LOTTERY, ONE_SHOT = "lottery", "one-shot"
SPARSITIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def ways(sparsities: tuple[float, ...]) -> dict[str, tuple]:
    """Both, at the same sparsities."""
    return {LOTTERY: swept(sparsities, method="lottery"), ONE_SHOT: swept(sparsities)}


STUDIES = {
    "tiny": Study("fig9", "tiny", ("tiny-bert",), language.TINY_TASKS, language.TINY, ways((0.1, 0.2)), seeds=(0, 1)),
    "lab": Study("fig9", "lab", ("minilm-l6",), language.LAB_FEW, language.LAB, ways(SPARSITIES)),
    "paper": Study("fig9", "paper", ("bert-base-uncased",), language.GLUE, language.TABLE_1, ways(SPARSITIES)),
}


def steps(study: Study, records: Mapping[str, Record]) -> Callable[[Contrast], str]:
    """What a ticket costs: the training steps that finding its mask took, from a run's steps and its rounds."""

    def told(contrast: Contrast) -> str:
        trials = [study.trial(contrast.model, contrast.task, contrast.one, seed) for seed in study.seeds]
        one = next(records[t.id].metrics["steps"] for t in trials if t.id in records and records[t.id].metrics)
        return f"{math.ceil(contrast.one.sparsity / contrast.one.rate - 1e-9) * one:,.0f}"

    return told
