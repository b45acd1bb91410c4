"""Leave out of records the problems that leaked: those whose question stands word for word in the training set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import InputError
from ..records.metrics import MEANS, shares
from ..records.store import Record, Status

#: Digits that a record keeps of the prediction for each problem.
_WIDTH = 2


def without_leaked(records: Mapping[str, Record]) -> dict[str, Record]:
    """Return records in which only problems count that did not leak; records without such marks stay as they are.

    Both kinds of curves are made of the same records. What is returned is for analysis, and not to be stored.

    Args:
        records: by the id of their spec.

    Raises:
        InputError: all problems of a record leaked.
    """
    return {name: _without_leaked(record) for name, record in records.items()}


def leaked_share(record: Record) -> float:
    """Return the share of a record's problems that leaked, from 0 to 1; 0 where it has no such marks."""
    leaked = _leaked(record)
    return leaked.count("1") / len(leaked) if leaked else 0.0


def _leaked(record: Record) -> str:
    equations: Mapping[str, str] = record.values.get("equations", {})
    return equations.get("leaked", "")


def _without_leaked(record: Record) -> Record:
    leaked = _leaked(record)
    if record.status != Status.OK or "1" not in leaked:
        return record
    stay = [position for position, digit in enumerate(leaked) if digit == "0"]
    if not stay:
        raise InputError(f"all problems of the record of {record.spec} leaked: no problem is left to judge it by")
    equations = dict(record.values["equations"])
    written = equations.pop("written").split()
    equations = {name: _taken(digits, stay) for name, digits in equations.items()}
    equations["written"] = " ".join(written[position] for position in stay)
    predictions = _taken(record.predictions, stay, _WIDTH)
    means = {name: 100 * float(shares(predictions).mean()) for name in MEANS & record.metrics.keys()}
    exact = 100 * equations["exact"].count("1") / len(stay)
    metrics = {**record.metrics, **means, "exact_equation": exact}
    values: dict[str, Any] = {**record.values, "equations": equations}
    return replace(record, metrics=metrics, predictions=predictions, values=values)


def _taken(digits: str, positions: Sequence[int], width: int = 1) -> str:
    """Return the numbers at some positions of a row of numbers of so many digits."""
    return "".join(digits[width * position : width * (position + 1)] for position in positions)
