"""Tables and sentences of what a mean over tasks rests on: noise floors, other readings, what would decide."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..analysis.curves import Curve
from ..analysis.differences import Difference
from ..analysis.noise import NoiseReading
from ..analysis.noise_floor import MOST_SEEDS, POWER, TOO_NEAR, Need, need, noise_floor
from ..claims.pools import Pool
from ..claims.rules import place_of
from ..claims.verdict import Outcome
from ..records.store import Record
from ..specs.study import Study
from ..wording import number_text
from .task_titles import task_title

if TYPE_CHECKING:
    import pandas as pd

#: Tolerances of the table of shares, in points.
EPSILONS = (0.5, 1.0, 1.5, 2.0)

#: The title of the column that says what a mean is of.
POOLED = "weights gone"

#: The titles of the columns of readings of the noise.
READINGS = {
    NoiseReading.RULE: "noise as in the verdict",
    NoiseReading.EXAMPLES: "noise of examples only",
    NoiseReading.UNCORRECTED: "examples counted twice",
}


def floor_table(pools: Sequence[Pool]) -> pd.DataFrame:
    """Return a row for each model and task of each pool: how far chance alone moves the difference, in points."""
    import pandas as pd

    rows = []
    for pool in pools:
        for difference in _differences(pool):
            floor, curve = noise_floor(difference), difference.curve
            rows.append(
                {
                    "measured on": ", ".join(filter(None, (task_title(curve.task), *_further(pool, curve, pools)))),
                    "seeds × examples": f"{difference.seeds} × {curve.examples:,}",
                    "sd, training": _points(floor.training),
                    "sd, examples": _points(floor.examples),
                    "smallest detectable": _points(floor.detectable),
                    "one run": f"±{_points(floor.single)}" if floor.single == floor.single else "–",
                }
            )
    return pd.DataFrame(rows)


def _further(pool: Pool, curve: Curve, pools: Sequence[Pool]) -> tuple[str, str]:
    """Return the model of a pool's curve and what the pool is of, each empty where all pools have one alone."""
    models = {each.curve.model for other in pools for each in _differences(other)}
    return curve.model if len(models) > 1 else "", pool.of if len(pools) > 1 else ""


def _differences(pool: Pool) -> list[Difference]:
    return [*pool.counted, *(other.difference for other in pool.others)]


def _points(value: float) -> str:
    return "–" if math.isnan(value) else number_text(value, 2)


def within_table(pools: Sequence[Pool]) -> pd.DataFrame:
    """Return a row for each pool: the share of resamples in which its mean lies within some tolerances."""
    import pandas as pd

    rows = []
    for pool in pools:
        if pool.counted:
            shares = {f"ε = {epsilon:g}": f"{pool.share_within(epsilon):.0%}" for epsilon in EPSILONS}
            rows.append({POOLED: pool.of, "mean (points)": pool.mean.text(2), **shares})
    return pd.DataFrame(rows)


def sensitivity_table(pools: Sequence[Pool]) -> pd.DataFrame:
    """Return the mean and its outcome for each pool, by tolerances in points and in percent, and by readings of noise.

    Which effects count is the same in all of them.
    """
    import pandas as pd

    rows = []
    for pool in pools:
        for relative in (False, True):
            unit = "% of dense" if relative else " point"
            row = {POOLED: pool.of, "tasks": len(pool.counted), "ε": f"{pool.allowed.high:g}{unit}"}
            for reading in NoiseReading:
                row[READINGS[reading]] = _reading_text(pool, relative, reading)
            rows.append(row)
    return pd.DataFrame(rows)


def _reading_text(pool: Pool, relative: bool, reading: NoiseReading) -> str:
    if not pool.counted:
        return "not measured"
    mean, outcome = pool.read(pool.allowed, relative, reading)
    return f"{mean.text(2)}: {outcome}"


def needs_text(pools: Sequence[Pool], study: Study, records: Mapping[str, Record]) -> str:
    """Return in Markdown what would decide the means that are not decided, with seeds, examples and core-hours.

    Args:
        pools: the pools on which a verdict rests.
        study: their study.
        records: records by the id of their spec.
    """
    if not any(pool.counted for pool in pools):
        return "No effect counts yet. Records of tasks that count would decide."
    parts = []
    for pool in pools:
        if pool.counted and pool.outcome == Outcome.INCONCLUSIVE:
            parts.append(_need_text(pool, need(pool.counted, pool.allowed, study, records)))
    return "\n\n".join(parts) or "The mean is decided: nothing more is needed for it."


def _need_text(pool: Pool, needed: Need) -> str:
    distance = f"the mean lies {needed.distance:.2f} points from the nearest limit that the claim allows"
    text = f"**{pool.of[0].upper()}{pool.of[1:]}** {distance}. Its standard error is {needed.error:.2f}."
    if len(pool.counted) > 1:
        noisiest = place_of(pool.effects, needed.noisiest)
        text += f" {noisiest[0].upper()}{noisiest[1:]} makes up {needed.noisiest_share:.0%} of its variance."
    if not needed.plans:
        return f"{text} This is nearer than {TOO_NEAR:g}: no affordable number of runs decides it."
    text += (
        f" If this is the true mean, a standard error of {needed.needed_error:.2f} decides it in {POWER:.0%} of cases."
    )
    if all(plan.seeds is None for plan in needed.plans):
        most = max(plan.factor for plan in needed.plans)
        return f"{text} Not even {MOST_SEEDS} seeds of each task with {most} times as many test examples reach it."
    table = [
        f"{text} Each row would reach it, where the tasks have so many examples:",
        "",
        "| test examples | seeds of each task | core-hours |",
        "| --- | --- | --- |",
    ]
    for plan in needed.plans:
        seeds = f"more than {MOST_SEEDS}" if plan.seeds is None else str(plan.seeds)
        hours = "–" if plan.core_hours is None else f"{plan.core_hours:.1f}"
        table.append(f"| {'as now' if plan.factor == 1 else f'{plan.factor} × as many'} | {seeds} | {hours} |")
    return "\n".join(
        [*table, "", "Core-hours are those of one CPU thread on the devices that made the records, GPUs included."]
    )
