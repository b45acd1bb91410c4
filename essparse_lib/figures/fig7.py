"""Figure 7: how the weights of supervised and self-supervised models are distributed, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.comparisons import Comparison
from ..analysis.zero_shares import RELATIVE, excess, zero_shares
from ..claims.paper import MORE_ZEROS
from ..errors import InputError
from ..records.pretrained import from_scratch
from ..records.store import Record
from ..specs.study import Study
from ..wording import signed
from . import parameters, style, vision_settings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _study(scale: str, models: tuple[str, ...]) -> Study:
    """Nothing is pruned and nothing fine-tuned: the models' weights are looked at as they were saved."""
    return Study(
        figure="fig7",
        scale=scale,
        models=models,
        tasks=(),
        training={},
        variants={"one-shot": ()},
        seeds=(0,),
        measured={"distribution": (0.0,), "zeros": (0.0,)},
        pretrained=from_scratch(scale, models),
    )


STUDIES = {
    "tiny": _study("tiny", vision_settings.TINY_MODELS),
    "lab": _study("lab", tuple(model for own in vision_settings.BY_OBJECTIVE["lab"].values() for model in own)),
    "paper": _study("paper", tuple(model for own in vision_settings.BY_OBJECTIVE["paper"].values() for model in own)),
}

#: What is drawn, by what it is called: the scaler, and what it is fitted to.
READINGS: dict[str, tuple[str, str] | None] = {
    "raw": None,
    "StandardScaler, of each layer": ("StandardScaler", "layer"),
    "StandardScaler, of the model": ("StandardScaler", "model"),
    "MinMaxScaler, of each layer": ("MinMaxScaler", "layer"),
    "MinMaxScaler, of the model": ("MinMaxScaler", "model"),
}

_SURPLUS = f"DINO has more by % (the paper: {MORE_ZEROS:.2f})"

#: Readings that find fewer zeros than this, in percent of the weights, say little of either model.
FEW = 0.01

#: Bands between these quantiles, with how dark they are.
_BANDS = ((0.001, 0.999, 0.2), (0.05, 0.95, 0.3), (0.25, 0.75, 0.45))


def narrowed(study: Study, given: Any) -> Study:
    """The study of two other models; ``all`` keeps the study's own.

    Raises:
        InputError: it is not two models that are named.
    """
    named = parameters.listed(given)
    if named is None:
        return study
    if len(named) != 2:
        raise InputError(f"models {given!r} are not allowed: name two, the supervised one first, or all")
    return replace(study, models=tuple(named))


def groups(study: Study) -> dict[str, tuple[str, ...]]:
    """By way to pre-train, the models; of two of which this is not known, the first stands for supervised."""
    found = vision_settings.objectives(study)
    if found or len(study.models) != 2:
        return found
    supervised, other = study.models
    return {vision_settings.SUPERVISED: (supervised,), vision_settings.DINO: (other,)}


def compared(study: Study) -> Comparison:
    """DINO against supervised, as in the paper."""
    found = groups(study)
    return Comparison(
        "DINO less supervised", found.get(vision_settings.DINO, ()), found.get(vision_settings.SUPERVISED, ())
    )


def distributions(study: Study, records: Mapping[str, Record]) -> dict[str, dict[str, Any]]:
    """By model, what was measured of its weights."""
    asked = (each for each in study.measurements() if each.kind == "distribution")
    return {each.model: records[each.id].values for each in asked if each.id in records}


def normalised(values: Mapping[str, Any], reading: str) -> np.ndarray:
    """The quantiles of each layer by a reading in ``READINGS``, shape (layers, probabilities).

    A rising map of all weights maps their quantiles.
    """
    shift, scale = _scalers(values, reading)
    return (np.array([layer["quantiles"] for layer in values["layers"]]) - shift[:, None]) / scale[:, None]


def zero(values: Mapping[str, Any], reading: str) -> np.ndarray:
    """Where a weight of 0 goes by a reading, shape (layers,)."""
    shift, scale = _scalers(values, reading)
    return -shift / scale


def _scalers(values: Mapping[str, Any], reading: str) -> tuple[np.ndarray, np.ndarray]:
    """Shift and scale of each layer's weights, shape (layers,) each."""
    how, layers = READINGS[reading], values["layers"]
    if how is None:
        return np.zeros(len(layers)), np.ones(len(layers))
    scaler, over = how
    fitted = layers if over == "layer" else [values["model"]] * len(layers)
    shift, scale = np.array([each["scalers"][scaler] for each in fitted]).T
    return shift, scale


def draw(study: Study, records: Mapping[str, Record]) -> Figure:
    """Quantiles of the weights against the depth of the layer: a row a reading, a column a way to pre-train.

    Bands hold 99.8%, 90% and 50% of a layer's weights, the line is the median and the dotted one where 0 goes, all of
    the first model of its way; the broken lines are the ends of the widest band in the others.
    """
    import matplotlib.pyplot as plt

    found = distributions(study, records)
    columns = {way: [m for m in own if m in found] for way, own in groups(study).items()}
    columns = {way: own for way, own in columns.items() if own}
    if not columns:
        return style.note()
    colours = style.colours(vision_settings.WAYS)
    figure, grid = plt.subplots(
        len(READINGS),
        len(columns),
        figsize=(style.WIDTH, 1.75 * len(READINGS)),
        sharex=True,
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for row, reading in zip(grid, READINGS, strict=True):
        for ax, (way, models) in zip(row, columns.items(), strict=True):
            first, *others = (found[model] for model in models)
            _bands(ax, first, reading, colours[way])
            for values in others:
                ends = normalised(values, reading)[:, _places(values, (0.001, 0.999))]
                ax.plot(1 + np.arange(len(ends)), ends, color=colours[way], linestyle="--", linewidth=0.8)
            if ax in grid[0]:
                ax.set_title(way, fontsize=10)
        row[0].set_ylabel(reading.replace(", ", ",\n"), fontsize=8)
        row[0].locator_params(axis="y", nbins=4)
    for ax in grid[-1]:
        ax.xaxis.get_major_locator().set_params(integer=True)
    figure.supxlabel("block", fontsize=10)
    return figure


def _bands(ax: Axes, values: Mapping[str, Any], reading: str, colour: tuple[float, float, float]) -> None:
    found = normalised(values, reading)
    layers = 1 + np.arange(len(found))
    for low, high, alpha in _BANDS:
        ends = found[:, _places(values, (low, high))].T
        ax.fill_between(layers, *ends, color=colour, alpha=alpha, linewidth=0)
    ax.plot(layers, found[:, _places(values, (0.5,))[0]], color=colour, linewidth=1.5)
    ax.plot(layers, zero(values, reading), ":", color=style.GUIDE, linewidth=1.2)
    if reading.startswith("MinMax"):
        ax.set_ylim(0, 1)


def _places(values: Mapping[str, Any], probabilities: Sequence[float]) -> list[int]:
    return [values["probabilities"].index(probability) for probability in probabilities]


def zero_table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """A row a reading of zero: its percentage of the weights by way to pre-train, and DINO's surplus in percent."""
    import pandas as pd

    ways, pair = groups(study), compared(study)
    rows = []
    for reading, shares in zero_shares(study, records).items():
        own = {way: [shares[m] for m in models if m in shares] for way, models in ways.items()}
        more = excess(shares, pair)
        several = more.low != more.high
        rows.append(
            {
                "zero if": reading,
                **{f"{way} %": _percent(values) for way, values in own.items()},
                _SURPLUS: _known(more.text() if several else more.text().split(" [")[0]),
            }
        )
    return pd.DataFrame(rows)


def _percent(values: Sequence[float]) -> str:
    """Four digits, and no exponent: a weight of two million is a small share, and the column is to be compared."""
    return np.format_float_positional(fmean(values), 4, unique=False, fractional=False, trim="-") if values else "—"


def _known(text: str) -> str:
    return "—" if "nan" in text else text


def surplus(study: Study, records: Mapping[str, Record], reading: str = RELATIVE) -> str:
    """How many percent more zeros DINO has by one reading, such as ``+12.3%``; words where this is not known."""
    value = excess(zero_shares(study, records).get(reading, {}), compared(study)).value
    return "not known yet" if np.isnan(value) else f"{signed(value)}%"


def averaging(study: Study, records: Mapping[str, Record]) -> str:
    """What being an average does to the zeros of DINO's teachers, in words; empty where no record tells."""
    asked = [p for p in study.pretrainings() if p.id in records and "student_zeros" in records[p.id].metrics]
    kept = zero_shares(study, records).get(RELATIVE, {})
    own = {p.model: records[p.id].metrics["student_zeros"] for p in asked if p.model in kept}
    if not own:
        return ""
    teachers, students = fmean(kept[model] for model in own), fmean(own.values())
    return (
        f"What is kept of DINO is the teacher, a moving average of the student. {RELATIVE.capitalize()} lie "
        f"{teachers:.3f}% of the teachers' weights and {students:.3f}% of the students'; of a normal distribution "
        f"it is {100 * math.erf(0.01 / math.sqrt(2)):.3f}%."
    )


def sentence(study: Study, records: Mapping[str, Record]) -> str:
    """Over how wide a range the surplus of zeros goes, by the readings that find enough of them in every model."""
    pair, found = compared(study), zero_shares(study, records)
    enough = {r: own for r, own in found.items() if all(own.get(m, 0) >= FEW for m in pair.models)}
    known = {reading: excess(own, pair).value for reading, own in enough.items() if pair.models}
    if not known:
        return "There are no zeros to compare yet."
    least, most = (end(known, key=lambda reading: known[reading]) for end in (min, max))
    span = [f"{signed(known[reading])}%" for reading in (least, most)]
    return (
        f"By the {len(known)} of {len(found)} readings by which at least {FEW:g}% of each model's weights are zero, "
        f"the surplus of DINO goes from {span[0]} ({least}) to {span[1]} ({most}); "
        f"the paper reports {MORE_ZEROS:+.2f}%."
    )
