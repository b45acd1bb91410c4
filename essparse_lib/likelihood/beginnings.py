"""Find what contexts begin with alike, and let a model go on from it: keys and values are computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

#: Keys and values of each block, for a text that was read before.
Cache = list[tuple[torch.Tensor, torch.Tensor]]


def cached(beginning: Cache, rows: int) -> dict[str, Any]:
    """Return the arguments by which a model goes on from a beginning that was read before, in so many rows."""
    if not beginning:
        return {}
    from transformers import DynamicCache

    expanded = [tuple(each.expand(rows, -1, -1, -1) for each in pair) for pair in beginning]
    return {"past_key_values": DynamicCache(expanded), "use_cache": True}


def shared_beginning(contexts: Sequence[tuple[int, ...]]) -> int:
    """Return how many tokens all contexts begin with alike, at least one of each left over.

    >>> shared_beginning([(1, 2, 3), (1, 2, 4, 5)]), shared_beginning([(1, 2), (1, 2)])
    (2, 1)
    """
    most = min(map(len, contexts)) - 1
    first = contexts[0]
    for place in range(most):
        if any(context[place] != first[place] for context in contexts):
            return place
    return most
