"""``essparse claims``: twelve claims from records alone, for a person and for a program."""

import json
import os
import subprocess
import sys

import pytest
from helpers import ROOT

from essparse_lib.analysis.estimate import Estimate, exact
from essparse_lib.book import claims
from essparse_lib.claims.paper import STATEMENTS
from essparse_lib.claims.registry import CLAIMS
from essparse_lib.claims.verdict import Clause, Number, Outcome, Statement, Verdict


def _refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


@pytest.fixture(scope="module")
def lab():
    """The verdicts at lab scale, which take seconds."""
    return claims.verdicts("lab")


@pytest.mark.slow
def test_json_holds_every_claim_with_its_verdict_and_is_valid(lab, monkeypatch, capsys):
    monkeypatch.setattr(claims, "verdicts", lambda scale: lab)
    claims.print_json("lab")
    listed = json.loads(capsys.readouterr().out, parse_constant=_refuse)
    assert [entry["claim"] for entry in listed] == list(CLAIMS)
    for entry in listed:
        verdict = lab[entry["claim"]]
        assert entry["statement"] == STATEMENTS[entry["claim"]]
        assert entry["figure"] == CLAIMS[entry["claim"]].figure
        assert {name: entry[name] for name in verdict.plain()} == json.loads(json.dumps(verdict.plain()))
        assert bool(entry["needs"]) == (entry["outcome"] == Outcome.UNTESTABLE)
    assert any(entry["numbers"] for entry in listed)


@pytest.mark.slow
@pytest.mark.parametrize("width", [40, 60, 99, 100, 160])
def test_table_says_all_and_fits_its_terminal(lab, monkeypatch, capsys, width):
    monkeypatch.setattr(claims, "verdicts", lambda scale: lab)
    monkeypatch.setenv("COLUMNS", str(width))
    claims.print_table("lab")
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= width
    words = printed.split()
    for name, verdict in lab.items():
        assert name in words and set(str(verdict.outcome).split()) <= set(words)
        numbers = set((verdict.measured or verdict.reason).split()) | set(STATEMENTS[name].split())
        assert numbers <= set(words)


def test_what_looks_like_a_style_is_printed_and_what_else_is_stated_too(monkeypatch, capsys):
    number = Number(estimate=Estimate(2.0, 1.0, 3.0), unit="points", of="[bold]m[/bold] on t")
    judged = Verdict(
        claim="C1",
        outcome=Outcome.AGREES,
        clauses=(Clause(text="no"),),
        numbers={"gap": number},
        summary="at most {}",
        statements=(
            Statement(sense="for a new task", outcome=Outcome.INCONCLUSIVE),
            Statement(sense="everywhere", outcome=Outcome.DIFFERS),
        ),
    )
    monkeypatch.setattr(claims, "verdicts", lambda scale: {"C1": judged})
    monkeypatch.setenv("COLUMNS", "200")
    claims.print_table("lab")
    printed = capsys.readouterr().out
    for text in (
        "at most 2 [1, 3] points ([bold]m[/bold] on t)",
        "for a new task: inconclusive",
        "everywhere: differs",
    ):
        assert text in printed


def test_an_exact_number_has_no_ends_in_json(monkeypatch, capsys):
    judged = Verdict(claim="C1", outcome=Outcome.AGREES, clauses=(), numbers={"count": Number(estimate=exact(3.0))})
    monkeypatch.setattr(claims, "verdicts", lambda scale: {"C1": judged})
    claims.print_json("lab")
    (entry,) = json.loads(capsys.readouterr().out, parse_constant=_refuse)
    assert entry["numbers"]["count"]["low"] is None and entry["numbers"]["count"]["value"] == 3.0


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "JSON"])
def test_command_needs_no_torch_and_no_records(options, tmp_path):
    code = (
        "import sys\n"
        "from essparse_lib import cli\n"
        f"sys.argv = ['essparse', 'claims', '--scale', 'tiny', *{options!r}]\n"
        "try:\n    cli.main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    environment = {**os.environ, "ESSPARSE_RESULTS": str(tmp_path), "COLUMNS": "80"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    if options:
        listed = json.loads(done.stdout, parse_constant=_refuse)
        assert [entry["claim"] for entry in listed] == list(CLAIMS)
        assert {entry["outcome"] for entry in listed} == {Outcome.UNTESTABLE.value}
    else:
        assert all(name in done.stdout.split() for name in CLAIMS)
    assert not list(tmp_path.rglob("*"))


def test_output_that_takes_few_signs_gets_valid_json_and_every_number():
    number = "Number(estimate=Estimate(-1.0, -2.0, 0.5), unit='points')"
    script = (
        "import sys; from essparse_lib.book import claims; from essparse_lib import cli\n"
        "from essparse_lib.analysis.estimate import Estimate; from essparse_lib.claims.verdict import *\n"
        f"numbers = {{'drop': {number}}}\n"
        "judged = Verdict(claim='C1', outcome=Outcome.AGREES, clauses=(), numbers=numbers, summary='±ε: {}')\n"
        "claims.verdicts = lambda scale: {'C1': judged}\n"
        "sys.argv = ['essparse', 'claims', *sys.argv[1:]]; cli.main()"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "200"}

    def printed(*options):
        command = [sys.executable, "-c", script, *options]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment).stdout

    (entry,) = json.loads(printed("--json"), parse_constant=_refuse)
    assert entry["measured"] == "±ε: −1 [−2, 0] points"
    assert r"\u22121 [\u22122, 0] points" in printed()
