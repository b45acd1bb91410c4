"""Damaged and hostile inputs of every kind: each must be refused in one line, soon, cheaply, with nothing written.

    python benchmarks/refusals.py                    # all, some minutes
    python benchmarks/refusals.py records archives   # these kinds
    python benchmarks/refusals.py --each             # with a line for each

Each input is given to what reads it in a process of its own. Where this is the command line, it must end with exit
code 2 and one line; where it is a function, with an ``InputError`` of one line. What passes for whole, ends with a
traceback, prints several lines, takes more than 10 seconds or 500 MiB beyond what the process had, or leaves something
behind, is printed and ends the script with exit code 1. At the end: a table of kinds of input, readers and outcomes.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator

import command
from damaged import archives, data, models, options, records
from damaged.attempt import Attempt, Outcome, idle_memory, tried

from essparse_lib.errors import unknown

KINDS = {"records": records, "archives": archives, "models": models, "data": data, "options": options}


def outcomes(kinds: list[str]) -> Iterator[tuple[Attempt, Outcome]]:
    """Yield each attempt of these kinds with its outcome."""
    _load_libraries()
    idle = idle_memory()
    for kind in kinds:
        for attempt in KINDS[kind].attempts():
            yield attempt, tried(attempt, idle)


def _load_libraries() -> None:
    """Import what readers import, once for all: the processes begin as copies of this one."""
    import os

    # threads do not outlive a fork
    os.environ.update(TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1")
    import datasets  # noqa: F401
    import matplotlib  # noqa: F401
    import PIL.Image  # noqa: F401
    import torch
    import transformers.models.bert.modeling_bert
    import transformers.models.vit.modeling_vit  # noqa: F401

    import essparse_lib.book.status
    import essparse_lib.cli
    import essparse_lib.figures
    import essparse_lib.model_statistics
    import essparse_lib.models.loading
    import essparse_lib.runner.scheduler  # noqa: F401

    torch.set_num_threads(1)


def main(arguments: argparse.Namespace) -> None:
    """Try all, and print what came of them."""
    for kind in arguments.kinds:
        if kind not in KINDS:
            raise unknown("kind", kind, KINDS)
    by_reader: dict[tuple[str, str], list[tuple[Attempt, Outcome]]] = defaultdict(list)
    wrong = 0
    for attempt, outcome in outcomes(arguments.kinds or list(KINDS)):
        by_reader[attempt.kind, attempt.reader].append((attempt, outcome))
        bad = outcome.end != attempt.expected
        wrong += bad
        if bad or arguments.each:
            sign = "WRONG " if bad else ""
            print(f"{sign}{attempt.kind} | {attempt.reader} | {attempt.damage} | {outcome.end} | {outcome.line[:300]}")
    print(f"{'kind':10} {'reader':34} {'tries':>5} {'as they must':>12} {'slowest':>9} {'most memory':>12}")
    for (kind, reader), done in by_reader.items():
        right = sum(outcome.end == attempt.expected for attempt, outcome in done)
        seconds = max(outcome.seconds for _, outcome in done)
        memory = max(outcome.memory for _, outcome in done) / 2**20
        print(f"{kind:10} {reader:34} {len(done):5} {right:12} {seconds:7.1f} s {memory:8.0f} MiB")
    print(f"{sum(map(len, by_reader.values()))} tries, {wrong} not as they must be")
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    parser = command.parser(__doc__)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; all if none is named")
    parser.add_argument("--each", action="store_true", help="a line for each")
    command.run(main, parser.parse_args())
