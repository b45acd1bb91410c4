"""A command that is stopped says so in one line, and what it has started ends with it."""

import os
import random
import signal
import subprocess
import sys
import time

import kills
import psutil
import pytest

from essparse_lib import stopping

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

#: Says what it does on stdout, and does what a test says of it.
PROGRAM = """
import ctypes, os, subprocess, sys, time
import joblib
from essparse_lib.stopping import bound, in_workers, stoppable

def sleep(seconds):
    os.write(1, b"busy\\n")  # at once: two workers write to one pipe
    time.sleep(seconds)

def swallow():
    try:
        time.sleep(60)
    except BaseException:
        time.sleep(60)

def work(kind):
    if kind == "alone":
        sleep(60)
    elif kind == "workers":
        list(in_workers([joblib.delayed(sleep)(60) for _ in range(2)], 2))
    elif kind == "child":
        code = "import sys, time; print(*sys.argv, flush=True); time.sleep(60)"
        subprocess.run(bound([sys.executable, "-c", code, "busy"]))
    elif kind == "C code":
        print("busy", flush=True)
        ctypes.CDLL(None).sleep(60)
    elif kind == "destructor":
        class Held:
            def __del__(self):
                sleep(60)
        Held()
        sleep(60)
    elif kind == "callback":
        import weakref
        class Held: pass
        held = Held()
        weakref.finalize(held, print, "gone", flush=True)
        reference = weakref.ref(held, lambda _: sleep(60))
        del held
        sleep(60)
    elif kind == "after":
        import atexit
        atexit.register(sleep, 60)
    elif kind == "clearing up":
        try:
            sleep(60)
        finally:
            time.sleep(0.5)
            print("cleared up", flush=True)

if __name__ == "__main__":
    with stoppable("program: stopped"):
        work(sys.argv[1])
"""


@pytest.fixture
def start(tmp_path):
    """``start(kind)``: a program that is busy by now; nothing of it outlives the test."""
    (tmp_path / "program.py").write_text(PROGRAM)
    started = []

    def make(kind, busy=1, **options):
        environment = {**os.environ, kills.MARK: str(tmp_path), "JOBLIB_TEMP_FOLDER": str(tmp_path)}
        command = [sys.executable, str(tmp_path / "program.py"), kind]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, env=environment, start_new_session=True, **pipes, **options))
        for _ in range(busy):
            assert "busy" in started[-1].stdout.readline()
        return started[-1]

    yield make
    for process in started:
        process.kill()
        process.communicate()
    assert not processes(tmp_path)


def processes(folder):
    """The processes that were started for a folder, once there has been time to end."""
    until = time.monotonic() + 10
    while (left := kills.processes(str(folder))) and time.monotonic() < until:
        time.sleep(0.05)
    return left


@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_each_signal_ends_a_command_with_one_line_and_its_code(start, number):
    program = start("alone")
    program.send_signal(number)
    assert program.communicate(timeout=60)[1] == "program: stopped\n"
    assert program.returncode == 128 + number


@pytest.mark.parametrize("kind", ["workers", "child"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_nothing_that_it_has_started_outlives_a_command(start, tmp_path, kind, number, send):
    program = start(kind, busy=2 if kind == "workers" else 1)
    send(program.pid, number)
    said = program.communicate(timeout=60)[1]  # ends when nobody holds the output open
    assert not processes(tmp_path)
    if number != signal.SIGKILL:
        assert (said, program.returncode) == ("program: stopped\n", 128 + number)


def test_clearing_up_is_not_disturbed_by_more_signals(start):
    program = start("clearing up")
    for _ in range(5):
        program.send_signal(signal.SIGINT)
        time.sleep(0.02)
    assert program.communicate(timeout=60) == ("cleared up\n", "program: stopped\n")
    assert program.returncode == 130


def test_a_command_that_does_not_react_is_ended(start):
    program = start("C code")
    begun = time.monotonic()
    program.send_signal(signal.SIGTERM)  # of C's sleep it ends nothing: Python has it called again by no one
    assert program.communicate(timeout=60)[1] == "program: stopped\n"
    assert program.returncode == 143
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("kind", ["destructor", "callback"])
def test_a_stop_while_python_drops_what_is_raised_is_not_lost(start, kind):
    process = start(kind)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=stopping.RESPONSE)
    assert (process.returncode, error) == (130, "program: stopped\n")


def test_a_stop_at_the_end_of_the_process_is_told_like_any_other(start):
    program = start("after")
    program.send_signal(signal.SIGINT)
    assert program.communicate(timeout=60)[1] == "program: stopped\n"
    assert program.returncode == 130


def test_what_is_ignored_at_the_start_stays_ignored(start, tmp_path):
    program = start("alone", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    program.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert program.poll() is None


def test_a_worker_does_not_end_while_its_parent_lives(tmp_path):
    """Started from a thread that ends, it goes on: a death signal of Linux would come with the thread's end."""
    code = (
        "import joblib, threading, time, os\n"
        "from essparse_lib.stopping import in_workers\n"
        "pids = []\n"
        "def work(): pids.append(sorted(set(in_workers((joblib.delayed(os.getpid)() for _ in range(8)), 2))))\n"
        "for _ in range(2):\n"
        "    thread = threading.Thread(target=work); thread.start(); thread.join(); time.sleep(1)\n"
        "    for pid in pids[0]: os.kill(pid, 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_handlers_are_as_before_after_a_command():
    before = [signal.getsignal(number) for number in stopping.SIGNALS]
    with stopping.stoppable("stopped"):
        assert signal.getsignal(signal.SIGINT) not in before
    assert [signal.getsignal(number) for number in stopping.SIGNALS] == before


def test_other_commands_are_not_changed():
    assert stopping.bound(["git", "status"]) == ["git", "status"]


def test_a_bound_module_runs_as_it_does_by_itself(tmp_path):
    (tmp_path / "shown.py").write_text("import sys; print(__name__, sys.argv[1:], sys.path[0] in ('', sys.argv[-1]))")
    command = [sys.executable, "-m", "shown", "-c", str(tmp_path)]
    outputs = {
        subprocess.run(each, cwd=tmp_path, capture_output=True, text=True, timeout=60).stdout
        for each in (command, stopping.bound(command))
    }
    assert outputs == {f"__main__ {['-c', str(tmp_path)]} True\n"}


@pytest.mark.parametrize("moment", [0.1, 0.3, 0.6])
def test_the_program_is_stopped_in_one_line_while_it_loads(tmp_path, moment):
    command = [sys.executable, "-X", "importtime", "-m", "essparse_lib", "status"]
    log = tmp_path / "log"
    with log.open("w") as file:
        program = subprocess.Popen(command, stderr=file, stdout=file, start_new_session=True)
    until = time.monotonic() + 60
    while "essparse_lib.stopping" not in log.read_text() and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(moment)
    program.send_signal(signal.SIGINT)
    code = program.wait(60)
    said = [line for line in log.read_text().splitlines() if not line.startswith("import time:")]
    if code:  # else it had ended
        assert code == 130
        assert said[-1].startswith("essparse: stopped") and "Traceback" not in log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", kills.COMMANDS)
def test_killed_at_random_moments_a_command_loses_and_leaves_nothing(name, tmp_path):
    tallies = kills.series(name, 3, tmp_path, random.Random(name))
    assert not [message for tally in tallies.values() for message in tally.wrong]


@pytest.mark.slow
def test_four_write_at_once_and_one_is_killed(tmp_path):
    assert not kills.four_writers(tmp_path, random.Random(0)).wrong


def test_processes_are_found_by_their_mark(tmp_path):
    environment = {**os.environ, kills.MARK: str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", "input()"], env=environment, stdin=subprocess.PIPE)
    try:
        psutil.Process(process.pid)
        assert len(kills.processes(str(tmp_path))) == 1
    finally:
        process.communicate(b"\n")
    assert kills.processes(str(tmp_path)) == []


def test_a_worker_that_keeps_much_for_the_next_task_is_not_replaced():
    code = (
        "import os, sys, time, joblib\n"
        "from essparse_lib.stopping import in_workers\n"
        "def grow(step):\n"
        "    sys.modules['joblib'].kept = bytes(1) * (int(4e8) * step)\n"
        "    time.sleep(1.2)\n"  # loky looks once a second at most
        "    return os.getpid()\n"
        "print(len(set(in_workers([joblib.delayed(grow)(step) for step in (0, 0, 1, 1, 1, 1)], 2))))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "2", done.stderr
