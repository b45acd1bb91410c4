"""Figure 9: lottery tickets (IMP with rewinding) against one-shot magnitude masks, at the same sparsity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from ..analysis.contrasts import MARGIN, Contrast, Standing
from ..claims.paper import ALIKE_BELOW
from ..records.pretrained import from_scratch
from ..records.store import Record
from ..specs.override import AddedSeeds, Override
from ..specs.study import Study, at_sparsities
from ..specs.trial import Pruning, lottery_rounds
from ..wording import listing
from . import language_settings, vision_settings
from .task_titles import task_title

if TYPE_CHECKING:
    from ..claims.pools import Pool

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


def seen(pools: Sequence[Pool], differences: Sequence[Contrast]) -> str:
    """Return in words up to where tickets and one-shot masks are alike on average, and where tickets win beyond.

    Args:
        pools: the differences averaged over the sparsities, then those at each sparsity (``claims`` on C10).
        differences: the contrasts of tickets with one-shot masks, at every sparsity.
    """
    sentences = []
    alike = list(takewhile(lambda pool: pool.counted and pool.allowed.holds(pool.mean), pools[1:]))
    if alike:
        last = alike[-1].of.removeprefix("at ")
        sentences.append(
            f"Up to {last} sparsity, the mean of ticket − one-shot over the tasks lies within {MARGIN:g} point of "
            "zero, by its whole interval."
        )
    by_place: dict[tuple[str, str], list[Contrast]] = {}
    for difference in differences:
        if difference.learned and difference.pruning.sparsity >= ALIKE_BELOW:
            by_place.setdefault((difference.model, difference.task), []).append(difference)
    if by_place:
        won, lost = (_everywhere(by_place, standing) for standing in (Standing.BETTER, Standing.WORSE))
        sentences.append(f"From {ALIKE_BELOW:.0%} on, tickets score higher at every sparsity on {won}.")
        sentences.append(f"They score lower at every sparsity on {lost}.")
    return " ".join(sentences)


def _everywhere(by_place: Mapping[tuple[str, str], Sequence[Contrast]], standing: Standing) -> str:
    """Return on how many of the tasks all contrasts have a standing, with their names: ``1 of 6 tasks: cifar10``."""
    places = [
        task_title(task)
        for (_, task), contrasts in by_place.items()
        if all(contrast.standing is standing for contrast in contrasts)
    ]
    count = f"{len(places) or 'none'} of {len(by_place)} tasks"
    return f"{count}: {listing(places)}" if places else count


def narrow(differences: Sequence[Contrast]) -> str:
    """Return in a sentence how many intervals below 50% lie within the margin, each by itself; empty without any.

    Args:
        differences: the contrasts of tickets with one-shot masks.
    """
    below = [each for each in differences if each.learned and each.pruning.sparsity < ALIKE_BELOW]
    if not below:
        return ""
    within = sum(each.standing is Standing.EQUIVALENT for each in below)
    verb = "is" if within < 2 else "are"
    return (
        f"Below {ALIKE_BELOW:.0%}, {within or 'none'} of {len(below)} intervals {verb} narrow enough to fit within "
        f"±{MARGIN:g} point. The interval of their mean, on which C10 rests, is narrower."
    )


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


def other_tests(study: Study, other: Study) -> str:
    """Return in a sentence on which tasks a study's models are trained or tested otherwise than in another; or nothing.

    Args:
        study: a study of this figure.
        other: a study with some of its models and tasks, whose numbers readers may hold against these.
    """
    tasks: dict[str, None] = {}
    for model in (model for model in study.models if model in other.models):
        for task in (task for task in study.tasks_of(model) if task in other.tasks_of(model)):
            ours, theirs = (each.trial(model, task, Pruning(), 0).training for each in (study, other))
            if ours != theirs:
                tasks[task_title(task)] = None
    if not tasks:
        return ""
    figure = other.figure.removeprefix("fig")
    return (
        f"On {listing(list(tasks))} the runs of Figure {figure} hold out more examples to be tested on. "
        "So the numbers of these tasks differ between the two pages."
    )
