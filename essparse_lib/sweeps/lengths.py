"""How many tokens the texts of a task have for a model, and how many of them are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..tasks import Examples, fixed_part

#: How many texts are looked at; the share of them that are kept whole; the most tokens that are kept unasked.
_SAMPLE, _WHOLE, _USUAL_MOST = 2000, 0.95, 256
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
