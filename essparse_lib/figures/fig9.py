"""Figure 9: lottery tickets (IMP with rewinding) against one-shot magnitude masks, at the same sparsity."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ..pretrained import from_scratch
from ..study.contrasts import Contrast
from ..study.grid import Study, swept
from ..study.store import Record
from . import language, vision

LOTTERY, ONE_SHOT = "lottery", "one-shot"
SPARSITIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def ways(sparsities: tuple[float, ...]) -> dict[str, tuple]:
    """Both, at the same sparsities."""
    return {LOTTERY: swept(sparsities, method="lottery"), ONE_SHOT: swept(sparsities)}


def _study(scale: str, models: tuple[str, ...], tasks: tuple[str, ...], training: Mapping, **options) -> vision.Rows:
    return vision.Rows("fig9", scale, models, tasks, training, pretrained=from_scratch(scale, models), **options)


#: A row for language, and one for vision.
STUDIES: dict[str, Study] = {
    "tiny": _study(
        "tiny",
        ("tiny-bert", "tiny-vit"),
        (*language.TINY_TASKS, *vision.TINY_TASKS),
        {**vision.TINY, **language.TINY},
        ways=ways((0.1, 0.2)),
        seeds=(0, 1),
    ),
    "lab": _study(
        "lab",
        ("minilm-l6", vision.LAB_MODELS[0]),
        (*language.LAB_FEW, *vision.LAB_FEW),
        {**vision.LAB, **language.LAB},
        ways=ways(SPARSITIES),
    ),
    "paper": _study(
        "paper",
        ("bert-base-uncased", vision.PAPER_MODELS[0]),
        (*language.GLUE, *vision.PAPER_FEW),
        {**vision.TABLE_1, **language.TABLE_1},
        ways=ways(SPARSITIES),
    ),
}


def steps(study: Study, records: Mapping[str, Record]) -> Callable[[Contrast], str]:
    """What a ticket costs: the training steps that finding its mask took, from a run's steps and its rounds."""

    def told(contrast: Contrast) -> str:
        trials = [study.trial(contrast.model, contrast.task, contrast.one, seed) for seed in study.seeds]
        one = next(records[t.id].metrics["steps"] for t in trials if t.id in records and records[t.id].metrics)
        return f"{math.ceil(contrast.one.sparsity / contrast.one.rate - 1e-9) * one:,.0f}"

    return told
