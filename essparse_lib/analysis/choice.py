"""Choose how much to prune from a curve: the largest measured sparsity at which surely no more is lost than allowed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .curve import EPSILON, Curve
from .essential import check_epsilon
from .estimate import Estimate
from .scoring import LOG_PROBABILITY

#: Fewest seeds of a curve from which a sparsity is chosen: one training tells nothing of others.
_FEWEST_SEEDS = 2


class Place(StrEnum):
    """How the 95% interval of a loss lies to the tolerated loss."""

    WITHIN = "within"
    UNDECIDED = "undecided"
    BEYOND = "beyond"


class Found(StrEnum):
    """What a curve says of how much to prune.

    ``SPARSITY``: a sparsity to prune to. ``AT_LEAST``: one, and no measured sparsity surely costs too much, so that
    more may be possible. ``NONE``: at no measured sparsity is the loss surely tolerated. ``NOT_LEARNED``: it is not
    sure that the dense model learned the task, so that a small loss says nothing. ``TOO_FEW_SEEDS``: the seed draws
    something, and there is one seed alone.
    """

    SPARSITY = "a sparsity"
    AT_LEAST = "at least a sparsity"
    NONE = "none"
    NOT_LEARNED = "not learned"
    TOO_FEW_SEEDS = "too few seeds"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How much to prune, as a curve says.

    Attributes:
        found: what the curve says.
        sparsity: the largest measured sparsity at which surely no more is lost than is tolerated, from 0 to 1; 0 where
            there is none, or no answer.
        too_much: the smallest measured sparsity at which surely more is lost; 1 where there is none.
        places: how the loss lies to the tolerated one at each level of the curve.
    """

    found: Found
    sparsity: float
    too_much: float
    places: tuple[Place, ...]


def choose_sparsity(curve: Curve, epsilon: float = EPSILON, relative: bool = False) -> Choice:
    """Return how much to prune: the largest measured sparsity at which surely no more is lost than ε.

    *Surely* means that the whole 95% interval of the loss lies at or below ε. Sparsities above one at which surely more
    is lost do not count. The essential sparsity is where the *mean* loss reaches ε: there the true loss is as
    likely above ε as below. ``sweep`` gives the same two sparsities as the ends of its interval.

    Args:
        curve: the scores of one model on one task.
        epsilon: the tolerated loss in points of the metric, or with ``relative`` in percent of the dense score.
        relative: whether the tolerated loss is in percent.

    Raises:
        InputError: ε is not above 0, or above 100.
    """
    check_epsilon(epsilon)
    sparsity, too_much, places = sparsity_range(curve, epsilon, relative)
    found = _found(curve, sparsity, too_much)
    answered = found in (Found.SPARSITY, Found.AT_LEAST)
    return Choice(found=found, sparsity=sparsity if answered else 0.0, too_much=too_much, places=places)


def sparsity_range(curve: Curve, epsilon: float, relative: bool = False) -> tuple[float, float, tuple[Place, ...]]:
    """Return between which measured sparsities the tolerated loss is reached, whatever the model has learned.

    Args:
        curve: the scores of one model on one task.
        epsilon: the tolerated loss, in the unit of the curve's losses.
        relative: whether it is in percent of the dense score.

    Returns:
        The largest sparsity at which surely no more is lost, or 0; the smallest at which surely more is, or 1; and how
        the loss at each level lies to the tolerated one.
    """
    places = tuple(place_of(loss, epsilon) for loss in curve.drop_estimates(relative))
    levels = list(zip(curve.levels.tolist(), places, strict=True))
    too_much = min((level for level, place in levels if place is Place.BEYOND), default=1.0)
    within = [level for level, place in levels if place is Place.WITHIN and level < too_much]
    return max(within, default=0.0), too_much, places


def place_of(loss: Estimate, epsilon: float) -> Place:
    """Return how a loss with its 95% interval lies to the tolerated one, in the same unit.

    >>> [str(place_of(Estimate(0.5, *ends), 1.0)) for ends in ((0.2, 0.8), (0.2, 1.8), (1.2, 1.8))]
    ['within', 'undecided', 'beyond']
    """
    if loss.high <= epsilon:
        return Place.WITHIN
    return Place.BEYOND if loss.low > epsilon else Place.UNDECIDED


def _found(curve: Curve, sparsity: float, too_much: float) -> Found:
    if curve.metric != LOG_PROBABILITY and not curve.learned():
        return Found.NOT_LEARNED
    if curve.drawn.any() and len(curve.seeds) < _FEWEST_SEEDS:
        return Found.TOO_FEW_SEEDS
    if not sparsity:
        return Found.NONE
    return Found.SPARSITY if too_much < 1 else Found.AT_LEAST
