"""Questions as windows, and answers as spans: what a model is to find, and what is made of its logits."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import CanineTokenizer, PreTrainedTokenizerFast

from essparse_lib import tasks
from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.models.loading import tokenizer_of
from essparse_lib.sources import tiny_data, tiny_models
from essparse_lib.tasks import Answer, Question, Questions
from essparse_lib.training import device
from essparse_lib.training.evaluate import answer
from essparse_lib.training.spans import answer_tokens, best_spans, check, encode, stride

TINY = ("tiny-bert", "tiny-mpnet", "tiny-opt")
WORDS = "film plot actors play scene story music some every this its has".split()


def about(context, text, question="good film", start=None):
    """One question whose answer is the first place of the text in the context."""
    return Question(
        id="q",
        question=question,
        context=context,
        answers=(Answer(text, context.index(text) if start is None else start),),
    )


def windows(*questions, model="tiny-bert", max_length=12):
    return encode(Questions(questions), tokenizer_of(model), max_length)


def words(data, window):
    """A window's tokens as words."""
    return tokenizer_of("tiny-bert").convert_ids_to_tokens(data.inputs["input_ids"][window])


def spans(data):
    return list(zip(*(data.targets[f"{end}_positions"].tolist() for end in ("start", "end")), strict=True))


def test_windows_by_hand():
    # 12 tokens: <s> good film </s> and </s> leave 7 for the context; 4 of them come again, so it advances by 3
    data = windows(about(" ".join(WORDS), "music some"))
    assert [words(data, i) for i in range(len(data))] == [
        ["<s>", "good", "film", "</s>", *WORDS[begin : begin + 7], "</s>"] for begin in (0, 3, 6)
    ]
    # words 6 and 7: the first window has one of them alone, the third begins with them
    assert spans(data) == [(0, 0), (7, 8), (4, 5)]
    assert data.question_positions.tolist() == [0, 0, 0]
    assert data.context_starts.tolist() == [4, 4, 4]
    assert data.lengths.tolist() == [12, 12, 11]
    assert data.inputs["token_type_ids"][2] == [0] * 4 + [1] * 7
    assert data.text(1, 7, 8) == data.text(2, 4, 5) == "music some"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("film", [(4, 4), (0, 0), (0, 0)]),  # the very first word
        ("film plot actors play scene story music", [(4, 10), (0, 0), (0, 0)]),  # the whole of a window
        ("has", [(0, 0), (0, 0), (9, 9)]),  # the very last
        ("music", [(10, 10), (7, 7), (4, 4)]),  # the last of one window, the first of another
        ("film plot actors play scene story music some", [(0, 0), (0, 0), (0, 0)]),  # in no window whole
        ("usi", [(10, 10), (7, 7), (4, 4)]),  # a part of a word
        ("tory mus", [(9, 10), (6, 7), (0, 0)]),  # parts of two
    ],
)
def test_the_answers_tokens_by_hand(text, expected):
    assert spans(windows(about(" ".join(WORDS), text))) == expected


def test_the_first_answer_is_the_one_to_find():
    two = Question(id="q", question="good", context="film plot film", answers=(Answer("film", 10), Answer("film", 0)))
    (span,) = spans(windows(two))
    assert span == (5, 5)  # <s> good </s> film plot film


@pytest.mark.parametrize("model", TINY)
def test_every_model_gets_its_own_form_and_windows_follow_their_questions(model):
    one, two = about(" ".join(WORDS), "plot"), about("music plot", "plot", "bad")
    data = windows(two, one, two, model=model, max_length=13)
    assert data.question_positions.tolist() == [0, *[1] * (len(data) - 2), 2]
    for window, (first, last) in enumerate(spans(data)):
        assert data.text(window, data.context_starts[window], data.context_starts[window]) in WORDS
        if first:
            assert data.text(window, first, last) == "plot"
    assert set(data.inputs) == set(tokenizer_of(model).model_input_names)
    batch = data.batch(np.arange(len(data)))
    assert set(batch) == {*data.inputs, "start_positions", "end_positions"}
    assert {values.dtype for values in batch.values()} == {torch.int64}
    assert batch["start_positions"].shape == (len(data),)
    output = loading.load_with_head(model, "question-answering", 0, 0)(**batch)
    assert output.start_logits.shape == output.end_logits.shape == batch["input_ids"].shape
    assert output.loss.isfinite()


contexts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=60)


@given(contexts, st.integers(1, 3), st.integers(11, 40), st.data())
def test_windows_cover_the_context_and_overlap_by_the_stride(context, size, max_length, data):
    begin = data.draw(st.integers(0, len(context) - 1))
    end = data.draw(st.integers(begin, min(begin + 5, len(context) - 1)))
    text, start = " ".join(context[begin : end + 1]), len(" ".join(context[:begin])) + bool(begin)
    encoded = windows(about(" ".join(context), text, " ".join(["good"] * size), start), max_length=max_length)
    room = max_length - 3 - size
    parts = [words(encoded, i)[2 + size : -1] for i in range(len(encoded))]
    assert [len(part) for part in parts[:-1]] == [room] * (len(parts) - 1)
    assert len(parts[-1]) <= room
    place = 0
    for number, (part, (first, last)) in enumerate(zip(parts, spans(encoded), strict=True)):
        assert part == context[place : place + len(part)]
        holds = place <= begin and end < place + len(part)
        shift = 2 + size - place
        assert (first, last) == ((begin + shift, end + shift) if holds else (0, 0))
        place += room - stride(max_length)
        if number == len(parts) - 1:
            assert place - room + stride(max_length) + len(part) == len(context)
    if end - begin < stride(max_length):
        assert any(first for first, _ in spans(encoded))  # some window has a short answer whole


def test_where_the_token_for_no_answer_stands_last_it_is_the_one_to_point_at():
    tokenizer = tiny_models.make_tokenizer("$A </s> $B </s> <s>", model_input_names=["input_ids", "attention_mask"])
    data = encode(Questions([about(" ".join(WORDS), "film")]), tokenizer, 12)
    assert [row[-1] for row in data.inputs["input_ids"]] == [tokenizer.cls_token_id] * 3
    assert spans(data) == [(3, 3), (11, 11), (10, 10)]


@pytest.fixture(scope="module")
def bytewise():
    """A tokenizer as OPT's: bytes joined to pieces that begin with a blank, one mark in front, none in between."""
    from tokenizers import Tokenizer, pre_tokenizers, processors, trainers
    from tokenizers import models as kinds

    tokenizer = Tokenizer(kinds.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<pad>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(["the man in the town"] * 5, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="</s> $A", pair="</s> $A </s> $B", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="</s>", eos_token="</s>")


@pytest.mark.parametrize(
    "text", ["man", "Zo\u00eb", "\u00eb", "\u2014the", "\u65e5\u672c", "\u65e5", "\U0001f600", "the town."]
)
def test_characters_of_several_tokens_are_found_whole(bytewise, text):
    context = "Zo\u00eb, the man\u2014the \u65e5\u672c\U0001f600 in the town."
    data = encode(Questions([about(context, text, "the man?")]), bytewise, 64)
    ((first, last),) = spans(data)
    assert 0 < first <= last
    assert data.text(0, first, last).strip() == text


@pytest.mark.parametrize(
    ("answer_", "expected"),
    [
        (Answer("ab", 0), (0, 0)),
        (Answer("b c", 1), (0, 1)),
        (Answer(" cd", 2), (1, 1)),  # a blank belongs to no token
        (Answer(" ", 2), None),
        (Answer("fg", 6), (2, 3)),
        (Answer("g", 7), (3, 3)),
        (Answer("gh", 7), None),  # ends after the last
    ],
)
def test_characters_to_tokens(answer_, expected):
    offsets = np.array([[0, 2], [3, 5], [6, 7], [7, 8]])
    assert answer_tokens(answer_, offsets) == expected


def test_characters_before_the_first_token_or_without_any():
    assert answer_tokens(Answer("x", 2), np.array([[3, 5]])) is None
    assert answer_tokens(Answer("x", 0), np.empty((0, 2), int)) is None


def logits(*rows):
    return torch.tensor(rows, dtype=torch.float32)


EVERY = torch.ones(1, 6, dtype=torch.bool)


def best(starts, ends, allowed=EVERY, **options):
    score, first, last = best_spans(logits(starts), logits(ends), allowed, **options)
    return score.item(), first.item(), last.item()


def test_the_best_span_by_hand():
    starts, ends = [0, 5, 1, 4, 0, 0], [6, 0, 2, 0, 3, 1]
    assert best(starts, ends) == (8, 1, 4)  # 5 + 6 would end before it begins
    assert best(starts, ends, longest=3) == (7, 1, 2)  # 1 to 4 are four tokens
    assert best(starts, ends, longest=2) == (7, 1, 2)
    assert best(starts, ends, longest=1) == (6, 0, 0)
    assert best(starts, ends, torch.tensor([[True, False, True, True, True, True]])) == (7, 3, 4)
    assert best(starts, ends, n_best=2) == (8, 1, 4)  # starts 1 and 3, ends 0 and 4
    assert best([0, 5, 1, 4, 0, 0], [6, 3, 0, 0, 0, 0], n_best=1) == (-np.inf, 1, 0)  # no answer is left


def test_tokens_that_are_not_allowed_do_not_take_the_place_of_others():
    allowed = torch.tensor([[False, False, True, True, False, False]])
    assert best([9, 9, 1, 0, 9, 9], [9, 9, 0, 2, 9, 9], allowed, n_best=2) == (3, 2, 3)
    assert best([9] * 6, [9] * 6, torch.zeros(1, 6, dtype=torch.bool))[0] == -np.inf


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 8))
def test_the_best_span_is_that_of_trying_all(seed, tokens, longest):
    rng = np.random.default_rng(seed)
    starts, ends = rng.normal(size=(2, 3, tokens))
    allowed = rng.random((3, tokens)) < 0.7
    scores, firsts, lasts = best_spans(*map(torch.tensor, (starts, ends, allowed)), n_best=20, longest=longest)
    for row in range(3):
        pairs = {
            (i, j): starts[row, i] + ends[row, j]
            for i in range(tokens)
            for j in range(i, min(i + longest, tokens))
            if allowed[row, i] and allowed[row, j]
        }
        if pairs:
            assert (int(firsts[row]), int(lasts[row])) == max(pairs, key=pairs.__getitem__)
        else:
            assert scores[row] == -np.inf


class Pointing(torch.nn.Module):
    """Says of every token by its word alone how likely an answer begins and ends there."""

    def __init__(self, starts, ends):
        super().__init__()
        self.tables = [torch.zeros(len(tiny_data.WORDS)) for _ in range(2)]
        for table, scores in zip(self.tables, (starts, ends), strict=True):
            for word, score in scores.items():
                table[tiny_data.WORDS.index(word)] = score

    def forward(self, input_ids, **_):
        return SimpleNamespace(start_logits=self.tables[0][input_ids], end_logits=self.tables[1][input_ids])


@pytest.mark.parametrize(
    "context",
    [
        "film plot bad play scene story good some music this its has",
        "good some music story scene its this film plot bad play has",
    ],
)
def test_of_all_windows_the_likeliest_answer_counts(context):
    model = Pointing({"bad": 3, "good": 4}, {"play": 3, "music": 4})
    data = windows(about(context, "film"), about("bad play", "bad"), about("film plot", "film"))
    assert len(data) == 5  # three of the first question
    assert answer(model, data, device.accelerator())[:2] == ["good some music", "bad play"]


def test_neither_the_question_nor_marks_nor_padding_are_answers():
    model = Pointing({"good": 9, "<s>": 9, "<pad>": 9, "plot": 1}, {"film": 1, "</s>": 9, "<pad>": 9, "good": 9})
    short, long = about("plot film", "plot", "good"), about(" ".join(["music"] * 6), "music", "good")
    answers = answer(model, windows(short, long), device.accelerator())
    assert answers[0] == "plot film"
    assert set(answers[1].split()) == {"music"}


@pytest.mark.parametrize("between", [28, 29])
def test_an_answer_has_at_most_thirty_tokens(between):
    context = " ".join(["plot", *["music"] * between, "film"])
    model = Pointing({"plot": 5, "music": 1}, {"film": 6})
    (given_answer,) = answer(model, windows(about(context, "plot"), max_length=62), device.accelerator())
    assert given_answer.split()[-1] == "film"
    assert (given_answer == context) == (between == 28)
    assert ("plot" in given_answer) == (between == 28)


@pytest.mark.parametrize("model", TINY)
def test_answers_do_not_depend_on_the_batch(model):
    questions = tasks.get("tiny-questions").splits().test
    data = encode(questions, tokenizer_of(model), 32)
    assert len(data) > len(questions)
    network = loading.load_with_head(model, "question-answering", 0, 0)
    one, many = (answer(network, data, device.accelerator(), size) for size in (1, 32))
    assert len(one) == len(questions)
    assert np.mean([a == b for a, b in zip(one, many, strict=True)]) > 0.98  # rounding may decide a tie
    assert all(a and a in q.context for a, q in zip(one, questions.items, strict=True))


def test_many_questions_are_tokenised_as_few_are(monkeypatch):
    from essparse_lib.training import spans as module

    questions = tasks.get("tiny-questions").splits().test.take(range(20))
    whole = encode(questions, tokenizer_of("tiny-bert"), 32)
    monkeypatch.setattr(module, "_CHUNK", 7)
    parted = encode(questions, tokenizer_of("tiny-bert"), 32)
    assert parted.inputs == whole.inputs
    assert parted.question_positions.tolist() == whole.question_positions.tolist()
    assert spans(parted) == spans(whole)


def test_a_tokenizer_that_is_not_fast_is_refused():
    with pytest.raises(InputError, match="CanineTokenizer does not say which characters.*fast tokenizer$"):
        encode(Questions([about("film", "film")]), CanineTokenizer(), 64)


@pytest.mark.parametrize("model", TINY)
@pytest.mark.parametrize("size", [1, 5, 12])
def test_a_question_that_leaves_no_room_is_refused_and_the_length_that_is_named_suffices(model, size):
    questions = Questions([about("film plot", "plot"), about(" ".join(WORDS), "plot", " ".join(["good"] * size))])
    with pytest.raises(InputError, match=rf"max_length 4 .* {max(size, 2)} tokens .* give \d+ or more$") as refusal:
        check(questions, tokenizer_of(model), 4)
    least = int(str(refusal.value).split()[-3])
    with pytest.raises(InputError, match=f"give {least} or more"):
        check(questions, tokenizer_of(model), least - 1)
    data = encode(questions, tokenizer_of(model), least)
    assert data.lengths.max() == least
    assert any(first for first, _ in spans(data))
