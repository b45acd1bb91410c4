"""Shared by the benchmarks' command lines: options, checks and exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping

from essparse_lib.errors import InputError


def parser(document: str | None, settings: Iterable[tuple[str, float | str, str]] = ()) -> argparse.ArgumentParser:
    """Return a parser that shows a script's first line, with an option for each (name, default, meaning)."""
    command_line = argparse.ArgumentParser(description=(document or "").partition("\n")[0])
    for name, default, meaning in settings:
        command_line.add_argument(name, type=type(default), default=default, help=f"{meaning} (default: %(default)s)")
    return command_line


def check(options: argparse.Namespace, least: Mapping[str, int]) -> None:
    """Check that options are not below their smallest values.

    Raises:
        InputError: an option is.
    """
    for name, allowed in least.items():
        if getattr(options, name) < allowed:
            raise InputError(f"{name} {getattr(options, name)} is not allowed: it must be at least {allowed}")


def run(main: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> None:
    """Run a benchmark; an ``InputError`` ends it with one line and exit code 2."""
    try:
        main(options)
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
