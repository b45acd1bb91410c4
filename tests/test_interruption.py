"""``kill -9`` at random moments, and two runners at once: every trial exactly once, every line valid."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from essparse_lib.records.store import Record, Store

pytestmark = pytest.mark.slow

#: The real command line on a study cut down to what ends in seconds; loky's workers import it, hence the guard.
DRIVER = """
from dataclasses import replace
from essparse_lib import cli, figures
from essparse_lib.specs.study import at_sparsities
from essparse_lib.specs.trial import Training

def reduce():
    figures.STUDIES["fig2"]["tiny"] = replace(
        figures.study("fig2", "tiny"), models=("tiny-bert",), tasks=("tiny-sentiment", "tiny-pairs"),
        training={"*": Training(epochs=1, batch_size=16, learning_rate=1e-3, max_length=32, max_train=96)},
        variants={"one-shot": at_sparsities((0.3, 0.6, 0.9))}, seeds=(0, 1, 2))

if __name__ == "__main__":
    reduce()
    cli.main()
"""
TRIALS = 2 * 4 * 3


class Runner:
    """``essparse run`` in a process group of its own, as a terminal starts it."""

    def __init__(self, folder, jobs):
        script = folder / "driver.py"
        script.write_text(DRIVER)
        self.results = folder / "results"
        self.log = folder / "log"
        # joblib leaves its (empty) folders in /dev/shm when it is killed: here they go with the test's
        environment = {**os.environ, "ESSPARSE_RESULTS": str(self.results), "JOBLIB_TEMP_FOLDER": str(folder)}
        command = [sys.executable, str(script), *f"run fig2 --scale tiny --jobs {jobs}".split()]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, env=environment, start_new_session=True, stdout=log, stderr=log)

    def kill(self):
        """The whole group, workers too."""
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)

    def lines(self):
        return [line for file in self.results.glob("tiny/*/*.jsonl") for line in file.read_bytes().splitlines()]

    def finish(self):
        assert self.process.wait(180) == 0, self.log.read_text()


@pytest.fixture
def start(tmp_path):
    """Start a runner; none outlives the test."""
    started = []

    def make(jobs=2):
        started.append(Runner(tmp_path, jobs))
        return started[-1]

    yield make
    for runner in started:
        runner.kill()


def check_complete(results):
    files = list(results.glob("tiny/*/*.jsonl"))
    lines = [line for file in files for line in file.read_bytes().splitlines(keepends=True)]
    assert all(line.endswith(b"\n") for line in lines)
    records = [Record.from_line(line) for line in lines]
    assert len(records) == TRIALS
    assert len({record.spec.id for record in records}) == TRIALS
    assert {record.status for record in records} == {"ok"}
    assert len(Store(results / "tiny").records()) == TRIALS
    assert sorted(file.name for file in files) == ["tiny-pairs.jsonl", "tiny-sentiment.jsonl"]


def test_killed_ten_times_at_random_and_finished(start):
    rng = random.Random(7)
    kept = set()
    for writing in rng.sample([True] * 3 + [False] * 7, 10):
        runner = start()
        begun = time.monotonic()
        if writing:  # it starts for seconds, but writes for one: let some of the moments fall there
            while len(runner.lines()) == len(kept) and runner.process.poll() is None and time.monotonic() < begun + 60:
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.15))
        else:
            time.sleep(rng.uniform(0, 3))
        runner.kill()
        lines = runner.lines()
        assert kept <= {Record.from_line(line).spec.id for line in lines}  # what was written stays
        kept = {Record.from_line(line).spec.id for line in lines}
        assert len(kept) == len(lines)
    assert kept  # some of the kills fell among the writing
    last = start()
    last.finish()
    check_complete(last.results)
    before = last.lines()
    again = start()
    again.finish()
    assert again.lines() == before


def test_two_runners_share_one_store(start):
    runners = [start(jobs=1), start(jobs=1)]
    for runner in runners:
        runner.finish()
    check_complete(runners[0].results)
