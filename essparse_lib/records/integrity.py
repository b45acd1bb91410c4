"""What keeps a record's line true: a checksum of its content, and metrics that follow from its predictions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

from .metrics import MEANS, METRICS, agreement, from_digits, is_digits, score, shares

#: How far a metric may lie from what the predictions give: it is rounded to four decimals …
_ROUNDING = 1e-4

#: … and the shares that a mean is taken over are kept to within 1/2590.
_ROUNDING_OF_SHARES = _ROUNDING + 100 / 2590

_SCORES = METRICS.keys() | MEANS

#: Digits of a checksum, and how a line ends with one.
_LENGTH = 16
_ENDING = b', "checksum": "%s"}'
_ENDING_LENGTH = len(_ENDING % bytes(_LENGTH))

_NUMBERS = (int, float)


def checksum(line: bytes) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a record's line as it is without its checksum.

    >>> checksum(b'{"id": "0"}')
    'aad39654e6cb3119'
    """
    return hashlib.sha256(line).hexdigest()[:_LENGTH]


def signed_line(plain: Mapping[str, Any]) -> bytes:
    """Return a record's plain data as one line of JSON, with the checksum of all else as the last field.

    Raises:
        ValueError: a number is NaN or infinite.

    >>> signed_line({"id": "0"})
    b'{"id": "0", "checksum": "aad39654e6cb3119"}'
    """
    line = _encoded(plain)
    return line[:-1] + _ENDING % checksum(line).encode()


def read_line(line: bytes) -> dict[str, Any]:
    """Return the plain data of a line that ``signed_line`` wrote, without the checksum.

    A line with other spaces has the same content, and so the same checksum.

    Raises:
        ValueError: the line is no JSON, holds a number that is not finite or a name twice, or has no checksum or a
            wrong one.
        AttributeError, TypeError: it is no JSON object.
    """
    plain: dict[str, Any] = _DECODER.decode(line.decode())
    stated = plain.pop("checksum", None)
    if stated is None:
        raise ValueError("it has no checksum")
    computed = checksum(line[:-_ENDING_LENGTH] + b"}")  # the line as it was written, which need not be done again
    if computed != stated:
        _STRICT_DECODER.decode(line.decode())
        computed = checksum(_encoded(plain))
    if computed != stated:
        raise ValueError(f"its checksum is {stated}, that of its content {computed}")
    return plain


def check_metrics(metrics: Mapping[str, float], labels: str, predictions: str) -> None:
    """Check that a record's metrics are finite, and that those which its predictions decide follow from them.

    Args:
        metrics: by name; those in ``METRICS`` and ``MEANS`` are compared, if there are predictions.
        labels: as ``Record.labels``.
        predictions: as ``Record.predictions``.

    Raises:
        ValueError: a metric is no finite number or does not follow from the predictions, or these do not fit the
            labels.
    """
    if labels and predictions and len(labels) != len(predictions):
        raise ValueError(f"it has {len(predictions)} predictions but {len(labels)} labels")
    for what, text in (("labels", labels), ("predictions", predictions)):
        if not is_digits(text):
            raise ValueError(f"its {what} {text[:20]!r} are no digits from 0 to z")
    for name, value in metrics.items():
        if not _is_finite(value):
            raise ValueError(f"its {name} is {value!r:.40}, no finite number")
        if predictions and name in _SCORES:
            rounding = _ROUNDING_OF_SHARES if name in MEANS else _ROUNDING
            computed = _score(name, labels, predictions)
            if abs(value - computed) > rounding:
                raise ValueError(f"its {name} is {value}, that of its predictions {computed:.4f}")


def _is_finite(value: object) -> bool:
    try:
        return type(value) in _NUMBERS and isfinite(value)  # type: ignore[arg-type]
    except OverflowError:  # a whole number beyond all others
        return False


def _score(metric: str, labels: str, predictions: str) -> float:
    if metric in MEANS:
        return 100 * float(shares(predictions).mean())
    if metric == "accuracy":  # of almost every record: without confusion counts it takes a tenth of the time
        return agreement(labels, predictions)
    if not labels:
        raise ValueError(f"it has {len(predictions)} predictions but no labels")
    true, predicted = from_digits(labels), from_digits(predictions)
    return score(metric, true, predicted, 1 + int(np.maximum(true, predicted).max()))


def _encoded(plain: Mapping[str, Any]) -> bytes:
    # half a surrogate pair, as in the name of a damaged file, is no UTF-8: JSON has an escape for it
    return json.dumps(plain, allow_nan=False, ensure_ascii=False).encode(errors="backslashreplace")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no finite number")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) != len(pairs):
        raise ValueError("it has a name twice in one object, of which readers take different ones")
    return plain


#: JSON has no NaN and no infinity, but Python's decoder takes them unless told otherwise.
_DECODER = json.JSONDecoder(parse_constant=_refuse)
_STRICT_DECODER = json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=_each_once)
