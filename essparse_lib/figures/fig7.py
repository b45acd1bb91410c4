"""Figure 7: how the weights of supervised and self-supervised models are distributed, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.comparisons import Comparison
from ..analysis.estimate import Estimate
from ..analysis.measured import measured
from ..analysis.zero_shares import RELATIVE, excess, zero_shares
from ..claims.paper import MORE_ZEROS
from ..errors import InputError
from ..records.pretrained import from_scratch
from ..records.store import Record
from ..specs.measurement import MeasurementKind
from ..specs.study import Study
from ..wording import number_text, signed
from . import parameters, style, vision_settings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _study(scale: str, models: tuple[str, ...]) -> Study:
    """Return a study that measures weights as they were saved: it prunes nothing and fine-tunes nothing."""
    return Study(
        figure="fig7",
        scale=scale,
        models=models,
        tasks=(),
        training={},
        variants={"one-shot": ()},
        seeds=(0,),
        measured={MeasurementKind.DISTRIBUTION: (0.0,), MeasurementKind.ZEROS: (0.0,)},
        pretrained=from_scratch(scale, models),
    )


STUDIES = {
    "tiny": _study("tiny", vision_settings.TINY_MODELS),
    "lab": _study("lab", tuple(chain.from_iterable(vision_settings.BY_OBJECTIVE["lab"].values()))),
    "paper": _study("paper", tuple(chain.from_iterable(vision_settings.BY_OBJECTIVE["paper"].values()))),
}

#: The readings of the weights that are drawn: the scaler of each, and what the scaler is fitted to.
READINGS: dict[str, tuple[str, str] | None] = {
    "raw": None,
    "StandardScaler, of each layer": ("StandardScaler", "layer"),
    "StandardScaler, of the model": ("StandardScaler", "model"),
    "MinMaxScaler, of each layer": ("MinMaxScaler", "layer"),
    "MinMaxScaler, of the model": ("MinMaxScaler", "model"),
}

_SURPLUS = f"DINO − supervised, % (paper: {MORE_ZEROS:.2f})"

#: Readings by which a smaller percentage of the weights is zero say little about either model.
FEW = 0.01

#: The bands that are drawn: two quantiles and an opacity.
_BANDS = ((0.001, 0.999, 0.2), (0.05, 0.95, 0.3), (0.25, 0.75, 0.45))


def narrowed(study: Study, parameter: Any) -> Study:
    """Return the study of two other models, or the study as it is for ``all``.

    Args:
        study: a study of Figure 7.
        parameter: two models, the supervised one first, or ``all``.

    Raises:
        InputError: not two models are named.
    """
    models = parameters.listed(parameter)
    if models is None:
        return study
    if len(models) != 2:
        raise InputError(f"models {parameter!r} are not allowed: name two, the supervised one first, or all")
    return replace(study, models=tuple(models))


def groups(study: Study) -> dict[str, tuple[str, ...]]:
    """Return the models by the objective of their pre-training.

    Of two models whose objectives are not known, the first is taken to be supervised and the second to be DINO's.
    """
    known = vision_settings.objectives(study)
    if known or len(study.models) != 2:
        return known
    supervised, other = study.models
    return {vision_settings.SUPERVISED: (supervised,), vision_settings.DINO: (other,)}


def compared(study: Study) -> Comparison:
    """Return the comparison of DINO with supervised models, as in the paper."""
    by_objective = groups(study)
    dino = by_objective.get(vision_settings.DINO, ())
    return Comparison("DINO − supervised", dino, by_objective.get(vision_settings.SUPERVISED, ()))


def distributions(study: Study, records: Mapping[str, Record]) -> dict[str, dict[str, Any]]:
    """Return, by model, what the measurement of its weights' distribution holds, as far as there are records."""
    distributions = measured(study, records, MeasurementKind.DISTRIBUTION)
    return {measurement.model: values for measurement, values in distributions}


def normalised(values: Mapping[str, Any], reading: str) -> np.ndarray:
    """Return the quantiles of each layer after a normalisation, shape (layers, probabilities).

    The quantiles themselves are mapped, which is exact: the map rises, and is the same for all weights of a layer.

    Args:
        values: what a measurement of kind ``distribution`` holds.
        reading: one of ``READINGS``.
    """
    shift, scale = _scalers(values, reading)
    return (np.array([layer["quantiles"] for layer in values["layers"]]) - shift[:, None]) / scale[:, None]


def zero(values: Mapping[str, Any], reading: str) -> np.ndarray:
    """Return where a weight of 0 lies after a normalisation, shape (layers,).

    Args:
        values: what a measurement of kind ``distribution`` holds.
        reading: one of ``READINGS``.
    """
    shift, scale = _scalers(values, reading)
    return -shift / scale


def _scalers(values: Mapping[str, Any], reading: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the shift and the scale of each layer's weights, shape (layers,) each."""
    normalisation, layers = READINGS[reading], values["layers"]
    if normalisation is None:
        return np.zeros(len(layers)), np.ones(len(layers))
    scaler, scope = normalisation
    fitted = layers if scope == "layer" else [values["model"]] * len(layers)
    shift, scale = np.array([each["scalers"][scaler] for each in fitted]).T
    return shift, scale


def draw(study: Study, records: Mapping[str, Record]) -> Figure:
    """Draw quantiles of the weights against the number of the block: a row for each reading, a column an objective.

    Bands hold 99.8%, 90% and 50% of a layer's weights. The line is the median, the dotted line is where 0 lies. These
    are of the first model of an objective; broken lines are the ends of the widest band in its other models.
    """
    import matplotlib.pyplot as plt

    values_of = distributions(study, records)
    columns = {}
    for objective, models in groups(study).items():
        if values_of_models := [values_of[model] for model in models if model in values_of]:
            columns[objective] = values_of_models
    if not columns:
        return style.note()
    colours = style.colours(vision_settings.OBJECTIVES)
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
        for ax, (objective, (first, *others)) in zip(row, columns.items(), strict=True):
            _draw_bands(ax, first, reading, colours[objective])
            ax.set_label(f"{objective}, {reading}")
            for number, values in enumerate(others, 2):
                ends = normalised(values, reading)[:, _columns_of(values, _BANDS[0][:2])]
                names = [f"further model {number}, {_quantile_name(q)}" for q in _BANDS[0][:2]]
                ax.plot(
                    1 + np.arange(len(ends)), ends, color=colours[objective], linestyle="--", linewidth=0.8, label=names
                )
            if ax in grid[0]:
                ax.set_title(objective, fontsize=10)
        row[0].set_ylabel(reading.replace(", ", ",\n"), fontsize=8)
        row[0].locator_params(axis="y", nbins=4)
    for ax in grid[-1]:
        ax.xaxis.get_major_locator().set_params(integer=True)
    figure.supxlabel("block", fontsize=10)
    return figure


def _draw_bands(ax: Axes, values: Mapping[str, Any], reading: str, colour: style.Colour) -> None:
    quantiles = normalised(values, reading)
    layers = 1 + np.arange(len(quantiles))
    for low, high, alpha in _BANDS:
        ends = quantiles[:, _columns_of(values, (low, high))].T
        ax.fill_between(layers, *ends, color=colour, alpha=alpha, linewidth=0, label=f"{high - low:.1%} of the weights")
    ax.plot(
        layers, quantiles[:, _columns_of(values, (0.5,))[0]], color=colour, linewidth=1.5, label=_quantile_name(0.5)
    )
    ax.plot(layers, zero(values, reading), ":", color=style.GUIDE, linewidth=1.2, label="where 0 lies")
    if reading.startswith("MinMax"):
        ax.set_ylim(0, 1)


def _quantile_name(probability: float) -> str:
    return f"{probability:.1%} quantile"


def _columns_of(values: Mapping[str, Any], probabilities: Sequence[float]) -> list[int]:
    """Return where the quantiles of some probabilities stand in what was measured; InputError if one does not."""
    known = values["probabilities"]
    for probability in probabilities:
        if probability not in known:
            raise InputError(f"a record of a distribution has no quantiles of {probability:g}: set it aside")
    return [known.index(probability) for probability in probabilities]


def zero_table(study: Study, records: Mapping[str, Record]) -> pd.DataFrame:
    """Return a row for each reading of zero: percentage of zeros by objective, and DINO's surplus in percent."""
    import pandas as pd

    by_objective, comparison = groups(study), compared(study)
    rows = []
    for reading, shares in zero_shares(study, records).items():
        row = {"zero if": reading}
        for objective, models in by_objective.items():
            row[f"{objective} %"] = _mean_percent([shares[model] for model in models if model in shares])
        row[_SURPLUS] = _surplus_text(excess(shares, comparison))
        rows.append(row)
    return pd.DataFrame(rows)


def _mean_percent(values: Sequence[float]) -> str:
    """Return a mean in four digits without an exponent, so that a column of small shares can be compared by eye."""
    return np.format_float_positional(fmean(values), 4, unique=False, fractional=False, trim="-") if values else "—"


def _surplus_text(surplus: Estimate) -> str:
    """Return a surplus with its range over the pairs of models, or alone where there is one pair."""
    if not surplus.known:
        return "—"
    one_pair = surplus.low == surplus.high
    return number_text(surplus.value, 1) if one_pair else surplus.text()


def surplus(study: Study, records: Mapping[str, Record], reading: str = RELATIVE) -> str:
    """Return how many percent more zeros DINO has by one reading, such as ``+12.3%``, or words if it is not known."""
    estimate = excess(zero_shares(study, records).get(reading, {}), compared(study))
    return f"{signed(estimate.value)}%" if estimate.known else "not known yet"


def averaging(study: Study, records: Mapping[str, Record]) -> str:
    """Return how averaging the weights changes the zeros of DINO's teachers, in words; empty if no record has it."""
    shares = zero_shares(study, records).get(RELATIVE, {})
    zeros_of_students = {}
    for pretraining in study.pretrainings():
        metrics = records[pretraining.id].metrics if pretraining.id in records else {}
        if "student_zeros" in metrics and pretraining.model in shares:
            zeros_of_students[pretraining.model] = metrics["student_zeros"]
    if not zeros_of_students:
        return ""
    teachers = fmean(shares[model] for model in zeros_of_students)
    students = fmean(zeros_of_students.values())
    return (
        f"A DINO model is the teacher, a moving average of the student. Averaging may change the zeros: "
        f"{teachers:.3f}% of the teachers' weights and {students:.3f}% of the students' are {RELATIVE}. A normal "
        f"distribution has {100 * math.erf(0.01 / math.sqrt(2)):.3f}%."
    )


def sentence(study: Study, records: Mapping[str, Record]) -> str:
    """Return the range of DINO's surplus of zeros over the readings that find enough zeros in every model, in words."""
    comparison, shares_by_reading = compared(study), zero_shares(study, records)
    surpluses = {}
    for reading, shares in shares_by_reading.items():
        if comparison.models and all(shares.get(model, 0) >= FEW for model in comparison.models):
            surpluses[reading] = excess(shares, comparison).value
    if not surpluses:
        return "There are no zeros to compare yet."
    least, most = min(surpluses, key=surpluses.__getitem__), max(surpluses, key=surpluses.__getitem__)
    return (
        f"How many more zeros DINO has than the supervised models depends on what counts as zero: from "
        f"{signed(surpluses[least])}% ({least}) to {signed(surpluses[most])}% ({most}). The paper reports "
        f"{MORE_ZEROS:+.2f}%. Of {len(shares_by_reading)} readings, {len(surpluses)} find at least {FEW:g}% zeros in "
        f"each model and are compared here."
    )
