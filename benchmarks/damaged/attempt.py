"""Give one damaged input to its reader, in a process of its own, and see how that ends."""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from essparse_lib.errors import InputError

#: What an attempt may take: seconds, and bytes of memory beyond those of the process that reads nothing.
SECONDS, MEMORY = 10.0, 500 * 2**20

#: What a reader or a preparation is given: the folder that it works in, which is its current one, too.
Work = Callable[[Path], object]

_CRASHED = 70


class End(StrEnum):
    """How an attempt ended."""

    READ = "read"
    REFUSED = "refused"
    SEVERAL_LINES = "several lines"
    TRACEBACK = "traceback"
    HUNG = "hung"
    MEMORY = "memory"
    WROTE = "wrote"
    OTHER = "other exit code"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A damaged input and its reader.

    Attributes:
        kind: what kind of input it is, such as ``records``.
        reader: what reads it, such as ``essparse status``.
        damage: what is wrong with it.
        prepare: writes the input.
        read: reads it.
        expected: how this must end.
    """

    kind: str
    reader: str
    damage: str
    prepare: Work
    read: Work
    expected: End = End.REFUSED


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended, how long it took, what memory it needed, and what it printed last."""

    end: End
    seconds: float
    memory: int
    line: str


def command(*arguments: str) -> Work:
    """Return the reader that runs the command line ``essparse`` in the folder."""

    def run(folder: Path) -> None:
        from essparse_lib import cli

        sys.argv = ["essparse", *arguments]
        cli.main()

    return run


@cache
def written_once(write: Work) -> Path:
    """Return a folder that a function has filled in a process of its own, and that is there until this process ends."""
    _kept.append(tempfile.TemporaryDirectory())
    folder = Path(_kept[-1].name)
    code, _, _, printed = _in_process(write, folder, 120)
    if code:
        raise RuntimeError(printed)
    return folder


_kept: list[tempfile.TemporaryDirectory[str]] = []


def tried(attempt: Attempt, idle: int) -> Outcome:
    """Try it, and return how it ended.

    Args:
        attempt: what to try.
        idle: the memory of a process that reads nothing, as ``idle_memory`` gives it.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "work")
        folder.mkdir()
        code, _, _, printed = _in_process(attempt.prepare, folder, 120)
        if code:
            raise RuntimeError(f"{attempt.kind}, {attempt.damage}: cannot be prepared: {printed[-2000:]}")
        before = _contents(folder)
        code, seconds, memory, printed = _in_process(attempt.read, folder, SECONDS)
        end = _end(code, printed, memory - idle)
        if end == End.REFUSED and _contents(folder) != before:
            end = End.WROTE
    lines = printed.strip().splitlines() or [""]
    return Outcome(end, seconds, max(0, memory - idle), lines[-1])


def idle_memory() -> int:
    """Return the most memory that a process takes which reads nothing, in bytes."""
    with tempfile.TemporaryDirectory() as name:
        return _in_process(lambda _: None, Path(name), SECONDS)[2]


def _end(code: int | None, printed: str, memory: int) -> End:
    complaints = [line for line in printed.splitlines() if line.strip()]
    if code is None:
        return End.HUNG
    if "Traceback" in printed or code in (_CRASHED, 1) or code < 0:
        return End.TRACEBACK
    if memory > MEMORY:
        return End.MEMORY
    if code == 0:
        return End.READ
    if code != 2:
        return End.OTHER
    return End.REFUSED if len(complaints) == 1 and complaints[0].startswith("essparse: ") else End.SEVERAL_LINES


def _in_process(work: Work, folder: Path, limit: float) -> tuple[int | None, float, int, str]:
    """Do something in a process of its own.

    Returns:
        Its exit code (None if it took longer than the limit, and was ended), its seconds, the most memory that it
        took in bytes, and what it printed to standard error.
    """
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = os.fork()
        if not process:
            _become(work, folder, output.fileno())
        code, memory = _awaited(process, started + limit)
        seconds = time.perf_counter() - started
        output.seek(0)
        return code, seconds, memory, output.read().decode(errors="backslashreplace")


def _become(work: Work, folder: Path, output: int) -> None:
    """Do the work in this process and end it: with 2 for an InputError, as the command line does."""
    code = _CRASHED
    try:
        os.setsid()
        os.chdir(folder)
        os.environ.update(
            ESSPARSE_CACHE=str(folder.parent / "cache"), ESSPARSE_RESULTS=str(folder / "results"), HF_HUB_OFFLINE="1"
        )
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(output, 2)
        work(folder)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except InputError as error:
        code = 2
        print(f"essparse: {error}", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stderr.flush()
        finally:
            os._exit(code)


def _awaited(process: int, deadline: float) -> tuple[int | None, int]:
    """Return a child's exit code and its memory, after ending it at the deadline."""
    for pause in _pauses():
        ended, status, usage = os.wait4(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), _peak(usage)
        if time.perf_counter() > deadline:
            os.killpg(process, signal.SIGKILL)
            return None, _peak(os.wait4(process, 0)[2])
        time.sleep(pause)
    raise AssertionError


def _pauses() -> Iterator[float]:
    pause = 0.001
    while True:
        yield pause
        pause = min(0.05, pause * 1.5)


def _peak(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _contents(folder: Path) -> set[tuple[str, int, int]]:
    """Return what lies under a folder, with sizes and times of writing; locks may come."""
    found = set()
    for path in folder.rglob("*"):
        if ".locks" not in path.parts and not path.name.endswith(".lock"):
            status = path.lstat()
            is_file = path.is_file() and not path.is_symlink()
            found.add((str(path), status.st_size if is_file else 0, status.st_mtime_ns if is_file else 0))
    return found
