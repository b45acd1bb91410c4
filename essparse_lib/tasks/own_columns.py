"""Recognise which columns of a table hold the texts, the images and the labels of a task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Any

from ..errors import InputError, shown, suggestion
from ..sources.foreign import reading
from ..texts import number_of_text
from ..wording import listing

#: Usual names of two columns of texts that belong together, and of one; and of the labels, the likeliest first.
_PAIRS = (
    *(("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2"), ("question", "sentence")),
    *(("question", "passage"), ("question", "context"), ("query", "passage"), ("query", "document")),
    *(("text1", "text2"), ("text_a", "text_b"), ("claim", "evidence"), ("sentence_a", "sentence_b")),
)
_TEXTS = (
    *("text", "sentence", "content", "review", "comment", "tweet", "document", "body", "message", "utterance"),
    *("article", "abstract", "description", "review_text", "question", "query", "post"),
)
_LABELS = ("label", "labels", "class", "category", "target", "sentiment", "topic", "intent", "emotion", "rating", "y")
_IMAGES = ("image", "img", "picture", "photo")
#: A column of labels that no name tells has at most so many values, and each of them in so many rows on average.
_MOST_VALUES, _ROWS_OF_A_VALUE = 36, 5
#: A column of texts that no name tells has values of so many characters, or of more than one word, on average.
_CHARACTERS, _WORDS = 20, 2
#: Share of the rows of such a column that have a value of their own.
_DISTINCT = 0.5
_SAMPLED = 2000


class Holds(StrEnum):
    """What a column holds, in words."""

    TEXTS = "texts"
    WHOLE = "whole numbers"
    NUMBERS = "numbers"
    BOOLEANS = "booleans"
    CLASSES = "named classes"
    IMAGES = "images"
    MIXED = "values of several types"
    OTHER = "lists or other values"


#: What labels may be.
_LABEL_KINDS = (Holds.TEXTS, Holds.WHOLE, Holds.NUMBERS, Holds.BOOLEANS, Holds.CLASSES)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of a task, by their names.

    Attributes:
        texts: the text of each example, or the two of a pair; empty where images are classified.
        label: the labels; None for plain text.
        image: the images, or None.
    """

    texts: tuple[str, ...] = ()
    label: str | None = None
    image: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(filter(None, (*self.texts, self.image, self.label)))


def kinds(rows: Any) -> dict[str, Holds]:
    """Return what each column of a table (``datasets.Dataset``) holds."""
    return {name: _kind(feature) for name, feature in rows.features.items()}


def _kind(feature: Any) -> Holds:
    named = {"ClassLabel": Holds.CLASSES, "Image": Holds.IMAGES, "Json": Holds.MIXED}
    if (kind := named.get(type(feature).__name__)) is not None:
        return kind
    name = getattr(feature, "dtype", "") if type(feature).__name__ == "Value" else ""
    if name in ("string", "large_string", "string_view"):
        return Holds.TEXTS
    if name == "bool":
        return Holds.BOOLEANS
    if name.startswith(("int", "uint")):
        return Holds.WHOLE
    return Holds.NUMBERS if name.startswith("float") else Holds.OTHER


def recognise(
    rows: Any, text: str | None, text2: str | None, image: str | None, label: str | None, source: object
) -> tuple[Columns, list[str]]:
    """Return the columns of a task, and what is to be told of how they were found.

    Args:
        rows: the table (``datasets.Dataset``).
        text: name of the column of texts; None to recognise it, and so for the others.
        text2: name of the column with the second texts of pairs.
        image: name of the column of images.
        label: name of the column of labels.
        source: what the table was read from, for messages.

    Raises:
        InputError: a column that is named is missing or holds something else, or one cannot be recognised.
    """
    held = kinds(rows)
    given = [name for name in (text, text2, image, label) if name is not None]
    for name in given:
        if name not in held:
            raise InputError(f"{source} has no column {shown(name)}: {_listed(held)}{suggestion(name, held)}")
    if len(set(given)) < len(given):
        raise InputError(f"columns {listing(given)} are not allowed: name each column once")
    if (text2 is not None and image is not None) or (text is not None and image is not None):
        raise InputError(f"columns {listing(given)} are not allowed: name columns of texts, or one of images")
    finder = _Finder(rows=rows, held=held, given=tuple(given), source=source)
    image = _checked_image(image, held, source) if image else finder.image() if not (text or text2) else None
    texts: tuple[str, ...] = ()
    if image is None:
        texts = tuple(filter(None, (text, text2))) if text else ()
        for name in filter(None, (text, text2)):
            finder.check_texts(name)
    if label is not None:
        finder.check_label(label)
    elif image is None and not given and list(held.values()) == [Holds.TEXTS]:
        (name,) = held
        return Columns(texts=(name,)), [f"Column {name!r} is read as plain text, a document a row."]
    else:
        label = finder.label(exclude=(*texts, *filter(None, (text2, image))))
    if image is None and not texts:
        texts = finder.texts(exclude=(label, *filter(None, (text2,))))
        texts = (texts[0], text2) if text2 else texts
    columns = Columns(texts=texts, label=label, image=image)
    return columns, _told(columns, held)


def _told(columns: Columns, held: dict[str, Holds]) -> list[str]:
    """Return sentences that name the columns that are read, and those that are not."""
    read = [f"{listing(columns.texts)} as text"] if columns.texts else [f"{columns.image} as images"]
    notes = [f"Columns: {read[0]}, {columns.label} as label ({held[str(columns.label)]})."]
    if unread := [name for name in held if name not in columns.names]:
        notes.append(f"Not read: {listing(unread)}.")
    return notes


def _listed(held: dict[str, Holds]) -> str:
    """Return the columns that there are, each with what it holds, as an error's line names them."""
    shown_columns = [f"{name} ({kind})" for name, kind in list(held.items())[:12]]
    more = f" and {len(held) - 12} more" if len(held) > 12 else ""
    return f"its columns are {', '.join(shown_columns)}{more}"


def _checked_image(name: str, held: dict[str, Holds], source: object) -> str:
    if held[name] not in (Holds.IMAGES, Holds.TEXTS):  # texts: paths of files
        raise InputError(f"column {name!r} of {source} holds {held[name]}, and must hold images or paths of images")
    return name


@dataclass(frozen=True, kw_only=True)
class _Finder:
    """Finds the columns of a table that nobody named.

    Attributes:
        rows: the table.
        held: what each column holds.
        given: names of columns that somebody named.
        source: what the table was read from.
    """

    rows: Any
    held: dict[str, Holds]
    given: tuple[str, ...]
    source: object

    def image(self) -> str | None:
        """Return the column of images; None if the table has none."""
        images = [name for name, kind in self.held.items() if kind is Holds.IMAGES and name not in self.given]
        if len(images) > 1:
            images = self._of_names(_IMAGES, images)[:1] or self._refuse("images", "image", images)
        return images[0] if images else None

    def label(self, exclude: Sequence[str]) -> str:
        """Return the column of labels: by its name, or else as the only one with few distinct values."""
        names = [name for name, kind in self.held.items() if kind in _LABEL_KINDS and name not in exclude]
        if usual := self._of_names(_LABELS, names):
            return usual[0]
        if not usual:
            usual = [name for name in names if self.held[name] is Holds.CLASSES]
        if not usual:
            texts = {*_TEXTS, *chain(*_PAIRS)}
            usual = [name for name in names if name.casefold() not in texts and self._has_few_values(name)]
        if len(usual) != 1:
            self._refuse("the labels", "label", usual)
        if usual[0] in self._values(usual[0]):
            raise InputError(
                f"{self.source} seems to have no header, as {shown(usual[0])} is the name of a column and stands in it "
                "too: add a first line with the columns' names"
            )
        return usual[0]

    def texts(self, exclude: Sequence[str | None]) -> tuple[str, ...]:
        """Return one or two columns of texts: by their names, or else the only one with long or many texts."""
        names = [name for name, kind in self.held.items() if kind is Holds.TEXTS and name not in exclude]
        by_small = {name.casefold(): name for name in names}
        pairs = [(by_small[a], by_small[b]) for a, b in _PAIRS if a in by_small and b in by_small]
        in_pairs = {name for pair in pairs for name in pair}
        singles = [(name,) for name in self._of_names(_TEXTS, names) if name not in in_pairs]
        usual: list[tuple[str, ...]] = [*pairs, *singles]
        if not usual:
            usual = [(name,) for name in names if self._is_text(name)]
        if len(usual) != 1:
            self._refuse("the texts", "text", [" with ".join(each) for each in usual])
        return usual[0]

    def check_texts(self, name: str) -> None:
        """Check that a column that somebody named holds texts."""
        if self.held[name] is not Holds.TEXTS:
            raise InputError(f"column {name!r} of {self.source} holds {self.held[name]}, and must hold texts")

    def check_label(self, name: str) -> None:
        """Check that a column that somebody named can hold labels."""
        if self.held[name] not in _LABEL_KINDS:
            raise InputError(
                f"column {name!r} of {self.source} holds {self.held[name]}, and must hold labels of one type: "
                "texts, whole numbers or booleans"
            )

    def _of_names(self, usual: Sequence[str], names: Sequence[str]) -> list[str]:
        """Return the columns with usual names, the likeliest first; several that differ in case alone are refused."""
        named: list[str] = []
        for each in usual:
            alike = [name for name in names if name.casefold() == each]
            if len(alike) > 1:
                self._refuse(f"the {each}", each, alike)
            named += alike
        return named

    def _refuse(self, what: str, option: str, names: Sequence[str]) -> list[str]:
        likely = f"{' or '.join(map(repr, names))} may hold {what}" if names else f"no column seems to hold {what}"
        raise InputError(f"{self.source}: {likely}; name it ({option}): {_listed(self.held)}")

    def _values(self, name: str) -> list[Any]:
        """Return the values of a column in the first rows."""
        rows = self.rows.select_columns([name]).select(range(min(len(self.rows), _SAMPLED)))
        return [value for batch in batches(rows, (name,)) for value in batch[0] if value not in (None, "")]

    def _has_few_values(self, name: str) -> bool:
        values = self._values(name)
        return 1 <= len(set(values)) <= min(_MOST_VALUES, len(values) / _ROWS_OF_A_VALUE)

    def _is_text(self, name: str) -> bool:
        values = self._values(name)
        if (
            not values
            or len(set(values)) < _DISTINCT * len(values)
            or all(number_of_text(v) == number_of_text(v) for v in values)
        ):
            return False
        characters = sum(map(len, values)) / len(values)
        words = sum(len(value.split()) for value in values) / len(values)
        return characters >= _CHARACTERS or words >= _WORDS


def batches(rows: Any, names: Iterable[str]) -> Iterator[list[list[Any]]]:
    """Yield the values of columns, a thousand rows at a time: a list for each column."""
    columns = list(names)
    for table in rows.select_columns(columns).iter(batch_size=1000):
        with reading(f"column {listing(columns)}", "save the table anew, its texts in UTF-8"):
            values = [table.column(name).to_pylist() for name in columns]
        yield values
