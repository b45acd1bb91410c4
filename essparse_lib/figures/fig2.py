"""Figure 2: how far performance falls as one-shot magnitude pruning takes more, on language tasks."""

from __future__ import annotations

from ..records.pretrained import from_scratch
from ..specs.study import TENTHS, Override, Study, at_sparsities
from . import language_settings

#: Two further variants: what any choice of weights must beat, and the abstract's "without re-training".
RANDOM, AFTER = "random pruning", "no training after pruning"


def _variants(sparsities: tuple[float, ...], at_random: tuple[float, ...] | None = None) -> dict[str, tuple]:
    """Return the variants at some sparsities, the random one at fewer if these are given."""
    return {
        "one-shot": at_sparsities(sparsities),
        RANDOM: at_sparsities(at_random or sparsities, method="random", scope="layer"),
        AFTER: at_sparsities(sparsities, timing="after"),
    }


#: At lab scale MiniLM alone answers questions, at few sparsities: a run takes several times as long as another task's.
SQUAD = "squad"

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
        tasks=(*language_settings.LAB_TASKS, SQUAD),
        training=language_settings.LAB,
        variants=_variants(TENTHS, at_random=(0.2, 0.3, 0.5, 0.7)),
        task_seeds=language_settings.LAB_SEEDS,
        task_sparsities={SQUAD: (0.2, 0.4, 0.6)},
        overrides={
            "mpnet-base": Override(
                tasks=language_settings.LAB_FEW,
                seeds=(0, 1, 2),
                variants=("one-shot",),
                sparsities=(0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
            ),
            language_settings.LAB_OPT: Override(
                tasks=language_settings.LAB_FEW,
                seeds=(0, 1, 2),
                variants=("one-shot",),
                training=language_settings.LAB_SCRATCH,
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
