"""Figure 5: N:M patterns against unstructured pruning at the same sparsity."""

from __future__ import annotations

from ..records.pretrained import from_scratch
from ..specs.study import Override, Study
from ..specs.trial import Pruning
from . import language_settings

#: Patterns by group size, and unstructured pruning of the same sparsities.
M4, M8, FREE = "M = 4", "M = 8", "unstructured"
VARIANTS = {
    M4: tuple(Pruning(pattern=p) for p in ("3:4", "2:4", "1:4")),
    M8: tuple(Pruning(pattern=p) for p in ("6:8", "4:8", "2:8")),
    FREE: tuple(Pruning(sparsity=s) for s in (0.25, 0.5, 0.75)),
}

LAB_MODELS = ("minilm-l6", language_settings.LAB_OPT)

STUDIES = {
    "tiny": Study(
        figure="fig5",
        scale="tiny",
        models=("tiny-opt",),
        tasks=language_settings.TINY_TASKS,
        training=language_settings.TINY,
        variants=VARIANTS,
        seeds=(0, 1),
    ),
    "lab": Study(
        figure="fig5",
        scale="lab",
        models=LAB_MODELS,
        tasks=language_settings.LAB_FEW,
        training=language_settings.LAB,
        variants=VARIANTS,
        seeds=tuple(range(6)),
        overrides={language_settings.LAB_OPT: Override(seeds=(0, 1, 2), training=language_settings.LAB_SCRATCH)},
        pretrained=from_scratch("lab", LAB_MODELS),
    ),
    "paper": Study(
        figure="fig5",
        scale="paper",
        models=("opt-350m",),
        tasks=("mnli", "qnli", "rte", "sst2"),
        training=language_settings.TABLE_1,
        variants=VARIANTS,
    ),
}
