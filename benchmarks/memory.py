"""The time saved by keeping memory between the steps of a training on a CPU: with and without, in one process.

    python benchmarks/memory.py                        # the lab scale's OPT, which scores every token
    python benchmarks/memory.py --architecture bert    # its BERT, which scores the masked ones alone

Both sides take the same steps of pre-training, from the same random weights on the same random tokens. ``given back``
lets glibc return large blocks to the system as soon as they are free, as it does by itself; ``kept`` has it keep them
(``device.keep_memory``). A round of each, not counted, goes first; then they take turns. Seconds and ratios are medians
over repeats; a ratio above 1 means that keeping is faster. The system's share is that of the processor's time.
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import clock
import command
import pretrain
from clock import Clock

from essparse_lib.errors import unknown
from essparse_lib.records.pretrained import language_models
from essparse_lib.training import device

_MODELS = {spec.architecture: spec for spec in language_models("lab").values()}


def side(case: pretrain.Case, kept: bool, shares: list[float]) -> Callable[[Clock], None]:
    """Return a training with memory kept or not, which notes the system's share of the processor's time."""

    def train(timer: Clock) -> None:
        device.keep_memory(kept)
        before = resource.getrusage(resource.RUSAGE_SELF)
        pretrain.ours(case, timer)
        after = resource.getrusage(resource.RUSAGE_SELF)
        user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
        shares.append(system / (user + system))

    return train


def main(options: argparse.Namespace) -> None:
    """Time both sides and print the results."""
    if options.architecture not in _MODELS:
        raise unknown("architecture", options.architecture, _MODELS)
    command.check(options, clock.LEAST)
    device.use_threads(options.threads)
    spec = _MODELS[options.architecture]
    shape = {name: getattr(spec, name) for name in ("layers", "hidden", "heads", "vocabulary", "length", "steps")}
    settings = argparse.Namespace(**vars(options), **shape, batch=spec.batch_size, dropout=spec.dropout)
    case = replace(pretrain.case(settings), spec=spec)
    clock.print_setting(options)
    shares: dict[str, list[float]] = {"given back": [], "kept": []}
    sides = {name: side(case, name == "kept", values) for name, values in shares.items()}
    clock.in_turns(sides, 1, 0, 1)
    timings = clock.in_turns(sides, options.repeats, options.warm, options.timed)
    for name, seconds in timings.items():
        system = median(shares[name][-options.repeats :])
        print(f"{name:>10}: {median(seconds):.4f} s a step, {system:.0%} of the processor's time in the system")
    ratios = sorted(a / b for a, b in zip(timings["given back"], timings["kept"], strict=True))
    print(f"{spec.model}: kept is {median(ratios):.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    settings = (("--architecture", "opt", f"one of {', '.join(_MODELS)}"), *clock.SETTINGS)
    command.run(main, command.parser(__doc__, settings).parse_args())
