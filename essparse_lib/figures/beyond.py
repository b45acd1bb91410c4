"""The pictures of the page beyond the paper: chance, readings of zero, learning rates, domains, and no training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.curves import EPSILON, Curve
from ..analysis.noise_floor import noise_floor
from ..analysis.pooled import Range
from ..analysis.prunability import LossCurve
from ..analysis.series import Series
from ..analysis.timing import TimedCurves
from ..analysis.zero_shares import zero_shares
from ..claims.c11_similar_masks import Cosines, Eligible, eligible
from ..claims.paper import COSINES, ESSENTIAL_RANGE
from ..claims.pools import Pool, drops_of_curves
from ..records.store import Record
from ..specs.likelihood import Domain
from ..specs.study import Study
from . import curve_plots, prunability_plots, style
from .fig11_plots import domain_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Height of a row, and of what stands above and below the rows, in inches.
_ROW, _AROUND = 0.3, 1.0

#: Distance between the markers of two models in one row, in rows.
_STEP = 0.3

#: What weights are compared with, in signs, by the end of a reading's name.
_IN_SIGNS = {"exact": "exactly 0", "fp16": "0 in fp16", "bf16": "0 in bf16"}

#: The two times of pruning.
_TIMES = ("pruned, then fine-tuned", "fine-tuned, then pruned")

_TOLERATED = f"tolerated loss: {EPSILON:g} point"
_TOLERANCE_LEGEND = {_TOLERATED: dict(color=style.GUIDE, linestyle="--", linewidth=1)}
_CHANCE, _OF_PAPER = "chance: 1 − sparsity", f"the paper's {COSINES[0]:.0%}"


def learned_drops(study: Study, curves: Sequence[Curve]) -> Pool:
    """Return the drops at 30% of the curves whose dense model has learned its task; the others with their reasons.

    A study that has no 30% is read at its next sparsity.

    Args:
        study: the study of the curves.
        curves: its curves of one way to prune.
    """
    sparsity = min(each for each in study.sparsities if each >= ESSENTIAL_RANGE[0])
    learned = [curve for curve in curves if curve.learned()]
    return drops_of_curves(curves, learned, sparsity, Range(high=EPSILON), decides=True)


def draw_chance(pool: Pool) -> Figure:
    """Draw how far chance alone moves the drop on each task: that of one run, and the mean over the seeds.

    Pale bars hold a single run, dark bars the mean of all runs, each in 95% of cases where the true drop is none. Dots
    are the drops of the single runs.

    Args:
        pool: drops of fine-tuned models; what it does not count is left out.
    """
    drawn = [difference for difference in pool.counted if difference.seeds > 1]
    if not drawn:
        return style.note()
    figure, ax = _rows([f"{each.curve.task} ({each.seeds} runs)" for each in drawn])
    (colour,) = style.colours(["chance"]).values()
    for row, difference in enumerate(drawn):
        floor, curve = noise_floor(difference), difference.curve
        ax.hlines(row, -floor.single, floor.single, color=colour, alpha=0.3, linewidth=11, label=f"{curve.task}, one")
        ax.hlines(row, -floor.mean, floor.mean, color=colour, linewidth=5, label=f"{curve.task}, mean")
        dense, pruned = (curve.prunings.index(pruning) for pruning in difference.pairs[0])
        drops = curve.scores[:, dense] - curve.scores[:, pruned]
        look: dict[str, Any] = {"color": "0.15", "markeredgecolor": "white", "markersize": 5.5}
        ax.plot(drops, [row] * len(drops), "o", label=f"{curve.task}, each run", **look)
    ax.axvline(EPSILON, **style.named(_TOLERANCE_LEGEND))
    figure.supxlabel(f"drop {pool.of} (points)", fontsize=10)
    legend = {
        "one run, if nothing is lost": dict(color=colour, alpha=0.3, linewidth=9),
        "mean of all runs, if nothing is lost": dict(color=colour, linewidth=5),
        "what each run shows": dict(color="0.15", marker="o", markersize=4, linestyle=""),
    }
    style.line_legend(figure, {**legend, **_TOLERANCE_LEGEND}, columns=2)
    return figure


def zero_percents(runs: Sequence[Series], weights: Study, records: Mapping[str, Record]) -> dict[str, dict[str, float]]:
    """Return the percentage of zero weights by model and by reading: of one language model and of one vision model.

    Args:
        runs: pre-trainings of models of language; the first one's last snapshot is read.
        weights: a study of Figure 7; the first model that was measured is read.
        records: records of that study, by id.
    """
    percents = {}
    for run in runs[:1]:
        percents[f"language model {run.name}"] = {name: 100 * float(run.share(name)[-1]) for name in run.zeros}
    shares = zero_shares(weights, records)
    measured = [model for model in weights.models if model in shares.get("exact", {})]
    for model in measured[:1]:
        plain = {reading: of_models for reading, of_models in shares.items() if "Scaler" not in reading}
        percents[f"vision model {model}"] = {reading: of_models[model] for reading, of_models in plain.items()}
    return percents


def draw_zeros(percents: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw the percentage of zero weights on a logarithmic axis: a row for each reading, a colour for each model.

    A reading that finds none has a hollow triangle at the left edge.

    Args:
        percents: percentage of zeros by model and by reading.
    """
    readings = list(dict.fromkeys(reading for of_model in percents.values() for reading in of_model))
    if not readings:
        return style.note()
    figure, ax = _rows([in_signs(reading) for reading in readings])
    colours = style.colours(list(percents))
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(lambda percent, _: np.format_float_positional(percent, trim="-"))
    for place, (model, of_model) in enumerate(percents.items()):
        rows = {reading: row + _STEP * (place - (len(percents) - 1) / 2) for row, reading in enumerate(readings)}
        look: dict[str, Any] = {"color": colours[model], "linestyle": "", "markersize": 7}
        some = {rows[reading]: percent for reading, percent in of_model.items() if percent}
        ax.plot(list(some.values()), list(some), marker="o", label=model, **look)
        for reading in (reading for reading, percent in of_model.items() if not percent):
            at_edge: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "markerfacecolor": "white"}
            ax.plot(0.01, rows[reading], marker="<", label=f"{model}, none", **at_edge, **look)
    figure.supxlabel("zero weights (% of the block matrices' weights)", fontsize=10)
    legend: dict[str, dict[str, Any]] = {
        model: dict(color=colour, marker="o", linestyle="") for model, colour in colours.items()
    }
    legend["no weight at all"] = dict(color="0.15", marker="<", linestyle="", markerfacecolor="white")
    style.line_legend(figure, legend)
    return figure


def in_signs(reading: str) -> str:
    """Return a reading of zero in signs, where w is a weight and σ the standard deviation of its matrix.

    >>> in_signs("exact"), in_signs("below 1e-06"), in_signs("below 0.01 sd")
    ('exactly 0', '|w| < 1e-06', '|w| < 0.01 σ')
    """
    return _IN_SIGNS.get(reading) or reading.replace("below ", "|w| < ").replace(" sd", " σ")


def at_two_rates(study: Study, records: Mapping[str, Record]) -> list[Cosines]:
    """Return the cosines of the first model whose tickets were found at several learning rates, the highest mean first.

    Args:
        study: a study of Figure 10, with its controls.
        records: its records, by id.
    """
    evidence = eligible(study, records)
    cosines = evidence.cosines if isinstance(evidence, Eligible) else ()
    for model in dict.fromkeys(each.model for each in cosines):
        of_model = [each for each in cosines if each.model == model]
        if len(of_model) > 1:
            return sorted(of_model, key=lambda each: -each.least_mean)
    return []


def draw_rates(cosines: Sequence[Cosines]) -> Figure:
    """Draw the cosines of a model's masks against sparsity: a line for each learning rate, and chance.

    Lines are means over the pairs of masks and the seeds, bands go from the least to the greatest.

    Args:
        cosines: of one model at several rates.
    """
    if not cosines:
        return style.note()
    figure, (ax,) = style.titled_axes(("",), "cosine of two masks (%)", style.SPARSITY, height=3.2)
    names = [f"learning rate {each.rate}" for each in cosines]
    colours = style.colours(names)
    for name, each in zip(names, cosines, strict=True):
        percent = [100 * sparsity for sparsity in each.by_sparsity]
        values = [[100 * value for value in pairs] for pairs in each.by_sparsity.values()]
        ax.fill_between(
            percent, [*map(min, values)], [*map(max, values)], color=colours[name], alpha=0.2, label=name, linewidth=0
        )
        ax.plot(percent, [*map(fmean, values)], color=colours[name], marker="o", markersize=4, label=name)
    sparsities = sorted({sparsity for each in cosines for sparsity in each.by_sparsity})
    percent = [100 * sparsity for sparsity in sparsities]
    guides: dict[str, dict[str, Any]] = {
        _CHANCE: dict(color=style.GUIDE, linestyle="--", linewidth=1.2),
        _OF_PAPER: dict(color=style.GUIDE, linestyle=":", linewidth=1.2),
    }
    ax.plot(percent, [100 - each for each in percent], label=_CHANCE, **guides[_CHANCE])
    ax.axhline(100 * COSINES[0], label=_OF_PAPER, **guides[_OF_PAPER])
    ax.set_ylim(top=101)
    lines = {name: dict(color=colour, marker="o", markersize=4) for name, colour in colours.items()}
    style.line_legend(figure, {**lines, **guides}, columns=2)
    return figure


def draw_prunability(study: Study, curves: Sequence[LossCurve], styles: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw how prunability emerges over the steps, or where only trained models are measured, their loss by sparsity.

    Args:
        study: the study of the curves.
        curves: its loss curves.
        styles: by model, how its line is drawn.
    """
    if len({curve.step for curve in curves}) > 1:
        return prunability_plots.draw_emergence(study, curves, styles)
    return prunability_plots.draw_losses(study, curves, styles)


def draw_domains(pool: Pool) -> Figure:
    """Draw the drop on each task with its 95% interval, a colour for what tasks ask for.

    Args:
        pool: drops of a language model that is not trained after the pruning; what it does not count is left out.
    """
    domains = [str(domain) for domain in Domain]
    effects = sorted(pool.effects, key=lambda effect: (domains.index(domain_of(effect.task)), effect.value))
    if not effects:
        return style.note()
    figure, ax = _rows([effect.task for effect in effects])
    colours = style.colours(domains)
    for row, effect in enumerate(effects):
        drop = effect.estimate
        error = [[drop.value - drop.low], [drop.high - drop.value]]
        look: dict[str, Any] = {"color": colours[domain_of(effect.task)], "marker": "o", "capsize": 3}
        ax.errorbar(drop.value, row, xerr=error, label=effect.task, **look)
    ax.axvline(EPSILON, **style.named(_TOLERANCE_LEGEND))
    figure.supxlabel(f"drop {pool.of} (points)", fontsize=10)
    drawn = dict.fromkeys(domain_of(effect.task) for effect in effects)
    legend = {domain: dict(color=colours[domain], marker="o", markersize=5) for domain in drawn}
    style.line_legend(figure, {**legend, **_TOLERANCE_LEGEND}, columns=5)
    return figure


def draw_timings(timed: Sequence[TimedCurves]) -> Figure:
    """Draw change from the dense model against sparsity, pruned before and after the fine-tuning, by task.

    Lines are means over the seeds, bands 95% intervals.

    Args:
        timed: curves of one model.
    """
    if not timed:
        return style.note()
    figure, axes = style.titled_axes([each.before.task for each in timed], "change (points)", style.SPARSITY)
    colours = style.colours(_TIMES)
    for each, ax in zip(timed, axes, strict=True):
        for name, curve in zip(_TIMES, (each.before, each.after), strict=True):
            curve_plots.draw_mean(ax, curve, name, colours[name])
        ax.axhline(-EPSILON, **style.named(_TOLERANCE_LEGEND))
    legend = {name: dict(color=colour, marker="o", markersize=3) for name, colour in colours.items()}
    style.line_legend(figure, {**legend, **_TOLERANCE_LEGEND})
    return figure


def _rows(names: Sequence[str]) -> tuple[Figure, Axes]:
    """Return a figure with one panel that has a row for each name, from the top."""
    figure, (ax,) = style.grid_of_axes(1, height=_ROW * len(names) + _AROUND - 0.4)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(visible=False, axis="y")
    return figure, ax
