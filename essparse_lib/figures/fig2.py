"""Figure 2: how far performance falls as one-shot magnitude pruning takes more, on language tasks."""

from __future__ import annotations

from ..records.pretrained import from_scratch
from ..specs.study import TENTHS, Override, Study, at_sparsities
from . import language_settings

#: Two further variants: what any choice of weights must beat, and the abstract's "without re-training".
RANDOM, AFTER = "random", "no training after pruning"


def _variants(sparsities: tuple[float, ...]) -> dict[str, tuple]:
    return {
        "one-shot": at_sparsities(sparsities),
        RANDOM: at_sparsities(sparsities, method="random", scope="layer"),
        AFTER: at_sparsities(sparsities, timing="after"),
    }


LAB_MODELS = ("minilm-l6", "mpnet-base", language_settings.LAB_OPT)

STUDIES = {
    "tiny": Study(
        figure="fig2",
        scale="tiny",
        models=language_settings.TINY_MODELS,
        tasks=language_settings.TINY_TASKS,
        training=language_settings.TINY,
        variants=_variants((0.5, 0.9)),
        seeds=(0, 1),
        overrides={model: Override(variants=("one-shot",)) for model in language_settings.TINY_MODELS[1:]},
    ),
    "lab": Study(
        figure="fig2",
        scale="lab",
        models=LAB_MODELS,
        tasks=language_settings.LAB_TASKS,
        training=language_settings.LAB,
        variants=_variants(TENTHS),
        overrides={
            "mpnet-base": Override(tasks=("movie-reviews",), seeds=(0,), variants=("one-shot",)),
            language_settings.LAB_OPT: Override(
                tasks=language_settings.LAB_FEW, variants=("one-shot",), training=language_settings.LAB_SCRATCH
            ),
        },
        pretrained=from_scratch("lab", LAB_MODELS),
    ),
    "paper": Study(
        figure="fig2",
        scale="paper",
        models=language_settings.PAPER_MODELS,
        tasks=language_settings.PAPER_TASKS,
        training=language_settings.TABLE_1,
        variants=_variants(TENTHS),
    ),
}
