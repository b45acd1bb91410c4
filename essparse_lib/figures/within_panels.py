"""An interactive panel of the share of resamples in which a difference lies within ε, with ε at the slider."""

from __future__ import annotations

from collections.abc import Sequence

from ..analysis.estimate import exact
from ..analysis.pooled import Effect, mean_effect
from ..claims.pools import Pool
from ..claims.rules import place_of
from . import panels

#: The tolerances of the slider, in points.
EPSILONS = tuple(0.25 * step for step in range(13))

#: The only reading of the panel, and what the line over all tasks is called.
SHARE, TOGETHER = "share of resamples within ε (%)", "on average"


def of_pools(pools: Sequence[Pool]) -> panels.Panel | None:
    """Return a panel of the share of bootstrap resamples in which a difference lies within ε, or None if none counts.

    A colour is a pool, such as a sparsity; a shape is a task, or all of them. At first lines of the means are drawn.
    """
    lines = [_line(pool, place, effects) for pool in pools for place, effects in _places(pool).items()]
    if not lines:
        return None
    description = (
        "The share of the bootstrap's resamples in which the difference lies within ε, against ε: a line for each "
        "sparsity or pattern, on average over the tasks and for each task."
    )
    return panels.Panel(
        lines=lines,
        axis="ε (points)",
        description=description,
        start=next(iter(pools)).allowed.high,
        step=EPSILONS[1],
        interval="",
        unit=" pt",
        digits=0,
        legends=("difference", "task"),
    )


def _places(pool: Pool) -> dict[str, list[Effect]]:
    """Return the effects of each line of a pool: all together, and each task's."""
    if not pool.counted:
        return {}
    return {TOGETHER: pool.effects, **{place_of(pool.effects, effect): [effect] for effect in pool.effects}}


def _line(pool: Pool, place: str, effects: list[Effect]) -> panels.Line:
    resampled = mean_effect(effects).resampled
    shares = [exact(100 * pool.allowed.at(epsilon).share(resampled)) for epsilon in EPSILONS]
    return panels.Line(colour=pool.of, shape=place, places=EPSILONS, readings={SHARE: shares}, first=place == TOGETHER)
