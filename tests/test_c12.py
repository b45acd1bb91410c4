"""C12 follows the records of made-up evaluations: what holds, what SparseGPT adds, and what does not count."""

import dataclasses
import json

import pytest
from simulated_evaluations import falls_from, records, sparsegpt, study

from essparse_lib.analysis.curves import curves
from essparse_lib.claims import c12_without_fine_tuning as c12
from essparse_lib.figures import verdicts
from essparse_lib.specs.study import at_sparsities

TASKS = ("blimp", "arc-easy", "sciq", "piqa")


def verdict(asked, made):
    return c12.judge(asked, curves(asked, made), curves(asked, made, "SparseGPT"))


def judged(magnitude, sparsegpt, slope=60.0, asked=None, **options):
    """The verdict where magnitude and SparseGPT fall from these sparsities on."""
    asked = study(*TASKS) if asked is None else asked
    falls = {"magnitude": falls_from(magnitude, slope), "sparsegpt": falls_from(sparsegpt, slope)}
    made = records(asked, lambda e: falls[e.pruning.method](e.pruning.sparsity), **options)
    return verdict(asked, made)


def outcomes(result):
    """The outcome on average over the tasks, and that of SparseGPT's shift."""
    first, *_, last = result.statements
    return first.outcome, last.outcome


@pytest.mark.parametrize(
    ("magnitude", "sparsegpt", "both", "outcome"),
    [
        (0.4, 0.6, ("agrees", "agrees"), "agrees"),
        (0.15, 0.4, ("differs", "agrees"), "differs"),
        (0.4, 0.2, ("agrees", "differs"), "differs"),
        (0.4, 0.4, ("agrees", "inconclusive"), "inconclusive"),
        (0.29, 0.6, ("inconclusive", "agrees"), "inconclusive"),
    ],
)
def test_the_verdict_is_the_less_favourable_of_two_clauses(magnitude, sparsegpt, both, outcome):
    result = judged(magnitude, sparsegpt, questions=4000, text_sd=0.3)
    assert outcomes(result) == both and result.outcome == outcome


def test_the_model_is_named_and_the_papers_too():
    assert "on m and not on the paper's vicuna-7b-v1.3" in judged(0.4, 0.6).reason
    own = study(*TASKS, models=("vicuna-7b-v1.3",))
    assert "the paper's" not in judged(0.4, 0.6, asked=own).reason


def test_the_numbers_are_data_and_words_follow_from_them():
    result = judged(0.4, 0.6)
    plain = json.loads(json.dumps(result.plain(), allow_nan=False))
    assert list(plain["numbers"]) == ["mean loss", "shift", "language ahead of knowledge"]
    loss, shift, _ = (number.text for number in result.numbers.values())
    assert result.measured.index(loss) < result.measured.index(shift) and "(not judged)" in result.reason
    senses = [statement["sense"] for statement in plain["statements"]]
    assert senses[0] == senses[3] == "on average over these tasks" and len(senses) == 4


def test_language_that_outlasts_knowledge_is_told():
    asked = study(*TASKS)
    knees = {"blimp": 0.5, "arc-easy": 0.2, "sciq": 0.2, "piqa": 0.5}
    made = records(asked, lambda e: falls_from(knees[e.task])(e.pruning.sparsity), questions=4000)
    ahead = verdict(asked, made).numbers["language ahead of knowledge"].estimate
    assert 20 < ahead.value < 40 and ahead.low < ahead.value < ahead.high < 45


def test_tasks_that_are_guessed_or_lose_nothing_do_not_count():
    asked = study("blimp", "mmlu", "sciq")
    made = records(
        asked,
        lambda e: 0.0 if e.task == "sciq" else falls_from(0.4)(e.pruning.sparsity),
        dense=lambda task: 50.0 if task == "mmlu" else 75.0,
    )
    result = verdict(asked, made)
    assert "not counted on mmlu, where the dense model does no better than guessing" in result.reason
    assert "not counted on sciq, which may lose no more than 1 point" in result.reason
    (pool,) = c12.pools(asked, curves(asked, made), curves(asked, made, "SparseGPT"))
    assert [difference.curve.task for difference in pool.counted] == ["blimp"]


def test_nothing_that_counts_cannot_be_tested_and_no_records_are_not_run():
    assert judged(0.4, 0.6, dense=50.0).outcome == "cannot be tested here"
    asked = study(*TASKS)
    assert verdict(asked, {}).outcome == "not run yet"
    assert judged(0.4, 0.6, asked=study(*TASKS, scale="tiny")).outcome == "cannot be tested here"


def test_where_nothing_counts_a_model_that_lacks_records_may_still_decide():
    asked = study(*TASKS, models=("m", "n"))
    made = records(asked, lambda e: falls_from(0.4)(e.pruning.sparsity), questions=200, dense=50.0)
    assert verdict(asked, made).outcome == "cannot be tested here"
    del made[asked.trial("n", "sciq", sparsegpt()[3], 1).id]
    result = verdict(asked, made)
    assert result.outcome == "not run yet" and "not counted: n, whose records are missing" in result.reason


def test_a_model_that_lacks_a_record_of_either_way_does_not_count():
    asked = study(*TASKS, models=("m", "n"))
    made = records(asked, lambda e: falls_from(0.4)(e.pruning.sparsity), questions=200)
    del made[asked.trial("n", "sciq", sparsegpt()[3], 1).id]
    result = verdict(asked, made)
    assert "not counted: n, whose records are missing" in result.reason and "on m and not" in result.reason


def test_texts_without_answers_and_models_pruned_one_way_are_no_lack():
    from essparse_lib.specs.study import Override

    asked = study(
        *(*TASKS, "english-text"),
        models=("m", "n"),
        overrides={"n": Override(tasks=("blimp",), variants=("magnitude",))},
    )
    result = judged(0.4, 0.6, asked=asked, questions=4000, text_sd=0.3)
    assert result.outcome == "agrees" and "missing" not in result.reason


def test_two_calibration_texts_decide_nothing():
    result = judged(0.4, 0.6, asked=study(*TASKS, seeds=(0, 1)))
    assert result.outcome == "not run yet" and "fewer than 3 seeds" in result.reason


def test_a_task_at_fewer_sparsities_counts_in_the_drop_and_not_in_the_shift():
    asked = study(*TASKS, task_sparsities={"piqa": (0.3, 0.6)})
    made = records(asked, lambda e: falls_from(0.4)(e.pruning.sparsity), questions=500)
    pairs, _ = c12.pairs(asked, curves(asked, made), curves(asked, made, "SparseGPT"))
    counted = [pair for pair in pairs if pair.counts]
    assert len(counted) == 4 and {pair.magnitude.task for pair in c12.at_every_sparsity(counted)} == set(TASKS) - {
        "piqa"
    }
    assert verdict(asked, made).numbers["shift"].estimate.known


def test_the_verdict_is_judged_from_the_study_of_figure_11(monkeypatch):
    from essparse_lib import figures

    asked = study(*TASKS)
    monkeypatch.setitem(figures.STUDIES["fig11"], "lab", asked)
    made = records(asked, lambda e: falls_from(0.4)(e.pruning.sparsity), questions=200)
    assert verdicts.verdict("C12", "lab", made) == verdict(asked, made)


def test_magnitude_is_the_main_variant_whatever_its_scope():
    each = study(
        *TASKS, variants={"magnitude": at_sparsities((0.3, 0.6), scope="layer"), "SparseGPT": sparsegpt((0.3, 0.6))}
    )
    assert c12.sparsegpt_variant(dataclasses.replace(each)) == "SparseGPT"
    assert judged(0.4, 0.65, asked=each).numbers["mean loss"].estimate.value == pytest.approx(0, abs=1.5)
