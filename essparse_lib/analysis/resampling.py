"""Which examples each resample of a test set holds, alike for everything that is measured on it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .estimate import RESAMPLES


@lru_cache(maxsize=12)  # test sets of one figure, up to some tens of megabytes each
def resampled_examples(examples: int | str, fold: int = 0) -> np.ndarray:
    """Return how often each resample holds each example.

    They are the same for every curve of a test set, so that differences between curves are paired by example. Examples
    of several groups are drawn group by group, so that each resample has as many of each as the test set (Davison and
    Hinkley 1997, §3.2).

    Folds of one data set have draws of their own. They may all list their problems by kind, as ASDiv-A's do: one draw
    would hold many of one kind in all of them, as if they were the same problems.

    Args:
        examples: the number of examples, or the group of each, a digit each.
        fold: which fold of a data set the test set is; 0 where there are none.

    Returns:
        Counts, shape (RESAMPLES, examples).

    >>> resampled_examples("0110").sum(1).tolist() == [4] * RESAMPLES
    True
    >>> set(resampled_examples("0110")[:, 1:3].sum(1).tolist())
    {2}
    >>> bool((resampled_examples(4, fold=1) == resampled_examples(4)).all())
    False
    """
    groups = "0" * examples if isinstance(examples, int) else examples
    of_examples = np.frombuffer(groups.encode(), dtype=np.uint8)
    generator = np.random.default_rng(1 + fold)
    weights = np.zeros((RESAMPLES, len(of_examples)), dtype=np.uint8)
    for group in np.unique(of_examples):
        members = np.flatnonzero(of_examples == group)
        size = len(members)
        weights[:, members] = generator.multinomial(size, np.full(size, 1 / size), size=RESAMPLES)
    return weights
