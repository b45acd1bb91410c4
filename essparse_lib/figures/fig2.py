"""Figure 2: how far performance falls as one-shot magnitude pruning takes more, on language tasks."""

from __future__ import annotations

from ..pretrained import from_scratch
from ..study.grid import TENTHS, Part, Study, swept
from . import language

#: Beside the figure's own way: what any choice must beat, and the abstract's "without re-training".
RANDOM, AFTER = "random", "no training after pruning"


def _ways(sparsities: tuple[float, ...]) -> dict[str, tuple]:
    return {
        "one-shot": swept(sparsities),
        RANDOM: swept(sparsities, method="random", scope="layer"),
        AFTER: swept(sparsities, timing="after"),
    }


LAB_MODELS = ("minilm-l6", "mpnet-base", language.LAB_OPT)

STUDIES = {
    "tiny": Study(
        "fig2",
        "tiny",
        language.TINY_MODELS,
        language.TINY_TASKS,
        language.TINY,
        _ways((0.5, 0.9)),
        seeds=(0, 1),
        parts={model: Part(ways=("one-shot",)) for model in language.TINY_MODELS[1:]},
    ),
    "lab": Study(
        "fig2",
        "lab",
        LAB_MODELS,
        language.LAB_TASKS,
        language.LAB,
        _ways(TENTHS),
        parts={
            "mpnet-base": Part(tasks=("movie-reviews",), seeds=(0,), ways=("one-shot",)),
            language.LAB_OPT: Part(tasks=language.LAB_FEW, ways=("one-shot",), training=language.LAB_SCRATCH),
        },
        pretrained=from_scratch("lab", LAB_MODELS),
    ),
    "paper": Study("fig2", "paper", language.PAPER_MODELS, language.PAPER_TASKS, language.TABLE_1, _ways(TENTHS)),
}
