"""Kill commands at random moments; look at the processes, records and files that are left, and let them finish.

Each command first runs undisturbed. Then it is started again and again in one folder, and killed at a moment drawn
from the time that it takes: by SIGKILL, SIGTERM or SIGINT, the process alone or all of its group. When it comes to its
end, what it has made must equal, bit for bit, what the undisturbed one has made, and no other file may be left; then
it begins in an empty folder. A book is one of a single short page and notebook. At last four merges at a time write to
one store, and one of them is killed.

    python benchmarks/kills.py                                        # a hundred kills
    python benchmarks/kills.py --kills 10 --commands merge prune

Every difference is printed, and exit code 1 says that there was one. Times are of a machine that does little else.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import command
import psutil
from killed_commands import COMMANDS, Command, records

from essparse_lib.errors import InputError

ROOT = Path(__file__).parents[1]
#: Seconds within which all processes must be gone after the end of the one that started them.
ALLOWED = 2.0
KINDS = [
    (number, whole_group) for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT) for whole_group in (False, True)
]
#: Environment variable by which a process, and all that it starts, is known.
MARK = "ESSPARSE_KILLS"


class World:
    """A folder with a cache, results and all else that a command reads and writes."""

    def __init__(self, folder: Path, what: Command) -> None:
        self.folder, self.what = folder, what
        self.clear()

    def clear(self) -> None:
        """Begin anew. What the cache holds of data stays: it is made once."""
        for path in self.folder.glob("*") if self.folder.exists() else ():
            if path.name == "cache":
                shutil.rmtree(path / "pretraining", ignore_errors=True)
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        for name in ("cache", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.what.prepare(self.folder)

    def start(self) -> subprocess.Popen[bytes]:
        """Start the command in a process group of its own, as a terminal does."""
        here = {name: str(self.folder / path) for name, path in _FOLDERS.items()}
        environment = {**os.environ, **here, MARK: str(self.folder), "PYTHONPATH": str(ROOT)}
        words = [sys.executable, "-m", "essparse_lib", *self.what.arguments]
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                words, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def log(self) -> str:
        """Return what the command has printed."""
        return (self.folder / "log").read_text(errors="replace")

    def names(self) -> set[str]:
        """Return the names of all that lies where the command writes, but for locks, which stay."""
        places = [self.folder / name for name in ("results", "out", "cache")]
        paths = {path for place in places for path in place.rglob("*")}
        return {str(path.relative_to(self.folder)) for path in paths if ".lock" not in str(path)}


def processes(mark: str) -> list[str]:
    """Return the command lines of all processes that bear a mark in their environment and have not ended."""
    lines = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                lines.append(" ".join(process.cmdline())[-100:])
        except psutil.Error:  # it has ended, or is another user's
            pass
    return lines


_FOLDERS = {
    "ESSPARSE_RESULTS": "results",
    "ESSPARSE_CACHE": "cache",
    "TMPDIR": "tmp",
    "JOBLIB_TEMP_FOLDER": "tmp",
}


@dataclass
class Tally:
    """What came of the kills of one kind.

    Attributes:
        kills: how many.
        too_late: how many more came when the command had ended.
        ended: the longest time from the signal to the end of the process, in seconds.
        gone: the longest time from there until no process was left.
        wrong: what should not be.
    """

    kills: int = 0
    too_late: int = 0
    ended: float = 0.0
    gone: float = 0.0
    wrong: list[str] = field(default_factory=list)


def kill(world: World, number: signal.Signals, whole_group: bool, moment: float, tally: Tally) -> bool:
    """Start a world's command, kill it, and note what is left; return whether it had ended before."""
    process = world.start()
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        (os.killpg if whole_group else os.kill)(process.pid, number)
    else:
        tally.too_late += 1
        if process.returncode:
            tally.wrong.append(f"exit code {process.returncode}: {world.log()[-500:]}")
        return True
    tally.kills += 1
    begun = time.monotonic()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        tally.wrong.append("did not end within 60 seconds")
        process.kill()
    ended = time.monotonic()
    tally.ended = max(tally.ended, ended - begun)
    while (left := processes(str(world.folder))) and time.monotonic() < ended + 60:
        time.sleep(0.05)
    tally.gone = max(tally.gone, gone := time.monotonic() - ended)
    if gone > ALLOWED:
        tally.wrong.append(f"processes outlived it by {gone:.1f} s {left}")
    tally.wrong += _complaints(world, number, process.returncode)
    return False


def _complaints(world: World, number: signal.Signals, code: int) -> list[str]:
    """Return what a killed command has said or left that it should not."""
    log, wrong = world.log(), []
    if number != signal.SIGKILL:
        if code not in (128 + number, 0, -number):  # 0: it was at its end; -number: Python had not begun the command
            wrong.append(f"exit code {code}")
        if code > 0 and log.count("essparse: stopped") != 1:
            wrong.append(f"does not say once that it was stopped: {log[-300:]}")
    words = ["Traceback", "Exception ignored"]
    if number != signal.SIGKILL:  # after which joblib's trackers say what they clear away
        words.append("Warning")
    wrong += [f"says {word}: {log[-500:]}" for word in words if word in log]
    try:
        records(world.folder)
    except InputError as error:
        wrong.append(str(error))
    out = world.folder / "out" / "model.safetensors"
    if out.parent.exists() and world.what.arguments[0] == "prune" and not out.exists():
        wrong.append("a part of a model is left")
    return wrong


def series(name: str, kills: int, folder: Path, rng: random.Random) -> dict[str, Tally]:
    """Kill one command so many times, let it finish, and compare what it has made; return a tally by kind of kill."""
    what = COMMANDS[name]
    calm, disturbed = World(folder / f"{name}-calm", what), World(folder / f"{name}-killed", what)
    tallies = {kind_text(*kind): Tally() for kind in KINDS}
    for _ in range(2):  # the second time data is in the cache
        calm.clear()
        begun = time.monotonic()
        if calm.start().wait():
            raise InputError(f"{name} fails undisturbed: {calm.log()[-500:]}")
        seconds = time.monotonic() - begun
    expected, names = what.made(calm.folder), calm.names()
    shutil.copytree(calm.folder / "cache", disturbed.folder / "cache", dirs_exist_ok=True)
    shutil.rmtree(disturbed.folder / "cache" / "dense", ignore_errors=True)
    kinds = rng.sample(KINDS, len(KINDS)) * (kills // len(KINDS) + 1)
    for kind in kinds[:kills]:
        tally = tallies[kind_text(*kind)]
        print(f"{name}: {kind_text(*kind)}", file=sys.stderr)
        while kill(disturbed, *kind, rng.uniform(0, seconds), tally):
            tally.wrong += differences(disturbed, expected, names)
            disturbed.clear()
        if what.once and what.made(disturbed.folder) == expected:  # killed after its work
            disturbed.clear()
    last = Tally()
    kill(disturbed, signal.SIGKILL, True, 3600, last)
    last.wrong += differences(disturbed, expected, names)
    return tallies | {"finished at last": last}


def kind_text(number: signal.Signals, whole_group: bool) -> str:
    """Return the name of a kind of kill."""
    return f"{number.name}, {'its group' if whole_group else 'it alone'}"


def differences(world: World, expected: Mapping[str, object], names: set[str]) -> list[str]:
    """Return in what a finished command's results and files differ from those of the undisturbed one."""
    made, wrong = world.what.made(world.folder), []
    if made != expected:
        differing = sorted(key for key in made.keys() | expected.keys() if made.get(key) != expected.get(key))
        wrong.append(f"results differ: {differing[:5]}")
    wrong += [f"left over: {sorted(more)[:5]}" for more in [world.names() - names] if more]
    return wrong


def four_writers(folder: Path, rng: random.Random) -> Tally:
    """Let four merges write to one store at once, kill one of them, and compare the store with one merge's."""
    what, tally = COMMANDS["merge"], Tally(kills=1)
    calm, shared = World(folder / "merge-calm", what), World(folder / "merge-shared", what)
    begun = time.monotonic()
    calm.start().wait()
    seconds = time.monotonic() - begun
    writers = [shared.start() for _ in range(4)]
    time.sleep(rng.uniform(0.3, 1) * seconds)
    writers[0].kill()
    codes = [writer.wait() for writer in writers]
    tally.wrong += [f"exit codes {codes}"] if any(codes[1:]) else []
    tally.wrong += differences(shared, what.made(calm.folder), calm.names())
    return tally


def show(name: str, tallies: Mapping[str, Tally]) -> int:
    """Print the tallies of a command; return how many things were wrong."""
    for kind, tally in tallies.items():
        counts = f"{tally.kills:>5} {tally.too_late:>8} {tally.ended:>7.1f} {tally.gone:>7.1f}"
        print(f"{name:<10} {kind:<20} {counts}  {'; '.join(tally.wrong) or 'as it should be'}", flush=True)
    return sum(len(tally.wrong) for tally in tallies.values())


def main(options: argparse.Namespace) -> None:
    """Kill all commands and print what came of it."""
    command.check(options, {"kills": 1})
    rng, wrong = random.Random(options.seed), 0
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    print(f"{'command':<10} {'kind of kill':<20} {'kills':>5} {'too late':>8} {'ended/s':>7} {'gone/s':>7}  outcome")
    with tempfile.TemporaryDirectory(prefix="essparse-kills-") as name:
        folder = Path(name)
        for each in options.commands:
            wrong += show(each, series(each, max(1, round(COMMANDS[each].share * options.kills)), folder, rng))
        if "merge" in options.commands:
            wrong += show("merge", {f"1 of 4 writers, {number}": four_writers(folder, rng) for number in range(1, 5)})
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    parser = command.parser(__doc__, [("--kills", 100, "kills of all commands"), ("--seed", 0, "of the moments")])
    parser.add_argument("--commands", nargs="+", choices=list(COMMANDS), default=list(COMMANDS), metavar="NAME")
    command.run(main, parser.parse_args())
