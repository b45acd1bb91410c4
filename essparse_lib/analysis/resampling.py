"""Which examples each resample of a test set holds, alike for everything that is measured on it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .estimate import RESAMPLES


@lru_cache(maxsize=12)  # test sets of one figure, up to some tens of megabytes each
def resampled_examples(examples: int | str) -> np.ndarray:
    """Return how often each resample holds each example.

    They are the same for every curve of a test set, so that differences between curves are paired by example. Examples
    of several groups are drawn group by group, so that each resample has as many of each as the test set (Davison and
    Hinkley 1997, §3.2).

    Args:
        examples: the number of examples, or the group of each, a digit each.

    Returns:
        Counts, shape (RESAMPLES, examples).

    >>> resampled_examples("0110").sum(1).tolist() == [4] * RESAMPLES
    True
    >>> set(resampled_examples("0110")[:, 1:3].sum(1).tolist())
    {2}
    """
    groups = "0" * examples if isinstance(examples, int) else examples
    of_examples = np.frombuffer(groups.encode(), dtype=np.uint8)
    generator = np.random.default_rng(1)
    weights = np.zeros((RESAMPLES, len(of_examples)), dtype=np.uint8)
    for group in np.unique(of_examples):
        members = np.flatnonzero(of_examples == group)
        size = len(members)
        weights[:, members] = generator.multinomial(size, np.full(size, 1 / size), size=RESAMPLES)
    return weights
