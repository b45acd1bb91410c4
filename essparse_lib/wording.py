"""How numbers, durations and lists of names read in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .texts import printable

MINUS = "\N{MINUS SIGN}"

#: What Markdown, as the book's pages are written in it, or HTML in it, would interpret.
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>#|$~&]")


#: An interval after its number, in Markdown too, where a backslash stands before a bracket.
_INTERVAL = re.compile(r" (\\?\[[^\[\]]*), ([^\[\]]*\])")


def number_text(value: float, digits: int) -> str:
    """Return a number rounded to so many digits, with a typographic minus and no minus before zero.

    >>> number_text(-0.26, 1), number_text(-0.01, 1), number_text(2.0, 0)
    ('−0.3', '0.0', '2')
    """
    text = f"{value:.{digits}f}"
    return text.replace("-", MINUS) if float(text) else text.lstrip("-")


def signed(value: float, digits: int = 1) -> str:
    """Return a number with its sign, as a change is written.

    >>> signed(2.04), signed(-1.0, 0)
    ('+2.0', '−1')
    """
    return f"{value:+.{digits}f}".replace("-", MINUS)


def duration_text(seconds: float) -> str:
    """Return a duration as people say it.

    >>> duration_text(40), duration_text(720), duration_text(12600)
    ('40 s', '12 min', '3.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size_text(size: int) -> str:
    """Return a number of bytes as people say it.

    >>> size_text(999), size_text(83_506_384), size_text(20_400_000_000)
    ('999 bytes', '83.5 MB', '20.4 GB')
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"


def in_markdown(text: str) -> str:
    """Return a text from outside, as a record's note, as Markdown that shows it and does nothing else with it.

    >>> in_markdown("<b>a|b")
    '\\\\<b\\\\>a\\\\|b'
    """
    return _MARKDOWN.sub(r"\\\g<0>", printable(text, None))


def unbroken(text: str) -> str:
    """Return a text whose intervals, such as ``1.8 [−0.2, 3.8]``, no line breaks, by no-break spaces.

    >>> unbroken("a loss of 1.8 [0.2, 3.8] points").replace("\\xa0", "~")
    'a loss of 1.8~[0.2,~3.8] points'
    """
    return _INTERVAL.sub("\xa0\\1,\xa0\\2", text)


def listing(names: Sequence[str]) -> str:
    """Return names as a sentence lists them.

    >>> listing(["rte"]), listing(["rte", "sst2", "cola"]), listing([])
    ('rte', 'rte, sst2 and cola', '')
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def times_text(sizes: Iterable[int]) -> str:
    """Return the sides of an image or a matrix.

    >>> times_text((224, 224))
    '224 × 224'
    """
    return " × ".join(map(str, sizes))


def rates_text(rates: Iterable[float]) -> str:
    """Return learning rates in ascending order, each once.

    >>> rates_text([5e-4, 1e-4, 5e-4])
    '0.0001 and 0.0005'
    """
    return listing([f"{rate:g}" for rate in sorted(set(rates))])


def places_text(curves: Iterable[tuple[str, str]], several_models: bool = True) -> str:
    """Return pairs of model and task in a sentence; the models are named where there are several.

    >>> places_text([("bert", "rte"), ("opt", "rte"), ("bert", "sst2")])
    'for bert on rte and sst2, for opt on rte'
    >>> places_text([("bert", "rte"), ("bert", "sst2")], several_models=False)
    'on rte and sst2'
    """
    tasks: dict[str, list[str]] = {}
    for model, task in curves:
        tasks.setdefault(model, []).append(task)
    return ", ".join(
        f"{f'for {model} ' if several_models else ''}on {listing(names)}" for model, names in tasks.items()
    )
