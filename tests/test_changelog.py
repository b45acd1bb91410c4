"""The changelog of verdicts: it ends in today's verdicts, and says of each change what brought it about."""

import json

import msgspec
import pytest
from helpers import ROOT

from essparse_lib.book import changelog
from essparse_lib.claims.registry import CLAIMS
from essparse_lib.claims.verdict import Outcome
from essparse_lib.errors import InputError

FIRST = changelog.Entry(
    date="2026-01-01",
    commit="abc1234",
    claim="C1",
    outcome="inconclusive",
    measured="loss 1.0 [0.0, 2.0] points",
    numbers=[[1.0, 0.0, 2.0]],
    records=100,
    fingerprint="0" * 16,
)


def changed(**fields):
    return msgspec.structs.replace(FIRST, **fields)


@pytest.mark.slow  # it reads all records and judges all claims
def test_todays_verdicts_are_the_last_entries(monkeypatch):
    monkeypatch.chdir(ROOT)
    entries = changelog.read(ROOT / "results/verdicts.json")
    missing = changelog.changed(changelog.current("", ""), entries)
    assert not missing, "verdicts have changed; add them: python -m essparse_lib.book.changelog"


def test_every_claim_has_an_entry_and_the_newest_outcomes_are_known():
    entries = changelog.read(ROOT / "results/verdicts.json")
    assert {each.claim for each in entries} == set(CLAIMS)
    assert {each.outcome for each in {each.claim: each for each in entries}.values()} <= set(Outcome)
    assert [each.date for each in entries] == sorted(each.date for each in entries)
    for number, each in enumerate(entries):
        assert changelog.changed([each], entries[:number]) == [each], "an entry that changes nothing"


def test_an_entry_is_added_where_outcome_or_numbers_differ():
    same = changed(numbers=[[1.00001, 0.0, 2.0]], date="2026-01-02", fingerprint="1" * 16, measured="otherwise said")
    assert changelog.changed([same], [FIRST]) == []
    for other in (
        changed(outcome="agrees"),
        changed(numbers=[[1.1, 0.0, 2.0]]),
        changed(numbers=[[1.0, None, 2.0]]),
        changed(numbers=[]),
        changed(claim="C2"),
    ):
        assert changelog.changed([other], [FIRST]) == [other]
    back = changed(outcome="agrees")
    assert changelog.changed([FIRST], [FIRST, back]) == [FIRST]


def test_what_is_missing_is_added_once(tmp_path, monkeypatch):
    monkeypatch.setattr(changelog, "path", lambda: tmp_path / "verdicts.json")
    monkeypatch.setattr(changelog, "current", lambda date, commit: [changed(date=date, commit=commit)])
    assert [each.claim for each in changelog.add()] == ["C1"] and changelog.add() == []
    (entry,) = json.loads((tmp_path / "verdicts.json").read_text())
    assert entry["outcome"] == "inconclusive" and entry["numbers"] == [[1.0, 0.0, 2.0]]


def test_the_table_says_what_changed_a_verdict(tmp_path, monkeypatch):
    monkeypatch.setattr(changelog, "path", lambda: tmp_path / "verdicts.json")
    assert changelog.table() == "No verdict has been kept yet.\n"
    by_records = changed(date="2026-01-02", outcome="agrees", records=120, fingerprint="1" * 16, commit="def")
    by_rule = changed(date="2026-01-03", outcome="differs", records=120, fingerprint="1" * 16, measured="")
    (tmp_path / "verdicts.json").write_text(changelog.text_of([FIRST, by_records, by_rule]))
    head, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in changelog.table().splitlines()]
    assert len(head) == 5
    assert rows[0] == [
        *("2026-01-03", "C1", "agrees → **differs**", "—"),
        "the rule or the code, with the same 120 records, commit `abc1234`",
    ]
    assert rows[1][2:] == [
        *("inconclusive → **agrees**", "loss 1.0 \\[0.0, 2.0\\] points"),
        "records: 100 before, 120 then (`1111111111111111`), commit `def`",
    ]
    assert rows[2][2] == "inconclusive" and rows[2][4] == "first entry: 100 records, commit `abc1234`"


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"claim": "C1"}]'])
def test_a_damaged_file_is_one_line(tmp_path, monkeypatch, content):
    (tmp_path / "verdicts.json").write_text(content)
    monkeypatch.setattr(changelog, "path", lambda: tmp_path / "verdicts.json")
    with pytest.raises(InputError, match=r"verdicts\.json.*take it from the repository again") as error:
        changelog.table()
    assert "\n" not in str(error.value)
