"""The verdict on C1 follows the records, and changes with them; a verdict is data; every claim has one."""

import dataclasses
import json
import math

import pytest
from helpers import CURVE_STUDY as STUDY
from helpers import curve_records as records
from helpers import knee_at

from essparse_lib import figures
from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.estimate import Estimate, exact
from essparse_lib.claims import c01_essential_sparsity, c06_n_m_patterns
from essparse_lib.claims.registry import CLAIMS
from essparse_lib.claims.rules import (
    EVERYWHERE,
    FOR_NEW_TASK,
    ON_AVERAGE,
    against_smallest,
    smallest_text,
)
from essparse_lib.claims.verdict import Number, Outcome
from essparse_lib.errors import InputError
from essparse_lib.figures import verdicts
from essparse_lib.records import store
from essparse_lib.specs.trial import Pruning


def verdict(found, study=STUDY):
    return c01_essential_sparsity.judge(study, curves(study, found))


@pytest.mark.parametrize(
    ("low", "high", "outcome", "words"),
    [
        (0.1, 2.0, "agrees", "above 0"),
        (1.5, 2.0, "agrees", "above 0"),
        (0.1, 0.9, "differs", "of the right sign, far smaller than the 1 point that would matter"),
        (-0.1, 0.9, "differs", "below the 1 point that would matter"),
        (-3.0, -2.0, "differs", "below the 1 point that would matter"),
        (-0.1, 1.1, "inconclusive", "undecided: it may be 0, and it may be the 1 point that would matter"),
        (math.nan, math.nan, "inconclusive", "undecided: it may be 0, and it may be the 1 point that would matter"),
    ],
)
def test_an_effect_is_held_against_the_smallest_that_would_matter(low, high, outcome, words):
    estimate = Estimate((low + high) / 2, low, high)
    assert against_smallest(estimate, 1.0) == outcome
    assert smallest_text(estimate, 1.0, "points") == words


def test_a_late_knee_agrees_and_an_early_one_differs():
    assert verdict(records(knee_at(0.6))).outcome == "agrees"
    assert verdict(records(knee_at(0.05))).outcome == "differs"


def test_taking_a_record_away_changes_the_verdict():
    found = records(knee_at(0.6))
    for seed in STUDY.seeds:
        del found[STUDY.trial("m", "t", Pruning(sparsity=0.5), seed).id]
    assert verdict(found).outcome == "not tested"


def test_one_missing_seed_is_enough_to_decide_nothing():
    found = records(knee_at(0.6))
    del found[STUDY.trial("m", "t", Pruning(sparsity=0.5), 1).id]
    assert verdict(found).outcome == "not tested"


def test_a_changed_record_changes_the_verdict():
    found = records(knee_at(0.6))
    spoilt = records(lambda s: 90.0 if s < 0.15 else 60.0)
    for seed in STUDY.seeds:
        trial = STUDY.trial("m", "t", Pruning(sparsity=0.3), seed)
        found[trial.id] = spoilt[trial.id]
    assert verdict(found).outcome == "differs"


def test_two_seeds_decide_nothing():
    study = dataclasses.replace(STUDY, seeds=(0, 1))
    assert verdict(records(knee_at(0.6), seeds=(0, 1), study=study), study).outcome == "not tested"


def test_a_task_that_was_not_learned_is_not_counted():
    result = verdict(records(lambda _: 50.0))
    assert result.outcome == "inconclusive" and "no dense model learned" in result.reason


def test_tiny_models_test_nothing():
    assert verdict({}, dataclasses.replace(STUDY, scale="tiny")).outcome == "not tested"


# A verdict as data


def test_words_follow_from_the_data_and_the_data_are_json():
    result = verdict(records(knee_at(0.6)))
    plain = json.loads(json.dumps(result.plain(), allow_nan=False))
    assert (plain["claim"], plain["outcome"], plain["measured"]) == ("C1", "agrees", result.measured)
    assert [clause["outcome"] for clause in plain["clauses"]] == ["agrees", "inconclusive", "agrees"]
    assert "; ".join(clause["text"] for clause in plain["clauses"]) == result.reason
    loss, least = plain["numbers"]["mean loss"], plain["numbers"]["least essential sparsity"]
    assert least["low"] <= least["value"] <= least["high"] and least["unit"] == "%" and not least["at_least"]
    assert result.measured.startswith(f"mean loss at 30% {loss['value']:.2f} [")
    at_thirty = [statement for statement in plain["statements"] if statement["of"] == "at 30%"]
    assert [statement["sense"] for statement in at_thirty] == [ON_AVERAGE, FOR_NEW_TASK, EVERYWHERE]
    assert {statement["of"] for statement in plain["statements"]} == {f"at {percent}%" for percent in range(10, 60, 10)}


@pytest.mark.parametrize(("top", "outcome"), [(90.0, "agrees"), (54.0, "inconclusive")])
def test_a_curve_counts_only_if_it_has_something_to_lose(top, outcome):
    result = verdict(records(lambda s: max(53.9, knee_at(0.6, top=top)(s))))
    assert result.outcome == outcome
    assert ("nothing to lose" in result.reason) == (outcome == "inconclusive")


def test_an_unknown_interval_is_none_in_plain_data_and_left_out_in_words():
    number = Number(estimate=exact(2.0), unit="points", at_least=True)
    assert number.text == "≥ 2 points"
    assert (number.plain()["value"], number.plain()["low"]) == (2.0, None)


# The twelve claims


def test_every_claim_has_a_statement_a_rule_and_a_study():
    assert list(CLAIMS) == [f"C{number}" for number in range(1, 13)]
    for claim in CLAIMS.values():
        assert claim.statement and claim.judge is not None and claim.figure in figures.STUDIES


@pytest.mark.parametrize("scale", ["tiny", "paper"])
def test_without_records_no_claim_is_tested(scale):
    for claim in CLAIMS:
        result = verdicts.verdict(claim, scale, {})
        assert (result.claim, result.outcome, result.measured) == (claim, Outcome.NOT_TESTED, "")
        assert result.text.startswith(f"**{claim}: not tested.**")


def test_a_verdict_from_records_alone_is_that_of_the_claims_rule():
    found = store.results("lab").records()
    study = figures.study("fig5", "lab")
    result = verdicts.verdict("C6", "lab", found)
    assert result == c06_n_m_patterns.judge(study, found)
    assert result.outcome != Outcome.NOT_TESTED


def test_an_unknown_claim_or_scale_is_refused():
    with pytest.raises(InputError, match="C13"):
        verdicts.verdict("C13", "lab", {})
    with pytest.raises(InputError, match="huge"):
        verdicts.verdict("C5", "huge", {})
