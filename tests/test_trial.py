"""A trial's id: what decides it, what does not, and what is refused."""

import json
import math
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from essparse_lib import figures
from essparse_lib.errors import InputError, UnknownName
from essparse_lib.records.pretrained import PRETRAINED
from essparse_lib.specs.measurement import Measurement
from essparse_lib.specs.study import Override, Study, at_sparsities
from essparse_lib.specs.trial import Pruning, Timing, Training, Trial

LAB = Training(epochs=3, batch_size=16, learning_rate=1e-4, max_length=64, max_train=1500)
DENSE = Trial(model="minilm-l6", task="movie-reviews", seed=0, training=LAB)

#: One letter at least, and whatever else a line of text may hold.
names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40).map(lambda text: f"m{text}")
trainings = st.builds(
    Training,
    epochs=st.integers(1, 10),
    batch_size=st.integers(1, 512),
    learning_rate=st.floats(1e-8, 1.0),
    max_length=st.integers(0, 2048),
    max_train=st.none() | st.integers(1, 10**6),
    warmup=st.floats(0, 1),
    weight_decay=st.floats(0, 1),
    max_test=st.none() | st.integers(1, 10**6),
    held_out=st.none() | st.integers(1, 10**6),
)
prunings = st.builds(
    Pruning,
    sparsity=st.floats(0, 0.999),
    method=st.sampled_from(["magnitude", "random"]),
    scope=st.sampled_from(["layer"]),
    timing=st.sampled_from([*Timing, "before", "after"]),
)
trials = st.builds(
    Trial,
    model=names,
    task=names,
    seed=st.integers(0, 2**31),
    training=trainings,
    pruning=prunings,
)


def test_id_is_stable():
    assert DENSE.id == "dfb9bda56b9895ec"


def test_images_have_no_tokens_and_so_no_max_length_in_the_canonical_form():
    training = Training(epochs=3, batch_size=16, learning_rate=1e-4)
    assert training == replace(LAB, max_length=0, max_train=None)
    assert "max_length" not in replace(DENSE, training=training).canonical()["training"]


def test_the_ids_of_committed_records_are_still_theirs():
    folder = Path(__file__).parents[1] / "results"
    lines = [line for file in folder.rglob("*.jsonl") for line in file.read_text().splitlines()[:2]]
    trials = [plain for plain in map(json.loads, lines) if "trial" in plain]
    assert len(trials) > 10
    for plain in trials:
        assert Trial.from_canonical(plain["trial"]).id == plain["id"]


def test_defaults_stay_out_of_the_canonical_form():
    training = {"epochs": 3, "batch_size": 16, "learning_rate": 1e-4, "max_length": 64, "max_train": 1500}
    plain = {"model": "minilm-l6", "task": "movie-reviews", "seed": 0, "training": training}
    assert DENSE.canonical() == plain
    assert DENSE.at(0.4).canonical() == {**plain, "pruning": {"sparsity": 0.4}}
    assert replace(DENSE, training=replace(LAB, warmup=0.1)).canonical()["training"]["warmup"] == 0.1


@given(trials)
def test_canonical_form_round_trips_through_json(trial):
    again = Trial.from_canonical(json.loads(json.dumps(trial.canonical())))
    assert again == trial
    assert again.id == trial.id


@given(trials, trials)
def test_trials_share_an_id_only_if_equal(one, other):
    assert (one.id == other.id) == (one == other)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "tiny-bert"},
        {"task": "rte"},
        {"seed": 1},
        {"pruning": Pruning(sparsity=0.1)},
        *({"training": replace(LAB, **{k: v})} for k, v in {"epochs": 4, "warmup": 0.1, "max_train": None}.items()),
        {"training": replace(LAB, max_test=1000)},
    ],
)
def test_every_field_counts_in_the_id(change):
    assert replace(DENSE, **change).id != DENSE.id


@given(st.integers(0, 999_999))
def test_sparsity_is_kept_to_six_decimals(millionths):
    exact = millionths / 10**6
    assert Pruning(sparsity=exact + 3e-7).sparsity == Pruning(sparsity=exact).sparsity == exact


def test_sums_of_tenths_are_the_trial_of_the_tenth():
    assert DENSE.at(0.1 + 0.2).id == DENSE.at(0.3).id
    assert DENSE.at("0.3").id == DENSE.at(0.3).id


@pytest.mark.parametrize(
    "nothing",
    [
        Pruning(sparsity=0),
        Pruning(sparsity=0.0, method="random"),
        Pruning(sparsity=-0.0),
        Pruning(sparsity=1e-7, method="magnitude", scope="layer"),
    ],
)
def test_all_ways_to_prune_nothing_are_one_trial(nothing):
    trial = replace(DENSE, pruning=nothing)
    assert trial == DENSE
    assert trial.id == DENSE.id


def test_at_changes_the_sparsity_alone():
    layered = replace(DENSE, pruning=Pruning(sparsity=0.5, scope="layer"))
    assert layered.at(0.7) == replace(DENSE, pruning=Pruning(sparsity=0.7, scope="layer"))


@pytest.mark.parametrize("sparsity", [1.0, -0.1, "abc", None, float("nan"), float("inf"), 2, "1"])
def test_sparsity_outside_its_range_is_refused(sparsity):
    with pytest.raises(InputError, match="sparsity .* is not allowed") as refusal:
        Pruning(sparsity=sparsity)
    assert repr(sparsity) in str(refusal.value)


@pytest.mark.parametrize("name", ["epochs", "batch_size", "max_length", "max_train", "max_test", "held_out"])
@pytest.mark.parametrize("value", [True, 2.0, 2.5, float("nan"), "5", [5], -1])
def test_a_training_counts_in_whole_numbers(name, value):
    with pytest.raises(InputError, match=rf"^{name} .+ is not allowed: ") as refusal:
        replace(LAB, **{name: value})
    assert repr(value) in str(refusal.value)


@pytest.mark.parametrize("name", ["learning_rate", "warmup", "weight_decay"])
@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), "1e-4", None, [1]])
def test_a_training_has_finite_rates(name, value):
    with pytest.raises(InputError, match=rf"^{name} .+ is not allowed: "):
        replace(LAB, **{name: value})


def test_sparsity_that_rounds_to_one_is_refused():
    with pytest.raises(InputError):
        Pruning(sparsity=0.9999999)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("batch_size", -1),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("max_length", -1),
        ("max_train", 0),
        ("max_train", -5),
        ("max_test", 0),
        ("max_test", -1),
    ],
)
def test_training_out_of_range_is_refused(field, value):
    with pytest.raises(InputError, match=f"{field} {value!r}"):
        replace(LAB, **{field: value})


@pytest.mark.parametrize("missing", ["model", "task", "seed", "training"])
def test_canonical_form_of_no_trial_is_refused(missing):
    plain = DENSE.canonical()
    del plain[missing]
    with pytest.raises(ValueError, match=f"missing required field `{missing}`"):
        Trial.from_canonical(plain)


def test_canonical_form_with_a_strange_field_is_refused():
    with pytest.raises(UnknownName, match="unknown field 'colour'"):
        Trial.from_canonical({**DENSE.canonical(), "colour": "red"})


def test_names_become_members_and_members_plain_text():
    after = Pruning(sparsity=0.5, timing="after")
    assert after.timing is Timing.AFTER and after == Pruning(sparsity=0.5, timing=Timing.AFTER)
    plain = replace(DENSE, pruning=after).canonical()["pruning"]
    assert plain == {"sparsity": 0.5, "timing": "after"} and type(plain["timing"]) is str


def test_an_unknown_timing_is_refused():
    with pytest.raises(InputError, match="unknown timing 'durin': choose from after, before"):
        Pruning(sparsity=0.5, timing="durin")


def test_a_canonical_form_may_be_changed_without_changing_the_trial():
    trial = DENSE.at(0.5)
    plain = trial.canonical()
    plain["training"]["epochs"] = plain["pruning"]["sparsity"] = 0.9
    assert trial.canonical()["pruning"] == {"sparsity": 0.5} and trial.canonical()["training"]["epochs"] == 3


ALIKE = [0.1 * 3, "0.3", np.float64(0.3), np.float32(0.3), np.float16(0.3), np.linspace(0, 0.9, 10)[3],
         np.arange(0, 0.9, 0.1)[3], np.arange(0, 0.9, 0.1, dtype=np.float32)[3], torch.tensor(0.3), np.array(0.3),
         torch.linspace(0, 0.9, 10)[3], torch.tensor(0.3, dtype=torch.float64), Decimal("0.3"), Fraction(3, 10),
         1 - 0.7, sum([0.01] * 30), "0.30000000000000004", torch.tensor(0.3, dtype=torch.bfloat16)]  # fmt: skip


@pytest.mark.parametrize("sparsity", ALIKE, ids=repr)
def test_a_sparsity_is_one_trial_however_it_was_computed(sparsity):
    trial = DENSE.at(sparsity)
    assert (trial, trial.id) == (DENSE.at(0.3), DENSE.at(0.3).id)
    assert type(trial.pruning.sparsity) is float
    assert at_sparsities([sparsity]) == at_sparsities([0.3])
    measured = [Measurement(kind="pruned-share", model="m", sparsity=each).id for each in (sparsity, 0.3)]
    assert measured[0] == measured[1]


@pytest.mark.parametrize("nothing", [0, "0", -0.0, 0.3 - 0.1 * 3, np.int64(0), torch.tensor(0)])
def test_a_sparsity_of_zero_is_the_dense_model(nothing):
    assert DENSE.at(nothing).id == DENSE.id and at_sparsities([nothing]) == ()


def test_a_number_is_one_trial_whatever_its_type():
    for name, value in {"learning_rate": 0.25, "epochs": 3, "max_train": 8, "warmup": 0.5, "weight_decay": 0.5}.items():
        plain = replace(DENSE, training=replace(LAB, **{name: value}))
        for typed in (np.array(value)[()], np.array(value), torch.tensor(value)):
            other = replace(DENSE, training=replace(LAB, **{name: typed}))
            assert other == plain and other.id == plain.id, (name, typed)
    assert replace(DENSE, seed=np.int64(3)).id == replace(DENSE, seed=3).id
    assert (
        replace(DENSE, training=replace(LAB, learning_rate=1)).id
        == replace(DENSE, training=replace(LAB, learning_rate=1.0)).id
    )
    ticket = Pruning(sparsity=0.5, method="lottery", rate=0.1 * 3)
    assert ticket == Pruning(sparsity=0.5, method="lottery", rate=np.float32(0.3))


def test_a_study_is_limited_to_sparsities_however_they_were_computed():
    study = figures.study("fig2", "tiny")
    prunings = study.variants[study.main]
    model, task = study.models[0], study.tasks[0]
    for limit in ((0.1 * 3,), (np.float32(0.3),), ("0.3",)):
        by_task = replace(study, task_sparsities={task: limit}, variants={study.main: at_sparsities([0.1, 0.3])})
        by_model = replace(by_task, task_sparsities={}, overrides={model: Override(sparsities=limit)})
        for limited in (by_task, by_model):
            assert [p.sparsity for p in limited.prunings_of(model, task, study.main)] == [0.3], limit
    assert prunings


def test_a_variant_of_an_unknown_timing_is_refused_in_one_line():
    with pytest.raises(InputError, match="unknown timing 'afterwards'"):
        at_sparsities((0.5,), timing="afterwards")


@pytest.mark.parametrize(
    "name", [3, None, b"m", "", " ", ".", "../..", "a\nb", "a\0", "a\ud800", "é" * 200, "x" * 5000]
)
def test_what_is_no_name_is_refused_in_one_line(name):
    made = (
        lambda: replace(DENSE, model=name),
        lambda: replace(DENSE, task=name),
        lambda: Measurement(kind="zeros", model=name, sparsity=0.0),
        lambda: replace(PRETRAINED["tiny"]["tiny-scratch-100-0"], model=name),
        lambda: replace(PRETRAINED["tiny"]["tiny-scratch-100-0"], corpus=name),
        lambda: Pruning(sparsity=0.5, method="wanda", calibration=name),
        lambda: Study(figure="f", scale="tiny", models=(name,), tasks=(), training={}),
        lambda: Study(figure="f", scale="tiny", models=(), tasks=(name,), training={}),
    )
    for make in made:
        with pytest.raises(InputError) as refusal:
            make()
        assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 300


@pytest.mark.parametrize("name", ["../my-model", "/data/models/a b", "~/Modèle", "owner/name@main", "模型"])
def test_paths_and_words_of_any_language_are_names(name):
    assert replace(DENSE, model=name).model == name


@pytest.mark.parametrize(
    "changes",
    [
        {"models": "bert"},
        {"models": [3]},
        {"tasks": None},
        {"seeds": ("0",)},
        {"seeds": (-1,)},
        {"seeds": 3},
        {"training": {"*": {"epochs": 1}}},
        {"training": {3: LAB}},
        {"variants": {}},
        {"variants": {"one-shot": (0.5,)}},
        {"task_seeds": {"rte": (0, "1")}},
        {"task_seeds": {"rte": 1}},
        {"task_seeds": [("rte", (1,))]},
        {"task_sparsities": {"rte": (1.5,)}},
        {"task_sparsities": {"rte": ("half",)}},
        {"task_sparsities": {"rte": (math.nan,)}},
        {"overrides": {"bert": {"seeds": ("1",)}}},
        {"overrides": {"bert": 1}},
        {"measured": {"taste": (0.0,)}},
        {"measured": {"zeros": (2.0,)}},
        {"pretrained": {"bert": "bert"}},
        {"controls": ("fig2",)},
        {"scale": 3},
    ],
)
def test_a_study_checks_what_it_is_made_of(changes):
    fields = dict(figure="f", scale="tiny", models=("bert",), tasks=("rte",), training={"*": LAB})
    Study(**fields)
    with pytest.raises(
        InputError, match=r"(is|are) not allowed|unknown (measurement|scale)|no variants are named"
    ) as refusal:
        Study(**{**fields, **changes})
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("changes", [{"seeds": ("a",)}, {"sparsities": (2,)}, {"tasks": "rte"}, {"training": {"a": 1}}])
def test_an_override_checks_what_it_is_made_of(changes):
    with pytest.raises(InputError, match="is not allowed"):
        Override(**changes)


@pytest.mark.parametrize(
    "changes",
    [{"layers": "2"}, {"heads": 0}, {"steps": -1}, {"seed": "x"}, {"learning_rate": math.nan}, {"masked": "a"}],
)
def test_a_pretraining_checks_what_it_is_made_of(changes):
    for spec in PRETRAINED["tiny"].values():
        with pytest.raises(InputError, match="is not allowed"):
            replace(spec, **changes)
