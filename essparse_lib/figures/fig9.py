"""Figure 9: lottery tickets (IMP with rewinding) against one-shot magnitude masks, at the same sparsity."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..analysis.contrasts import Contrast
from ..claims.paper import ALIKE_BELOW
from ..records.pretrained import from_scratch
from ..records.store import Record
from ..specs.override import AddedSeeds, Override
from ..specs.study import Study, at_sparsities
from ..specs.trial import Pruning, lottery_rounds
from . import language_settings, vision_settings

LOTTERY, ONE_SHOT = "lottery", "one-shot"
SPARSITIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def variants(sparsities: tuple[float, ...]) -> dict[str, tuple[Pruning, ...]]:
    """Return lottery tickets and one-shot masks at the same sparsities, as a study's variants."""
    return {LOTTERY: at_sparsities(sparsities, method="lottery"), ONE_SHOT: at_sparsities(sparsities)}


#: Further seeds of the vision transformer, at the sparsities that C10 averages over.
_ADDED = AddedSeeds(
    seeds=tuple(range(3, 10)),
    tasks=vision_settings.LAB_FEW,
    sparsities=tuple(sparsity for sparsity in SPARSITIES if sparsity < ALIKE_BELOW),
)


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


#: A row of panels for language, and one for vision.
STUDIES: dict[str, Study] = {
    "tiny": _study(
        "tiny",
        ("tiny-bert", "tiny-vit"),
        (*language_settings.TINY_TASKS, *vision_settings.TINY_TASKS),
        {**vision_settings.TINY, **language_settings.TINY},
        variants=variants((0.1, 0.2)),
        seeds=(0, 1),
    ),
    "lab": _study(
        "lab",
        ("minilm-l6", vision_settings.LAB_MODELS[0]),
        (*language_settings.LAB_FEW, *vision_settings.LAB_FEW),
        {**vision_settings.LAB, **language_settings.LAB_SMALL_TEST},
        variants=variants(SPARSITIES),
        overrides={vision_settings.LAB_MODELS[0]: Override(added=_ADDED)},
    ),
    "paper": _study(
        "paper",
        ("bert-base-uncased", vision_settings.PAPER_MODELS[0]),
        (*language_settings.GLUE, *vision_settings.PAPER_FEW),
        {**vision_settings.TABLE_1, **language_settings.TABLE_1},
        variants=variants(SPARSITIES),
    ),
}


def steps(study: Study, records: Mapping[str, Record]) -> Callable[[Contrast], str]:
    """Return a function that gives the cost of a contrast's ticket: how many training steps its mask took, as text.

    The steps are those of one training, times the rounds of pruning.
    """

    def text(contrast: Contrast) -> str:
        ticket = contrast.pruning
        trials = [
            study.trial(contrast.model, contrast.task, ticket, seed)
            for seed in study.seeds_of(contrast.model, contrast.task)
        ]
        metrics = [records[trial.id].metrics for trial in trials if trial.id in records]
        steps_a_round = next((each["steps"] for each in metrics if "steps" in each), None)
        rounds = lottery_rounds(ticket.sparsity, ticket.rate)
        return "—" if steps_a_round is None else f"{len(rounds) * steps_a_round:,.0f}"

    return text
