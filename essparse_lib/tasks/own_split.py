"""Split people's own examples into training and test, without a text in both; whatever order they stand in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InputError, shown
from ..wording import listing
from .own_labels import Classes
from .task import fixed_positions, held_out_positions

#: The share of the examples that is held out, in parts of all, and the most examples.
SHARE, MOST_HELD_OUT = 4, 5000
#: The fewest test examples, and the fewest training examples of a class.
LEAST_TEST, LEAST_OF_CLASS = 20, 2
#: The most training and the most test examples that are kept.
MOST_KEPT = 200_000
#: How many classes' shares are told.
_MOST_TOLD = 12


@dataclass(frozen=True, kw_only=True)
class Split:
    """Which examples are trained on and which are tested on.

    Attributes:
        train: positions of training examples among those that training is chosen from.
        test: positions of test examples.
        notes: what is to be told.
    """

    train: list[int]
    test: list[int]
    notes: list[str]


def split(keys: Sequence[Sequence[bytes]], source: object, what: str = "examples", least: int = LEAST_TEST) -> Split:
    """Return which examples are trained on and which are tested on.

    Args:
        keys: hashes of the examples: of all, a quarter of which is held out; or of the training and of the test
            examples. Examples of one hash are copies, and are never parted.
        source: what the examples were read from, for messages.
        what: what they are called, in the plural.
        least: the fewest test examples.

    Raises:
        InputError: there are fewer test examples, or no training examples.
    """
    if len(keys) == 1:
        return _held_out(keys[0], source, what, least)
    test_keys = set(keys[1])
    train = [position for position, key in enumerate(keys[0]) if key not in test_keys]
    test = list(range(len(keys[1])))
    notes = [f"The data have a test part of their own: {len(keys[0]):,} training and {len(test):,} test {what}."]
    both = len(keys[0]) - len(train)
    if both:
        notes.append(f"{both:,} training {what} stand in the test part, too, and are left out of training.")
    if len(test) < least:
        raise InputError(f"the test part of {source} has {len(test)} {what}: give at least {least}")
    if not train:
        raise InputError(f"{source} has no training {what} that are not in the test part, too: give others")
    return Split(
        train=_kept(train, keys[0], "training", what, notes),
        test=_kept(test, keys[1], "test", what, notes),
        notes=notes,
    )


def _held_out(keys: Sequence[bytes], source: object, what: str, least: int) -> Split:
    """Return a split of examples that have none."""
    if len(keys) < SHARE * least:
        raise InputError(
            f"{source} has {len(keys)} {what} that can be used: give at least {SHARE * least}, of which a quarter is "
            f"held out, or a test file (test) with at least {least}"
        )
    train, test = held_out_positions(keys, min(len(keys) // SHARE, MOST_HELD_OUT))
    if not train:
        raise InputError(f"{source} has {len(set(keys))} different {what}, too few to hold some out: give others")
    notes = [
        f"{len(test):,} of {len(keys):,} {what} are held out for the test, those of the smallest hashes. Copies stay "
        "together."
    ]
    return Split(train=_kept(train, keys, "training", what, notes), test=test, notes=notes)


def _kept(positions: list[int], keys: Sequence[bytes], part: str, what: str, notes: list[str]) -> list[int]:
    """Return at most ``MOST_KEPT`` positions, those of the smallest hashes."""
    if len(positions) <= MOST_KEPT:
        return positions
    notes.append(f"{MOST_KEPT:,} of {len(positions):,} {part} {what} are kept, those of the smallest hashes.")
    return [positions[place] for place in fixed_positions([keys[position] for position in positions], MOST_KEPT)]


def check_classes(
    classes: Classes, train: Sequence[int], test: Sequence[int], source: object, what: str = "examples"
) -> list[str]:
    """Return sentences with the shares of the classes in both parts.

    Args:
        classes: the classes.
        train: classes of the training examples.
        test: classes of the test examples.
        source: what the examples were read from, for messages.
        what: what they are called, in the plural.

    Raises:
        InputError: a class has fewer than ``LEAST_OF_CLASS`` training examples.
    """
    counts, test_counts = Counter(train), Counter(test)
    numbers = range(len(classes.names))
    rare = [number for number in numbers if counts[number] < LEAST_OF_CLASS]
    if rare:
        named = ", ".join(f"{shown(classes.names[number], 40)} ({counts[number]})" for number in rare[:5])
        more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
        raise InputError(
            f"{source} has too few training {what} of class {named}{more}: give at least {LEAST_OF_CLASS} of each, "
            "join rare classes, or correct labels that the test part alone has"
        )
    notes = []
    for part, of_part, size in (("training", counts, len(train)), ("test", test_counts, len(test))):
        commonest = sorted(numbers, key=lambda number: -of_part[number])[:_MOST_TOLD]
        shares = [f"{classes.names[number]} {100 * of_part[number] / size:.1f}%" for number in commonest]
        more = f", and {len(numbers) - _MOST_TOLD} more classes" if len(numbers) > _MOST_TOLD else ""
        notes.append(
            f"{part.capitalize()}: {size:,} {what}: {listing(shares) if not more else ', '.join(shares)}{more}."
        )
    if absent := sum(not test_counts[number] for number in numbers):
        notes.append(f"{absent} of {len(numbers)} classes have no test {what}.")
    return notes


def names_of_parts(parts: Sequence[object], what: str) -> tuple[str, ...]:
    """Return what the examples of one part, or of two, are called.

    >>> names_of_parts(["train", "test"], "texts"), names_of_parts(["all"], "texts")
    (('training texts', 'test texts'), ('texts',))
    """
    return (what,) if len(parts) == 1 else (f"training {what}", f"test {what}")


def copies_notes(keys: Sequence[bytes], numbers: Sequence[int], what: str) -> list[str]:
    """Return sentences with the numbers of copies, and of copies whose labels differ."""
    labels: dict[bytes, set[int]] = {}
    for key, number in zip(keys, numbers, strict=True):
        labels.setdefault(key, set()).add(number)
    notes = []
    if copies := len(keys) - len(labels):
        notes.append(f"{copies:,} of {len(keys):,} {what} are copies of others.")
    differing = sum(len(each) > 1 for each in labels.values())
    if differing:
        notes.append(f"{differing:,} different {what} stand with more than one label each.")
    return notes
