"""Distributions of weights, raw and normalised, are those of numpy and of scikit-learn, and are drawn so."""

import json
import math

import matplotlib as mpl
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from matplotlib import pyplot
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from essparse_lib import figures
from essparse_lib.analysis.zero_shares import zero_shares
from essparse_lib.errors import InputError
from essparse_lib.figures import fig7
from essparse_lib.models import loading
from essparse_lib.pruning.distribution import PROBABILITIES, Scaler, count_zeros_after_scaling, weight_distribution
from essparse_lib.pruning.prunable import prunable_matrices
from essparse_lib.pruning.zeros import DEVIATIONS, count_zeros
from essparse_lib.records.store import Record
from essparse_lib.runner.measurement import measure
from essparse_lib.specs.measurement import Measurement
from essparse_lib.wording import number_text

mpl.use("agg")

BY_NAME = {"StandardScaler": StandardScaler, "MinMaxScaler": MinMaxScaler}
FLOATS = st.floats(-100, 100, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3)


def column(values):
    return np.asarray(values, dtype=np.float64).reshape(-1, 1)


@settings(max_examples=50)
@given(arrays.arrays(np.float32, st.integers(1, 60), elements=FLOATS))
def test_quantiles_and_moments_are_those_of_numpy(values):
    distribution = weight_distribution([torch.from_numpy(values)])
    wide = values.astype(np.float64)
    assert distribution.quantiles == pytest.approx(np.quantile(wide, PROBABILITIES), abs=1e-9)
    assert (distribution.weights, distribution.mean) == (len(values), pytest.approx(wide.mean(), abs=1e-9))
    assert distribution.deviation == pytest.approx(wide.std(), abs=1e-9)


@pytest.mark.parametrize("name", Scaler)
@settings(max_examples=50)
@given(values=arrays.arrays(np.float32, st.integers(1, 60), elements=FLOATS))
def test_a_scaler_is_that_of_scikit_learn(name, values):
    shift, scale = weight_distribution([torch.from_numpy(values)]).scaler(name)
    expected = BY_NAME[name]().fit_transform(column(values))[:, 0]
    assert (values.astype(np.float64) - shift) / scale == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", Scaler)
def test_small_weights_are_counted_as_after_scikit_learn(name):
    weights = [torch.randn(40, 30, generator=torch.Generator().manual_seed(i)) * (1 + i) for i in range(3)]
    flat = torch.cat([w.flatten() for w in weights]).numpy()
    scaled = np.abs(BY_NAME[name]().fit_transform(column(flat)))
    counts = count_zeros_after_scaling(weights, weight_distribution(weights).scaler(name), (0.01, 0.1, 0.5))
    assert counts == {t: int((scaled < t).sum()) for t in (0.01, 0.1, 0.5)}
    assert 0 < counts[0.1] < counts[0.5]


def test_the_model_is_all_of_its_layers():
    parts = [torch.randn(7, 5), torch.randn(3, 2) * 4]
    whole, joined = weight_distribution(parts), weight_distribution([torch.cat([p.flatten() for p in parts])])
    assert whole == joined
    assert whole.quantiles[0] == min(float(p.min()) for p in parts)


def test_weights_that_are_all_alike_are_divided_by_one():
    distribution = weight_distribution([torch.full((3, 3), 0.1)])
    assert [distribution.scaler(name)[1] for name in Scaler] == [1.0, 1.0]
    standard = distribution.scaler("StandardScaler")
    assert count_zeros_after_scaling([torch.full((3, 3), 0.1)], standard, [1e-3]) == {1e-3: 9}


@pytest.mark.parametrize("weights", [[], [torch.tensor([1.0, math.nan])], [torch.tensor([math.inf])]])
def test_what_has_no_distribution_is_refused(weights):
    with pytest.raises(InputError, match="block 1 holds (no|NaN or infinite) weights"):
        weight_distribution(weights, "block 1")


def test_half_precision_is_read_as_it_is():
    weights = torch.randn(100).half()
    assert weight_distribution([weights]) == weight_distribution([weights.float()])


# As it is measured


def test_a_measurement_holds_every_matrix_layer_and_the_model():
    record = measure(Measurement(kind="distribution", model="tiny-bert", sparsity=0.0))
    values = record.values
    matrices = prunable_matrices(loading.load_model("tiny-bert"))
    assert values["probabilities"] == list(PROBABILITIES)
    assert [(m["depth"], m["component"]) for m in values["matrices"]] == [
        (m.depth, m.component) for m in matrices.values()
    ]
    assert sum(layer["size"] for layer in values["layers"]) == values["model"]["size"]
    for depth, layer in enumerate(values["layers"]):
        of_layer = weight_distribution([m.weight for m in matrices.values() if m.depth == depth])
        assert layer["quantiles"] == pytest.approx(of_layer.quantiles, rel=1e-5)
        assert layer["scalers"]["MinMaxScaler"] == pytest.approx(of_layer.scaler("MinMaxScaler"), rel=1e-5)
    assert Record.from_line(record.line()).values == json.loads(json.dumps(values))
    assert len(record.line()) < 10_000


def test_the_mean_is_so_near_zero_that_standardised_zeros_are_those_below_a_share_of_the_deviation():
    """In random weights; fitted to each matrix by itself they would be ``count_zeros``'s but for the mean."""
    matrices = [m.weight for m in prunable_matrices(loading.load_model("tiny-bert")).values() if m.depth == 0]
    flat = {"all": torch.cat([m.detach().flatten() for m in matrices])}
    standardised = count_zeros_after_scaling(
        flat.values(), weight_distribution(flat.values()).scaler("StandardScaler"), DEVIATIONS
    )
    raw = count_zeros(flat)["all"].below_deviations
    assert standardised[0.1] == pytest.approx(raw[0.1], rel=0.1)


# As it is drawn


@pytest.fixture
def measured():
    """A study of two models that are there, one in the place of each."""
    study = fig7.narrowed(figures.study("fig7", "tiny"), "tiny-bert,tiny-opt")
    return study, {measurement.id: measure(measurement) for measurement in study.measurements()}


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def test_every_scale_measures_both_models_twice():
    for scale, study in figures.STUDIES["fig7"].items():
        kinds = {(m.model, m.kind) for m in study.measurements()}
        assert kinds == {(m, kind) for m in study.models for kind in ("distribution", "zeros")}, scale
        assert not study.trials()


@pytest.mark.parametrize("reading", fig7.READINGS)
def test_normalised_quantiles_are_quantiles_of_what_is_normalised(reading, measured):
    study, records = measured
    values = fig7.distributions(study, records)["tiny-bert"]
    layers = {}
    for m in prunable_matrices(loading.load_model("tiny-bert")).values():
        layers.setdefault(m.depth, []).append(m.weight.detach().flatten())
    layers = [torch.cat(layer).double().numpy() for layer in layers.values()]
    if fig7.READINGS[reading] is not None:
        scaler, over = fig7.READINGS[reading]
        fits = layers if over == "layer" else [np.concatenate(layers)] * len(layers)
        layers = [
            BY_NAME[scaler]().fit(column(fit)).transform(column(layer))[:, 0]
            for layer, fit in zip(layers, fits, strict=True)
        ]
    expected = np.stack([np.quantile(layer, PROBABILITIES) for layer in layers])
    assert fig7.normalised(values, reading) == pytest.approx(expected, abs=1e-4)


def test_a_row_for_each_reading_and_a_column_for_each_way(measured):
    figure = fig7.draw(*measured)
    assert len(figure.axes) == len(fig7.READINGS) * 2
    assert [ax.get_title() for ax in figure.axes[:2]] == ["supervised", "DINO"]
    raw, least = figure.axes[0], figure.axes[-1]
    values = fig7.distributions(*measured)["tiny-bert"]
    median = [layer["quantiles"][PROBABILITIES.index(0.5)] for layer in values["layers"]]
    assert raw.get_lines()[0].get_ydata() == pytest.approx(median)
    assert raw.get_lines()[1].get_ydata() == pytest.approx(0) and len(raw.collections) == 3
    assert least.get_ylim() == (0, 1)


def test_a_record_without_the_quantiles_that_are_drawn_is_refused(measured):
    study, records = measured
    for record in records.values():
        if "probabilities" in record.values:
            record.values["probabilities"] = [0.4 + p / 10 for p in record.values["probabilities"]]
    with pytest.raises(InputError, match="no quantiles of 0.001"):
        fig7.draw(study, records)


def test_min_max_scaling_moves_zero(measured):
    values = fig7.distributions(*measured)["tiny-bert"]
    moved = fig7.zero(values, "MinMaxScaler, of each layer")
    assert ((moved > 0.3) & (moved < 0.7)).all()
    assert fig7.zero(values, "StandardScaler, of each layer") == pytest.approx(0, abs=0.1)


def test_the_table_holds_every_reading_beside_the_papers(measured):
    study, records = measured
    table = fig7.zero_table(study, records).set_index("zero if")
    shares = zero_shares(study, records)
    assert list(table.index) == list(shares) and "StandardScaler of each layer, below 0.01" in table.index
    row = table.loc["below 0.01"]
    assert row["supervised %"] == f"{shares['below 0.01']['tiny-bert']:.4g}" and "(paper: 14.37)" in table.columns[-1]
    ratio = shares["below 0.01"]["tiny-opt"] / shares["below 0.01"]["tiny-bert"]
    assert row.iloc[-1] == number_text(100 * (ratio - 1), 1)
    assert table.loc["exact"].iloc[-1] == "—"
    assert fig7._mean_percent([5.651e-5]) == "0.00005651"  # no exponent, that the column can be compared
    assert "The paper reports +14.37%" in fig7.sentence(study, records)


def test_two_models_stand_for_the_papers_two():
    study = figures.study("fig7", "lab")
    assert fig7.narrowed(study, "all") is study and len(fig7.groups(study)) == 4
    two = fig7.narrowed(study, "a/vit, a/dino")
    assert fig7.compared(two).more == ("a/dino",) and fig7.compared(two).less == ("a/vit",)
    with pytest.raises(InputError, match="name two, the supervised one first"):
        fig7.narrowed(study, "a/vit")
    tiny = figures.study("fig7", "tiny")
    assert fig7.groups(tiny) == {"supervised": ("tiny-vit",), "DINO": ("tiny-dino",)}


def test_without_records_words_stand_in_the_figures_place():
    study = figures.study("fig7", "lab")
    assert [t.get_text() for ax in fig7.draw(study, {}).axes for t in ax.texts] == ["no records yet"]
    assert fig7.zero_table(study, {}).empty
    assert fig7.sentence(study, {}) == "There are no zeros to compare yet."
