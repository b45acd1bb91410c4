"""Decide how many weights to remove in all, and how many from each layer, so that the total is exact."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ..errors import DECIMALS, check_sparsity, unknown
from ..specs.methods import Scope


def pruned_count(sparsity: float | str, size: int) -> int:
    """Return ⌊sparsity · size⌋, computed with the decimal number as it is written.

    A sparsity of up to six decimals is exact. One of more may be a fraction k / n whose decimals were rounded: where
    its product is whole but for that rounding it is whole, so that k / n of n weights are k.

    Args:
        sparsity: fraction of the weights to remove.
        size: number of weights.

    Raises:
        InputError: the sparsity is not in [0, 1).

    >>> pruned_count(0.29, 100)
    29
    """
    decimal = Decimal(str(check_sparsity(sparsity)))
    product = decimal * size
    whole = product.to_integral_value()
    exact = decimal == round(decimal, 6)
    return int(product if exact or abs(whole - product) > size * Decimal(f"1e-{DECIMALS}") else whole)


def removed_per_layer(shapes: Mapping[str, Sequence[int]], total: int, scope: str) -> dict[str, int]:
    """Return how many weights each layer loses, by name.

    With ``layer`` a layer loses weights in proportion to its size. With ``erk`` it keeps weights in proportion to the
    sum of its dimensions (Erdős–Rényi kernel: Mocanu et al. 2018, arXiv 1707.04780; Evci et al. 2020, arXiv
    1911.11134); a layer whose share exceeds its size stays dense. In both, the total is exact, and no layer's share
    shrinks as the total grows, so that masks nest.

    Args:
        shapes: shapes of the layers, by name.
        total: number of weights to remove, at most all.
        scope: ``layer`` or ``erk``.

    Raises:
        InputError: the scope is neither of them.

    >>> removed_per_layer({"wide": (100, 100), "narrow": (10, 10)}, 5050, "layer")
    {'wide': 5000, 'narrow': 50}
    >>> removed_per_layer({"wide": (100, 100), "narrow": (10, 10)}, 8000, "erk")
    {'wide': 8000, 'narrow': 0}
    """
    sizes = [math.prod(shape) for shape in shapes.values()]
    if scope == Scope.LAYER:
        removed = apportion(total, sizes, sizes)
    elif scope == Scope.ERK:
        shares = [sum(shape) if size else 0 for shape, size in zip(shapes.values(), sizes, strict=True)]
        kept = apportion(sum(sizes) - total, shares, sizes)
        removed = [size - stay for size, stay in zip(sizes, kept, strict=True)]
    else:
        raise unknown("scope", scope, Scope)
    return dict(zip(shapes, removed, strict=True))


def apportion(total: int, shares: Sequence[float], most: Sequence[int]) -> list[int]:
    """Divide a total into whole numbers in proportion to ``shares``, none above its ``most``; the sum is exact.

    By Webster's method, one unit after another goes to the place where (units so far + ½) / share is smallest, the
    first of equals. So no place gets less when the total grows.

    Args:
        total: the number to divide.
        shares: the proportions, one a place; a place of share 0 gets nothing.
        most: the most that each place may get.

    Raises:
        ValueError: the total exceeds what the places may get.

    Source: Balinski and Young, "Fair Representation", 1982.

    >>> apportion(10, [2.0, 1.0, 1.0], [100, 2, 100])
    [5, 2, 3]
    """
    room = sum(cap for share, cap in zip(shares, most, strict=True) if share > 0)
    if not 0 <= total <= room:
        raise ValueError(f"{total} cannot be shared out: at most {room}")

    def units_at(level: float) -> list[int]:
        return [min(cap, math.floor(level * share + 0.5)) for share, cap in zip(shares, most, strict=True)]

    low, high = 0.0, 1.0
    while sum(units_at(high)) < total:
        high *= 2
    for _ in range(200):  # the highest level that gives out no more than the total
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if sum(units_at(middle)) <= total else (low, middle)
    result = units_at(low)
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
