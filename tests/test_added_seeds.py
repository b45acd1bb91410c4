"""Seeds that are added at some sparsities count all together or not at all, and only there."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import CURVE_STUDY, answered

from essparse_lib import figures
from essparse_lib.analysis.curves import curves
from essparse_lib.claims import c07_self_supervision
from essparse_lib.figures import fig6
from essparse_lib.records import summary
from essparse_lib.records.counted import counted
from essparse_lib.records.lines import extend
from essparse_lib.records.metrics import agreement
from essparse_lib.records.store import Store
from essparse_lib.specs.override import AddedSeeds, Override
from essparse_lib.specs.trial import Pruning

ADDED = AddedSeeds(seeds=(2, 3, 4), tasks=("t",), sparsities=(0.1, 0.2))
STUDY = replace(
    CURVE_STUDY, models=("m", "n"), tasks=("t", "u"), overrides=dict.fromkeys(("m", "n"), Override(added=ADDED))
)


def scored(trials, percent=lambda trial: 80.0):
    return {trial.id: answered(trial, percent(trial)) for trial in trials}


def test_added_seeds_come_last_with_the_dense_model_on_their_tasks_at_their_sparsities():
    added = STUDY.added_trials()
    assert STUDY.trials()[-len(added) :] == added and len(added) == 2 * 2 * 3  # seed 2 is one of the usual ones
    assert {(t.task, t.seed, t.pruning.sparsity) for t in added} == {("t", s, p) for s in (3, 4) for p in (0, 0.1, 0.2)}
    assert STUDY.seeds_of("m", "t") == (0, 1, 2) and STUDY.added_seeds_of("m", "t") == (3, 4)
    assert STUDY.added_seeds_of("m", "u") == () and STUDY.all_seeds == (0, 1, 2, 3, 4)
    assert [p.sparsity for p in STUDY.prunings_of("m", "t", "one-shot", 3)] == [0.1, 0.2]
    assert STUDY.prunings_of("m", "t", "one-shot", 2) == STUDY.prunings_of("m", "t", "one-shot")


def test_seeds_that_a_reader_names_are_not_added_ones():
    named = STUDY.narrowed(seeds=[0, 3])
    assert named.added_trials() == [] and named.seeds_of("m", "t") == (0, 3)
    assert STUDY.narrowed(models=["m"], seeds=[0]).added_trials() == []
    assert {t.model for t in STUDY.narrowed(models=["n"]).added_trials()} == {"n"}
    assert STUDY.narrowed(tasks=["u"]).added_trials() == []


def stored(folder, records):
    store = Store(folder)
    by_file = {}
    for record in records.values():
        by_file.setdefault(store.path(record.spec), []).append(record)
    for path, group in by_file.items():
        extend(path, group)
    return store


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_curve_has_its_added_seeds_once_no_trial_of_any_lacks_a_record(tmp_path, share):
    """Not even of another model: a queue that has done one side of a comparison favours neither."""
    added = STUDY.added_trials()
    kept = scored(set(STUDY.trials()) - set(added)) | scored(added[: int(share * len(added))], lambda _: 10.0)
    found = counted(stored(tmp_path, kept), [STUDY], [STUDY])
    by_place = {(curve.model, curve.task): curve for curve in curves(STUDY, found)}
    assert all(curve.complete(STUDY) for curve in by_place.values())
    assert by_place["m", "u"].seeds == (0, 1, 2)
    curve = by_place["m", "t"]
    if share < 1:
        assert curve.seeds == (0, 1, 2) and curve.dense().value == pytest.approx(80, abs=0.1)
    else:
        assert curve.seeds == (0, 1, 2, 3, 4)
        assert [curve.seeds_of(pruning) for pruning in curve.prunings] == [5, 5, 5, *[3] * 7]


def test_seeds_that_one_study_adds_and_another_has_anyway_count_in_both(tmp_path):
    """So do those that two studies add, once one of them is whole."""
    one, other = STUDY.narrowed(models=["m"], tasks=["t"]), replace(CURVE_STUDY, tasks=("t",), seeds=(0, 1, 2, 3, 4))
    some = [trial for trial in one.trials() if trial.seed < 4]
    store = stored(tmp_path, scored(some))
    assert {record.spec.seed for record in counted(store, [one], [one]).values()} == {0, 1, 2}
    assert {record.spec.seed for record in counted(store, [one], [one, other]).values()} == {0, 1, 2, 3}
    smaller = replace(ADDED, seeds=(3,))
    smaller_study = replace(one, overrides={"m": Override(added=smaller)})
    for study in (one, smaller_study):
        found = counted(store, [study], [one, smaller_study])
        assert {record.spec.seed for record in found.values()} == {0, 1, 2, 3}


def test_a_seed_that_a_reader_names_counts_though_it_is_pending_for_others(tmp_path):
    one = STUDY.narrowed(models=["m"], tasks=["t"])
    store = stored(tmp_path, scored(trial for trial in one.trials() if trial.seed < 4))
    named = one.narrowed(seeds=[3])
    (curve,) = curves(named, counted(store, [named], [one]))
    assert curve.seeds == (3,)


def test_drops_beyond_the_added_sparsities_are_those_of_the_usual_seeds():
    usual, added = set(STUDY.trials()) - set(STUDY.added_trials()), STUDY.added_trials()
    found = scored(usual, lambda t: 80 - 20 * t.pruning.sparsity) | scored(
        added, lambda t: 60 - 100 * t.pruning.sparsity
    )
    drops = curves(STUDY, found)[0].drops()[0]
    assert drops[1] == pytest.approx((3 * 2 + 2 * 10) / 5, abs=0.1) and drops[3] == pytest.approx(6, abs=0.1)
    assert not np.isnan(drops).any()


def test_a_usual_trial_or_a_failed_added_one_that_lacks_leaves_the_curve_incomplete():
    found = scored(STUDY.trials())
    failed = STUDY.trial("m", "t", Pruning(sparsity=0.2), 4)
    found[failed.id] = replace(found[failed.id], status="failed", predictions="", labels="", metrics={})
    without = {i: r for i, r in scored(STUDY.trials()).items() if i != STUDY.trial("m", "t", Pruning(), 0).id}
    for records in (found, without):
        assert not curves(STUDY, records)[0].complete(STUDY)


def test_the_page_tells_whether_the_added_seeds_count():
    found = scored(STUDY.trials())
    assert summary.added(STUDY, found).endswith("All of their 12 fine-tunings have records, and count.")
    part = {trial.id: found[trial.id] for trial in STUDY.trials()[:-5]}
    assert summary.added(STUDY, part).endswith("None counts yet: 5 of their 12 fine-tunings have no record.")
    assert summary.added(CURVE_STUDY, found) == ""


def test_half_of_the_added_seeds_of_figure_6_change_nothing_that_is_said_of_c7(tmp_path):
    study = figures.study("fig6", "lab")
    added = study.added_trials()
    assert {t.seed for t in added} == set(range(3, 10)) and {t.task for t in added} == {"fashion-mnist", "elpv"}
    assert {t.model for t in added} == set(fig6.comparisons(study)[0].models)
    assert {t.pruning.sparsity for t in added} == {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6}
    before = figures.records(study)
    before = {i: record for i, record in before.items() if i not in {trial.id for trial in added}}

    def made(trials):
        """Those of DINO lose all that they know to pruning."""
        records = {}
        for trial in trials:
            same = before[study.trial(trial.model, trial.task, trial.pruning, trial.seed % 3).id]
            lost = "dino" in trial.model and trial.pruning.sparsity
            predictions = "0" * len(same.labels) if lost else same.predictions
            metrics = {"accuracy": agreement(same.labels, predictions)}
            records[trial.id] = replace(same, spec=trial, predictions=predictions, metrics=metrics)
        return records

    def verdict(records):
        folder = tmp_path / str(len(records))
        records = counted(stored(folder, records), [study], [study])
        deciding, *others = fig6.comparisons(study)
        return c07_self_supervision.judge(study, records, curves(study, records), deciding, others).text

    assert verdict(before | made([t for t in added if "dino" in t.model])) == verdict(before)
    assert verdict(before | made(added)) != verdict(before)
