"""Figure 5: N:M patterns against unstructured pruning at the same sparsity."""

from __future__ import annotations

from ..study.grid import Study
from ..study.trial import Pruning
from . import language

#: Patterns by group size; beside each, unstructured pruning of the same sparsity.
M4, M8, FREE = "M = 4", "M = 8", "unstructured"
WAYS = {
    M4: tuple(Pruning(pattern=p) for p in ("3:4", "2:4", "1:4")),
    M8: tuple(Pruning(pattern=p) for p in ("6:8", "4:8", "2:8")),
    FREE: tuple(Pruning(s) for s in (0.25, 0.5, 0.75)),
}

STUDIES = {
    "tiny": Study("fig5", "tiny", ("tiny-opt",), language.TINY_TASKS, language.TINY, WAYS, seeds=(0, 1)),
    "lab": Study("fig5", "lab", ("minilm-l6",), language.LAB_FEW, language.LAB, WAYS),
    "paper": Study("fig5", "paper", ("opt-350m",), ("mnli", "qnli", "rte", "sst2"), language.TABLE_1, WAYS),
}
