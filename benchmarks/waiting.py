"""The time of training steps by how OpenMP's threads wait, alone on the machine and beside a busy process.

    python benchmarks/waiting.py                       # steps of minilm-l6's shape, on two threads
    python benchmarks/waiting.py --busy 2 --spins 1000 30000

OpenMP reads how its threads wait when it is loaded, so each timing is a process of its own. ``default`` sets nothing:
threads spin for a while before they sleep. ``sleep`` is what the package sets (``essparse_lib/openmp.py``). Each of
``--spins`` is a number of turns for GNU's OpenMP, which PyTorch's wheels for Linux bring. All sides take turns, and
take the same steps, forward and backward, of an encoder with random weights. Beside a busy process means beside as
many Python processes as ``--busy`` says, each of which keeps a core busy.

Ratios are of the default's seconds to a side's, the median over repeats: above 1 means that the side is faster.
``others`` is the share of the machine's cores that processes other than these used in the meantime: unless it is
small, the rows that say ``alone`` are not so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import command

from essparse_lib import openmp

_SETTINGS = (
    ("--layers", 6, "transformer blocks"),
    ("--hidden", 384, "width"),
    ("--heads", 12, "attention heads"),
    ("--length", 64, "tokens of a text"),
    ("--batch", 32, "texts a step"),
    ("--timed", 12, "steps of each timing"),
    ("--warm", 3, "steps before them"),
    ("--repeats", 3, "timings of each side"),
    ("--threads", 2, "CPU threads"),
    ("--busy", 1, "busy processes"),
)
_LEAST = dict.fromkeys((name.removeprefix("--") for name, *_ in _SETTINGS), 1) | {"warm": 0}


@dataclass(frozen=True)
class Timing:
    """One side's steps.

    Attributes:
        seconds: of one step.
        others: the share of all cores that processes other than the benchmark's used meanwhile; NaN where the system
            does not say.
    """

    seconds: float
    others: float


def steps(options: argparse.Namespace) -> float:
    """Return the seconds of one training step in this process, whose environment says how threads wait."""
    import torch  # before the rest of the package
    from transformers import BertConfig, BertModel

    from essparse_lib.training import device

    device.use_threads(options.threads)
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=options.hidden,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        intermediate_size=4 * options.hidden,
    )
    model = BertModel(config, add_pooling_layer=False).train()
    device.suit_attention(model, torch.device("cpu"))
    device.keep_memory()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    tokens = torch.randint(config.vocab_size, (options.batch, options.length))
    for step in range(options.warm + options.timed):
        if step == options.warm:
            started = time.perf_counter()
        with device.accelerator().autocast():
            out = model(tokens).last_hidden_state
        out.float().square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return (time.perf_counter() - started) / options.timed


def timed(variables: Mapping[str, str], busy: int) -> Timing:
    """Time steps in a process with these environment variables, beside so many busy processes."""
    environment = {name: value for name, value in os.environ.items() if name not in openmp.VARIABLES}
    environment |= {"CUDA_VISIBLE_DEVICES": "", **variables}
    environment.pop("OMP_NUM_THREADS", None)
    with _busy(busy):
        before = _used()
        child = subprocess.run(
            [sys.executable, __file__, "--child", *sys.argv[1:]], env=environment, stdout=subprocess.PIPE, check=True
        )
        used, own, elapsed = (now - then for now, then in zip(_used(), before, strict=True))
    cores = os.cpu_count() or 1
    return Timing(json.loads(child.stdout), max(0.0, used - own - busy * elapsed) / (cores * elapsed))


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """Keep so many cores busy, as far as there are as many, within the block."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _used() -> tuple[float, float, float]:
    """Return the processor's seconds that all processes have used, those of our ended ones, and the time."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _idle, _wait, *rest = map(int, file.readline().split()[1:])
    except OSError:
        return float("nan"), 0.0, time.time()
    ended = os.times()
    ticks = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + sum(rest[:2])) / ticks, ended.children_user + ended.children_system, time.time()


def main(options: argparse.Namespace) -> None:
    """Time all sides alone and beside busy processes, and print seconds and ratios."""
    command.check(options, _LEAST)
    if options.child:
        print(json.dumps(steps(options)))
        return
    sides = {"default": {}, "sleep": {"OMP_WAIT_POLICY": "PASSIVE"}}
    sides |= {f"spin {turns}": {"GOMP_SPINCOUNT": str(turns)} for turns in options.spins}
    print(f"{options.threads} threads on {os.cpu_count()} cores; {options.repeats} timings of {options.timed} steps")
    print(f"{'':<16}{'side':<14}{'ms a step':>10}{'ratio':>8}{'others':>8}", flush=True)
    for name, busy in (("alone", 0), (f"beside {options.busy}", options.busy)):
        timings: dict[str, list[Timing]] = {side: [] for side in sides}
        for repeat in range(options.repeats):
            first = repeat % len(sides)
            for side in [*sides][first:] + [*sides][:first]:
                timings[side].append(timed(sides[side], busy))
        for side, each in timings.items():
            pairs = zip(timings["default"], each, strict=True)
            ratio = median(default.seconds / other.seconds for default, other in pairs)
            seconds, others = median(t.seconds for t in each), median(t.others for t in each)
            print(f"{name:<16}{side:<14}{1000 * seconds:>10.1f}{ratio:>8.2f}{others:>8.0%}", flush=True)


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = command.parser(__doc__, _SETTINGS)
    parser.add_argument("--spins", type=int, nargs="*", default=[1000, 10_000], help="also: turns before sleep")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main, arguments())
