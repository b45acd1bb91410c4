"""Compute how probable a language model finds each choice of each question."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import nn

from ..errors import InputError
from ..pruning.blocks import evaluating
from .beginnings import Cache, cached, shared_beginning
from .causal import check_causal, vocabulary, window
from .encoding import EncodedQuestion
from .packing import PackedQuestion, batch, pack

#: Tokens that are read at once; more make the arithmetic no faster on a CPU, and their memory grows.
TOKENS_AT_ONCE = 2048
#: The most numbers in the outputs of a batch: a token that is scored has as many as there are words.
_OUTPUTS_AT_ONCE = 2**25
#: Contexts of a topic that begin with as many equal tokens, or more, are read once as far as they are equal.
_LEAST_SHARED = 16
#: Tokens of the longest question of the sample by which packing is tried first.
_SAMPLE = 12
#: Packed and plain scores of a sample may differ by this much by rounding, in nats: with weights of 32 bits and of 16.
_TOLERANCE, _TOLERANCE_OF_HALVES = 1e-3, 0.3


class NotFinite(InputError):
    """Raised where a log-probability is NaN or infinite."""


@dataclass(frozen=True)
class ChoiceScore:
    """How probable a choice is.

    Attributes:
        log_probability: the sum over its tokens, in nats.
        greedy: whether each of its tokens is the most probable one at its place.
    """

    log_probability: float
    greedy: bool


class Scorer:
    """Scores choices with one model.

    A question is read as one packed sequence where the model can be shown to give the same scores then (it takes
    positions and a mask of its own); else each choice is read after its own copy of the context. This is shown anew
    for longer questions than before: what a model sees of a text, and how it numbers it, may change with its length.

    Args:
        model: a causal language model of transformers, on any device and in any precision.
        tokens_at_once: how many tokens are read at once; a longer question is read alone.

    Raises:
        InputError: the model has no outputs over a vocabulary, or they depend on tokens that come later.

    Attributes:
        packs: whether questions are read packed.
        shares: whether what contexts begin with alike is read once.
        tokens: how many tokens were read so far, without padding.

    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> shape = dict(hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1)
    >>> model = LlamaForCausalLM(LlamaConfig(vocab_size=50, **shape))
    >>> _ = torch.nn.init.zeros_(model.lm_head.weight)
    >>> scorer = Scorer(model)
    >>> [[(first, second)]] = [scorer.scores([EncodedQuestion((1, 2), ((3, 4), (5,)))])]
    >>> round(first.log_probability, 3), round(second.log_probability, 3), scorer.packs
    (-7.824, -3.912, True)
    """

    def __init__(self, model: nn.Module, tokens_at_once: int = TOKENS_AT_ONCE) -> None:
        self.model, self.tokens_at_once, self.tokens = model, tokens_at_once, 0
        accepted = inspect.signature(model.forward).parameters
        self._keeps, self._caches = "logits_to_keep" in accepted, "use_cache" in accepted
        check_causal(model)
        self._vocabulary, self._longest_packed, self._shown = vocabulary(model), window(model), _SAMPLE
        self.packs = {"position_ids", "attention_mask"} <= accepted.keys() and self._agrees(_SAMPLE)
        self.shares = self.packs and "past_key_values" in accepted and self._agrees(_SAMPLE, shared=True)

    @torch.no_grad()
    def scores(self, questions: Sequence[EncodedQuestion]) -> list[tuple[ChoiceScore, ...]]:
        """Return the scores of each question's choices.

        Args:
            questions: the questions, none longer than the model takes.

        Raises:
            InputError: a token is none of the model's.
            NotFinite: a log-probability is NaN or infinite.
        """
        self._check_tokens(questions)
        results: dict[int, tuple[ChoiceScore, ...]] = {}
        fitting = self._fitting(questions)
        others = [position for position in range(len(questions)) if position not in fitting]
        with evaluating(self.model):
            for positions, skipped in self._parts(questions, fitting):
                found = self._packed([questions[position] for position in positions], skipped)
                results.update(zip(positions, found, strict=True))
            results.update(zip(others, self._plain([questions[position] for position in others]), strict=True))
        if not all(math.isfinite(score.log_probability) for row in results.values() for score in row):
            raise NotFinite("a log-probability is NaN or infinite: the model's weights or its precision are unfit")
        return [results[position] for position in range(len(questions))]

    def _check_tokens(self, questions: Sequence[EncodedQuestion]) -> None:
        """Check that the model knows all tokens: its tokenizer may have more than it."""
        largest = max((max(*q.context, *map(max, q.choices)) for q in questions), default=0)
        if largest >= self._vocabulary:
            raise InputError(
                f"the tokenizer makes token {largest:,} of a text, and the model knows {self._vocabulary:,} tokens: "
                "give the model its own tokenizer"
            )

    def _fitting(self, questions: Sequence[EncodedQuestion]) -> set[int]:
        """Return the positions of the questions that are read packed."""
        if not self.packs:
            return set()
        longest = max((q.length for q in questions if q.length <= self._longest_packed), default=0)
        if longest > self._shown:
            if self._agrees(longest) and (not self.shares or self._agrees(longest, shared=True)):
                self._shown = longest
            else:
                self._longest_packed = self._shown
        return {position for position, each in enumerate(questions) if each.length <= self._longest_packed}

    def _parts(self, questions: Sequence[EncodedQuestion], fitting: set[int]) -> Iterator[tuple[list[int], int]]:
        """Yield positions of questions that are read with one beginning, and how many tokens of it they share."""
        by_topic: dict[str, list[int]] = {}
        for position in sorted(fitting):
            by_topic.setdefault(questions[position].topic, []).append(position)
        apart: list[int] = []
        for positions in by_topic.values():
            shared = shared_beginning([questions[position].context for position in positions])
            if self.shares and len(positions) > 1 and shared >= _LEAST_SHARED:
                yield positions, shared
            else:
                apart += positions
        if apart:
            yield apart, 0

    def _packed(self, questions: Sequence[EncodedQuestion], skipped: int) -> list[tuple[ChoiceScore, ...]]:
        """Return the scores of questions, each read as one sequence after a beginning that all of them share."""
        beginning = self._read(questions[0].context[:skipped]) if skipped else []
        packed = [pack(question, skipped) for question in questions]
        results: dict[int, tuple[ChoiceScore, ...]] = {}
        for positions in self._batches([(len(each), each.scored) for each in packed]):
            part = [packed[position] for position in positions]
            results.update(zip(positions, self._score_packed(part, beginning), strict=True))
        return [results[position] for position in range(len(questions))]

    def _score_packed(self, part: Sequence[PackedQuestion], beginning: Cache) -> list[tuple[ChoiceScore, ...]]:
        device = next(self.model.parameters()).device
        inputs = batch(part, device)
        kept = max(each.scored for each in part)
        dtype = next(self.model.parameters()).dtype
        hidden = torch.zeros(inputs.visible.shape, dtype=dtype, device=device)
        hidden.masked_fill_(~inputs.visible, torch.finfo(dtype).min)
        logits = self._logits(
            kept,
            input_ids=inputs.tokens,
            position_ids=inputs.positions,
            attention_mask=hidden,
            **cached(beginning, len(part)),
        )
        self.tokens += sum(map(len, part))
        rows = []
        for row, question in enumerate(part):
            first = len(question) - kept
            rows += [
                [(row, place - first, target) for place, target in zip(places, targets, strict=True)]
                for places, targets in zip(question.sources, question.targets, strict=True)
            ]
        scored = iter(_score_rows(logits, rows))
        return [tuple(next(scored) for _ in question.targets) for question in part]

    def _plain(self, questions: Sequence[EncodedQuestion]) -> list[tuple[ChoiceScore, ...]]:
        """Return the scores of questions, each choice read after its own copy of the context, without padding."""
        pairs = [(question.context, choice) for question in questions for choice in question.choices]
        results: dict[int, ChoiceScore] = {}
        by_length = sorted(range(len(pairs)), key=lambda pair: sum(map(len, pairs[pair])))
        for length, alike in groupby(by_length, key=lambda pair: sum(map(len, pairs[pair]))):
            group = list(alike)
            for positions in self._batches([(length - 1, len(pairs[pair][1])) for pair in group]):
                part = [group[position] for position in positions]
                results.update(zip(part, self._score_plain([pairs[pair] for pair in part]), strict=True))
        scored = (results[pair] for pair in range(len(pairs)))
        return [tuple(next(scored) for _ in question.choices) for question in questions]

    def _score_plain(self, pairs: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[ChoiceScore]:
        device = next(self.model.parameters()).device
        tokens = torch.tensor([(*context, *choice)[:-1] for context, choice in pairs], device=device)
        kept = max(len(choice) for _, choice in pairs)
        logits = self._logits(kept, input_ids=tokens)
        self.tokens += tokens.numel()
        rows = [
            [(row, kept - len(choice) + place, target) for place, target in enumerate(choice)]
            for row, (_, choice) in enumerate(pairs)
        ]
        return _score_rows(logits, rows)

    def _logits(self, kept: int, **inputs: Any) -> torch.Tensor:
        """Return the model's outputs at the last places, shape (rows, kept, vocabulary)."""
        options = {"logits_to_keep": kept} if self._keeps else {}
        if self._caches and "past_key_values" not in inputs:  # keys and values would be kept for nothing
            options["use_cache"] = False
        return self.model(**inputs, **options).logits[:, -kept:]

    def _read(self, beginning: tuple[int, ...]) -> Cache:
        """Return the keys and values of a text, of one row."""
        from transformers import DynamicCache

        tokens = torch.tensor([beginning], device=next(self.model.parameters()).device)
        cache = DynamicCache()
        options = {"logits_to_keep": 1} if self._keeps else {}
        self.model(input_ids=tokens, past_key_values=cache, use_cache=True, **options)
        self.tokens += len(beginning)
        return [(layer.keys, layer.values) for layer in cache.layers]

    def _batches(self, sizes: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
        """Yield positions of rows that are read together, long ones first.

        Args:
            sizes: of each row, its tokens and how many of its last places are scored.
        """
        order = sorted(range(len(sizes)), key=lambda position: sizes[position], reverse=True)
        part: list[int] = []
        longest = kept = 0
        for position in order:
            length, scored = sizes[position]
            longest, kept = max(longest, length), max(kept, scored)
            rows = len(part) + 1
            too_many = rows * longest > self.tokens_at_once or rows * kept * self._vocabulary > _OUTPUTS_AT_ONCE
            if part and too_many:
                yield part
                part, longest, kept = [], length, scored
            part.append(position)
        if part:
            yield part

    @torch.no_grad()
    def _agrees(self, length: int, shared: bool = False) -> bool:
        """Return whether packed questions get the scores that plain ones get.

        A model may not take the inputs, number its positions in another way, or carry a state from token to token.

        Args:
            length: the number of tokens of the longest question, ``_SAMPLE`` or more; others are short.
            shared: whether the questions begin alike, and this beginning is read apart; then all are long.
        """
        numbers = torch.Generator().manual_seed(0)

        def some(count: int) -> tuple[int, ...]:
            return tuple(torch.randint(self._vocabulary, (count,), generator=numbers).tolist())

        beginning = some(length - 7)
        skipped = len(beginning) if shared else 0
        sample = [
            EncodedQuestion((*beginning, *some(3)), (some(3), some(2), some(4))),
            EncodedQuestion((*beginning[:skipped], *some(1)), (some(2), some(1))),
        ]
        tokens = self.tokens
        first = next(self.model.parameters())
        with evaluating(self.model), torch.autocast(first.device.type, enabled=False):  # to see rounding alone
            try:
                packed, plain = self._packed(sample, skipped), self._plain(sample)
            except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
                return False
            finally:
                self.tokens = tokens
        pairs = [(one, other) for rows in zip(packed, plain, strict=True) for one, other in zip(*rows, strict=True)]
        tolerance = _TOLERANCE if first.dtype in (torch.float32, torch.float64) else _TOLERANCE_OF_HALVES
        return all(abs(one.log_probability - other.log_probability) <= tolerance for one, other in pairs)


def _score_rows(logits: torch.Tensor, rows: Sequence[Sequence[tuple[int, int, int]]]) -> list[ChoiceScore]:
    """Return the score of each choice: of its tokens' row and place in the outputs, and their numbers."""
    flat = torch.tensor([place for row in rows for place in row], device=logits.device)
    outputs = logits[flat[:, 0], flat[:, 1]].float()
    log_probabilities = outputs.log_softmax(-1).gather(1, flat[:, 2:])[:, 0].double().tolist()
    greedy = (outputs.argmax(-1) == flat[:, 2]).tolist()
    scores, start = [], 0
    for row in rows:
        end = start + len(row)
        scores.append(ChoiceScore(sum(log_probabilities[start:end]), all(greedy[start:end])))
        start = end
    return scores
