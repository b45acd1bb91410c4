"""How commands are stopped, and how the processes that they start end with them.

A stop is Ctrl-C, SIGTERM (``kill``, ``timeout``, batch systems) or SIGHUP (a closed terminal). A process that is killed
with SIGKILL can say nothing any more, so those that it has started look after themselves: ``end_with``.

This file is also a script, which the processes that run one piece of Python begin with: ``bound``. So it imports the
standard library alone.
"""

from __future__ import annotations

import atexit
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

#: What stops a command. Windows has no SIGHUP.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
#: Seconds after which a stopped command is ended as it is, if it has not begun to clear up: it is deep in C code.
RESPONSE = 1.5
#: Seconds more that it has for clearing up.
GRACE = 5.0
#: Seconds between two looks at whether the parent process is still there.
INTERVAL = 0.2

_PR_SET_PDEATHSIG = 1  # of Linux's prctl
_SHOW_CURSOR = "\x1b[?25h"


class Stopped(SystemExit):
    """Unwinds a command that is stopped. Event loops and libraries let it pass, as any other exit."""


class _Stop:
    """What becomes of the stops that come while a command runs.

    Attributes:
        line: what is said when the command has been stopped.
        signal: the first one that came; None before.
    """

    def __init__(self, line: str) -> None:
        self.line = line
        self.signal: int | None = None
        self._is_said = threading.Lock()

    def unwind(self, number: int, _: FrameType | None) -> None:
        """Raise ``Stopped`` on the first signal; further ones must not break the clearing up."""
        if self.signal is None:
            self.signal = number
            raise Stopped(128 + number)

    def unwind_again(self, _: object) -> None:
        """Unwind once more: Python drops what a destructor or a callback raises."""
        number, self.signal = self.signal, None
        threading.Timer(INTERVAL, os.kill, (os.getpid(), number)).start()

    def end_at_once(self, number: int, _: FrameType | None) -> None:
        """End the process on a signal that comes after the command, while Python itself is clearing up."""
        self.signal = self.signal or number
        self.end(self.signal)

    def end_late(self, pipe: int) -> None:
        """End the process some time after a signal, whatever it is at: deep in C code, or stuck in clearing up.

        Args:
            pipe: from which the number of each signal is read, as it comes; its end says that the command has ended.
        """
        with os.fdopen(pipe, "rb", buffering=0) as numbers:  # open to the end: further signals are written to it, too
            number = next((n[0] for n in iter(lambda: numbers.read(1), b"") if n[0] in SIGNALS), None)
            if number is None:
                return
            time.sleep(RESPONSE)
            if self.signal is not None:
                time.sleep(GRACE)
            self.end(self.signal or number)

    def end(self, number: int) -> NoReturn:
        """Say the line, unless this has been done, and end the process with 128 + the signal's number, as shells do."""
        if self._is_said.acquire(blocking=False):
            with suppress(OSError, ValueError):  # nobody may be listening any more
                cursor = _SHOW_CURSOR if sys.stderr.isatty() else ""
                sys.stderr.write(f"{cursor}{self.line}\n")
                sys.stderr.flush()
                sys.stdout.flush()
        os._exit(128 + number)


@contextmanager
def stoppable(line: str) -> Iterator[None]:
    """Let a stop end what is done within, and the process: one line on stderr and exit code 130 (Ctrl-C), 143 or 129.

    Files and folders that are being written are cleared away, and workers ended, for which there are ``GRACE`` seconds.
    Where C code does not return within ``RESPONSE`` seconds, the process ends without.
    A stop that comes after it, while the process ends, is said in the same way. What a parent has set to be ignored, as
    nohup does, is ignored. Outside of the main thread nothing is done, since signals do not come there.

    Args:
        line: what is said.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stop = _Stop(line)
    signals = [each for each in SIGNALS if signal.getsignal(each) != signal.SIG_IGN]
    before = {each: signal.signal(each, stop.unwind) for each in signals}
    try:
        with _ended_late(stop), _raised_again(stop):
            try:
                yield
            finally:
                if stop.signal is not None:  # whatever error a stop has become on its way
                    _end_workers()
                    atexit._run_exitfuncs()  # semaphores and the like go; unloading libraries is left out
                    stop.end(stop.signal)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        # as soon as Python begins to end, before it waits for threads such as joblib's; atexit comes after these
        register = getattr(threading, "_register_atexit", atexit.register)
        register(_on_signals, signals, stop.end_at_once)


def _on_signals(signals: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], None]) -> None:
    for each in signals:
        signal.signal(each, handler)


@contextmanager
def _raised_again(stop: _Stop) -> Iterator[None]:
    """Have a stop that nobody could catch raised again, instead of printed as a traceback that is ignored."""
    before = sys.unraisablehook
    sys.unraisablehook = lambda lost: (stop.unwind_again if lost.exc_type is Stopped else before)(lost)
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextmanager
def _ended_late(stop: _Stop) -> Iterator[None]:
    """Have a thread that ends a stopped process if it does not end by itself: Python's own handler may have to wait."""
    if os.name != "posix":
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=stop.end_late, args=(reader,), daemon=True, name="stop").start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)


def in_workers(calls: Iterable[Any], workers: int) -> Iterator[Any]:
    """Yield what calls return, as it comes; the processes that run them end with this one, however it ends.

    Args:
        calls: of ``joblib.delayed``; each is taken when a worker is free.
        workers: processes; with 1 the calls run in this one.
    """
    import joblib

    options: dict[str, Any] = {"return_as": "generator_unordered", "pre_dispatch": workers, "batch_size": 1}
    if workers == 1:
        yield from joblib.Parallel(n_jobs=1, **options)(calls)
        return
    is_main = threading.current_thread() is threading.main_thread()
    parallel = joblib.Parallel(n_jobs=workers, initializer=_begin_worker, initargs=(os.getpid(), is_main), **options)
    with _signals_later():
        results = parallel(calls)
    yield from results


@contextmanager
def _signals_later() -> Iterator[None]:
    """Let stops wait, in this process and in those that are started within: they begin with the same mask.

    So a Ctrl-C, which reaches the workers too, never finds them before they know what to do with it.
    """
    if os.name != "posix":
        yield
        return
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as loky_tracker

    sys.warnoptions.append("ignore:resource_tracker")  # what a stopped process leaves half done is nothing to warn of
    resource_tracker.ensure_running()  # now, since their start sets the mask back
    loky_tracker.ensure_running()
    sys.warnoptions.pop()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_workers() -> None:
    """End all workers of ``in_workers`` at once, also those that are idle or not quite there."""
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    if loky is not None and loky._executor is not None:
        loky._executor.shutdown(kill_workers=True)


def _begin_worker(parent: int, thread_stays: bool) -> None:
    """Let a worker live until the parent ends it: not stopped by signals, and not replaced since it has grown.

    Where psutil is installed, loky takes a worker that has grown by 300 MB for a leak, and replaces it. Here a worker
    keeps a pruned model, which may be larger, for the next task.

    Args:
        parent: its process id.
        thread_stays: as in ``end_with``.
    """
    from joblib.externals.loky import process_executor

    process_executor._MAX_MEMORY_LEAK_SIZE = sys.maxsize
    end_with(parent, thread_stays)
    _on_signals(SIGNALS, _leave)
    if os.name == "posix":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _leave(*_: object) -> None:
    """Do nothing on a signal. Unlike SIG_IGN, this is not inherited by processes that are started."""


def end_with(parent: int, thread_stays: bool = True) -> None:
    """End this process as soon as its parent has ended, by whatever: at once on Linux, within ``INTERVAL`` elsewhere.

    On Windows nothing is done.

    Args:
        parent: the process id of the parent; if it has ended already, this process ends here.
        thread_stays: whether the thread that started this process lives as long as the parent uses it. Linux ends a
            process with the *thread* that started it; where this may end early, a look now and then must do.
    """
    if os.name != "posix":
        return
    if sys.platform == "linux" and thread_stays:
        import ctypes

        with suppress(OSError, AttributeError):  # a libc that is not found by this name: the thread below does it
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=_watch, args=(parent,), daemon=True, name="parent").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(INTERVAL)
    os._exit(1)


def bound(command: Sequence[str]) -> list[str]:
    """Return the command of a Python program that ends with this process, however it ends; others as they are.

    Args:
        command: ``[python, options…, "-m", module, arguments…]``, or with ``-c`` and code.
    """
    start = next((number for number, part in enumerate(command) if part in ("-m", "-c")), None)
    if start is None or os.name != "posix":
        return list(command)
    return [*command[:start], "-P", os.path.abspath(__file__), str(os.getpid()), *command[start:]]


def _run_bound(parent: str, kind: str, program: str, *arguments: str) -> None:
    """Run a module, or code, as Python itself would, after binding this process to its parent, which takes Ctrl-C."""
    signal.signal(signal.SIGINT, _leave)
    end_with(int(parent))
    sys.path.insert(0, "")
    sys.argv = [program if kind == "-m" else "-c", *arguments]
    if kind == "-m":
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    _run_bound(*sys.argv[1:])
