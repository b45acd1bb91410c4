"""Damage to valid inputs, and what a reader may make of it: it reads them, or refuses them in one line.

A test of a reader draws damaged inputs (``damaged_bytes``, ``damaged_json``), as many as ``fuzzed`` says, and gives
each to ``read_or_refused``. ``FUZZ_SHARE=0.1`` draws a tenth of them.
"""

from __future__ import annotations

import copy
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from essparse_lib.errors import InputError

#: Seconds that one input may take, and bytes of memory that it may need beyond those that were in use.
SECONDS, MEMORY = 10.0, 500 * 2**20

#: Values that stand where others are expected.
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3.5, -0.0, 1e308, float("nan"), float("inf"), -float("inf"), 2**31, 2**63, -(2**63),
    10**30, "", " ", "x", "0", "-1", "1e9", "nan", "..", "../../etc/passwd", "/", "~nouser/x", "\x00", "\n", "\ud800",
    "é" * 300, "x" * 5000, [], {}, [[]], [None], {"": None}, {"x": {}}, [0] * 1000,
)  # fmt: skip

#: Stands for 10,000 nested lists or objects until the document is text: Python's encoder takes no such depth.
_DEEP_LIST, _DEEP_OBJECT = "<deep list>", "<deep object>"
_DEPTH = 10_000


def fuzzed(examples: int = 2000) -> settings:
    """Return the settings of a fuzzing test: how many inputs it draws; that it is slow is no fault."""
    share = float(os.environ.get("FUZZ_SHARE", "1"))
    return settings(max_examples=max(1, round(share * examples)), suppress_health_check=list(HealthCheck))


@st.composite
def damaged_bytes(draw: st.DrawFn, data: bytes, edits: int = 3) -> bytes:
    """Draw a damaged copy of a file's bytes: cut off, or up to ``edits`` times changed, without or with more bytes."""
    for _ in range(draw(st.integers(1, edits))):
        start = draw(st.integers(0, len(data)))
        # headers lie at the start and directories at the end, so that changes there tell more than in between
        start = draw(st.sampled_from([start, min(start, start % 64), max(0, len(data) - start % 64)]))
        length = draw(st.sampled_from([1, 1, 2, 4, 8, 64, 4096]))
        kind = draw(st.sampled_from(["cut", "flip", "set", "remove", "repeat", "insert", "empty"]))
        before, part, after = data[:start], data[start : start + length], data[start + length :]
        if kind == "cut":
            data = before
        elif kind == "flip":
            data = before + bytes(each ^ (1 << draw(st.integers(0, 7))) for each in part[:1]) + part[1:] + after
        elif kind == "set":
            data = before + bytes([draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))]) * len(part) + after
        elif kind == "remove":
            data = before + after
        elif kind == "repeat":
            data = before + part * draw(st.sampled_from([2, 3, 100])) + after
        elif kind == "insert":
            data = before + draw(st.binary(min_size=1, max_size=16)) + part + after
        elif draw(st.integers(0, 20)) == 0:
            data = b""
    return data


@st.composite
def damaged_json(draw: st.DrawFn, document: Any, edits: int = 2) -> str:
    """Draw a JSON text whose structure differs from that of a document at up to ``edits`` places.

    A value is replaced by an odd one, by another kind of the same value or by one from elsewhere in the document; or
    it is removed, or comes with an unknown neighbour. Rarely it is nested 10,000 deep.
    """
    for _ in range(draw(st.integers(1, edits))):
        document = json.loads(json.dumps(document))  # a copy, in which no two places hold one object
        paths = list(_paths(document))
        path = draw(st.sampled_from(paths))
        if not path:
            continue
        *above, last = path
        parent = _at(document, above)
        old = parent[last]
        kind = draw(st.sampled_from(["odd", "odd", "odd", "other kind", "elsewhere", "remove", "add", "deep"]))
        if kind == "odd":
            parent[last] = copy.deepcopy(draw(st.sampled_from(ODD_VALUES)))
        elif kind == "other kind":
            parent[last] = draw(
                st.sampled_from([str(old), [old], {"x": old}, old * 2 if _is_number(old) else [old] * 2])
            )
        elif kind == "elsewhere":
            parent[last] = json.loads(json.dumps(_at(document, draw(st.sampled_from(paths)))))
        elif kind == "remove":
            del parent[last]
        elif kind == "deep":
            parent[last] = draw(st.sampled_from([_DEEP_LIST, _DEEP_OBJECT]))
        elif isinstance(parent, dict):
            parent[draw(st.sampled_from(["x", "", "__class__", "id", "é"]))] = old
        else:
            parent.append(old)
    text = json.dumps(document)
    text = text.replace(json.dumps(_DEEP_LIST), "[" * _DEPTH + "]" * _DEPTH)
    return text.replace(json.dumps(_DEEP_OBJECT), '{"x":' * _DEPTH + "1" + "}" * _DEPTH)


def read_or_refused(read: Callable[[], Any]) -> Any:
    """Return what a reader returns, or the InputError that it raises; check that this is one line, soon and cheaply.

    Any other exception comes out, and so fails the test.
    """
    memory, started = _peak_memory(), time.perf_counter()
    try:
        return read()
    except InputError as error:
        text = str(error)
        assert text and "\n" not in text and len(text) < 1000, f"not one line: {text[:2000]!r}"
        return error
    finally:
        seconds, needed = time.perf_counter() - started, _peak_memory() - memory
        assert seconds < SECONDS, f"took {seconds:.0f} s"
        assert needed < MEMORY, f"took {needed / 2**20:.0f} MiB"


def _peak_memory() -> int:
    """Return the most memory that this process has had, in bytes: it never falls."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from _paths(entry, (*path, name))
    elif isinstance(value, list):
        for number, entry in enumerate(value[:20]):  # more of a long list is like these
            yield from _paths(entry, (*path, number))


def _at(document: Any, path: Any) -> Any:
    for step in path:
        document = document[step]
    return document


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
