"""Figure 8: zero weights while BERT is pre-trained, and what more text to train on gives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.change_point import ChangePoint
from ..analysis.curves import Curve
from ..analysis.estimate import Estimate
from ..analysis.series import Series, text_pretrainings
from ..analysis.text_effects import score_effects
from ..analysis.zero_shares import RELATIVE
from ..claims.paper import JUMPS, JUMPS_OF
from ..records.pretrained import texts
from ..records.store import Record
from ..specs.pretraining import TextPretraining
from ..specs.study import TENTHS, Study, at_sparsities
from . import language_settings, panels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _study(scale: str, tasks: tuple[str, ...], training: dict, sparsities: tuple[float, ...], **options) -> Study:
    models = {name: asked for name, asked in texts(scale).items() if asked.architecture == "bert"}
    ways = {"one-shot": at_sparsities(sparsities)}
    return Study(
        figure="fig8",
        scale=scale,
        models=tuple(models),
        tasks=tasks,
        training=training,
        variants=ways,
        pretrained=models,
        **options,
    )


STUDIES = {
    "tiny": _study("tiny", ("tiny-sentiment",), language_settings.TINY, (0.5, 0.9), seeds=(0, 1)),
    "lab": _study("lab", language_settings.LAB_FEW, language_settings.LAB_SCRATCH, TENTHS),
    "paper": _study("paper", ("mnli", "qnli", "qqp", "rte"), language_settings.TABLE_1, TENTHS),
}

#: The steps, in thousands, at which the MultiBERTs were saved (Sellam et al. 2022, arXiv 2106.16163, §2).
MULTIBERTS_AT = (*range(0, 200, 20), *range(200, 2001, 100))

#: bert-base as others trained it again, for 2 million steps: on the hub, with these steps for the first five seeds.
MULTIBERTS = Study(
    figure="fig8",
    scale="paper",
    models=tuple(f"google/multiberts-seed_{seed}-step_{at}k" for seed in (0, 1) for at in MULTIBERTS_AT),
    tasks=(),
    training={},
    variants={"one-shot": ()},
    seeds=(0,),
    measured={"zeros": (0.0,)},
)

#: The readings of zero that are drawn, where any weight is zero by them.
DRAWN = ("exact", "fp16", "bf16", "below 1e-06", "below 0.0001", "below 0.001", "below 0.01", "below 0.01 sd")

_JUMP = {"an abrupt jump": dict(marker="^", linestyle="", color=style.ASKED)}
_FLOOR = {"commonest class": dict(color=style.GUIDE, linestyle=":", linewidth=1)}
_ENTROPY = {"by the tokens' frequencies": dict(color=style.GUIDE, linestyle="--", linewidth=1)}
_SEEN = {"where the paper saw it": dict(color=style.GUIDE, alpha=0.25, linewidth=6)}


def draw_zeros(study: Study, runs: Sequence[Series], found: Mapping[str, Mapping[str, ChangePoint]]) -> Figure:
    """Zero weights against steps: a panel a reading by which any weight is zero, a line a run, abrupt jumps marked.

    Grey bands are where the paper saw the jump, as a share of the run; none where others' checkpoints are drawn.
    """
    drawn = [reading for reading in DRAWN if any(reading in r.zeros and r.zeros[reading].any() for r in runs)]
    if not drawn:
        return style.note("no weight is zero by these readings" if runs else "no records yet")
    figure, axes = style.titled(drawn, "zero weights (%)")
    looks, seen = _looks(runs), JUMPS.values() if study.pretrained else ()
    last = _over_steps(axes, runs)
    for reading, ax in zip(drawn, axes, strict=True):
        for low, high in seen:
            ax.axvspan(last * low / JUMPS_OF, last * high / JUMPS_OF, color=style.GUIDE, alpha=0.25, linewidth=1.5)
        for run in runs:
            percent = 100 * run.share(reading)
            ax.plot(run.steps, percent, **looks[run.name])
            jump = found.get(reading, {}).get(run.name)
            if jump is not None and jump.abrupt and jump.at:
                middle = sum(jump.at) / 2
                mark = "^" if jump.size > 0 else "v"
                ax.plot(middle, np.interp(middle, run.steps, percent), mark, color=style.ASKED, markersize=7)
        positive = np.concatenate([run.share(reading)[run.share(reading) > 0] for run in runs])
        if positive.max() > 100 * positive.min():
            ax.set_yscale("symlog", linthresh=100 * positive.min())
            ax.set_ylim(bottom=0)
    abrupt = any(jump.abrupt for reading in drawn for jump in found.get(reading, {}).values())
    style.line_legend(figure, {**looks, **(_JUMP if abrupt else {}), **(_SEEN if seen else {})}, columns=5)
    return figure


def panel(runs: Sequence[Series]) -> panels.Panel | None:
    """Zero weights against steps, to be read at a slider by each reading, in percent of the weights; exact numbers."""
    if not runs:
        return None
    last = max(int(run.steps[-1]) for run in runs)
    lines = []
    for run in runs:
        evenly = [i for i, step in enumerate(run.steps) if step % max(1, last // 50) == 0]  # every other look
        read = {
            reading: [Estimate(*[100 * float(share)] * 3) for share in run.share(reading)[evenly]]
            for reading in sorted(run.zeros, key=lambda name: name != RELATIVE)  # the one that is judged first
            if run.zeros[reading].any()
        }
        lines.append(
            panels.Line(name=run.label, kind="weights", across=[int(step) for step in run.steps[evenly]], readings=read)
        )
    words = "A line for each pre-training: the percentage of its weights that is zero by a reading, over the steps."
    legends = ("Runs", "")
    return panels.Panel(
        lines=lines, across="step", words=words, start=last // 2, interval="", legends=legends, unit=" steps", digits=4
    )


def draw_losses(study: Study, runs: Sequence[Series], records: Mapping[str, Record]) -> Figure:
    """Loss against steps, on text that is held out and on what is trained on, beside the entropy of single tokens."""
    watched = [run for run in runs if not np.isnan(run.held_out).all()]
    if not watched:
        return style.note()
    metrics = [records[p.id].metrics for p in study.pretrainings() if p.id in records]
    figure, axes = style.titled(("held-out text", "training text"), "loss (nats a token)")
    looks = _looks(watched)
    for ax, name in zip(axes, ("held_out", "loss"), strict=True):
        for run in watched:
            ax.plot(run.steps, getattr(run, name), **looks[run.name])
        for entropy in {m["unigram_entropy"] for m in metrics if "unigram_entropy" in m}:
            ax.axhline(entropy, color=style.GUIDE, linestyle="--", linewidth=1)
    _over_steps(axes, watched)
    style.line_legend(figure, {**looks, **_ENTROPY}, columns=5)
    return figure


def draw_weights(runs: Sequence[Series]) -> Figure:
    """Left effective sparsity against steps; right each component's norm over its first, mean and range of the runs."""
    if not runs:
        return style.note()
    figure, axes = style.titled(("effective sparsity (%)", "norm, as a multiple of the first"))
    looks, longest = _looks(runs), max((run.steps for run in runs), key=len)
    for run in runs:
        axes[0].plot(run.steps, 100 * run.effective, **looks[run.name])
    for component, colour in style.colours(list(dict.fromkeys(c for _, c, _ in runs[0].places))).items():
        norms = [run.norm(component) for run in runs]
        growth = [np.interp(longest, r.steps, n / n[0], right=math.nan) for r, n in zip(runs, norms, strict=True)]
        axes[1].plot(longest, np.nanmean(growth, 0), color=colour, label=component, linewidth=1.2)
        axes[1].fill_between(longest, np.nanmin(growth, 0), np.nanmax(growth, 0), color=colour, alpha=0.2, linewidth=0)
    axes[1].legend(fontsize=8)
    _over_steps(axes, runs)
    style.line_legend(figure, looks, columns=5)
    return figure


def draw_scores(study: Study, found: Sequence[Curve], asked: float) -> Figure:
    """Score against sparsity, of which one is marked: the mean over the tasks that count, then a panel a task."""
    means = score_effects(study, found)
    titles = [*(["mean of the learned tasks"] if means else []), *dict.fromkeys(curve.task for curve in found)]
    if not titles:
        return style.note()
    figure, axes = style.titled(titles, "score", style.SPARSITY)
    looks = _looks(_tried(study, found))
    for title, ax in zip(titles, axes, strict=True):
        ax.axvline(100 * asked, color=style.ASKED, linewidth=1, linestyle="--")
        for curve in (c for c in found if c.task == title):
            ax.plot(100 * curve.levels, np.nanmean(curve.scores, 0), **looks[curve.model])
            ax.axhline(curve.majority, color=style.GUIDE, linestyle=":", linewidth=1)
    for model in means[0.0].values if means else ():
        axes[0].plot([100 * s for s in means], [effect.values[model] for effect in means.values()], **looks[model])
    style.line_legend(figure, {**looks, **_FLOOR}, columns=5)
    return figure


def draw_dense(study: Study, found: Sequence[Curve]) -> Figure:
    """Score without pruning against the part of the text, with 95% intervals over fine-tuning seeds and examples."""
    tasks = list(dict.fromkeys(curve.task for curve in found))
    if not tasks:
        return style.note()
    figure, axes = style.titled(tasks, "score", "text that the model was pre-trained on (%)")
    tried = {asked.model: asked for asked in _tried(study, found)}
    looks = _looks([*tried.values()])
    for curve in found:
        ax, how, dense = axes[tasks.index(curve.task)], tried[curve.model], curve.dense()
        error = [[dense.value - dense.low], [dense.high - dense.value]]
        at = 100 * how.fraction + 0.8 * how.seed  # side by side
        ax.errorbar(at, dense.value, yerr=error, **looks[curve.model], marker="o", markersize=4, capsize=3)
        ax.axhline(curve.majority, color=style.GUIDE, linestyle=":", linewidth=1)
    style.line_legend(figure, {**looks, **_FLOOR}, columns=5)
    return figure


def _tried(study: Study, found: Sequence[Curve]) -> list[TextPretraining]:
    """The pre-trainings of the models that there are curves of."""
    models = {curve.model for curve in found}
    return [asked for asked in text_pretrainings(study) if asked.model in models]


def _looks(runs: Sequence[Series] | Sequence[TextPretraining]) -> dict[str, dict[str, Any]]:
    """Colour and line of each run by its name: dark where there is much text, a line style for each seed."""
    import seaborn as sns

    fractions, seeds = sorted({r.fraction for r in runs}, reverse=True), sorted({r.seed for r in runs})
    palette = sns.color_palette("viridis", as_cmap=True)(np.linspace(0, 0.85, len(fractions)))
    return {
        run.name if isinstance(run, Series) else run.model: {
            "color": tuple(palette[fractions.index(run.fraction)]),
            "linestyle": style.SEED_LINES[seeds.index(run.seed) % len(style.SEED_LINES)],
            "linewidth": 1.2,
            "label": f"{run.fraction:.0%}, seed {run.seed}",
        }
        for run in runs
    }


def _over_steps(axes: Sequence[Axes], runs: Sequence[Series]) -> float:
    """Places go with the square root of the step, so that early ones can be read too; returns the last step."""
    last = max(run.steps[-1] for run in runs)
    ticks = [last * share for share in (0.01, 0.1, 0.4, 1)]
    for ax in axes:
        ax.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
        ax.set_xticks(
            ticks, [f"{t / 1e6:g}M" if t >= 1e6 else f"{t / 1e3:g}k" if t >= 1e3 else f"{t:g}" for t in ticks]
        )
        ax.set_xlim(0, last)
    axes[0].figure.supxlabel("pre-training steps", fontsize=10)
    return last
