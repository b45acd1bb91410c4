"""The program ``essparse``, also as ``python -m essparse_lib``: it can be stopped while the command line is loaded."""

from __future__ import annotations

from .stopping import stoppable


def main() -> None:
    """Load the command line and run it."""
    with stoppable("essparse: stopped"):
        from . import cli

        cli.main()


if __name__ == "__main__":
    main()
