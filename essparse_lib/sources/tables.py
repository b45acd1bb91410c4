"""Read tables that people bring: CSV, TSV, JSON lines, parquet, and what the library ``datasets`` saved.

All are read by that library: rows lie in files of Arrow's, and memory does not grow with them. Code and pickled objects
are never read, and what the library caches goes into a folder that the caller removes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

from ..errors import InputError, shown
from .delimited import DELIMITERS, Layout, check_text, layout
from .foreign import parse_json, read_bytes, reading, regular_file
from .parquet import count_rows

#: The library's name of the format by the end of a file's name.
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
}
#: The files by which a folder is told that the library saved: one table, or several by their names.
SAVED, SAVED_PARTS = "state.json", "dataset_dict.json"
#: What files of other formats begin with, and what they are.
_BEGINNINGS = {
    b"PAR1": "a parquet file",
    b"PK\x03\x04": "a ZIP archive, as spreadsheets are",
    b"\x1f\x8b": "compressed by gzip",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"\x80\x03": "pickled objects, which may run code",
    b"\x80\x04": "pickled objects, which may run code",
    b"\x80\x05": "pickled objects, which may run code",
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet or document",
    b"SQLite format": "a database",
}
#: Rows of parquet that are read at once; the library's own number is that of the first group, which may be 0.
_BATCH = 1000
_MOST_JSON = 16 * 2**20


def library() -> Any:
    """Return the library ``datasets``, whose import takes seconds.

    Raises:
        InputError: it is not installed.
    """
    try:
        import datasets
    except ImportError as missing:
        raise InputError("your own data are read by datasets, which is missing: pip install datasets") from missing
    return datasets


def read_tables(files: Sequence[Path], scratch: Path) -> tuple[Any, list[str]]:
    """Return the rows of files of one format, one below the other, and what is to be told of how they were read.

    Args:
        files: the files, in order, each with one of the ends of ``FORMATS``.
        scratch: a folder for what the library caches; the rows are read from it.

    Returns:
        A ``datasets.Dataset``, and sentences.

    Raises:
        InputError: a file cannot be read, holds another format than its name says, has no rows, or has other columns
            or classes than the first.
    """
    formats = {FORMATS[path.suffix.lower()] for path in files}
    if len(formats) > 1:
        raise InputError(f"{files[0].parent} has files of several formats ({', '.join(sorted(formats))}): keep one")
    (name,) = formats
    for path in files:
        _check_no_chain(path)
        _check_beginning(regular_file(path), name)
    if name == "parquet" and not sum(map(count_rows, files)):
        raise InputError(f"{files[0]} has no rows: give a file with rows")
    if name == "parquet":
        _check_same_classes(files)
    if name != "csv":
        options = {"batch_size": _BATCH} if name == "parquet" else {}
        return _checked(_loaded(name, files, scratch, **options), files), []
    layouts = [layout(path) for path in files]
    if any(each.columns != layouts[0].columns for each in layouts):
        raise InputError(f"{files[0].parent} has files with different columns: keep those of one kind")
    rows = [_separated(path, written, scratch) for path, written in zip(files, layouts, strict=True)]
    notes = sorted({note for path, written in zip(files, layouts, strict=True) for note in _told(path, written)})
    return rows[0] if len(rows) == 1 else library().concatenate_datasets(rows), notes


def read_saved(folder: Path) -> dict[str, Any]:
    """Return what the library saved in a folder (``save_to_disk``): tables by the names of their splits.

    The format that tables were given for PyTorch or others is left out. A single table has the name of an empty text.

    Raises:
        InputError: it cannot be read, or names files outside itself.
    """
    _check_no_chain(folder)
    parts = [folder]
    if (folder / SAVED_PARTS).is_file():
        content = parse_json(read_bytes(folder / SAVED_PARTS, _MOST_JSON), folder / SAVED_PARTS, dict)
        splits = content.get("splits")
        if not isinstance(splits, list) or not splits or not all(_is_name(each) for each in splits):
            raise InputError(f"{folder / SAVED_PARTS} names no splits: save the data anew")
        parts = [folder / each for each in splits]
    tables = {}
    for part in parts:
        state = parse_json(read_bytes(part / SAVED, _MOST_JSON), part / SAVED, dict)
        files = state.get("_data_files")
        names = [each.get("filename") if isinstance(each, dict) else None for each in files or ()]
        if not names or not all(map(_is_name, names)):
            raise InputError(f"{part / SAVED} names no files of this folder: save the data anew")
        with _quiet(), reading(part, "save the data anew"):
            rows = library().Dataset.load_from_disk(str(part), keep_in_memory=False).with_format("arrow")
        tables["" if part == folder else part.name] = _checked(rows, [part])
    return tables


def _is_name(value: object) -> bool:
    """Return whether a value is the name of a file in a folder, and no path out of it."""
    return isinstance(value, str) and value not in ("", ".", "..") and "/" not in value and "\\" not in value


def _check_no_chain(path: Path) -> None:
    """Check that a path has no two colons, which the library takes as one that leads into an archive."""
    if "::" in str(path):
        raise InputError(f"{path} cannot be read, as its path has two colons (::): rename it")


def _check_beginning(path: Path, name: str) -> None:
    """Check that a file begins as its format does."""
    with reading(path, "name another file"), path.open("rb") as file:
        start = file.read(16)
    if not start:
        raise InputError(f"{path} is empty: give a file with rows")
    held = next((what for beginning, what in _BEGINNINGS.items() if start.startswith(beginning)), "")
    if name == "parquet" and held != _BEGINNINGS[b"PAR1"]:
        raise InputError(f"{path} is no parquet file{f' but {held}' if held else ''}: save the table anew")
    if name != "parquet" and held:
        raise InputError(f"{path} is {held}: save the table as CSV, JSON lines or parquet, named so")
    if name == "json":
        check_text(path)


def _check_same_classes(files: Sequence[Path]) -> None:
    """Check that files of one table name their classes alike: the library takes the names of the first for all."""
    from pyarrow import parquet

    first: dict[str, list[str]] | None = None
    for path in files:
        with reading(path, "save the table anew"):
            features = library().Features.from_arrow_schema(parquet.read_schema(path))
        classes = {name: feature.names for name, feature in features.items() if hasattr(feature, "names")}
        first = classes if first is None else first
        if classes != first:
            raise InputError(f"{path} names classes in another way than {files[0]}: save both as one table")


def _separated(path: Path, written: Layout, scratch: Path) -> Any:
    """Return the rows of a file of separated values, every value as the text that stands there."""
    datasets = library()
    rows = _loaded(
        "csv",
        [path],
        scratch,
        sep=written.delimiter,
        encoding=written.encoding,
        quoting=0 if written.quoted else 3,
        names=list(written.columns),
        header=0,
        index_col=False,
        keep_default_na=False,
        na_filter=False,
        features=datasets.Features({name: datasets.Value("string") for name in written.columns}),
    )
    if len(rows) != written.rows:
        raise InputError(
            f"{path} reads as {len(rows):,} rows or as {written.rows:,}, as its quotation marks are ambiguous: "
            "save the table as parquet"
        )
    return rows


def _told(path: Path, written: Layout) -> list[str]:
    """Return what is to be told of how a file of separated values is written."""
    notes = []
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    if written.delimiter != usual:
        notes.append(f"{path.name} has {DELIMITERS[written.delimiter]} between its values.")
    if not written.quoted:
        notes.append(f"Quotation marks in {path.name} are read as signs like others.")
    return notes


def _loaded(name: str, files: Sequence[Path], scratch: Path, **options: Any) -> Any:
    """Return the rows of files, read by the library's own reader of a format."""
    datasets = library()
    with _quiet(), reading(files[0] if len(files) == 1 else files[0].parent, "mend it, or save it as parquet"):
        try:
            rows = datasets.load_dataset(
                name,
                data_files={"train": [escape(str(path)) for path in files]},  # it takes names as patterns
                split="train",
                cache_dir=str(scratch / "datasets"),
                keep_in_memory=False,
                **options,
            )
        except datasets.exceptions.DatasetGenerationError as error:
            if error.__cause__ is None:
                raise
            raise error.__cause__ from None  # which says what is wrong
    return rows.with_format("arrow")


def _checked(rows: Any, files: Sequence[Path]) -> Any:
    """Return a table that has rows, and columns of different names."""
    name = files[0] if len(files) == 1 else files[0].parent
    if repeated := [column for column, count in Counter(rows.column_names).items() if count > 1]:
        raise InputError(f"{name} has several columns of the name {shown(repeated[0])}: rename all but one")
    if not len(rows):
        raise InputError(f"{name} has no rows: give a file with rows")
    return rows


@contextmanager
def _quiet() -> Iterator[None]:
    """Let the library print nothing: no progress, no log of what the caller is told."""
    datasets = library()
    bars, verbosity = datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        yield
    finally:
        datasets.logging.set_verbosity(verbosity)
        if not bars:
            datasets.enable_progress_bars()
