"""What a notebook says at its top of what it runs and fetches, and how long it took."""

from helpers import CURVE_STUDY as STUDY
from helpers import curve_records, knee_at, pretraining_study

from essparse_lib import figures
from essparse_lib.book import downloads
from essparse_lib.runner import needs
from essparse_lib.specs.trial import Pruning


def test_with_all_records_nothing_is_trained_and_nothing_fetched():
    records = curve_records(knee_at(0.5))
    assert needs.sentence(STUDY, records, STUDY.specs()) == needs._NOTHING


def test_what_is_missing_is_counted_timed_and_named_with_its_size():
    study = figures.study("fig2", "lab")
    trial = study.trial("minilm-l6", "sst2", Pruning(sparsity=0.45), 0)
    dense = study.trial("mpnet-base", "rte", Pruning(), 0)
    text = needs.sentence(study, {}, [trial, trial, dense])
    assert text.startswith("2 runs have no record and are made now") and "no such run has a record" in text
    assert "minilm-l6 (83.5 MB)" in text and "mpnet-base (404.4 MB)" in text and "the data of sst2 and rte" in text


def test_the_time_is_that_of_the_records():
    records = curve_records(knee_at(0.5))
    for record in records.values():
        record.provenance.update(seconds=60.0, device="a processor")
    new = STUDY.trial("m", "t", Pruning(sparsity=0.45), 0)
    text = needs.sentence(STUDY, records, [new])
    assert text.startswith("1 run has no record and is made now, which takes about 60 s on a processor. Fetched, ")
    assert "m (its size is not known here)" in text


def test_a_model_that_is_trained_here_is_not_fetched():
    study = pretraining_study((1.0, 0))
    assert needs.sentence(study, {}, study.pretrainings()).endswith("Nothing is fetched.")


def test_the_built_page_says_below_its_title_how_long_the_notebook_ran():
    cells = [{"cell_type": "markdown", "source": "# A title\n\n**Question.** Why?", "metadata": {}}]
    downloads.say_time({"cells": cells}, 24.4)
    title, said, rest = cells[0]["source"].split("\n\n")
    assert title == "# A title" and rest == "**Question.** Why?"
    assert said == "*This notebook ran in 24 s when this page was made, from records alone: nothing was trained.*"
