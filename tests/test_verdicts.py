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
from essparse_lib.claims.phrases import undecided
from essparse_lib.claims.pools import Reason
from essparse_lib.claims.registry import CLAIMS
from essparse_lib.claims.rules import (
    EVERYWHERE,
    FOR_NEW_TASK,
    ON_AVERAGE,
    against_smallest,
    smallest_text,
)
from essparse_lib.claims.verdict import Clause, Number, Outcome, Verdict, not_run, untestable
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
    assert verdict(found).outcome == "not run yet"


def test_one_missing_seed_is_enough_to_decide_nothing():
    found = records(knee_at(0.6))
    del found[STUDY.trial("m", "t", Pruning(sparsity=0.5), 1).id]
    assert verdict(found).outcome == "not run yet"


def test_a_changed_record_changes_the_verdict():
    found = records(knee_at(0.6))
    spoilt = records(lambda s: 90.0 if s < 0.15 else 60.0)
    for seed in STUDY.seeds:
        trial = STUDY.trial("m", "t", Pruning(sparsity=0.3), seed)
        found[trial.id] = spoilt[trial.id]
    assert verdict(found).outcome == "differs"


def test_two_seeds_decide_nothing():
    study = dataclasses.replace(STUDY, seeds=(0, 1))
    assert verdict(records(knee_at(0.6), seeds=(0, 1), study=study), study).outcome == "not run yet"


def test_a_task_that_was_not_learned_is_not_counted():
    result = verdict(records(lambda _: 50.0))
    assert result.outcome == "cannot be tested here" and "no dense model learned" in result.reason


def test_tiny_models_test_nothing():
    assert verdict({}, dataclasses.replace(STUDY, scale="tiny")).outcome == "cannot be tested here"


# A verdict as data


def test_words_follow_from_the_data_and_the_data_are_json():
    result = verdict(records(knee_at(0.6)))
    plain = json.loads(json.dumps(result.plain(), allow_nan=False))
    assert (plain["claim"], plain["outcome"], plain["measured"]) == ("C1", "agrees", result.measured)
    assert [clause["outcome"] for clause in plain["clauses"]] == ["agrees", "inconclusive", "agrees"]
    assert "; ".join(clause["text"] for clause in plain["clauses"]) == result.reason
    loss, least = plain["numbers"]["mean loss"], plain["numbers"]["least essential sparsity"]
    assert least["low"] <= least["value"] <= least["high"] and least["unit"] == "%" and not least["at_least"]
    assert result.numbers["mean loss"].text in result.measured and f"{loss['value']:.2f} [" in result.measured
    at_thirty = [statement for statement in plain["statements"] if statement["of"] == "at 30%"]
    assert [statement["sense"] for statement in at_thirty] == [ON_AVERAGE, FOR_NEW_TASK, EVERYWHERE]
    assert {statement["of"] for statement in plain["statements"]} == {f"at {percent}%" for percent in range(10, 60, 10)}


@pytest.mark.parametrize(("top", "outcome"), [(90.0, "agrees"), (54.0, "cannot be tested here")])
def test_a_curve_counts_only_if_it_has_something_to_lose(top, outcome):
    result = verdict(records(lambda s: max(53.9, knee_at(0.6, top=top)(s))))
    assert result.outcome == outcome
    assert ("nothing to lose" in result.reason) == bool(result.needs) == (outcome == "cannot be tested here")


def test_an_unknown_interval_is_none_in_plain_data_and_left_out_in_words():
    number = Number(estimate=exact(2.0), unit="points", at_least=True)
    assert number.text == "≥ 2 points"
    assert (number.plain()["value"], number.plain()["low"]) == (2.0, None)


def test_ranges_are_json_and_an_open_end_is_none():
    number = Number(estimate=Estimate(2.0, -math.inf, 3.0), allowed=(0.0, math.inf), paper=(2, 2))
    plain = json.loads(json.dumps(number.plain(), allow_nan=False))
    assert (plain["low"], plain["high"]) == (None, 3.0)
    assert (plain["allowed"], plain["paper"]) == ([0.0, None], [2.0, 2.0])
    plain = Number(estimate=exact(2.0)).plain()
    assert plain["allowed"] is None and plain["paper"] is None


def test_a_finding_is_what_was_measured_or_why_nothing_was():
    assert (
        untestable("C3", "there is one model", needs="a second").finding
        == "There is one model. It would take a second."
    )
    assert not_run("C3", "records are missing", "one model is new").finding == "Records are missing; one model is new."
    gap = {"gap": Number(estimate=exact(2.0), unit="points")}
    judged = Verdict(claim="C3", outcome=Outcome.AGREES, clauses=(Clause(text="no"),), numbers=gap, summary="it is {}")
    assert judged.finding == "It is 2 points."


def test_a_verdict_without_clauses_has_an_empty_finding():
    empty = Verdict(claim="C3", outcome=Outcome.AGREES, clauses=())
    assert (empty.finding, empty.text, empty.plain()["finding"]) == ("", "**C3: agrees.**", "")


def needs_iff_untestable(result):
    return bool(result.needs) == bool(result.plain()["needs"]) == (result.outcome == Outcome.UNTESTABLE)


def test_a_verdict_says_what_it_needs_where_it_cannot_be_tested_and_nowhere_else():
    found = records(knee_at(0.6))
    gone = STUDY.trial("m", "t", Pruning(sparsity=0.5), 1).id
    judged = [
        verdict(made)
        for made in (
            found,
            records(knee_at(0.05)),
            records(lambda _: 50.0),
            records(lambda _: 90.0),
            {name: record for name, record in found.items() if name != gone},
        )
    ]
    outcomes = ["agrees", "differs", "cannot be tested here", "cannot be tested here", "not run yet"]
    assert [each.outcome for each in judged] == outcomes
    assert all(needs_iff_untestable(each) for each in judged)


@pytest.mark.parametrize(
    ("reasons", "lacking", "outcome"),
    [
        ([Reason.NOT_LEARNED, Reason.NOTHING_TO_LOSE], [], "cannot be tested here"),
        ([Reason.NO_ADVANTAGE], [], "cannot be tested here"),
        ([Reason.NOT_LEARNED], ["n"], "not run yet"),
        ([Reason.NOT_LEARNED, Reason.FEW_SEEDS], [], "not run yet"),
    ],
)
def test_where_more_records_could_make_something_count_a_claim_is_not_run(reasons, lacking, outcome):
    result = undecided("C1", [Clause(text=reason) for reason in reasons], reasons, lacking)
    assert result.outcome == outcome and needs_iff_untestable(result)
    assert undecided("C1", [], [], lacking).outcome == "not run yet"


# The twelve claims


def test_every_claim_has_a_statement_a_rule_and_a_study():
    assert list(CLAIMS) == [f"C{number}" for number in range(1, 13)]
    for claim in CLAIMS.values():
        assert claim.statement and claim.judge is not None and claim.figure in figures.STUDIES


@pytest.mark.parametrize("scale", ["tiny", "paper"])
def test_without_records_no_claim_is_tested(scale):
    for claim in CLAIMS:
        result = verdicts.verdict(claim, scale, {})
        # whatever C4's records are, they could not test it
        outcome = Outcome.UNTESTABLE if scale == "tiny" or claim == "C4" else Outcome.NOT_RUN
        assert (result.claim, result.outcome, result.measured) == (claim, outcome, "")
        assert result.text.startswith(f"**{claim}: {outcome}.**") and needs_iff_untestable(result)


def test_a_verdict_from_records_alone_is_that_of_the_claims_rule():
    found = store.results("lab").records()
    study = figures.study("fig5", "lab")
    result = verdicts.verdict("C6", "lab", found)
    assert result == c06_n_m_patterns.judge(study, found)
    assert result.outcome in (Outcome.AGREES, Outcome.DIFFERS, Outcome.INCONCLUSIVE)


def test_an_unknown_claim_or_scale_is_refused():
    with pytest.raises(InputError, match="C13"):
        verdicts.verdict("C13", "lab", {})
    with pytest.raises(InputError, match="huge"):
        verdicts.verdict("C5", "huge", {})
