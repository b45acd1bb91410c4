"""What Figure 6 tells of the pre-trainings themselves: what they learned, what they saw and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from ..analysis.curves import Curve
from ..records.store import Record
from ..specs.pretraining import ImagePretraining
from ..specs.study import Study
from ..wording import listing, signed
from . import style, vision_settings
from .fig6 import legend, looks

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: CIFAR-10 accuracy, in percent, of ViTs of patches of 4 pixels that others trained from random weights on its training
#: images alone: name, parameters, epochs, accuracy. Source: Hassani et al. 2021, arXiv 2104.05704, the table of its
#: authors' repository.
PUBLISHED = (("ViT-Lite-6/4", 3_191_000, 200, 90.94), ("ViT-Lite-7/4", 3_717_000, 200, 91.38))
CIFAR_10 = 50_000

#: What is looked at while a model is pre-trained, as it is called in a figure: probes by their name, and the loss on
#: held-out images by the objective whose loss it is.
_PROBES = {
    "knn": "k-NN accuracy (%)",
    "teacher_entropy": "entropy of the teacher's outputs",
    "entropy_of_mean": "entropy of their mean",
}
_LOSSES = {
    "supervised": "loss, supervised (nats)",
    "dino": "loss, DINO (nats)",
    "masked": "error, hidden pixels (sd)",
}


#: What tells how much a model has learned, in percent, as it is called in a table.
_LEARNED = {
    "k-NN": "knn",
    "k-NN, patches": "knn_patches",
    "k-NN, random weights": "knn_random",
    "k-NN, pixels": "knn_pixels",
    "linear probe": "linear_probe",
    "linear probe, patches": "linear_probe_patches",
    "linear probe, random weights": "linear_probe_random",
    "own head": "accuracy",
}


def quality_table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """A row a pre-training: what it has learned."""
    import pandas as pd

    rows = []
    for names, _, record in _pretrainings(study, records):
        known = record.metrics if record else {}
        told = {title: f"{known[name]:.1f}" if name in known else "—" for title, name in _LEARNED.items()}
        rows.append({**names, **told})
    return pd.DataFrame(rows)


def lifted(study: Study, records: Mapping[str, Record]) -> str:
    """How far each way's nearest neighbours lie above those of pixels and of random weights, in words."""
    pixels, random, patches = (
        _above(study, records, *pair)
        for pair in (("knn", "knn_pixels"), ("knn", "knn_random"), ("knn_patches", "knn_pixels"))
    )
    if not pixels:
        return ""
    both = "; ".join(f"{way} {pixels[way]} and {random[way]}" for way in pixels)
    told = f"In points, the k-NN accuracy lies above that of pixels, and of random weights, by: {both}."
    means = "; ".join(f"{way} {points}" for way, points in patches.items())
    return f"{told} That of the patches lies above that of pixels by: {means}." if means else told


def _above(study: Study, records: Mapping[str, Record], metric: str, other: str) -> dict[str, str]:
    """By way to pre-train, the mean of one metric less another, over the models that have both; signed."""
    scores = {p.model: records[p.id].metrics for p in study.pretrainings() if p.id in records}
    found = {}
    for way, models in vision_settings.objectives(study).items():
        own = [m for model in models if {metric, other} <= (m := scores.get(model, {})).keys()]
        if own:
            found[way] = signed(fmean(m[metric] - m[other] for m in own))
    return found


def cost_table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """A row a pre-training: what it saw, what it cost, and what came of it."""
    import pandas as pd

    rows = []
    for names, asked, record in _pretrainings(study, records):
        known, notes = (record.metrics, record.provenance) if record else ({}, {})
        told = {
            "steps": f"{asked.steps:,}",
            "images seen": f"{asked.images:,}",
            "parameters": f"{known['parameters'] / 1e6:.2f} M" if "parameters" in known else "—",
            "minutes": f"{notes['seconds'] / 60:.1f}" if "seconds" in notes else "—",
            "device": str(notes.get("device", "—")),
            "outcome": record.status if record else "no record",
        }
        rows.append({**names, **told})
    return pd.DataFrame(rows)


def _pretrainings(
    study: Study, records: Mapping[str, Record]
) -> Iterator[tuple[dict[str, str], ImagePretraining, Record | None]]:
    """Each of a study's pre-trainings: how a table names it, what was asked, and its record."""
    ways = vision_settings.ways(study)
    for asked in study.pretrainings():
        if isinstance(asked, ImagePretraining):
            yield {"pre-training": ways[asked.model], "seed": str(asked.seed)}, asked, records.get(asked.id)


def draw_learning(study: Study, records: Mapping[str, Record]) -> Figure:
    """What shows that a pre-training learns, and that DINO does not collapse, by millions of images: a panel a look.

    Dotted is the largest entropy that there can be, that of a teacher that tells no image from another.
    """
    asked = [p for p in study.pretrainings() if isinstance(p, ImagePretraining) and p.id in records]
    found = {p: looked for p in asked if (looked := _looked_at(p, records[p.id]))}
    titles = [t for t in (*_PROBES.values(), *_LOSSES.values()) if any(t in looked for looked in found.values())]
    if not titles:
        return style.note()
    own = looks(study, {p.model for p in found})
    figure, axes = style.titled(titles, "", "images seen (millions)")
    dino = {p.outputs for p in found if p.objective == "dino"}
    for title, ax in zip(titles, axes, strict=True):
        for outputs in dino if "entropy" in title else ():
            ax.axhline(np.log(outputs), color=style.GUIDE, linestyle=":", linewidth=1)
        for p, looked in found.items():
            if title in looked:
                steps, values = zip(*looked[title], strict=True)
                ax.plot([step * p.batch_size / 1e6 for step in steps], values, **own[p.model])
    legend(figure, study, own)
    return figure


def _looked_at(asked: ImagePretraining, record: Record) -> dict[str, list[tuple[int, float]]]:
    """By what it is called in a figure, what was found while a model was pre-trained, and after how many steps."""
    dynamics = record.values.get("dynamics", {})
    found = {title: dynamics.get("probes", {}).get(name, []) for name, title in _PROBES.items()}
    found[_LOSSES[asked.objective]] = dynamics.get("held_out", [])
    seen = {
        title: [(at, value) for at, value in zip(dynamics.get("at", []), values, strict=False) if value is not None]
        for title, values in found.items()
    }
    return {title: pairs for title, pairs in seen.items() if pairs}


def published() -> str:
    """What others reached with models of such sizes, in a sentence."""
    parts = [
        f"{accuracy:.2f}% by {name} ({size / 1e6:.1f} M parameters, {epochs * CIFAR_10 / 1e6:.0f} million images seen)"
        for name, size, epochs, accuracy in PUBLISHED
    ]
    return f"Published accuracies on CIFAR-10 of vision transformers trained on it alone: {' and '.join(parts)}."


def learned_again(study: Study, records: Mapping[str, Record], found: Sequence[Curve]) -> str:
    """What a new head and the fine-tuning make of the classes that models were pre-trained to tell, in words."""
    own = {
        p: records[p.id].metrics["accuracy"]
        for p in study.pretrainings()
        if isinstance(p, ImagePretraining) and p.id in records and "accuracy" in records[p.id].metrics
    }
    dense = {(curve.model, curve.task): curve.dense().value for curve in found}
    both = {p: (accuracy, dense[p.model, p.task]) for p, accuracy in own.items() if (p.model, p.task) in dense}
    if not both:
        return ""
    before, after = (fmean(values) for values in zip(*both.values(), strict=True))
    return (
        f"On {listing(sorted({p.task for p in both}))}, whose classes they were pre-trained to tell, the "
        f"supervised models reach {after:.1f}% once they are fine-tuned; with the heads of their pre-training it was "
        f"{before:.1f}%."
    )
