"""Batches: every example once an epoch, the same order for the same seed, right padding and little of it."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from essparse_lib import tasks
from essparse_lib.models.loading import classifier, tokenizer_of
from essparse_lib.tasks import Examples
from essparse_lib.training.batches import EncodedTexts, by_length, shuffled
from essparse_lib.training.device import accelerator
from essparse_lib.training.evaluate import classify
from essparse_lib.training.texts import encode

lengths_drawn = st.lists(st.integers(1, 64), min_size=1, max_size=400).map(np.array)
sizes = st.integers(1, 40)
seeds = st.integers(0, 2**32 - 1)


def epoch(lengths, size, seed):
    return list(shuffled(lengths, size, np.random.default_rng(seed)))


def waste(lengths, batches):
    """The fraction of a padded epoch that is padding."""
    return 1 - lengths.sum() / sum(lengths[b].max() * len(b) for b in batches)


def encoded(model="tiny-bert", max_length=64, task="tiny-pairs"):
    return encode(tasks.get(task).splits().test, tokenizer_of(model), max_length)


def real(data, positions, name="input_ids"):
    """The values of a batch that are no padding, row by row."""
    batch = data.batch(positions)
    return [row[kept.bool()].tolist() for row, kept in zip(batch[name], batch["attention_mask"], strict=True)]


@given(lengths_drawn, sizes, seeds)
def test_every_example_is_seen_once_an_epoch(lengths, size, seed):
    batches = epoch(lengths, size, seed)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))


@given(lengths_drawn, sizes, seeds)
def test_an_epoch_has_the_fewest_batches_and_all_but_one_are_full(lengths, size, seed):
    batches = epoch(lengths, size, seed)
    assert len(batches) == -(-len(lengths) // size)
    assert sum(len(b) != size for b in batches) <= 1


@given(lengths_drawn, sizes)
def test_evaluation_covers_all_longest_first(lengths, size):
    batches = list(by_length(lengths, size))
    order = np.concatenate(batches)
    assert sorted(order) == list(range(len(lengths)))
    assert (np.diff(lengths[order]) <= 0).all()
    assert all(len(b) == size for b in batches[:-1])


@given(lengths_drawn, sizes, seeds)
def test_the_same_seed_gives_the_same_order(lengths, size, seed):
    one, two = epoch(lengths, size, seed), epoch(lengths, size, seed)
    assert [b.tolist() for b in one] == [b.tolist() for b in two]


def test_other_seeds_and_later_epochs_have_other_orders():
    lengths = np.random.default_rng(0).integers(5, 60, 500)
    rng = np.random.default_rng(1)
    orders = [np.concatenate(list(shuffled(lengths, 16, rng))).tolist() for _ in range(3)]
    orders.append(np.concatenate(epoch(lengths, 16, 2)).tolist())
    assert len({tuple(order) for order in orders}) == 4


def test_long_and_short_batches_come_mixed():
    lengths = np.random.default_rng(0).integers(5, 60, 3000)
    means = np.array([lengths[b].mean() for b in epoch(lengths, 16, 0)])
    assert 0.4 < (np.diff(means) > 0).mean() < 0.6
    half = means[: len(means) // 2]
    assert half.max() > 50 > 15 > half.min()


def test_examples_do_not_always_meet_the_same_others():
    lengths = np.random.default_rng(0).integers(5, 60, 2000)
    first, second = ({frozenset(b.tolist()) for b in epoch(lengths, 8, seed)} for seed in (0, 1))
    assert len(first & second) < 0.05 * len(first)


@pytest.mark.parametrize("size", [8, 32])
def test_padding_is_a_small_part_of_that_of_random_batches(size):
    lengths = np.minimum(np.random.default_rng(0).lognormal(3.2, 0.6, 5000).astype(int) + 3, 256)
    order = np.random.default_rng(1).permutation(len(lengths))
    at_random = [order[i : i + size] for i in range(0, len(order), size)]
    assert waste(lengths, epoch(lengths, size, 0)) < 0.15 * waste(lengths, at_random)
    assert waste(lengths, list(by_length(lengths, size))) < 0.1 * waste(lengths, at_random)


@pytest.mark.parametrize("model", ["tiny-bert", "tiny-mpnet", "tiny-opt"])
def test_padding_is_on_the_right_and_only_to_the_longest(model):
    data, tokenizer = encoded(model), tokenizer_of(model)
    positions = np.array([3, 1, 2, 60, 7])
    batch = data.batch(positions)
    shape = (5, data.lengths[positions].max())
    assert all(values.shape == shape for name, values in batch.items() if name != "labels")
    assert batch["attention_mask"].sum(1).tolist() == data.lengths[positions].tolist()
    for row, kept in zip(batch["input_ids"], batch["attention_mask"], strict=True):
        count = int(kept.sum())
        assert kept.tolist() == [1] * count + [0] * (len(kept) - count)
        assert set(row[count:].tolist()) <= {tokenizer.pad_token_id}
    assert not batch["attention_mask"].all()  # the examples differ in length


def test_padding_is_the_tokenizers_own():
    tokenizer = copy.deepcopy(tokenizer_of("tiny-bert"))
    tokenizer.pad_token = "<mask>"
    data = encode(Examples([("good",), ("good film",)], [0, 1]), tokenizer, 32)
    assert data.batch(np.array([0, 1]))["input_ids"][0, -1] == tokenizer.convert_tokens_to_ids("<mask>") != 0


@pytest.mark.parametrize("model", ["tiny-bert", "tiny-mpnet", "tiny-opt"])
def test_a_batch_is_what_the_tokenizer_pads(model):
    texts, positions = tasks.get("tiny-pairs").splits().test.texts, [5, 0, 9]
    pairs = zip(*(texts[i] for i in positions), strict=True)
    expected = tokenizer_of(model)(*map(list, pairs), padding=True, padding_side="right", return_tensors="pt")
    batch = encoded(model).batch(np.array(positions))
    assert set(batch) == {*expected, "labels"}
    assert all(torch.equal(batch[name], expected[name]) for name in expected)


def test_labels_follow_their_texts():
    splits, data = tasks.get("tiny-sentiment").splits(), encoded(task="tiny-sentiment")
    positions = np.array([9, 0, 100, 4])
    batch = data.batch(positions)
    assert batch["labels"].dtype == torch.int64
    assert batch["labels"].tolist() == [splits.test.labels[i] for i in positions]
    words = tokenizer_of("tiny-bert").batch_decode(batch["input_ids"], skip_special_tokens=True)
    assert words == [splits.test.texts[i][0] for i in positions]


def test_longer_examples_are_cut_to_max_length():
    whole, cut = encoded(task="tiny-sentiment"), encoded(task="tiny-sentiment", max_length=8)
    assert whole.lengths.max() > 8
    assert cut.lengths.tolist() == np.minimum(whole.lengths, 8).tolist()
    everything = np.arange(len(whole))
    for long, short in zip(real(whole, everything), real(cut, everything), strict=True):
        assert short == (long if len(long) <= 8 else [*long[:7], long[-1]])  # the end marker stays


def test_of_a_pair_the_longer_text_is_cut_first():
    pair = Examples([("good film", "the plot has some music in every scene of this story")], [0])
    data = encode(pair, tokenizer_of("tiny-bert"), 9)
    assert data.lengths.tolist() == [9]
    text = tokenizer_of("tiny-bert").decode(real(data, np.array([0]))[0])
    assert text.split() == ["<s>", "good", "film", "</s>", "the", "plot", "has", "some", "</s>"]


def test_an_encoding_counts_its_examples():
    data = encoded()
    assert len(data) == len(data.lengths) == len(data.targets["labels"]) == 128


@pytest.mark.parametrize("model", ["tiny-bert", "tiny-opt"])
def test_what_a_model_reads_comes_without_what_it_is_to_answer(model):
    data, positions = encoded(model), np.array([5, 0])
    read, batch = data.input_batch(positions), data.batch(positions)
    assert set(batch) - set(read) == {"labels"}
    assert all(torch.equal(batch[name], values) for name, values in read.items())


def test_predictions_come_in_the_order_of_the_examples_whatever_the_batches():
    data, model = encoded(task="tiny-sentiment"), classifier("tiny-bert", 2, seed=3)
    model.classifier.bias.data -= logits_of(model, data).mean(0)  # else an untrained head has one answer for all
    devices = accelerator()
    alone = [int(classify(model, data_of_one, devices)[0]) for data_of_one in map(partial(only, data), range(40))]
    for size in (1, 7, 1000):
        assert classify(model, data, devices, size)[:40].tolist() == alone
    assert set(alone) == {0, 1}


def only(data, position):
    """Return the encoding of one of its examples."""
    return EncodedTexts(
        {name: [rows[position]] for name, rows in data.inputs.items()},
        {name: values[[position]] for name, values in data.targets.items()},
        data.padding,
    )


@torch.no_grad()
def logits_of(model, data):
    """Return a model's logits of all examples of an encoding, in one batch."""
    return model.eval()(**data.input_batch(range(len(data)))).logits
