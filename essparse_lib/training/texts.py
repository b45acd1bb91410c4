"""Labelled texts as token numbers and class numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..tasks import Examples
from .batches import EncodedTexts, padding_values

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def encode(examples: Examples, tokenizer: PreTrainedTokenizerBase, max_length: int) -> EncodedTexts:
    """Tokenise labelled texts.

    Args:
        examples: single texts or pairs of texts, with labels.
        tokenizer: the model's tokenizer; all its outputs, such as token types, become inputs of the model.
        max_length: number of tokens to which longer examples are cut; of a pair, the longer text is cut first.
    """
    columns = [list(column) for column in zip(*examples.texts, strict=True)]
    inputs = tokenizer(*columns, truncation=True, max_length=max_length, padding=False)
    return EncodedTexts(dict(inputs), {"labels": np.asarray(examples.labels)}, padding_values(tokenizer))
