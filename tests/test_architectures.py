"""What the page on architectures says is so, the harness behind it sees what is wrong, and the page can be read.

The slow test tries all of the table again: ``pytest -m slow tests/test_architectures.py``.
"""

import json
import re
from dataclasses import replace
from pathlib import Path

import architectures
import attempts
import pytest
import torch
from attempts import ATTEMPTS, State
from census import Defect, census
from families import GROUPS
from families.family import NotInThisVersion

from essparse_lib.book import architectures as page
from essparse_lib.errors import InputError
from essparse_lib.pruning.masks import Mask
from essparse_lib.pruning.method import Pruned
from essparse_lib.wording import in_markdown

ROOT = Path(__file__).parents[1]
FAMILIES = {family.name: (group, family) for group, families in GROUPS.items() for family in families}
#: One of each kind: BERT's names, matrices stored with outputs last, two stacks, experts in one tensor, images, torch's
#: own projections, and matrices in three dimensions.
SOME = ("BERT", "GPT-2", "T5", "Mixtral", "ViT", "nn.TransformerEncoder", "XLNet")


@pytest.fixture(scope="module")
def kept():
    return json.loads((ROOT / "results/architectures.json").read_text(encoding="utf-8"))


def attempt_with_bert(column):
    _, family = FAMILIES["BERT"]
    return attempts.attempt(column, family, family.build())


@pytest.mark.parametrize("name", SOME)
def test_one_of_each_kind_is_as_the_table_says(name, kept):
    row = architectures.row(*FAMILIES[name])
    assert set(row["outcomes"]) == set(ATTEMPTS)
    assert not architectures.defects([row])
    assert not architectures.differences([row], kept["families"])


@pytest.mark.slow
def test_the_table_is_still_true(kept):
    table = list(architectures.rows())
    assert not architectures.defects(table)
    changed = architectures.differences(table, kept["families"])
    assert not changed, "if that is meant: python benchmarks/architectures.py writes the table anew"


def test_the_table_has_the_families_that_are_listed(kept):
    listed = [(group, family.name) for group, families in GROUPS.items() for family in families]
    assert [(entry["group"], entry["name"]) for entry in kept["families"]] == listed
    assert len(FAMILIES) == len(listed), "two families have one name"
    libraries = [family.library for _, family in FAMILIES.values()]
    assert libraries.count("transformers") >= 60 and len(libraries) - libraries.count("transformers") >= 5


# The harness: each of these would make a wrong table without a word


def without(mask, name):
    return Mask({other: kept for other, kept in mask.keep.items() if other != name})


def flipped(mask, name):
    """Return the mask with one removed and one kept weight of a parameter exchanged."""
    keep = mask.keep[name].clone().flatten()
    kept, removed = keep.nonzero()[0], (~keep).nonzero()[0]
    keep[kept], keep[removed] = False, True
    return Mask({**mask.keep, name: keep.view_as(mask.keep[name])})


def thinned(mask, name):
    """Return the mask without one more weight of a parameter."""
    keep = mask.keep[name].clone().flatten()
    keep[keep.nonzero()[0]] = False
    return Mask({**mask.keep, name: keep.view_as(mask.keep[name])})


NAME = "encoder.layer.0.output.dense.weight"
BROKEN = {
    "a matrix is left out": (lambda mask: without(mask, NAME), "prune", "left out in silence: encoder.layer.N"),
    "an embedding is pruned": (
        lambda mask: Mask({**mask.keep, "embeddings.word_embeddings.weight": torch.ones(64, 32, dtype=torch.bool)}),
        "prune",
        "no matrices of the blocks: embeddings",
    ),
    "a small weight stays": (lambda mask: flipped(mask, NAME), "prune", "larger than one that stays"),
    "too few go": (lambda mask: Mask({**mask.keep, NAME: mask.keep[NAME] | True}), "prune", "weights go, not"),
    "a group of four keeps one": (lambda mask: thinned(mask, NAME), "N:M", "of 4 consecutive inputs"),
    "an output loses more": (lambda mask: thinned(mask, NAME), "Wanda", "another number of inputs"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_wrong_mask_is_a_defect(case, monkeypatch):
    broken, column, message = BROKEN[case]
    prune = attempts.registry.prune
    monkeypatch.setattr(attempts.registry, "prune", lambda *given: Pruned(broken(prune(*given).mask)))
    outcome = attempt_with_bert(column)
    assert outcome.state == State.DEFECT and message in outcome.reason


def test_a_mask_that_is_not_held_is_a_defect(monkeypatch):
    from contextlib import nullcontext

    def held(mask, model, _optimizer):
        mask.apply(model)
        return nullcontext()

    monkeypatch.setattr(Mask, "held", held)
    outcome = attempt_with_bert("hold")
    assert outcome.state == State.DEFECT and "not zero" in outcome.reason


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (InputError("experts are not read here"), State.REFUSED, "experts are not read here"),
        (InputError("two\nlines"), State.REFUSED, r"two\nlines"),
        (KeyError("experts"), State.DEFECT, "KeyError: 'experts' (test_architectures.py"),
    ],
)
def test_an_error_is_a_refusal_only_where_it_is_meant(error, state, message, monkeypatch):
    def prune(*_):
        raise error

    monkeypatch.setattr(attempts.registry, "prune", prune)
    for column in ATTEMPTS:
        outcome = attempt_with_bert(column)
        assert outcome.state == state and message in outcome.reason


def test_a_model_that_a_refusal_has_changed_is_a_defect(monkeypatch):
    def prune(model, *_):
        torch.nn.init.zeros_(model.get_parameter(NAME))
        raise InputError("not so")

    monkeypatch.setattr(attempts.registry, "prune", prune)
    assert "has changed" in attempt_with_bert("prune").reason


def test_a_list_that_does_not_fit_the_model_is_seen():
    _, bert = FAMILIES["BERT"]
    with pytest.raises(Defect, match="layers"):
        census(replace(bert, blocks=("layers",)), bert.build())
    with pytest.raises(Defect, match="router"):
        census(replace(bert, left_alone={"router": "a router"}), bert.build())
    assert "no tiny model" in architectures.row("", replace(bert, config={"hidden_size": 7}))["outcomes"]["prune"][1]


def test_the_census_of_bert_and_mixtral():
    counted = {}
    for name in ("BERT", "Mixtral"):
        _, family = FAMILIES[name]
        counted[name] = census(family, family.build())
    assert sum(p.numel() for p in counted["BERT"].matrices.values()) == 2 * (4 * 32 * 32 + 2 * 32 * 64)
    attention, expert = 2 * 32 * 32 + 2 * 32 * 16, 3 * 32 * 64
    assert sum(p.numel() for p in counted["Mixtral"].matrices.values()) == 2 * (attention + 4 * expert)
    assert counted["Mixtral"].left_alone == {"the router of the experts": 2 * 4 * 32}


def test_what_a_version_does_not_have_is_passed_over():
    _, bert = FAMILIES["BERT"]
    absent = replace(bert, model="BertOfTomorrowModel")
    with pytest.raises(NotInThisVersion):
        absent.build()
    row = architectures.row("", absent)
    assert "outcomes" not in row
    assert not architectures.defects([row])
    assert not architectures.differences([row], [{**row, "outcomes": {"prune": ["yes", ""]}}])


def test_differences_name_the_cell():
    before = {"library": "torch", "name": "a", "outcomes": {"prune": ["yes", ""], "hold": ["yes", ""]}}
    after = {"library": "torch", "name": "a", "outcomes": {"prune": ["refused", "so"], "hold": ["yes", ""]}}
    assert architectures.differences([after], [before]) == ["a, prune: yes → refused so"]


# The page


def test_the_page_has_every_cell_and_every_reason(kept, monkeypatch):
    monkeypatch.chdir(ROOT)
    table = page.table()
    for entry in kept["families"]:
        cells = [state for state, _ in entry.get("outcomes", {}).values()]
        rows = [line for line in table.splitlines() if line.startswith(f"| {in_markdown(entry['name'])} |")]
        assert len(rows) == bool(cells)
        for line in rows:
            words = [re.sub(r"\W.*", "", cell.strip(" [")) for cell in line.split("|")[2:-1]]
            assert words == [{"yes": "yes", "refused": "no", "defect": "wrong"}[state] for state in cells]
    links = set(re.findall(r"\(#(architectures-reason-\d+)\)", table))
    assert links == set(re.findall(r"^\((architectures-reason-\d+)\)=$", table, re.MULTILINE))
    assert all(version in table for version in kept["versions"].values())


def test_names_in_a_reason_are_code_and_the_rest_reads_as_it_is(monkeypatch, tmp_path):
    family = {"group": "g", "name": "n", "model": "TinyModel", "library": "torch", "left_alone": []}
    outcomes = {"prune": ["yes", ""], "hold": ["refused", "TinyModel has 2_000 weights (layers.0.fc_1.weight) * | <b>"]}
    content = {"versions": {"torch": "2.13.0"}, "families": [{**family, "outcomes": outcomes}]}
    (tmp_path / "architectures.json").write_text(json.dumps(content))
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path))
    table = page.table()
    assert r"**1.** the model has 2\_000 weights (`layers.0.fc_1.weight`) \* \| \<b\>" in table
    assert "| n | yes | [no, 1](#architectures-reason-1) |" in table


def test_without_a_table_the_page_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    assert "not been tried" in page.table()
