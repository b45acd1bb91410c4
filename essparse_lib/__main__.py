"""The program ``essparse``, also as ``python -m essparse_lib``: it can be stopped while the command line is loaded."""

from __future__ import annotations

import sys

from .stopping import stoppable


def main() -> None:
    """Load the command line and run it; a package that this Python lacks ends it with one line and exit code 2."""
    try:
        with stoppable("essparse: stopped"):
            from . import cli

            cli.main()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", __package__):
            raise
        remedy = "pip install it, or put the folder libraries of a pack on PYTHONPATH"
        print(f"essparse: this Python has no package {package}, which the command needs: {remedy}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
