"""Figure 9: lottery tickets (IMP with rewinding) against one-shot magnitude masks, at the same sparsity."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from ..analysis.contrasts import Contrast
from ..records.pretrained import from_scratch
from ..records.store import Record
from ..specs.study import Study, at_sparsities
from . import language_settings, vision_settings

LOTTERY, ONE_SHOT = "lottery", "one-shot"
SPARSITIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def ways(sparsities: tuple[float, ...]) -> dict[str, tuple]:
    """Both, at the same sparsities."""
    return {LOTTERY: at_sparsities(sparsities, method="lottery"), ONE_SHOT: at_sparsities(sparsities)}


def _study(
    scale: str, models: tuple[str, ...], tasks: tuple[str, ...], training: Mapping, **options
) -> vision_settings.Rows:
    return vision_settings.Rows(
        figure="fig9",
        scale=scale,
        models=models,
        tasks=tasks,
        training=training,
        pretrained=from_scratch(scale, models),
        **options,
    )


#: A row for language, and one for vision.
STUDIES: dict[str, Study] = {
    "tiny": _study(
        "tiny",
        ("tiny-bert", "tiny-vit"),
        (*language_settings.TINY_TASKS, *vision_settings.TINY_TASKS),
        {**vision_settings.TINY, **language_settings.TINY},
        variants=ways((0.1, 0.2)),
        seeds=(0, 1),
    ),
    "lab": _study(
        "lab",
        ("minilm-l6", vision_settings.LAB_MODELS[0]),
        (*language_settings.LAB_FEW, *vision_settings.LAB_FEW),
        {**vision_settings.LAB, **language_settings.LAB},
        variants=ways(SPARSITIES),
    ),
    "paper": _study(
        "paper",
        ("bert-base-uncased", vision_settings.PAPER_MODELS[0]),
        (*language_settings.GLUE, *vision_settings.PAPER_FEW),
        {**vision_settings.TABLE_1, **language_settings.TABLE_1},
        variants=ways(SPARSITIES),
    ),
}


def steps(study: Study, records: Mapping[str, Record]) -> Callable[[Contrast], str]:
    """What a ticket costs: the training steps that finding its mask took, from a run's steps and its rounds."""

    def told(contrast: Contrast) -> str:
        trials = [study.trial(contrast.model, contrast.task, contrast.pruning, seed) for seed in study.seeds]
        one = next(records[t.id].metrics["steps"] for t in trials if t.id in records and records[t.id].metrics)
        return f"{math.ceil(contrast.pruning.sparsity / contrast.pruning.rate - 1e-9) * one:,.0f}"

    return told
