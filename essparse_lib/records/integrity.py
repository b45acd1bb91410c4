"""What keeps a record's line true: a checksum of its content, and metrics that follow from its predictions."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import msgspec
import numpy as np

from ..errors import shown
from ..specs.spec import schema_error
from .metrics import MEANS, METRICS, agreement, from_digits, is_digits, score, shares

#: How far a metric may lie from what the predictions give: it is rounded to four decimals …
_ROUNDING = 1e-4

#: … and the shares that a mean is taken over are kept to within 1/2590.
_ROUNDING_OF_SHARES = _ROUNDING + 100 / 2590

#: Names of the metrics that follow from a record's predictions.
SCORES = METRICS.keys() | MEANS

#: Digits of a checksum, and how a line ends with one.
_LENGTH = 16
_ENDING = b', "checksum": "%s"}'
_ENDING_LENGTH = len(_ENDING % bytes(_LENGTH))

#: The most bytes of a line, a hundred times as many as the longest here has; and how deeply its data may be nested.
LONGEST_LINE = 2**24
DEEPEST = 32


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
        ValueError: the line is too long, nested too deeply or no JSON object; it holds a number that is not finite,
            half a surrogate pair, or a name twice; or it has no checksum or a wrong one.
    """
    if len(line) > LONGEST_LINE:
        raise ValueError(f"it has {len(line):,} bytes, and at most {LONGEST_LINE:,} are read")
    signs = line.translate(None, _NO_SIGNS)
    if signs.count(b"[") + signs.count(b"{") > DEEPEST and _depth(line) > DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} deep")
    try:
        plain = _DECODER.decode(line)
    except msgspec.DecodeError as error:
        raise ValueError(schema_error(error)) from error
    if not _has_each_name_once(signs, plain):
        json.loads(line, object_pairs_hook=_each_once)
    stated = plain.pop("checksum", None)
    if stated is None:
        raise ValueError("it has no checksum")
    computed = checksum(line[:-_ENDING_LENGTH] + b"}")  # the line as it was written, which need not be done again
    if computed != stated:
        computed = checksum(_encoded(plain))
    if computed != stated:
        raise ValueError(f"its checksum is {shown(stated, 40)}, that of its content {computed}")
    return plain


def _depth(line: bytes) -> int:
    """Return how deeply lists and objects lie within each other, in a line that need not be JSON."""
    signs = _STRINGS.sub(b"", line).translate(None, _NO_BRACKETS)
    return max(accumulate(1 if sign in b"[{" else -1 for sign in signs), default=0)


def _has_each_name_once(signs: bytes, plain: Mapping[str, Any]) -> bool:
    """Return whether a line surely has no name twice in one object, of which the decoder takes the last.

    It has not if it has as many quotation marks as its data, and none of them, or of other signs, is escaped.

    Args:
        signs: the brackets, quotation marks and backslashes of the line.
        plain: its data.
    """
    if b"\\" in signs:
        return False
    # the long texts are left out, since each has two quotation marks whatever it says
    short = {name: "" if isinstance(value, str) else value for name, value in plain.items()}
    return signs.count(b'"') == _ENCODER.encode(short).count(b'"')


def check_metrics(metrics: Mapping[str, float], labels: str, predictions: str) -> None:
    """Check that the metrics which a record's predictions decide follow from them.

    Args:
        metrics: by name, finite; those in ``METRICS`` and ``MEANS`` are compared, if there are predictions.
        labels: as ``Record.labels``.
        predictions: as ``Record.predictions``.

    Raises:
        ValueError: a metric does not follow from the predictions, or these do not fit the labels.
    """
    if labels and len(labels) != len(predictions):
        raise ValueError(f"it has {len(predictions)} predictions but {len(labels)} labels")
    for what, text in (("labels", labels), ("predictions", predictions)):
        if not is_digits(text):
            raise ValueError(f"its {what} {text[:20]!r} are no digits from 0 to z")
    for name, value in metrics.items():
        if predictions and name in SCORES:
            rounding = _ROUNDING_OF_SHARES if name in MEANS else _ROUNDING
            computed = _score(name, labels, predictions)
            if abs(value - computed) > rounding:
                raise ValueError(f"its {name} is {value}, that of its predictions {computed:.4f}")


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
    # half a surrogate pair, as in the name of a damaged file, is no UTF-8
    return json.dumps(plain, allow_nan=False, ensure_ascii=False).encode(errors="replace")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) != len(pairs):
        raise ValueError("it has a name twice in one object, of which readers take different ones")
    return plain


_DECODER, _ENCODER = msgspec.json.Decoder(dict[str, Any]), msgspec.json.Encoder()

#: A string of JSON, or the rest of the line where its end is missing.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_NO_SIGNS = bytes(set(range(256)) - set(b'[]{}"\\'))
