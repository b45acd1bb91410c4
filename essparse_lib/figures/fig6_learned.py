"""Tables, plots and sentences of Figure 6's pre-trainings: what they learned, what they saw and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from ..analysis.curves import Curve
from ..analysis.effects import detectable_ratio
from ..records.store import Record
from ..specs.pretraining import ImagePretraining, ObjectiveKind
from ..specs.study import Study
from ..wording import listing, signed
from . import style, vision_settings
from .fig6 import add_legend, line_styles

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: CIFAR-10 accuracy, in percent, of ViTs of patches of 4 pixels that others trained from random weights on its training
#: images alone: name, parameters, epochs, accuracy. Source: Hassani et al. 2021, arXiv 2104.05704, the table of its
#: authors' repository.
PUBLISHED = (("ViT-Lite-6/4", 3_191_000, 200, 90.94), ("ViT-Lite-7/4", 3_717_000, 200, 91.38))
CIFAR_10 = 50_000

#: Titles of what is measured while a model is pre-trained: of each probe, and of the loss on held-out images for each
#: objective.
_PROBES = {
    "knn": "k-NN accuracy (%)",
    "teacher_entropy": "entropy of the teacher's outputs",
    "entropy_of_mean": "entropy of their mean",
}
_LOSSES = {
    ObjectiveKind.SUPERVISED: "loss, supervised (nats)",
    ObjectiveKind.DINO: "loss, DINO (nats)",
    ObjectiveKind.MASKED: "error, hidden pixels (sd)",
}

#: Metrics of how much a model has learned, in percent, by their titles in a table.
_METRICS = {
    "k-NN": "knn",
    "k-NN, patches": "knn_patches",
    "linear probe": "linear_probe",
    "linear probe, patches": "linear_probe_patches",
    "its own head": "accuracy",
}

#: The same without training, by the name of the row: metrics by their titles.
_UNTRAINED = {
    "no training: random weights": {"k-NN": "knn_random", "linear probe": "linear_probe_random"},
    "no model: pixels": {"k-NN": "knn_pixels"},
}


def quality_table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return a row for each pre-training: how much it has learned, by several metrics in percent.

    Two rows below are means over the pre-trainings: what random weights and the pixels themselves give.
    """
    import pandas as pd

    rows, all_metrics = [], []
    for title, _, record in _pretrainings(study, records):
        metrics = record.metrics if record else {}
        all_metrics.append(metrics)
        rows.append({"model": title, **{column: _percent([metrics], name) for column, name in _METRICS.items()}})
    for title, names in _UNTRAINED.items():
        cells = {column: _percent(all_metrics, names[column]) if column in names else "—" for column in _METRICS}
        rows.append({"model": title, **cells})
    return pd.DataFrame(rows)


def _percent(all_metrics: Sequence[Mapping[str, float]], name: str) -> str:
    """Return the mean of a metric over those that have it; a dash if none has."""
    values = [metrics[name] for metrics in all_metrics if name in metrics]
    return f"{fmean(values):.1f}" if values else "—"


def gains_table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return a row for each objective: how far its k-NN accuracy lies above that of pixels and of random weights.

    Numbers are means over the models, in points; the last column has the features of the patches.
    """
    import pandas as pd

    columns = {
        "k-NN − pixels": _mean_gains(study, records, "knn", "knn_pixels"),
        "k-NN − random weights": _mean_gains(study, records, "knn", "knn_random"),
        "k-NN, patches − pixels": _mean_gains(study, records, "knn_patches", "knn_pixels"),
    }
    rows = []
    for objective in columns["k-NN − pixels"]:
        cells = {title: gains.get(objective, "—") for title, gains in columns.items()}
        rows.append({"objective": objective, **cells})
    return pd.DataFrame(rows)


def next_pretrainings(study: Study, records: Mapping[str, Record], more: int = 3) -> str:
    """Return which further pre-trainings come first, by a rule stated before any of them, and why, in words.

    Longer ones do if DINO's k-NN accuracy lies less than half as far above that of pixels as the supervised models'
    does: more short ones would then say more exactly what DINO is before it has learned.

    Args:
        study: a study of Figure 6.
        records: its records, by id.
        more: how many short ones a side there could be in place of the longer ones.
    """
    gains = _gains(study, records, "knn", "knn_pixels")
    if not {vision_settings.DINO, vision_settings.SUPERVISED} <= gains.keys():
        return "Which further pre-trainings come first cannot be said: the compared pre-trainings have no records."
    dino, supervised = gains[vision_settings.DINO], gains[vision_settings.SUPERVISED]
    now = len(vision_settings.objectives(study)[vision_settings.DINO])
    ratio, ratio_then = detectable_ratio(now, now), detectable_ratio(now + more, now + more)
    lead = (
        f"k-NN − pixels is {signed(dino)} points for DINO and {signed(supervised)} for the supervised models. With "
        f"{now} pre-trainings a side, a difference shows if it is {ratio:.1f} times the spread between such "
        f"pre-trainings. With {now + more} a side, {ratio_then:.1f} times is enough."
    )
    if dino < supervised / 2:
        return (
            f"{lead} DINO has gained less than half as much, so longer pre-trainings come first: two DINO models with "
            "four times the steps. They will be compared with supervised models after equally many images and after "
            "equal time. More short pre-trainings would only describe a DINO model that has hardly learned."
        )
    return f"{lead} DINO has gained half as much or more, so {more} more pre-trainings a side come first."


def _mean_gains(study: Study, records: Mapping[str, Record], metric: str, other: str) -> dict[str, str]:
    """Return, by objective, the signed mean of one metric less another over the models that have both."""
    return {objective: signed(gain) for objective, gain in _gains(study, records, metric, other).items()}


def _gains(study: Study, records: Mapping[str, Record], metric: str, other: str) -> dict[str, float]:
    """Return, by objective, the mean of one metric less another over the models that have both."""
    metrics_of = {
        pretraining.model: records[pretraining.id].metrics
        for pretraining in study.pretrainings()
        if pretraining.id in records
    }
    means = {}
    for objective, models in vision_settings.objectives(study).items():
        metrics = [metrics_of.get(model, {}) for model in models]
        gains = [each[metric] - each[other] for each in metrics if metric in each and other in each]
        if gains:
            means[objective] = fmean(gains)
    return means


def cost_table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return a row for each pre-training: what it saw, what it cost, and its outcome."""
    import pandas as pd

    rows = []
    for title, pretraining, record in _pretrainings(study, records):
        metrics, provenance = (record.metrics, record.provenance) if record else ({}, {})
        cells = {
            "steps": f"{pretraining.steps:,}",
            "images seen": f"{pretraining.images:,}",
            "parameters": f"{metrics['parameters'] / 1e6:.2f} M" if "parameters" in metrics else "—",
            "minutes": f"{provenance['seconds'] / 60:.1f}" if "seconds" in provenance else "—",
            "outcome": record.status if record else "no record",
        }
        rows.append({"model": title, **cells})
    return pd.DataFrame(rows)


def _pretrainings(study: Study, records: Mapping[str, Record]) -> Iterator[tuple[str, ImagePretraining, Record | None]]:
    """Yield, for each of the study's pre-trainings, its model's title, its spec and its record."""
    for pretraining in study.pretrainings():
        if isinstance(pretraining, ImagePretraining):
            yield vision_settings.model_title(pretraining.model), pretraining, records.get(pretraining.id)


def draw_learning(study: Study, records: Mapping[str, Record]) -> Figure:
    """Draw what shows that a pre-training learns, and that DINO does not collapse: a panel for each quantity.

    The horizontal axis is millions of images seen. The dotted line is the largest possible entropy, that of a teacher
    that cannot tell any image from another.
    """
    curves = {}
    for pretraining in study.pretrainings():
        record = records.get(pretraining.id)
        if isinstance(pretraining, ImagePretraining) and record and (dynamics := _dynamics(pretraining, record)):
            curves[pretraining] = dynamics
    titles = [
        title for title in (*_PROBES.values(), *_LOSSES.values()) if any(title in curve for curve in curves.values())
    ]
    if not titles:
        return style.note()
    styles = line_styles(study, {pretraining.model for pretraining in curves})
    figure, axes = style.titled_axes(titles, "", "images seen (millions)")
    outputs_of_dino = {pretraining.outputs for pretraining in curves if pretraining.objective == ObjectiveKind.DINO}
    for title, ax in zip(titles, axes, strict=True):
        if "entropy" in title:
            for outputs in outputs_of_dino:
                ax.axhline(np.log(outputs), color=style.GUIDE, linestyle=":", linewidth=1, label="largest possible")
        for pretraining, curve in curves.items():
            if title in curve:
                steps, values = zip(*curve[title], strict=True)
                millions = [step * pretraining.batch_size / 1e6 for step in steps]
                ax.plot(millions, values, **styles[pretraining.model], label=pretraining.model)
    add_legend(figure, study, styles)
    return figure


def _dynamics(pretraining: ImagePretraining, record: Record) -> dict[str, list[tuple[int, float]]]:
    """Return, by title, the pairs of step and value that were measured while a model was pre-trained."""
    dynamics = record.values.get("dynamics", {})
    steps = dynamics.get("at", [])
    values_of = {title: dynamics.get("probes", {}).get(name, []) for name, title in _PROBES.items()}
    values_of[_LOSSES[pretraining.objective]] = dynamics.get("held_out", [])
    measured = {}
    for title, values in values_of.items():
        pairs = [(step, value) for step, value in zip(steps, values, strict=False) if value is not None]
        if pairs:
            measured[title] = pairs
    return measured


def published() -> str:
    """Return a sentence on the accuracies that others reached with models of such sizes."""
    parts = [
        f"{accuracy:.2f}% by {name} ({size / 1e6:.1f} M parameters, {epochs * CIFAR_10 / 1e6:.0f} million images)"
        for name, size, epochs, accuracy in PUBLISHED
    ]
    return f"Published accuracies of vision transformers trained on CIFAR-10 alone: {' and '.join(parts)}."


def learned_again(study: Study, records: Mapping[str, Record], curves: Sequence[Curve]) -> str:
    """Return how well models tell the classes of their pre-training, before and after the fine-tuning, in words.

    Empty if no model has both accuracies.

    Args:
        study: a study of Figure 6.
        records: its records, by id.
        curves: its curves.
    """
    dense = {(curve.model, curve.task): curve.dense().value for curve in curves}
    tasks, before, after = set(), [], []
    for pretraining in study.pretrainings():
        if not isinstance(pretraining, ImagePretraining) or pretraining.id not in records:
            continue
        metrics, place = records[pretraining.id].metrics, (pretraining.model, pretraining.task)
        if "accuracy" in metrics and place in dense:
            tasks.add(pretraining.task)
            before.append(metrics["accuracy"])
            after.append(dense[place])
    if not tasks:
        return ""
    return (
        f"On {listing(sorted(tasks))}, whose classes the supervised models saw in pre-training, they reach "
        f"{fmean(after):.1f}% once they are fine-tuned. With the heads of their pre-training they reached "
        f"{fmean(before):.1f}%."
    )
