"""Figure 8: zero weights while BERT is pre-trained, and what more text to train on gives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.change_point import ChangePoint
from ..analysis.estimate import exact
from ..analysis.series import Series
from ..analysis.zero_shares import ABSOLUTE, RELATIVE
from ..claims.paper import JUMPS, JUMPS_OF
from ..records.pretrained import language_models
from ..records.store import Record
from ..specs.measurement import MeasurementKind
from ..specs.pretraining import Architecture, TextPretraining
from ..specs.study import TENTHS, Study, at_sparsities
from . import fig8_rates, language_settings, panels, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _study(scale: str, tasks: tuple[str, ...], training: dict, sparsities: tuple[float, ...], **options) -> Study:
    pretrainings = language_models(scale).items()
    models = {name: spec for name, spec in pretrainings if spec.architecture == Architecture.BERT}
    return Study(
        figure="fig8",
        scale=scale,
        models=tuple(models),
        tasks=tasks,
        training=training,
        variants={"one-shot": at_sparsities(sparsities)},
        measured={MeasurementKind.HELD_OUT_LOSS: (0.0,)},
        pretrained=models,
        **options,
    )


def _with_rates(study: Study) -> Study:
    return replace(study, controls=fig8_rates.controls(study))


STUDIES = {
    "tiny": _study("tiny", ("tiny-sentiment",), language_settings.TINY, (0.5, 0.9), seeds=(0, 1)),
    "lab": _with_rates(_study("lab", language_settings.LAB_FEW, language_settings.LAB_SCRATCH, TENTHS)),
    "paper": _study("paper", ("mnli", "qnli", "qqp", "rte"), language_settings.TABLE_1, TENTHS),
}

#: The steps, in thousands, at which the MultiBERTs were saved (Sellam et al. 2022, arXiv 2106.16163, §2).
MULTIBERTS_AT = (*range(0, 200, 20), *range(200, 2001, 100))

#: BERT-base as others trained it again, for 2 million steps; the hub has these steps of the first five seeds.
MULTIBERTS = Study(
    figure="fig8",
    scale="paper",
    models=tuple(f"google/multiberts-seed_{seed}-step_{at}k" for seed in (0, 1) for at in MULTIBERTS_AT),
    tasks=(),
    training={},
    variants={"one-shot": ()},
    seeds=(0,),
    measured={MeasurementKind.ZEROS: (0.0,)},
)

#: The readings of zero that are drawn, each if any weight is zero by it.
DRAWN = ("exact", "fp16", "bf16", "below 1e-06", "below 0.0001", "below 0.001", "below 0.01", "below 0.01 sd")

_JUMP_LEGEND = {"an abrupt jump": dict(marker="^", linestyle="", color=style.MARKED)}
_ENTROPY_LEGEND = {"by the tokens' frequencies": dict(color=style.GUIDE, linestyle="--", linewidth=1)}
_PAPER_LEGEND = {"where the paper saw its jumps": dict(color=style.GUIDE, alpha=0.25, linewidth=6)}


def draw_zeros(study: Study, runs: Sequence[Series], jumps: Mapping[str, Mapping[str, ChangePoint]]) -> Figure:
    """Draw zero weights against steps: a panel for each reading, a line for each run, a triangle at abrupt jumps.

    Readings by which no weight is zero have no panel. Grey bands are where the paper saw the jump, as a share of the
    run; there are none where checkpoints of others are drawn.

    Args:
        study: the study of the runs.
        runs: the pre-trainings.
        jumps: by reading and name of the run, the clearest jump of the count.
    """
    drawn = [reading for reading in DRAWN if any(reading in run.zeros and run.zeros[reading].any() for run in runs)]
    if not drawn:
        return style.note("no weight is zero by these readings" if runs else "no records yet")
    figure, axes = style.titled_axes(drawn, "zero weights (%)")
    styles = line_styles(runs)
    bands_of_paper = JUMPS.values() if study.pretrained else ()
    last = _last_step(runs)
    style.scale_steps(axes, last)
    for reading, ax in zip(drawn, axes, strict=True):
        for low, high in bands_of_paper:
            ax.axvspan(
                last * low / JUMPS_OF, last * high / JUMPS_OF, **{**style.named(_PAPER_LEGEND), "linewidth": 1.5}
            )
        jumps_of_reading = jumps.get(reading, {})
        for run in runs:
            percent = 100 * run.share(reading)
            ax.plot(run.steps, percent, **styles[run.name])
            jump = jumps_of_reading.get(run.name)
            if jump is not None and jump.abrupt and jump.at:
                middle = sum(jump.at) / 2
                name = f"jump, {styles[run.name]['label']}"
                marker = "^" if jump.size > 0 else "v"
                ax.plot(
                    middle, np.interp(middle, run.steps, percent), marker, color=style.MARKED, markersize=7, label=name
                )
        shares = np.concatenate([run.share(reading) for run in runs])
        smallest = shares[shares > 0].min()
        if shares.max() > 100 * smallest:
            ax.set_yscale("symlog", linthresh=100 * smallest)
            ax.set_ylim(bottom=0)
    abrupt = any(jump.abrupt for reading in drawn for jump in jumps.get(reading, {}).values())
    legend = {**styles, **(_JUMP_LEGEND if abrupt else {}), **(_PAPER_LEGEND if bands_of_paper else {})}
    style.line_legend(figure, legend, columns=5)
    return figure


def panel(runs: Sequence[Series]) -> panels.Panel | None:
    """Return a panel of zero weights against steps, in percent of the weights, or None if there are no runs.

    The numbers are exact: estimates have no interval. The first reading counts below a fixed threshold; the second is
    the one that is judged. At first the runs of the most and of the least text are drawn.
    """
    if not runs:
        return None
    last = max(int(run.steps[-1]) for run in runs)
    styles, fractions = line_styles(runs), [run.fraction for run in runs]
    order = {ABSOLUTE: 0, RELATIVE: 1}
    lines = []
    for run in runs:
        every_other = [i for i, step in enumerate(run.steps) if step % max(1, last // 50) == 0]
        readings = {}
        for reading in sorted(run.zeros, key=lambda name: order.get(name, len(order))):
            if run.zeros[reading].any():
                percents = 100 * run.share(reading)[every_other]
                title = f"zero weights, {reading.replace(' sd', ' standard deviations')} (%)"
                readings[title] = [exact(percent) for percent in percents.tolist()]
        lines.append(
            panels.Line(
                colour=f"{run.fraction:.0%}",
                dash=f"seed {run.seed}",
                places=[int(step) for step in run.steps[every_other]],
                readings=readings,
                first=run.fraction in (max(fractions), min(fractions)),
            )
        )
    return panels.Panel(
        lines=lines,
        axis="pre-training steps",
        description="A line for each pre-training: the percentage of its weights that count as zero, over the steps.",
        start=last // 2,
        interval="",
        legends=("share of the text", "", "seed"),
        palette={f"{run.fraction:.0%}": styles[run.name]["color"][:3] for run in runs},
        dashes=style.SEED_LINES,
        unit=" steps",
        digits=None,
    )


def draw_losses(study: Study, runs: Sequence[Series], records: Mapping[str, Record]) -> Figure:
    """Draw loss against steps, on held-out text and on training text; the dashed line is the entropy of single tokens.

    Args:
        study: the study of the runs.
        runs: the pre-trainings.
        records: the study's records, by id.
    """
    with_losses = [run for run in runs if not np.isnan(run.held_out).all()]
    if not with_losses:
        return style.note()
    pretrainings = [pretraining for pretraining in study.pretrainings() if pretraining.id in records]
    metrics = [records[pretraining.id].metrics for pretraining in pretrainings]
    entropies = {each["unigram_entropy"] for each in metrics if "unigram_entropy" in each}
    figure, axes = style.titled_axes(("held-out text", "training text"), "loss (nats a token)")
    styles = line_styles(with_losses)
    for ax, name in zip(axes, ("held_out", "loss"), strict=True):
        for run in with_losses:
            ax.plot(run.steps, getattr(run, name), **styles[run.name])
        for entropy in entropies:
            ax.axhline(entropy, **style.named(_ENTROPY_LEGEND))
    style.scale_steps(axes, _last_step(with_losses))
    style.line_legend(figure, {**styles, **_ENTROPY_LEGEND}, columns=5)
    return figure


def draw_weights(runs: Sequence[Series]) -> Figure:
    """Draw what else the weights do against steps: left effective sparsity, right the norm of each component.

    Norms are multiples of the first one: lines are means over the runs, bands their range.
    """
    if not runs:
        return style.note()
    figure, axes = style.titled_axes(("effective sparsity (%)", "norm, as a multiple of the first"))
    styles = line_styles(runs)
    for run in runs:
        axes[0].plot(run.steps, 100 * run.effective, **styles[run.name])
    longest = max((run.steps for run in runs), key=len)
    components = list(dict.fromkeys(component for _, component, _ in runs[0].places))
    for component, colour in style.colours(components).items():
        growths = []
        for run in runs:
            norm = run.norm(component)
            growths.append(np.interp(longest, run.steps, norm / norm[0], right=math.nan))
        low, high = np.nanmin(growths, 0), np.nanmax(growths, 0)
        axes[1].plot(longest, np.nanmean(growths, 0), color=colour, label=component, linewidth=1.2)
        axes[1].fill_between(longest, low, high, color=colour, alpha=0.2, linewidth=0, label=component)
    axes[1].legend(handles=axes[1].get_lines(), fontsize=8)
    style.scale_steps(axes, _last_step(runs))
    style.line_legend(figure, styles, columns=5)
    return figure


def line_styles(runs: Sequence[Series] | Sequence[TextPretraining]) -> dict[str, dict[str, Any]]:
    """Return how the line of each run is drawn, by its name: dark for much text, a line style for each seed.

    Args:
        runs: series of snapshots, or specs of pre-trainings.
    """
    import matplotlib as mpl

    fractions, seeds = sorted({run.fraction for run in runs}, reverse=True), sorted({run.seed for run in runs})
    palette = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(fractions)))
    return {
        run.name if isinstance(run, Series) else run.model: {
            "color": tuple(palette[fractions.index(run.fraction)]),
            "linestyle": style.SEED_LINES[seeds.index(run.seed) % len(style.SEED_LINES)],
            "linewidth": 1.2,
            "label": f"{run.fraction:.0%}, seed {run.seed}",
        }
        for run in runs
    }


def _last_step(runs: Sequence[Series]) -> float:
    """Return the last step of the longest of some runs."""
    return max(float(run.steps[-1]) for run in runs)
