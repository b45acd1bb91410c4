"""How many weights to remove: of all, and how many of each layer, so that the total is exact."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ..errors import check_sparsity, unknown
from ..specs.methods import Scope


def pruned_count(sparsity: float | str, size: int) -> int:
    """⌊sparsity · size⌋, with the decimal number that was written.

    Raises:
        InputError: the sparsity is not in [0, 1).

    >>> pruned_count(0.29, 100)
    29
    """
    return int(Decimal(str(check_sparsity(sparsity))) * size)


def removed_per_layer(shapes: Mapping[str, Sequence[int]], total: int, scope: str) -> dict[str, int]:
    """How many weights each layer loses.

    ``layer``: in proportion to its size. ``erk``: what stays is in proportion to the sum of its dimensions
    (Erdős–Rényi kernel: Mocanu et al. 2018, arXiv 1707.04780; Evci et al. 2020, arXiv 1911.11134), a layer whose
    share exceeds its size staying dense. Either way the total is exact and, as it grows, no layer's share shrinks,
    so that masks nest.

    Args:
        shapes: of the layers, by name.
        total: weights to remove, at most as many as there are.
        scope: ``layer`` or ``erk``.

    Raises:
        InputError: there is no such scope.

    >>> removed_per_layer({"wide": (100, 100), "narrow": (10, 10)}, 5050, "layer")
    {'wide': 5000, 'narrow': 50}
    >>> removed_per_layer({"wide": (100, 100), "narrow": (10, 10)}, 8000, "erk")
    {'wide': 8000, 'narrow': 0}
    """
    sizes = [math.prod(shape) for shape in shapes.values()]
    if scope == Scope.LAYER:
        removed = apportion(total, sizes, sizes)
    elif scope == Scope.ERK:
        kept = apportion(
            sum(sizes) - total, [sum(s) if n else 0 for s, n in zip(shapes.values(), sizes, strict=True)], sizes
        )
        removed = [size - stay for size, stay in zip(sizes, kept, strict=True)]
    else:
        raise unknown("scope", scope, Scope)
    return dict(zip(shapes, removed, strict=True))


def apportion(total: int, shares: Sequence[float], most: Sequence[int]) -> list[int]:
    """Whole numbers in proportion to ``shares``, none above its ``most``, that add up to ``total`` exactly.

    Webster's method: one after another goes to where (given + ½) / share is smallest, the first of equals. What
    each gets therefore never falls as the total grows.

    Source: Balinski and Young, "Fair Representation", 1982.

    Raises:
        ValueError: the total exceeds what may be given.

    >>> apportion(10, [2.0, 1.0, 1.0], [100, 2, 100])
    [5, 2, 3]
    """
    room = sum(cap for share, cap in zip(shares, most, strict=True) if share > 0)
    if not 0 <= total <= room:
        raise ValueError(f"{total} cannot be shared out: at most {room}")

    def given(level: float) -> list[int]:
        return [min(cap, math.floor(level * share + 0.5)) for share, cap in zip(shares, most, strict=True)]

    low, high = 0.0, 1.0
    while sum(given(high)) < total:
        high *= 2
    for _ in range(200):  # the highest level that gives out no more than the total
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if sum(given(middle)) <= total else (low, middle)
    result = given(low)
    queue = [
        ((count + 0.5) / share, place)
        for place, (count, share, cap) in enumerate(zip(result, shares, most, strict=True))
        if share > 0 and count < cap
    ]
    heapq.heapify(queue)
    for _ in range(total - sum(result)):
        _, place = heapq.heappop(queue)
        result[place] += 1
        if result[place] < most[place]:
            heapq.heappush(queue, ((result[place] + 0.5) / shares[place], place))
    return result
