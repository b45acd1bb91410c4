"""The longest chain of a run: what takes its time however many workers there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .work import Work


@dataclass(frozen=True)
class Chain:
    """Work of which nothing can be done at the same time.

    Attributes:
        seconds: on workers of speed 1 that do nothing twice.
        text: what it is, in words; empty for none.
    """

    seconds: float = 0.0
    text: str = ""


def longest(works: Iterable[Work]) -> Chain:
    """Return the longest chain among specs whose models are there: rounds of one lottery, or one spec by itself.

    What a spec needs first is part of its chain: a worker makes it, one step after another.

    >>> longest([Work(name="a", seconds=2.0), Work(name="b", seconds=1.0)])
    Chain(seconds=2.0, text='a')
    """
    chains = []
    lotteries: dict[str, list[Work]] = {}
    for work in works:
        if work.lottery:
            lotteries.setdefault(work.lottery, []).append(work)
        first = f", and {count} trainings or calibrations before it" if (count := _steps(work)) else ""
        chains.append(Chain(work.alone, work.name + first))
    for rounds in lotteries.values():
        deepest = max(rounds, key=_steps)
        chains.append(Chain(_seconds_of_lottery(rounds), f"the lottery of which a round is {deepest.name}"))
    return max(chains, key=lambda chain: chain.seconds, default=Chain())


def _steps(work: Work) -> int:
    """Return how many steps a worker does before the work, if it has nothing yet."""
    return sum(len(preparation.steps) for preparation in work.preparations)


def _seconds_of_lottery(rounds: Sequence[Work]) -> float:
    """Return how long the rounds of one lottery take on one worker, which keeps what it has made."""
    seconds, kept = 0.0, 0
    for work in sorted(rounds, key=_steps):
        steps = work.preparations[0].steps
        seconds += sum(steps[kept:]) + work.seconds
        kept = max(len(steps), work.steps_kept)
    return seconds


def after_pretraining(pretrainings: Mapping[str, Work], needing: Mapping[str, Sequence[Work]]) -> Chain:
    """Return the longest chain of a pre-training and what needs its model.

    Args:
        pretrainings: by the model's name, its pre-training.
        needing: by the model's name, the specs that need it.
    """
    chains = []
    for model, pretraining in pretrainings.items():
        following = longest(needing.get(model, ()))
        text = f"{pretraining.name}, then {following.text}" if following.text else pretraining.name
        chains.append(Chain(pretraining.seconds + following.seconds, text))
    return max(chains, key=lambda chain: chain.seconds, default=Chain())
