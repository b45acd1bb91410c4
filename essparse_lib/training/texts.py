"""Texts to be told apart, as token numbers and class numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..tasks import Examples
from .batches import Encoded, fillers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def encode(examples: Examples, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Encoded:
    """Tokenise labelled texts.

    Args:
        examples: texts (single or pairs) and labels.
        tokenizer: the model's own; what it returns (token types too, where it has them) is passed on whole.
        max_length: longer examples are cut, of a pair the longer text first.
    """
    columns = [list(column) for column in zip(*examples.texts, strict=True)]
    inputs = tokenizer(*columns, truncation=True, max_length=max_length, padding=False)
    return Encoded(dict(inputs), {"labels": np.asarray(examples.labels)}, fillers(tokenizer))
