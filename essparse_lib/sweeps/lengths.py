"""How many tokens the texts of a task have for a model, how many of them are kept, and how long texts may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..tasks import Examples, fixed_part

#: How many texts are looked at; the share of them that are kept whole; the most tokens that are kept unasked.
_SAMPLE, _WHOLE, _USUAL_MOST = 2000, 0.95, 256
#: The part of what a model takes that a text may have, as tokens differ in length.
_ROOM = 0.8
#: Lengths are multiples of this.
_STEP = 8


@dataclass(frozen=True)
class Lengths:
    """The tokens of texts, counted on at most 2,000 of them.

    Attributes:
        tokens: tokens of each text, ascending, shape (texts,).
    """

    tokens: np.ndarray

    def usual(self, longest: int | None) -> int:
        """Return so many tokens that 95% of the texts are kept whole, at most 256 and as many as the model takes."""
        needed = int(np.quantile(self.tokens, _WHOLE, method="higher"))
        return min(-(-needed // _STEP) * _STEP, _USUAL_MOST, longest or _USUAL_MOST)

    def note(self, kept: int) -> str:
        """Return a sentence that says how long the texts are, and how many are cut."""
        share = float((self.tokens > kept).mean())
        cut = f"{share:.1%} of them are cut to this" if share else "none is cut"
        return (
            f"Texts have {int(np.median(self.tokens)):,} tokens (median) and at most {int(self.tokens[-1]):,}; "
            f"{kept:,} are kept, and {cut}."
        )


def lengths(model: str, examples: Examples) -> Lengths:
    """Return the tokens that a model's tokenizer makes of texts, special ones among them.

    Args:
        model: the model's name, its id on the hub, or its local folder.
        examples: single texts or pairs.

    Raises:
        InputError: the model has no tokenizer that can be read.
    """
    from ..models import loading

    tokenizer = loading.tokenizer_of(model)
    columns = [list(column) for column in zip(*fixed_part(examples, _SAMPLE).texts, strict=True)]
    numbers = tokenizer(*columns, truncation=False, padding=False, verbose=False)["input_ids"]
    return Lengths(np.sort([len(row) for row in numbers]))


def fitting_window(model: str, texts: Sequence[str], window: int) -> int:
    """Return how many characters texts may have so that a language model takes each of them whole.

    Args:
        model: the model's name, its id on the hub, or its local folder.
        texts: texts of at most so many characters.
        window: so many characters.

    Returns:
        ``window`` if the model takes all texts, else a smaller number, for which this should be asked again.
    """
    from ..models import loading

    longest = loading.longest_input_of(model)
    numbers = loading.tokenizer_of(model)(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    tokens = max(map(len, numbers))
    if longest is None or tokens <= longest:
        return window
    return max(1, int(_ROOM * window * longest / tokens))
