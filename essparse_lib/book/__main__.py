"""Build the book on plain Sphinx: ``python -m essparse_lib.book OUT PYTHON``, as ``make book-sphinx`` calls it.

OUT is a folder as ``essparse book`` takes it, PYTHON the interpreter of an environment with plain Sphinx.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import InputError
from .build import build


def main() -> int:
    """Build the book and say where it is; an error is one line, and the exit code 2."""
    if len(sys.argv) != 3:
        print("essparse: give a folder for the book, and the interpreter of plain Sphinx", file=sys.stderr)
        return 2
    try:
        print(f"open {build(Path(sys.argv[1]), sphinx=sys.argv[2])}")
    except InputError as error:
        print(f"essparse: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
