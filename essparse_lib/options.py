"""What the command line's arguments and options may be: checked as the package does, and refused in one line."""

from __future__ import annotations

import errno
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from .errors import InputError, check_number, check_seed, check_whole, printable, shown
from .paths import check_folder, check_path
from .texts import number_of_text, whole_of_text

_T = TypeVar("_T")
#: What all errors of usage are, in the command-line library that this version of typer is made of.
_UsageError: type[Any] = typer.BadParameter.__bases__[0]
#: The longest budget: a year, in seconds.
_LONGEST = 366 * 86400.0


class OneLineGroup(TyperGroup):
    """Commands whose errors of usage, such as an unknown option, are one line, as all other errors are."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name.

        Raises:
            InputError: an argument or an option is missing, unknown or not allowed.
        """
        try:
            return super().invoke(ctx)
        except _UsageError as error:
            raise _in_one_line(error) from error

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **options: Any) -> Any:
        """Read the options that come before a command; errors as of ``invoke``. Without arguments, help is shown."""
        given = bool(args)  # the list is emptied
        try:
            return super().make_context(info_name, args, *rest, **options)
        except _UsageError as error:
            if not given:
                raise
            raise _in_one_line(error) from error


def _in_one_line(error: Any) -> InputError:
    if isinstance(error.__cause__, InputError):  # a check of this package
        return error.__cause__
    command = error.ctx.command_path if error.ctx else "essparse"
    return InputError(f"{error.format_message().rstrip('.')}: see {command} --help")


@dataclass(frozen=True)
class Kind:
    """What an argument or an option is: how it is read, and what help calls it.

    Attributes:
        read: returns the value that a text, or a default, stands for; what it refuses is an error of usage.
        metavar: the kind of the value, for help.
    """

    read: Callable[[Any], Any]
    metavar: str

    def option(self, help: str) -> Any:
        """Return typer's description of an option of this kind."""
        return typer.Option(parser=self.read, metavar=self.metavar, help=help)

    def argument(self, name: str, help: str) -> Any:
        """Return typer's description of an argument of this kind, which help calls by this name."""
        return typer.Argument(parser=self.read, metavar=name, help=help)


def text(what: str) -> Kind:
    """Return the kind of a text, which may not be empty; ``what`` is its name in an error."""

    def check(value: str) -> str:
        if not value.strip():
            raise InputError(f"{what} {shown(value)} is not allowed: give a text that is not empty")
        return value

    return Kind(_reader(check), "TEXT")


def whole(what: str, least: int, most: int) -> Kind:
    """Return the kind of a whole number in plain digits, from the least to the most."""
    return Kind(_reader(lambda value: check_whole(what, _number(value), least, most)), "INTEGER")


def number_from_zero(what: str, most: float) -> Kind:
    """Return the kind of a number from 0 to the most; ``what`` is its name in an error."""

    def check(value: object) -> float:
        given = number_of_text(value) if isinstance(value, str) else value
        wanted = f"a number from 0 to {most:g}"
        try:
            return check_number(what, given, lambda number: 0 <= number <= most, wanted)
        except InputError:
            raise InputError(f"{what} {shown(value)} is not allowed: give {wanted}") from None

    return Kind(_reader(check), "NUMBER")


def number(what: str) -> Kind:
    """Return the kind of a number above 0; ``what`` is its name in an error."""

    def check(value: object) -> float:
        given = number_of_text(value) if isinstance(value, str) else value
        try:
            return check_number(what, given, lambda number: number > 0, "a number above 0")
        except InputError:
            raise InputError(f"{what} {shown(value)} is not allowed: give a number above 0") from None

    return Kind(_reader(check), "NUMBER")


def path(what: str) -> Kind:
    """Return the kind of a path, of which nothing need exist."""
    return Kind(_reader(lambda value: check_path(what, value)), "PATH")


def folder(what: str, of: str) -> Kind:
    """Return the kind of a folder that exists; ``of`` says what it holds."""
    return Kind(_reader(lambda value: check_folder(what, value, of)), "FOLDER")


def seconds(text: str, what: str = "budget") -> float:
    """Return the seconds of a duration.

    Args:
        text: such as ``90``, ``90s``, ``15m`` or ``8h``.
        what: its name in an error.

    Raises:
        InputError: it is no such text, or more than a year.

    >>> seconds("90"), seconds("1.5h")
    (90.0, 5400.0)
    """
    number, unit = (text[:-1], text[-1]) if text[-1:] in ("s", "m", "h") else (text, "s")
    duration = number_of_text(number) * {"s": 1, "m": 60, "h": 3600}[unit]
    if math.isnan(duration) or not 0 < duration <= _LONGEST:
        raise InputError(f"{what} {shown(text)} is not allowed: give seconds, or such as 90m or 8h, up to a year")
    return duration


def failures(text: str) -> float:
    """Return the mean seconds until a worker dies: a duration of an hour or more; infinite for ``none``.

    Raises:
        InputError: it is no such text.
    """
    if text == "none":
        return math.inf
    mean = seconds(text, "failures")
    if mean < 3600:
        raise InputError(f"failures {shown(text)} are not allowed: give an hour or more, such as 500h, or none")
    return mean


def _number(value: object) -> object:
    """Return the whole number that a text writes, and anything else as it is."""
    number = whole_of_text(value) if isinstance(value, str) else None
    return value if number is None else number


def _reader(check: Callable[[Any], _T]) -> Callable[[Any], _T]:
    """Return a check as typer calls it: what it refuses is an error of usage."""

    def read(value: Any) -> _T:
        try:
            return check(value)
        except InputError as error:
            raise typer.BadParameter(str(error)) from error

    return read


#: More jobs than a few for each core take memory alone; records, windows and tokens are fewer than these everywhere.
JOBS = whole("jobs", 1, 4 * (os.cpu_count() or 1))
SAMPLE = whole("sample", 1, 100_000)
PORT = whole("port", 0, 65_535)
WINDOWS = whole("windows", 1, 1_000_000)
LENGTH = whole("length", 1, 1_000_000)
STEPS = whole("recover-steps", 1, 1_000_000)
QUESTIONS = whole("questions", 1, 1_000_000)
SHOTS = whole("shots", 0, 100)
SEEDS, MOST_SEEDS = whole("seeds", 2, 100), whole("most_seeds", 2, 100)
EPOCHS, BATCH_SIZE = whole("epochs", 1, 10_000), whole("batch_size", 1, 1_000_000)
MAX_LENGTH, MAX_TRAIN = whole("max_length", 1, 1_000_000), whole("max_train", 1, 1_000_000_000)
SEED = Kind(_reader(lambda value: check_seed(_number(value))), "INTEGER")
GPUS, FAILURES = whole("gpus", 1, 10_000), Kind(_reader(failures), "TEXT")
DURATION = Kind(_reader(seconds), "TEXT")
Scale = Annotated[str, text("scale").option("tiny (a test), lab (small real models) or paper (the original ones).")]
CLUSTER = text("cluster").option("Run on the workers of this dask scheduler, such as tcp://127.0.0.1:8786.")


def say(text: str) -> None:
    """Print a line in which names of files and models cannot act on the terminal."""
    typer.echo(printable(text, None))


@contextmanager
def printing() -> Iterator[None]:
    """Turn a full disk that the output is sent to into one clear line.

    Raises:
        InputError: the output cannot be written.
    """
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:  # closed by whoever started this
                sys.stdout.flush()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or error.filename is not None:
            raise
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (what is left must not be tried again)
        raise InputError(f"cannot write the output: {error.strerror}; free some space, or send it elsewhere") from error
