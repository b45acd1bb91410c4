"""Make up arithmetic word problems in the layout of SVAMP's, of words that the tiny models know."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from .tiny_data import BAD, GOOD, OTHER

#: The training problems, the test problems, and how many of these stand in the training set, as MAWPS' do.
_TRAIN, _TEST, _LEAKED = 512, 128, 16


def _problem(rng: random.Random) -> tuple[str, str, str]:
    """Return a question, its numbers and its equation, which the words of the question decide.

    Good words add the two numbers, bad ones subtract the second from the first; the word ``music`` at the end doubles
    what comes of it.
    """
    good, doubled = rng.random() < 0.5, rng.random() < 0.25
    word = rng.choice(GOOD if good else BAD)
    before, after = (" ".join(rng.choices(OTHER[:-1], k=rng.randint(1, 3))) for _ in range(2))
    question = f"{before} number0 {word} film and number1 {word} {after}{' music' if doubled else ''}"
    equation = f"{'+' if good else '-'} number0 number1"
    numbers = [rng.randint(1, 99) for _ in range(2)]
    return question, " ".join(map(str, numbers)), f"* 2.0 {equation}" if doubled else equation


def write_arithmetic(target: Path) -> None:
    """Write training and test problems as ``train.csv`` and ``dev.csv``."""
    rng = random.Random(0)
    train = [_problem(rng) for _ in range(_TRAIN)]
    test = [*train[:_LEAKED], *(_problem(rng) for _ in range(_TEST - _LEAKED))]
    for name, problems in (("train", train), ("dev", test)):
        with (target / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("Question", "Numbers", "Equation"))
            writer.writerows(problems)
