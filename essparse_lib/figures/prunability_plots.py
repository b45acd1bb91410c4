"""Figures, tables and sentences of how far models can be pruned without fine-tuning, for Figures 6 and 8."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..analysis.prunability import TOLERANCE, FeatureCurve, LossCurve, by_step, trained
from ..claims.prunability_clauses import READINGS
from ..records.store import Record
from ..specs.measurement import MeasurementKind
from ..specs.study import Study
from ..wording import number_text
from . import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


_TOLERANCE_LEGEND = {f"{TOLERANCE:.0%} above the dense model": dict(color=style.GUIDE, linestyle="--", linewidth=1)}
_MAJORITY_LEGEND = {"commonest class": dict(color=style.GUIDE, linestyle=":", linewidth=1)}


#: Kinds of measurements as a sentence has them.
_KINDS = {
    MeasurementKind.HELD_OUT_LOSS: "the held-out loss",
    MeasurementKind.FEATURE_ACCURACY: "the accuracy of frozen features",
}


def unmeasured(study: Study, records: Mapping[str, Record], kind: str) -> str:
    """Return in a sentence how many of a study's measurements of a kind are not made yet; empty if all are.

    Args:
        study: the study.
        records: records by the id of their spec.
        kind: the held-out loss or the accuracy of frozen features, as a ``MeasurementKind`` or its name.
    """
    measurements = [measurement for measurement in study.measurements() if measurement.kind == kind]
    lacking = [measurement for measurement in measurements if measurement.id not in records]
    if not lacking:
        return ""
    earlier = sum(measurement.step is not None for measurement in lacking)
    at_steps = f", {earlier} of them at earlier steps of the pre-training" if earlier else ""
    return (
        f"Not run yet: {len(lacking)} of {len(measurements)} measurements of {_KINDS[MeasurementKind(kind)]}{at_steps}."
    )


def draw_emergence(
    study: Study, curves: Sequence[LossCurve], styles: Mapping[str, Mapping[str, Any]], sparsity: float = 0.5
) -> Figure:
    """Draw how prunability emerges: the sparsity within the tolerance, and what pruning takes, against the step.

    Left is the sparsity at which the held-out loss rises by ``TOLERANCE`` of the dense model's. Right is the share that
    pruning takes of what was learned since the first step. Models that have nothing to lose have no point.

    Args:
        study: the study of the curves.
        curves: its loss curves.
        styles: by model, how its line is drawn.
        sparsity: the sparsity of the right panel.
    """
    untrained = {curve.model: curve for curve in curves if curve.step == 0}
    shares = by_step(curves, lambda curve: curve.prunable())
    losses = by_step(
        [curve for curve in curves if curve.model in untrained],
        lambda curve: curve.lost(sparsity, untrained[curve.model]),
    )
    if not curves:
        return style.note("not measured yet")
    titles = (
        f"sparsity at which the loss rises by {TOLERANCE:.0%} (%)",
        f"share of learning lost at {sparsity:.0%} sparsity (%)",
    )
    figure, axes = style.titled_axes(titles, height=2.8)
    for ax, quantity in zip(axes, (shares, losses), strict=True):
        for model, (steps, values) in quantity.items():
            ax.plot(steps, 100 * values, marker="o", markersize=3.5, **{**styles[model], "label": model})
    style.scale_steps(axes, max(study.pretrained[curve.model].steps for curve in curves))
    drawn = dict.fromkeys((*shares, *losses))
    style.line_legend(figure, {model: styles[model] for model in drawn}, columns=5)
    return figure


def draw_losses(study: Study, curves: Sequence[LossCurve], styles: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the rise of the trained models' held-out loss against sparsity, in percent of the dense model's loss.

    Args:
        study: the study of the curves.
        curves: its loss curves.
        styles: by model, how its line is drawn.
    """
    last = trained(study, curves)
    if not last:
        return style.note("not measured yet")
    figure, (ax,) = style.titled_axes(("held-out loss",), "rise (%)", style.SPARSITY, height=3)
    for model, curve in last.items():
        ax.plot(100 * curve.levels, 100 * curve.rises, **{**styles[model], "label": model})
    ax.axhline(100 * TOLERANCE, **style.named(_TOLERANCE_LEGEND))
    ax.set_yscale("symlog", linthresh=100 * TOLERANCE)
    style.line_legend(figure, {**{model: styles[model] for model in last}, **_TOLERANCE_LEGEND}, columns=5)
    return figure


def draw_features(
    curves: Sequence[FeatureCurve], styles: Mapping[str, Mapping[str, Any]], reading: str = "knn"
) -> Figure:
    """Draw the accuracy that pruned features give against sparsity: a panel for each task, a line for each model.

    Args:
        curves: feature curves.
        styles: by model, how its line is drawn; others are left out.
        reading: ``knn`` or ``linear_probe``.
    """
    drawn = [curve for curve in curves if curve.model in styles]
    if not drawn:
        return style.note("not measured yet")
    tasks = list(dict.fromkeys(curve.task for curve in drawn))
    figure, axes = style.titled_axes(tasks, f"accuracy (%), {READINGS[reading]}", style.SPARSITY)
    for curve in drawn:
        ax = axes[tasks.index(curve.task)]
        ax.plot(100 * curve.levels, curve.accuracies[reading], **{**styles[curve.model], "label": curve.model})
        ax.axhline(curve.majority, **style.named(_MAJORITY_LEGEND))
    style.line_legend(figure, {**{m: styles[m] for m in styles if m in {c.model for c in drawn}}, **_MAJORITY_LEGEND})
    return figure


def loss_table(
    study: Study, curves: Iterable[LossCurve], styles: Mapping[str, Mapping[str, Any]] | None = None
) -> pd.DataFrame:
    """Return a row for each trained model: its held-out loss, and the sparsity at which that rises by the tolerance.

    Args:
        study: the study of the curves.
        curves: its loss curves.
        styles: by model, how its line is drawn; its label is the model's title. None for the models' own names.
    """
    import pandas as pd

    rows = []
    for model, curve in trained(study, curves).items():
        share = curve.prunable()
        rows.append(
            {
                "model": _title(model, styles),
                "held-out loss": number_text(float(curve.losses[0]), 3),
                "unit": study.pretrained[model].loss_unit,
                f"sparsity at a rise of {TOLERANCE:.0%} (%)": share.text(1, 100) if share.known else "nothing to lose",
            }
        )
    return pd.DataFrame(rows)


def _title(model: str, styles: Mapping[str, Mapping[str, Any]] | None) -> str:
    """Return the label of a model's line; the model's own name if the line has none."""
    return str((styles or {}).get(model, {}).get("label", model))


def feature_table(
    curves: Sequence[FeatureCurve], styles: Mapping[str, Mapping[str, Any]] | None = None
) -> pd.DataFrame:
    """Return a row for each model and task: the accuracies of the dense features, and their mean drop, in points.

    Args:
        curves: feature curves.
        styles: by model, how its line is drawn; its label is the model's title. None for the models' own names.
    """
    import pandas as pd

    rows = []
    for curve in curves:
        row = {"model": _title(curve.model, styles), "task": curve.task}
        for reading, name in READINGS.items():
            row[f"{name}, dense (%)"] = number_text(float(curve.accuracies[reading][0]), 1)
            row[f"{name}, mean drop (points)"] = number_text(curve.mean_drop(reading), 1)
        rows.append(row)
    return pd.DataFrame(rows)
