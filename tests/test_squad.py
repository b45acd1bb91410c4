"""Answers scored as SQuAD v1.1 scores them, and questions from every source in its real format."""

import dataclasses
import json
import re
import string
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from essparse_lib import tasks
from essparse_lib.errors import InputError
from essparse_lib.sources import tiny
from essparse_lib.tasks import Answer, Question, Questions, Splits, Task, bigbench, fixed_part
from essparse_lib.tasks.answers import exact_match, f1, normalise_answer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Seine,\n in Paris!", "seine in paris"),
        ("an apple a day", "apple day"),
        ("theatre, Anna", "theatre anna"),  # articles are words of their own
        ("a.m.", "am"),  # punctuation goes before the articles are looked for
        ("the-cat", "thecat"),
        ("1990-91", "199091"),
        ("1990\u201391", "1990\u201391"),  # a dash that is not ASCII stays
        ("\u201cSeine\u201d", "\u201cseine\u201d"),
        ("\u201ca\u201d", "\u201c \u201d"),  # but it ends a word
        ("10\u00a0km", "10 km"),
        ("\u00c9COLE", "\u00e9cole"),
        ("$5.2%", "52"),
        ("The", ""),
        ("", ""),
    ],
)
def test_normalisation_is_the_official_one(text, expected):
    assert normalise_answer(text) == expected


@pytest.mark.parametrize(
    ("answer", "right", "exact", "overlap"),
    [
        ("the Seine.", ["Seine"], 1, 1),
        ("river Seine", ["Seine"], 0, 2 / 3),
        ("Seine", ["the long river Seine"], 0, 1 / 2),
        ("Rhine", ["Seine"], 0, 0),
        ("", ["Seine"], 0, 0),
        ("the", ["a"], 1, 0),  # nothing is left of either: equal, but without a word in common
        ("\u201cSeine\u201d", ["Seine"], 0, 0),
        ("new new york", ["new york"], 0, 0.8),  # of a word that comes twice and once, one is in common
        ("new york", ["york new"], 0, 1),  # order does not count for F1
        ("new york", ["new york new york"], 0, 2 / 3),
        ("a b c", ["b d e f", "c"], 0, 2 / 3),  # words b c: the better of 1/3 and 2/3
        ("in 1990", ["1990", "in 1990 or so", "in 1990"], 1, 1),
        ("Broncos", ["Denver Broncos", "Denver Broncos", "The Broncos"], 1, 1),
    ],
)
def test_scores_of_hand_made_cases(answer, right, exact, overlap):
    assert exact_match(answer, right) == exact
    assert f1(answer, right) == pytest.approx(overlap)


def official(answer, right):
    """The official rules once more, step by step: exact match and F1."""

    def plain(text):
        text = "".join(c for c in text.lower() if c not in string.punctuation)
        return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())

    def overlap(one, other):
        words, others = plain(one).split(), plain(other).split()
        same = sum(min(n, Counter(others)[word]) for word, n in Counter(words).items())
        if same == 0:
            return 0
        precision, recall = same / len(words), same / len(others)
        return 2 * precision * recall / (precision + recall)

    return max(plain(answer) == plain(one) for one in right), max(overlap(answer, one) for one in right)


phrases = st.lists(st.sampled_from(["the", "a", "An", "Cat", "cat", "cat's", "dog.", "\u2014", "dog", "-"]), max_size=6)


@given(phrases.map(" ".join), st.lists(phrases.map(" ".join), min_size=1, max_size=4))
def test_scores_are_those_of_the_official_rules(answer, right):
    exact, overlap = official(answer, right)
    assert exact_match(answer, right) == exact
    assert f1(answer, right) == pytest.approx(overlap)


def question(number=0, context="Paris lies on the Seine", right=(("Seine", 18),)):
    return Question(
        id=f"q{number}",
        question=f"Where {number}?",
        context=context,
        answers=tuple(Answer(*answer) for answer in right),
    )


def test_the_fingerprint_sees_every_part_of_a_question():
    data = Questions([question(0), question(1)])
    others = [
        data.take([1, 0]),
        data.take([0]),
        Questions([question(0), dataclasses.replace(question(1), id="x")]),
        Questions([question(0), dataclasses.replace(question(1), question="Who?")]),
        Questions([question(0), question(1, context="Paris lies on the Seine.")]),
        Questions([question(0), question(1, right=[("Seine", 17)])]),
        Questions([question(0), question(1, right=[("Seine", 18), ("Paris", 0)])]),
    ]
    assert len({d.fingerprint() for d in (data, *others)}) == 8
    assert data.take([0, 1]).fingerprint() == data.fingerprint()


def test_answers_that_are_not_in_their_place_are_dropped_and_questions_without_any():
    context = "Paris lies on the Seine"
    one = question(right=[("Paris", 1), ("Seine", 18), ("on", 11), ("paris", 0)])
    assert one.with_answers_in_place().answers == (Answer("Seine", 18), Answer("on", 11))
    assert question(right=[("Paris", 1)]).with_answers_in_place() is None
    assert not Answer("Seine!", 18).lies_in(context)
    assert not Answer("x", 100).lies_in(context)


@pytest.mark.parametrize("change", [{"answers": ()}, {"context": " \n"}, {"question": ""}])
def test_questions_that_cannot_be_answered_are_refused(change):
    faulty = Questions([question(0), dataclasses.replace(question(1), **change)])
    for splits in (Splits(faulty, Questions([question()]), ""), Splits(Questions([question()]), faulty, "")):
        task = Task(
            name="made",
            classes=(),
            load=lambda splits=splits: splits,
            counts=None,
            metric="f1",
            source="",
            head="question-answering",
        )
        with pytest.raises(InputError, match="'made' from .* has 1 questions without a text, a context or an answer"):
            task.splits()


def test_questions_of_one_context_are_told_apart_in_a_fixed_part():
    data = Questions([question(i) for i in range(30)])
    part = fixed_part(data, 10)
    assert len(part) == 10
    assert set(fixed_part(data.take(range(29, -1, -1)), 10).items) == set(part.items)


def squad_file(*paragraphs):
    """The bytes of a file in SQuAD's format: paragraphs of (context, [(id, question, [(text, start), ...]), ...])."""
    plain = [
        {
            "context": context,
            "qas": [
                {"id": i, "question": q, "answers": [{"text": t, "answer_start": s} for t, s in right]}
                for i, q, right in qas
            ],
        }
        for context, qas in paragraphs
    ]
    return json.dumps({"version": "1", "data": [{"title": "t", "paragraphs": plain}]}).encode()


@pytest.fixture
def shifts(cached, monkeypatch):
    """An archive with files like those of BIG-bench's task squad_shifts."""
    folder = "bigbench-1.0.0/bigbench/benchmark_tasks/squad_shifts"
    context = "Caf\u00e9 au lait, twice"
    members = {
        f"{folder}/{name}_v1.0.json": squad_file(
            (
                context,
                [
                    (f"{name}-1", f"  What of {name}?\n", [("lait", 8), ("au lait", 5)]),
                    (f"{name}-2", "Moved first?", [("lait", 7), ("Caf\u00e9", 0)]),
                    (f"{name}-3", "Nowhere?", [("lait", 7), ("tea", 0)]),
                ],
            )
        )
        for name in ("amazon_reviews", "new_wiki", "nyt", "reddit")
    }
    members[f"{folder}/squaddev_v1.1.json"] = squad_file(
        (context, [("dev-1", "How often?", [("twice", 14), ("Twice", 3)])]),
        ("Other", [("dev-2", "What?", [("Other", 0)]), ("dev-3", "Not there?", [("there", 2)])]),
    )
    members[f"{folder}/nyt_v1.0_removed.json"] = b"no questions"
    archive = cached("bigbench-1.0.0.tar.gz", members)
    monkeypatch.setattr(bigbench, "ARCHIVE", archive)
    return archive


def uncounted(name):
    return dataclasses.replace(tasks.get(name), counts=None).splits()


def test_squad_from_an_archive_like_bigbenchs(shifts):
    splits = uncounted("squad")
    assert [q.id for q in splits.train.items] == [
        f"{name}-{i}" for name in ("new_wiki", "nyt", "amazon_reviews", "reddit") for i in (1, 2)
    ]
    first, second = splits.train.items[:2]
    assert first.question == "What of new_wiki?"
    assert first.answers == (Answer("lait", 8), Answer("au lait", 5))
    assert second.answers == (Answer("Caf\u00e9", 0),)  # the one that is where it says
    assert [q.id for q in splits.test.items] == ["dev-1", "dev-2", "dev-3"]  # nothing is left out of what is evaluated
    assert [a.text for a in splits.test.items[0].answers] == ["twice", "Twice"]
    assert splits.origin == "bigbench-1.0.0.tar.gz"
    with pytest.raises(InputError, match="'squad' .* has 8 training and 3 test examples"):
        tasks.get("squad").splits()


def test_the_large_archive_is_read_through_once(shifts):
    before = uncounted("squad").train.fingerprint()
    shifts.path.unlink()
    assert uncounted("squad").train.fingerprint() == before


HUB = {
    "id": ["a", "b"],
    "title": ["t", "t"],
    "context": ["Paris lies on the Seine", "Rome, on the Tiber"],
    "question": ["  Which river?", "Where?"],
    "answers": [
        {"text": ["Seine"], "answer_start": [18]},
        {"text": ["Tiber", "the Tiber"], "answer_start": [13, 9]},
    ],
}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A mirror laid out as the hub's rajpurkar/squad."""
    monkeypatch.setenv("ESSPARSE_MIRROR", str(tmp_path))
    place = tmp_path / "rajpurkar/squad/plain_text"
    place.mkdir(parents=True)
    kind = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int32()))])
    table = pa.table({**HUB, "answers": pa.array(HUB["answers"], kind)})
    parquet.write_table(table, place / "train-00000-of-00001.parquet")
    parquet.write_table(table.slice(1), place / "validation-00000-of-00001.parquet")


def test_squad_from_a_mirror_in_the_hubs_layout(hub):
    splits = uncounted("squad-v1.1")
    rome = Question(
        id="b", question="Where?", context="Rome, on the Tiber", answers=(Answer("Tiber", 13), Answer("the Tiber", 9))
    )
    assert splits.train.items == [
        Question(id="a", question="Which river?", context="Paris lies on the Seine", answers=(Answer("Seine", 18),)),
        rome,
    ]
    assert splits.test.items == [rome]
    assert {type(a.start) for q in splits.train.items for a in q.answers} == {int}
    assert splits.origin == "mirror of rajpurkar/squad"
    with pytest.raises(InputError, match="has 2 training and 1 test examples, but must have 87599 and 10570"):
        tasks.get("squad-v1.1").splits()


def test_tiny_questions_are_in_the_hubs_layout_and_never_change():
    folder = tiny.folder(tiny.QUESTIONS) / "plain_text"
    assert sorted(p.name for p in folder.iterdir()) == [
        "train-00000-of-00001.parquet",
        "validation-00000-of-00001.parquet",
    ]
    table = parquet.read_table(folder / "train-00000-of-00001.parquet")
    assert table.column_names == ["id", "title", "context", "question", "answers"]
    assert str(table.schema.field("answers").type).startswith("struct<text: list<")
    splits = tasks.get("tiny-questions").splits()
    assert (len(splits.train), len(splits.test)) == (512, 128)
    assert {len(q.answers) for q in splits.train.items} == {1}
    assert {len(q.answers) for q in splits.test.items} == {3}
    assert all(a.lies_in(q.context) for part in (splits.train, splits.test) for q in part.items for a in q.answers)
    assert (splits.train.fingerprint(), splits.test.fingerprint()) == ("53e481d8f3c4bb9d", "f4c1d62baf95ae9c")


def vitaminc_file(pages, each):
    """The bytes of a file like BIG-bench's: so many pages with so many examples each, in turns."""
    verdicts = ("True", "False", "Neither")
    examples = [
        {
            "input": f"Page -LRB-{page}-RRB-: evidence: {number} \ufffd .\nClaim: claim {number} of {page} .",
            "target_scores": {v: int(v == verdicts[(page + number) % 3]) for v in verdicts},
        }
        for number in range(each)
        for page in range(pages)
    ]
    return json.dumps({"canary": "x", "task_prefix": "Based on", "examples": examples}).encode()


def page_of(texts):
    return int(re.search(r"-LRB-(\d+)", texts[0])[1])


def test_vitaminc_from_an_archive_like_bigbenchs(cached, monkeypatch):
    member = "bigbench-1.0.0/bigbench/benchmark_tasks/vitaminc_fact_verification/task.json"
    monkeypatch.setattr(bigbench, "ARCHIVE", cached("bigbench-1.0.0.tar.gz", {member: vitaminc_file(400, 3)}))
    splits = uncounted("vitaminc")
    assert (len(splits.train), len(splits.test)) == (198, 1002)  # 334 pages of 3: none is parted for the last two
    for part in (splits.train, splits.test):
        for (evidence, claim), label in zip(part.texts, part.labels, strict=True):
            page, number = page_of((evidence,)), int(claim.split()[1])
            assert evidence == f"Page -LRB-{page}-RRB-: evidence: {number} \ufffd ."
            assert claim == f"claim {number} of {page} ."
            assert label == (page + number) % 3
    assert not {page_of(t) for t in splits.train.texts} & {page_of(t) for t in splits.test.texts}


@pytest.fixture
def real_archive(monkeypatch, real_cache):
    """The real files of bigbench, where they are in the cache already."""

    def of(task):
        name = f"{bigbench.ARCHIVE.sha256[:16]}-bigbench-1.0.0-bigbench-benchmark_tasks-{task}"
        if not (real_cache / "extracted" / name).is_dir():
            pytest.skip("bigbench's files are not in the cache")
        monkeypatch.setenv("ESSPARSE_CACHE", str(real_cache))

    return of


def test_the_real_squad_has_the_counts_that_are_named(real_archive):
    real_archive("squad_shifts")
    splits = tasks.get("squad").splits()
    assert all(a.lies_in(q.context) for q in splits.train.items for a in q.answers)
    assert not {q.context for q in splits.train.items} & {q.context for q in splits.test.items}


def test_the_real_vitaminc_has_the_counts_that_are_named(real_archive):
    real_archive("vitaminc_fact_verification")
    splits = tasks.get("vitaminc").splits()
    pages = [{evidence.partition(": ")[0] for evidence, _ in part.texts} for part in (splits.train, splits.test)]
    assert [len(p) for p in pages] == [3011, 57]
    assert not pages[0] & pages[1]
    labels = [*splits.train.labels, *splits.test.labels]
    assert [labels.count(i) for i in range(3)] == [27242, 20169, 7257]
    assert not any("Claim:" in text for pair in splits.test.texts for text in pair)
