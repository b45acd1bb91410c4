"""The texts that two tasks share are counted as they should be, and what is kept of it can be read on the page."""

import importlib.util
import json
from pathlib import Path

import pytest

from essparse_lib.book import overlap as page

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("overlap", ROOT / "benchmarks" / "overlap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_texts_are_the_same_whatever_their_case_punctuation_and_blanks(benchmark):
    counts = benchmark.overlap(["It 's  GOOD , really .", "a bad film"], ["it s good really!", "a badly made film"])
    assert counts == {"texts": 2, "whole": 1, "whole_or_phrase": 1}


def test_a_phrase_of_five_words_within_a_text_counts_and_a_shorter_one_does_not(benchmark):
    sentence = "the story is told with wit and care"
    assert benchmark.overlap([sentence], ["is told with wit and"])["whole_or_phrase"] == 1
    assert benchmark.overlap([sentence], ["told with wit and"])["whole_or_phrase"] == 0
    assert benchmark.overlap([sentence], ["is told with wit and"])["whole"] == 0


def test_what_is_kept_is_whole_and_on_the_page(monkeypatch):
    monkeypatch.chdir(ROOT)
    counts = json.loads((ROOT / "results/overlap.json").read_text())
    assert len(counts) == 8
    assert all(row["whole"] <= row["whole_or_phrase"] <= row["texts"] for row in counts.values())
    table = page.table()
    assert all(places in table for places in counts)


def test_without_counts_the_page_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    assert "not been counted" in page.table()
