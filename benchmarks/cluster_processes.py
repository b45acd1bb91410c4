"""Real schedulers, workers and runs of a cluster, each in a folder of its own, for tests and benchmarks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
#: What a worker loads before it starts: each trial takes so many seconds longer, and says when it begins.
SLOW = """
import os, time
from essparse_lib.runner import trial
def slowly(run):
    def slow(*arguments):
        with open("begun", "a") as file:
            file.write(f"{arguments[0].id}\\n")
        time.sleep(float(os.environ["SECONDS_MORE"]))
        return run(*arguments)
    return slow
if trial.run.__name__ == "run":  # dask loads this twice
    trial.run = slowly(trial.run)
"""


def wait_until(holds, what, seconds=120):
    until = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < until, f"no {what} within {seconds} seconds"
        time.sleep(0.05)
    return found


class Processes:
    """What is started in a folder; all of it ends with ``end``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"

    def start(self, name: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start ``essparse`` in a folder of its own, with its own cache, and records unless these are told."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        own = {
            "ESSPARSE_CACHE": str(folder / "cache"),
            "ESSPARSE_RESULTS": str(folder / "results"),
            "PYTHONPATH": str(ROOT),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
        }
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "essparse_lib", *arguments],
                cwd=folder,
                env={**os.environ, **own, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def scheduler(self) -> subprocess.Popen[bytes]:
        """Start the scheduler, and wait until it listens."""
        process = self.start("scheduler", "cluster", "scheduler", "--port", str(self.port))
        wait_until(lambda: "Scheduler at" in self.log("scheduler"), "scheduler")
        return process

    def worker(self, name: str, seconds_more: float = 0.0, **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker whose trials take longer by so many seconds, and wait until it has joined."""
        slow = self.folder / "slow.py"
        slow.write_text(SLOW)
        more = {"DASK_DISTRIBUTED__WORKER__PRELOAD": f"['{slow}']", "SECONDS_MORE": str(seconds_more)}
        process = self.start(name, "cluster", "worker", self.address, **{**more, **environment})
        wait_until(lambda: "Registered to" in self.log(name), f"worker {name}")
        return process

    def run(self, name: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a run of a study on the cluster."""
        return self.start(name, "run", *arguments, "--scale", "tiny", "--cluster", self.address, **environment)

    def log(self, name: str) -> str:
        """Return what a process has printed."""
        return (self.folder / name / "log").read_text(errors="replace")

    def begun(self, name: str) -> list[str]:
        """Return the ids of the trials that a worker has begun."""
        path = self.folder / name / "begun"
        return path.read_text().split() if path.exists() else []

    def lines(self, name: str) -> list[bytes]:
        """Return the lines of the records of a run."""
        paths = (self.folder / name / "results").rglob("*.jsonl")
        return [line for path in paths for line in path.read_bytes().splitlines()]

    def end(self) -> None:
        """Kill all that was started, with all that it has started."""
        for process in self.started:
            if process.poll() is None:
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
                process.kill()
            process.wait(30)


def kill_worker(process: subprocess.Popen[bytes]) -> None:
    """Kill with SIGKILL the process that runs a worker's trials, and the one that would start it again."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    for child in children:
        child.kill()
