"""Prepare people's own texts: classes of single texts or of pairs, and plain text for perplexity."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..sources.foreign import read_text
from ..sources.parquet import MOST_OF_A_VALUE
from .own_columns import Columns, batches
from .own_labels import Labels, classes_of
from .own_split import LEAST_TEST, check_classes, copies_notes, names_of_parts, split
from .own_store import Content, write_rows
from .windows import BETWEEN, windows

#: Characters of a text whose perplexity is measured, as of the task english-text, and of a document of a plain text.
WINDOW, DOCUMENT = 1500, 6000
#: Characters of a paragraph that is looked for in the other part: shorter ones, such as "Yes.", stand in any text.
_LONG = 40
#: The fewest characters of a text of which a part is held out.
_LEAST_CHARACTERS = 200_000
#: The most bytes of a file of plain text, which is read whole.
_MOST_TEXT = 128 * 2**20
_PARAGRAPHS = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """The rows of a table that are examples.

    Attributes:
        table: the table (``datasets.Dataset``).
        columns: its columns.
        positions: numbers of the rows.
        keys: of each row, the SHA-256 of its texts without regard to case and blanks.
        labels: the labels of these rows.
        empty: number of rows left out as they have an empty text.
    """

    table: Any
    columns: Columns
    positions: list[int]
    keys: list[bytes]
    labels: Labels
    empty: int

    def texts(self, chosen: Sequence[int]) -> Iterator[tuple[str, ...]]:
        """Yield the texts of rows, by their places among ``positions``, in ascending order."""
        wanted = {self.positions[place] for place in chosen}
        number = 0
        for columns in batches(self.table, self.columns.texts):
            for texts in zip(*columns, strict=True):
                if number in wanted:
                    yield tuple(_cleaned(text) for text in texts)
                number += 1

    def chosen(self, places: Sequence[int]) -> _Rows:
        """Return some of the rows, by their places."""
        labels = [self.labels.values[place] for place in places] if self.labels.values else []
        return _Rows(
            table=self.table,
            columns=self.columns,
            positions=[self.positions[place] for place in places],
            keys=[self.keys[place] for place in places],
            labels=Labels(values=labels, names=self.labels.names),
            empty=self.empty,
        )


def _cleaned(text: str) -> str:
    """Return a text with one way to end its lines, and no blanks around it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _key(texts: Sequence[str]) -> bytes:
    """Return the SHA-256 of texts without regard to case, blanks and Unicode's forms: of copies it is the same."""
    plain = (" ".join(unicodedata.normalize("NFC", text).split()).casefold() for text in texts)
    return hashlib.sha256("\x1f".join(plain).encode()).digest()


def _read(table: Any, columns: Columns, source: object) -> _Rows:
    """Return the rows of a table that have texts, with their labels."""
    positions, keys, values = [], [], []
    empty = number = 0
    for batch in batches(table, columns.names):
        texts_of_rows = zip(*batch[: len(columns.texts)], strict=True)
        for place, texts in enumerate(texts_of_rows):
            if not all(text and text.strip() for text in texts):
                empty += 1
            else:
                _check_length(texts, number, source)
                positions.append(number)
                keys.append(_key(texts))
                values.append(batch[-1][place])
            number += 1
    labels = label_values(table, columns.label, values) if columns.label else Labels(values=[])
    return _Rows(table=table, columns=columns, positions=positions, keys=keys, labels=labels, empty=empty)


def label_values(table: Any, column: str, values: list[Any]) -> Labels:
    """Return labels with the names that the column has for them; −1 stands for none in named classes.

    Args:
        table: the table (``datasets.Dataset``).
        column: name of the column of labels.
        values: its values in the rows that count.
    """
    names = tuple(getattr(table.features[column], "names", None) or ())
    if names:
        values = [value if value is not None and 0 <= value < len(names) else None for value in values]
    elif values and all(value in (-1, "-1") for value in values):  # a test part whose labels are not told
        values = [None] * len(values)
    return Labels(values=values, names=names)


def _check_length(texts: Sequence[str], number: int, source: object) -> None:
    longest = max(map(len, texts))
    if longest > MOST_OF_A_VALUE // 4:  # a character has at most four bytes
        raise InputError(
            f"row {number + 1:,} of {source} has a text of {longest:,} characters, and at most "
            f"{MOST_OF_A_VALUE // 4:,} are read: cut it"
        )


def has_labels(table: Any, column: str) -> bool:
    """Return whether any row of a table has a label that is known."""
    values = [value for batch in batches(table, (column,)) for value in batch[0]]
    return any(value is not None and value != "" for value in label_values(table, column, values).values)


def prepare_classes(tables: Sequence[Any], columns: Sequence[Columns], source: str, folder: Path) -> Content:
    """Write labelled texts, and return what is to be known of them.

    Args:
        tables: one table, a part of which is held out; or those of training and of test.
        columns: the columns of each.
        source: what they were read from, for messages.
        folder: where to write.

    Raises:
        InputError: the examples make no task, or the folder cannot be written.
    """
    parts = [_read(table, each, source) for table, each in zip(tables, columns, strict=True)]
    notes = _left_out(sum(part.empty for part in parts), "rows with an empty text")
    classes = classes_of([part.labels for part in parts], source)
    notes += classes.notes
    unlabelled = sum(number is None for numbers in classes.numbers for number in numbers)
    notes += _left_out(unlabelled, "rows without a label")
    labelled = [[place for place, number in enumerate(each) if number is not None] for each in classes.numbers]
    parts = [part.chosen(places) for part, places in zip(parts, labelled, strict=True)]
    numbers = [[number for number in each if number is not None] for each in classes.numbers]
    for part, of_part, what in zip(parts, numbers, names_of_parts(parts, "texts"), strict=True):
        notes += copies_notes(part.keys, of_part, what)
    halves = split([part.keys for part in parts], source)
    sides = [(parts[0], halves.train, numbers[0]), (parts[-1], halves.test, numbers[-1])]
    labels = [[of_part[place] for place in places] for _, places, of_part in sides]
    notes += [*halves.notes, *check_classes(classes, labels[0], labels[1], source)]
    rows = [
        zip(part.texts(places), chosen, strict=True) for (part, places, _), chosen in zip(sides, labels, strict=True)
    ]
    digest = write_rows(folder, rows[0], rows[1], len(columns[0].texts))
    return Content(
        classes=classes.names,
        train=len(labels[0]),
        test=len(labels[1]),
        hashed=[list(classes.identity), digest],
        notes=notes,
    )


def _left_out(count: int, what: str) -> list[str]:
    return [f"{count:,} {what} are left out."] if count else []


def read_documents(path: Path) -> list[str]:
    """Return the documents of a file of plain text: paragraphs one after the other, up to ``DOCUMENT`` characters.

    Raises:
        InputError: the file cannot be read, is no text in UTF-8, or has more than 128 MB.
    """
    paragraphs = (paragraph.strip() for paragraph in _PARAGRAPHS.split(read_text(path, _MOST_TEXT)))
    return [text for text in windows((each for each in paragraphs if each), DOCUMENT) if text]


def table_documents(table: Any, columns: Columns, source: object) -> list[str]:
    """Return the documents of a table of plain text: the rows that are not empty."""
    rows = _read(table, columns, source)
    return [text for (text,) in rows.texts(range(len(rows.positions)))]


def prepare_plain(parts: Sequence[list[str]], source: str, folder: Path, window: int) -> Content:
    """Write a plain text: documents to calibrate on, and windows of others to measure the perplexity of.

    Args:
        parts: the documents, a part of which is held out; or those of training and of test.
        source: what they were read from, for messages.
        folder: where to write.
        window: the most characters of a window.

    Raises:
        InputError: the test part has fewer than ``LEAST_TEST`` windows, or the folder cannot be written.
    """
    characters = sum(len(document) for part in parts for document in part)
    if len(parts) == 1 and characters < _LEAST_CHARACTERS:
        raise InputError(
            f"{source} has {characters:,} characters of text: give at least {_LEAST_CHARACTERS:,}, of which a quarter "
            f"is held out, or a test file (test) with {LEAST_TEST * window:,}"
        )
    halves = split([[_key((document,)) for document in part] for part in parts], source, "documents", least=1)
    documents = [
        [part[place] for place in places] for part, places in ((parts[0], halves.train), (parts[-1], halves.test))
    ]
    paragraphs = {_key((each,)) for document in documents[1] for each in document.split(BETWEEN) if len(each) >= _LONG}
    train = [_without(document, paragraphs) for document in documents[0]]
    texts = list(windows(documents[1], window))
    if len(texts) < LEAST_TEST:
        raise InputError(
            f"the test part of {source} has {len(texts)} texts of {window:,} characters: give at least {LEAST_TEST}"
        )
    removed = sum(len(before) - len(after) for before, after in zip(documents[0], train, strict=True))
    train = [document for document in train if document]
    notes = list(halves.notes)
    if removed:
        notes.append(
            f"{removed:,} characters of paragraphs that stand in the test part, too, are left out of the rest."
        )
    if not train:
        raise InputError(f"{source} has no documents that are not in the test part, too: give others")
    notes.append(f"The test part is {len(texts):,} texts of at most {window:,} characters.")
    digest = write_rows(folder, (((text,), 0) for text in train), (((text,), 0) for text in texts), 1)
    return Content(classes=(), train=len(train), test=len(texts), hashed=[digest], notes=notes)


def _without(document: str, paragraphs: set[bytes]) -> str:
    """Return a document without some of its paragraphs."""
    kept = [paragraph for paragraph in document.split(BETWEEN) if _key((paragraph,)) not in paragraphs]
    return BETWEEN.join(kept)
