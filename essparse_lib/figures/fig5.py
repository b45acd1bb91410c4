"""Figure 5: N:M patterns against unstructured pruning at the same sparsity."""

from __future__ import annotations

from ..pretrained import from_scratch
from ..study.grid import Part, Study
from ..study.trial import Pruning
from . import language

#: Patterns by group size; beside each, unstructured pruning of the same sparsity.
M4, M8, FREE = "M = 4", "M = 8", "unstructured"
WAYS = {
    M4: tuple(Pruning(pattern=p) for p in ("3:4", "2:4", "1:4")),
    M8: tuple(Pruning(pattern=p) for p in ("6:8", "4:8", "2:8")),
    FREE: tuple(Pruning(s) for s in (0.25, 0.5, 0.75)),
}

LAB_MODELS = ("minilm-l6", language.LAB_OPT)

STUDIES = {
    "tiny": Study("fig5", "tiny", ("tiny-opt",), language.TINY_TASKS, language.TINY, WAYS, seeds=(0, 1)),
    "lab": Study(
        "fig5",
        "lab",
        LAB_MODELS,
        language.LAB_FEW,
        language.LAB,
        WAYS,
        parts={language.LAB_OPT: Part(training=language.LAB_SCRATCH)},
        pretrained=from_scratch("lab", LAB_MODELS),
    ),
    "paper": Study("fig5", "paper", ("opt-350m",), ("mnli", "qnli", "rte", "sst2"), language.TABLE_1, WAYS),
}
