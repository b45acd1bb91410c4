"""Turn the questions of a likelihood task into token numbers, as lm-eval does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import InputError, shown
from ..sources.foreign import reading
from ..tasks.likelihood import LikelihoodQuestion

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: The tokens that may stand before a text that begins with its choices, by what tokenizers call them.
_BEGINNINGS = ("bos", "eos", "sep", "cls")
#: A short text, to see which tokens a tokenizer puts before a text.
_SAMPLE = "a"


@dataclass(frozen=True)
class EncodedQuestion:
    """A question as token numbers.

    Attributes:
        context: the tokens before the choices; at least one.
        choices: the tokens of each choice; at least one each.
        topic: name of the question's topic: contexts of one topic may begin alike.
    """

    context: tuple[int, ...]
    choices: tuple[tuple[int, ...], ...]
    topic: str = ""

    @property
    def length(self) -> int:
        """The number of tokens of the context and the longest choice."""
        return len(self.context) + max(map(len, self.choices))


def encode(
    questions: Sequence[LikelihoodQuestion],
    tokenizer: PreTrainedTokenizerBase,
    prefix: str = "",
    longest: int | None = None,
) -> tuple[list[EncodedQuestion], int]:
    """Return questions as token numbers, and how many contexts lost their beginning as they were too long.

    A context and a choice are tokenized together, and parted where the context alone ends. Blanks at the end of a
    context count as the choices' beginning. Before a context stands what the tokenizer puts before any text; in place
    of an empty context, the prefix.

    Args:
        questions: the questions.
        tokenizer: the model's own.
        prefix: the token before a text that begins with its choices; empty for the tokenizer's beginning-of-sequence
            token, or its end token where it has none.
        longest: how many tokens the model takes; None for any number.

    Raises:
        InputError: the tokenizer does not know the prefix, or a choice has no token or more than the model takes.

    Source:
        lm-evaluation-harness 0.4.13, ``lm_eval/api/model.py``, ``TemplateLM.loglikelihood`` and ``_encode_pair``.
    """
    prefix_number, leading = prefix_token(tokenizer, prefix), leading_tokens(tokenizer)
    with reading("the tokenizer", "it must be able to read the questions"):
        contexts = _numbers(tokenizer, [question.context.rstrip() for question in questions])
        wholes = _numbers(
            tokenizer, [question.context + choice for question in questions for choice in question.choices]
        )
    encoded: list[EncodedQuestion] = []
    cut = start = 0
    for question, alone in zip(questions, contexts, strict=True):
        end = start + len(question.choices)
        if question.context:
            context = leading + alone
            choices = [whole[len(alone) :] for whole in wholes[start:end]]
        else:
            context = (prefix_number,)
            choices = [whole[1:] if whole[:1] == context else whole for whole in wholes[start:end]]
        start = end
        if not all(choices):
            raise InputError(f"the tokenizer makes no token of a choice of {shown(question.choices)}: leave it out")
        question_tokens = EncodedQuestion(context, tuple(choices), question.topic)
        fitting = _fitting(question_tokens, longest)
        cut += fitting is not question_tokens
        encoded.append(fitting)
    return encoded, cut


def prefix_token(tokenizer: PreTrainedTokenizerBase, prefix: str = "") -> int:
    """Return the number of the token before a text that begins with its choices.

    Args:
        tokenizer: the model's own.
        prefix: the token; empty for the beginning-of-sequence token, or the end token where there is none, as lm-eval
            does; of a tokenizer that has neither, for the token by which it parts texts.

    Raises:
        InputError: the tokenizer does not have it.
    """
    if prefix:
        number = tokenizer.get_vocab().get(prefix)
        if number is None:
            raise InputError(f"prefix {shown(prefix)} is no token of the model: name one of its vocabulary")
        return int(number)
    for name in _BEGINNINGS:
        number = getattr(tokenizer, f"{name}_token_id")
        if number is not None:
            return int(number)
    raise InputError("the tokenizer has no token that stands before a text or after one: name one as prefix")


def leading_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Return the tokens that a tokenizer puts before every text, such as Llama's ``<s>``; mostly none."""
    plain = tokenizer(_SAMPLE, add_special_tokens=False)["input_ids"]
    special = tokenizer(_SAMPLE)["input_ids"]
    for start in range(len(special) - len(plain) + 1):
        if special[start : start + len(plain)] == plain:
            return tuple(special[:start])
    return ()


def _numbers(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[tuple[int, ...]]:
    """Return the tokens of each text, without special ones."""
    if not texts:
        return []
    return [tuple(row) for row in tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]]


def _fitting(question: EncodedQuestion, longest: int | None) -> EncodedQuestion:
    """Return a question that the model takes: as it is, or with the end of its context alone."""
    too_many = question.length - 1 - longest if longest is not None else 0  # the last token is predicted, not read
    if too_many <= 0:
        return question
    if too_many >= len(question.context):
        least = max(map(len, question.choices))
        raise InputError(f"a choice has {least:,} tokens, and the model takes {longest:,}: ask shorter questions")
    return replace(question, context=question.context[too_many:])
