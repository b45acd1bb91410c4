"""Runs on the workers of a cluster: real schedulers, workers and runs, in folders and caches of their own."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import psutil
import pytest
from cluster_processes import ROOT, Processes, kill_worker, wait_until
from typer.testing import CliRunner

from essparse_lib import cli, figures
from essparse_lib.errors import InputError
from essparse_lib.records.record import Record, spec_of_text, spec_text
from essparse_lib.records.store import Store
from essparse_lib.runner import cluster, cluster_worker, connection, scheduler
from essparse_lib.runner.cluster_dispatch import Dispatch
from essparse_lib.runner.cluster_worker import Reply
from essparse_lib.runner.runners import Refusal
from essparse_lib.specs.methods import METHODS
from essparse_lib.specs.trial import Trial
from essparse_lib.tasks import own_store

FIGURE = "fig1"
SPECS = figures.study(FIGURE, "tiny").specs()
TRIALS = [spec for spec in SPECS if isinstance(spec, Trial)]


@pytest.fixture
def processes(tmp_path):
    started = Processes(tmp_path)
    yield started
    started.end()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What the trials of the figure come to on one machine, by id."""
    started = Processes(tmp_path_factory.mktemp("alone"))
    assert started.start("here", "run", FIGURE, "--scale", "tiny").wait(300) == 0, started.log("here")
    return outcomes(started, "here")


def outcomes(processes, name):
    """Return the outcomes of the records of a run by id; no spec has two."""
    records = [Record.from_line(line) for line in processes.lines(name)]
    assert max(Counter(record.spec.id for record in records).values(), default=1) == 1
    return {record.spec.id: record.outcome() for record in records}


def other_code(folder):
    """Return a folder with a copy of the package, changed."""
    shutil.copytree(ROOT / "essparse_lib", folder / "essparse_lib", ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "essparse_lib" / "wording.py").open("a") as file:
        file.write("# another version\n")
    return folder


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_of_a_trial_costs_no_record_and_doubles_none(processes, alone):
    processes.scheduler()
    first, _ = (processes.worker(name, seconds_more=2.0) for name in ("first", "second"))
    run = processes.run("driver", FIGURE)
    wait_until(lambda: processes.begun("first") and processes.begun("second"), "trials on both workers")
    lost = processes.begun("first")[-1]
    kill_worker(first)
    assert run.wait(300) == 0, processes.log("driver")
    assert outcomes(processes, "driver") == alone
    assert lost in processes.begun("second")
    done = processes.begun("second")
    assert len(done) == len(set(done)) and {*processes.begun("first"), *done} == {trial.id for trial in TRIALS}
    for name in ("first", "second"):
        assert not (processes.folder / name / "results").exists()
    assert "Traceback" not in processes.log("driver")


@pytest.mark.slow
def test_a_trial_whose_only_worker_dies_waits_for_another(processes, alone):
    processes.scheduler()
    first = processes.worker("first", seconds_more=2.0)
    run = processes.run("driver", FIGURE)
    wait_until(lambda: processes.begun("first"), "first trial")
    kill_worker(first)
    wait_until(lambda: "waiting for a worker" in processes.log("driver"), "word of waiting")
    processes.worker("second")
    assert run.wait(300) == 0, processes.log("driver")
    assert outcomes(processes, "driver") == alone


@pytest.mark.slow
def test_a_run_killed_and_started_again_goes_on(processes, alone):
    processes.scheduler()
    processes.worker("worker", seconds_more=1.0)
    run = processes.run("driver", FIGURE)
    wait_until(lambda: processes.lines("driver"), "first record")
    run.send_signal(signal.SIGKILL)
    run.wait(30)
    kept = len(processes.lines("driver"))
    assert processes.run("driver", FIGURE).wait(300) == 0, processes.log("driver")
    assert outcomes(processes, "driver") == alone and kept < len(alone)
    assert len(processes.begun("worker")) <= len(TRIALS) + 1  # the one under way, at most


@pytest.mark.slow
def test_two_runs_into_one_store_share_the_work_and_double_nothing(processes, alone):
    processes.scheduler()
    for name in ("first", "second"):
        processes.worker(name, seconds_more=0.5)
    results = {"ESSPARSE_RESULTS": str(processes.folder / "shared" / "results")}
    runs = [processes.run(name, FIGURE, **results) for name in ("one", "two")]
    assert [run.wait(300) for run in runs] == [0, 0], processes.log("one") + processes.log("two")
    assert processes.run("three", FIGURE, **results).wait(300) == 0  # what each left to the other is there
    assert outcomes(processes, "shared") == alone
    begun = processes.begun("first") + processes.begun("second")
    assert sorted(begun) == sorted(trial.id for trial in TRIALS)


@pytest.mark.slow
def test_a_worker_with_other_code_is_named_and_gets_nothing(processes, alone):
    processes.scheduler()
    processes.worker("old", PYTHONPATH=str(other_code(processes.folder / "other")))
    run = processes.run("driver", FIGURE)
    wait_until(lambda: "left out" in processes.log("driver"), "word of the other worker")
    wait_until(lambda: "waiting for a worker" in processes.log("driver"), "word of waiting")
    processes.worker("new")
    assert run.wait(300) == 0, processes.log("driver")
    assert outcomes(processes, "driver") == alone
    assert not processes.begun("old") and len(processes.begun("new")) == len(TRIALS)
    assert processes.log("driver").count("is left out: its essparse (") == 1


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_one_line_and_costs_no_record(processes):
    started = processes.scheduler()
    processes.worker("worker", seconds_more=2.0)
    run = processes.run("driver", FIGURE)
    wait_until(lambda: processes.lines("driver"), "first record")
    kept = outcomes(processes, "driver")
    started.send_signal(signal.SIGKILL)
    assert run.wait(60) == 2
    said = processes.log("driver").splitlines()
    assert "has gone" in said[-1] or "has gone" in "".join(said[-3:])
    assert "Traceback" not in processes.log("driver")
    assert kept.items() <= outcomes(processes, "driver").items()


@pytest.mark.slow
def test_a_scheduler_that_goes_away_while_nothing_runs_is_noticed(processes, monkeypatch):
    monkeypatch.setattr(connection, "ANSWERS_WITHIN", 2.0)
    started = processes.scheduler()
    with connection.connected(processes.address) as workers:
        assert not workers.ready()
        started.send_signal(signal.SIGKILL)
        with pytest.raises(InputError, match="has gone"):
            wait_until(workers.ready, "word of the scheduler", seconds=30)
        with pytest.raises(InputError, match="has gone"):
            workers.submit(cluster_worker.check, "check", (), [])


@pytest.mark.slow
def test_the_budget_ends_a_run_without_workers(processes):
    processes.scheduler()
    run = processes.run("driver", FIGURE, "--budget", "1s")
    assert run.wait(60) == 2
    assert "essparse: no worker has come within the budget" in processes.log("driver")


@pytest.mark.slow
def test_what_only_a_dead_worker_might_do_goes_to_no_worker_of_other_code(processes):
    """A worker of other code is there, to which dask would give it."""
    processes.scheduler()
    processes.worker("old", PYTHONPATH=str(other_code(processes.folder / "other")))
    lottery = figures.study("fig9", "tiny")
    first = processes.worker("first", seconds_more=1.0)
    run = processes.run("driver", "fig9")
    tickets = {spec.id for spec in lottery.specs() if METHODS[spec.pruning.method].trained and spec.pruning.sparsity}
    wait_until(lambda: len(tickets.intersection(processes.begun("first"))) > 1, "second round of a lottery")
    kill_worker(first)
    processes.worker("second")
    assert run.wait(300) == 0, processes.log("driver")
    assert not processes.begun("old") and outcomes(processes, "driver").keys() >= tickets
    assert "KeyError" not in processes.log("scheduler")


@pytest.mark.slow
def test_a_stop_is_one_line_and_the_workers_live(processes):
    processes.scheduler()
    worker = processes.worker("worker", seconds_more=2.0)
    run = processes.run("driver", FIGURE)
    wait_until(lambda: processes.begun("worker"), "first trial")
    run.send_signal(signal.SIGTERM)
    assert run.wait(20) == 143
    assert processes.log("driver").count("essparse: stopped; run the same command to go on") == 1
    assert "Traceback" not in processes.log("driver") and worker.poll() is None


@pytest.mark.slow
def test_what_listens_is_reached_from_this_machine_alone(processes):
    started = [processes.scheduler(), processes.worker("worker")]
    trees = [tree for process in started for tree in [psutil.Process(process.pid)]]
    listening = [
        connection.laddr.ip
        for tree in trees
        for each in [tree, *tree.children(recursive=True)]
        for connection in each.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 3 and set(listening) <= {"127.0.0.1", "::1"}


@pytest.mark.slow
def test_data_of_somebodys_own_travel_with_a_sweep(processes):
    rows = [f"{text} {number},{label}" for number in range(40) for text, label in (("good", 1), ("bad", 0))]
    data = processes.folder / "own.csv"
    data.write_text("text,label\n" + "\n".join(rows) + "\n")
    processes.scheduler()
    processes.worker("worker")
    options = ("--epochs", "1", "--seeds", "2", "--most-seeds", "2", "--max-length", "16")
    sweep = ("sweep", "tiny-bert", "--data", str(data), "--out", "out", "--cluster", processes.address, *options)
    assert processes.start("driver", *sweep).wait(300) == 0, processes.log("driver")
    assert processes.begun("worker") and (processes.folder / "driver" / "out" / "report.html").exists()
    command = json.loads((processes.folder / "driver" / "out" / "summary.json").read_text())["command"]
    assert f"--cluster {processes.address}" in command
    forgotten = ("Registering Worker plugin essparse-", "Removing Worker plugin essparse-")
    assert forgotten[0] in processes.log("scheduler") and forgotten[1] in processes.log("worker")


@pytest.mark.parametrize(
    "address",
    [
        *("tcp://127.0.0.1:1", "tls://127.0.0.1:1", "ws://127.0.0.1:1", "ucx://127.0.0.1:1", "inproc://1/2/3"),
        *("nowhere", "nowhere://x:1", "127.0.0.1", "tcp://", "tcp://127.0.0.1:99999"),
    ],
)
def test_where_no_scheduler_answers_it_is_one_line(address, tmp_path):
    soon = "from essparse_lib.runner import connection; connection.ANSWERS_WITHIN = 0.5"
    code = f"{soon}; from essparse_lib import cli; cli.main()"
    arguments = ["run", FIGURE, "--scale", "tiny", "--cluster", address]
    folders = {"ESSPARSE_RESULTS": str(tmp_path / "results"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **folders},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1  # also of what is said at the very end
    assert "no scheduler answers at" in done.stderr or "is not allowed" in done.stderr
    assert not list(tmp_path.rglob("*.jsonl"))


def test_without_dask_it_is_said_what_lacks(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(InputError, match=r"pip install 'essparse\[cluster\]'"),
        connection.connected("tcp://127.0.0.1:1"),
    ):
        pass
    for arguments in (["scheduler"], ["worker", "tcp://127.0.0.1:1"]):
        done = CliRunner().invoke(cli.app, ["cluster", *arguments])
        assert "pip install 'essparse[cluster]'" in str(done.exception)
    assert CliRunner().invoke(cli.app, ["cluster", "worker", "--help"]).exit_code == 0


def test_data_of_somebodys_own_travel_whole_or_are_refused(monkeypatch, empty_cache):
    name, files = "reviews-0123456789abcdef", {"about.json": b"{}", "train.parquet": b"rows"}
    own_store.unpack(name, files)
    (own_store.own_folder() / name / "later").mkdir()
    assert own_store.packed([name]) == {name: files}
    monkeypatch.setattr(own_store, "LARGEST_SENT", 5)
    with pytest.raises(InputError, match="run this without a cluster"):
        own_store.packed([name])


def test_jobs_and_a_cluster_are_not_given_together():
    refused = pytest.raises(InputError, match="2 jobs and a cluster are not allowed together")
    with refused, scheduler.workers_at("tcp://127.0.0.1:1", 2):
        pass


def test_a_spec_is_the_same_after_a_journey_as_text():
    for name in figures.STUDIES:
        for spec in figures.study(name, "tiny").specs():
            assert spec_of_text(spec_text(spec)) == spec
    ticket = next(spec for spec in figures.study("fig9", "tiny").specs() if spec.pruning.method == "lottery")
    with pytest.raises(InputError, match="raffle"):
        spec_of_text(spec_text(ticket).replace("lottery", "raffle"))
    with pytest.raises(ValueError, match="its trial"):
        spec_of_text('{"trial": {"model": 3}}')


class Future:
    """What stands for a call that a worker has ended at once, or never ends."""

    def __init__(self, reply):
        self.reply, self.cancelled = reply, False

    def add_done_callback(self, call):
        if self.reply is not None:
            call(self)

    def cancel(self):
        self.cancelled = True


class Answering:
    """What stands for a cluster of some workers, which answer at once."""

    def __init__(self, answer, workers=("a", "b")):
        self.answer, self.workers = answer, workers
        self.sent = []

    def ready(self):
        return self.workers

    def sharing(self):
        return 1

    def submit(self, function, key, workers, text, sharing):
        assert function is cluster_worker.reply
        self.sent.append((spec_of_text(text), key, set(workers)))
        worker = next(iter(sorted(workers)), self.workers[len(self.sent) % len(self.workers)])
        return Future(self.answer(spec_of_text(text), worker))

    def result(self, future):
        if isinstance(future.reply, Exception):
            raise future.reply
        return future.reply


def made(spec, worker):
    record = Record(spec=spec, status="diverged", reason="of a test")
    return Reply(worker=worker, record=record.line())


def dispatched(workers, store, specs=TRIALS, tolerant=True, deadline=None, retry=False):
    with Dispatch(workers, specs, store, deadline, retry, tolerant) as dispatch:
        return list(dispatch.outcomes())


def test_records_that_come_back_are_kept(tmp_path):
    store = Store(tmp_path)
    found = dispatched(Answering(made), store)
    assert {record.spec.id for record in found} == {trial.id for trial in TRIALS} == set(store.records())
    assert dispatched(Answering(made), store) == [None] * len(TRIALS)


def test_what_one_worker_refuses_another_tries_and_what_two_refuse_is_left_out(tmp_path):
    def picky(spec, worker):
        return made(spec, worker) if worker == "b" else Reply(worker=worker, refusal="no data here")

    assert all(isinstance(each, Record) for each in dispatched(Answering(picky), Store(tmp_path / "picky")))
    nobody = Answering(lambda spec, worker: Reply(worker=worker, refusal=f"no data on {worker}"))
    found = dispatched(nobody, Store(tmp_path / "nobody"))
    assert found and all(isinstance(each, Refusal) and "no data on" in each.reason for each in found)
    assert len(nobody.sent) == 2 * len(TRIALS) and len({key for _, key, _ in nobody.sent}) == len(nobody.sent)
    with pytest.raises(InputError, match="no data on"):
        dispatched(nobody, Store(tmp_path / "strict"), tolerant=False)
    single = Answering(lambda spec, worker: Reply(worker=worker, refusal="no data"), workers=("a",))
    assert len(dispatched(single, Store(tmp_path / "single"))) == len(single.sent) == len(TRIALS)


@pytest.mark.parametrize("line", ["", "{}", "no record", '{"id": "x"}', None])
def test_what_is_no_record_is_left_out_with_its_reason(tmp_path, line):
    def sends(spec, worker):
        if line is None:  # of another spec
            return made(replace(TRIALS[0], seed=99), worker)
        return Reply(worker=worker, record=line)

    found = dispatched(Answering(sends), Store(tmp_path))
    if line == "":  # it could not be made now
        assert found == [None] * len(TRIALS)
    else:
        assert all(isinstance(each, Refusal) and "is no record of it" in each.reason for each in found)
    assert not Store(tmp_path).records()


def test_a_spec_that_kills_its_workers_is_left_out(tmp_path):
    found = dispatched(Answering(lambda *_: RuntimeError("all workers died")), Store(tmp_path))
    assert [each.reason for each in found] == ["RuntimeError: all workers died"] * len(TRIALS)


def test_what_another_process_runs_is_left_to_it(tmp_path):
    store = Store(tmp_path)
    code = (
        "import sys; from pathlib import Path; from essparse_lib.records.store import Store;"
        "from essparse_lib.records.record import spec_of_text;"
        "claim = Store(Path(sys.argv[1])).claimed(spec_of_text(sys.argv[2])); assert claim.__enter__();"
        "print('held', flush=True); input()"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path), spec_text(TRIALS[0])]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    other = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    try:
        assert other.stdout.readline().strip() == b"held"
        found = dispatched(Answering(made), store)
    finally:
        other.communicate(b"\n")
    assert found.count(None) == 1 and TRIALS[0].id not in store.records()


def test_more_workers_than_files_are_usually_open_have_specs(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = len(os.listdir("/proc/self/fd"))
    trials = [replace(TRIALS[0], seed=seed) for seed in range(300)]
    many = Answering(lambda *_: None, workers=tuple(map(str, range(len(trials)))))
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken + 100, hard))
    try:
        with Dispatch(many, trials, Store(tmp_path), None, False, True) as dispatch:
            assert list(dispatch._send_waiting()) == [] and len(dispatch._flights) == len(trials)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_nothing_is_sent_that_would_not_end_in_time_and_claims_are_given_back(tmp_path):
    store = Store(tmp_path)
    assert dispatched(Answering(made), store, deadline=0.0) == []
    never = Answering(lambda *_: None)
    with Dispatch(never, TRIALS, store, None, False, True) as dispatch:
        assert list(dispatch._send_waiting()) == [] and len(dispatch._flights) == len(never.workers)
        futures = list(dispatch._flights)
    assert all(future.cancelled for future in futures)
    with store.claimed(TRIALS[0]) as mine:
        assert mine


def test_what_goes_to_one_worker_alone_is_sent_anew_when_that_has_gone(tmp_path):
    ticket = next(spec for spec in figures.study("fig9", "tiny").specs() if METHODS[spec.pruning.method].trained)
    workers = Answering(lambda *_: None)
    with Dispatch(workers, [ticket], Store(tmp_path), None, False, True) as dispatch:
        dispatch._last_worker[dispatch._lotteries[ticket.id]] = "a"
        assert list(dispatch._send_waiting()) == []
        dispatch._send_stranded()
        assert [names for _, _, names in workers.sent] == [{"a"}]
        (stranded,) = dispatch._flights
        workers.workers = ("b",)
        dispatch._send_stranded()
        assert stranded.cancelled and stranded not in dispatch._flights and len(dispatch._flights) == 1
        dispatch._ended.put(stranded)  # a call that was cancelled has ended, too
        for future in dispatch._flights:
            future.reply = made(ticket, "b")
            dispatch._ended.put(future)
        assert [record.spec for record in dispatch.outcomes()] == [ticket]
    assert [names for _, _, names in workers.sent] == [{"a"}, set()]
    assert len({key for _, key, _ in workers.sent}) == 2


@pytest.mark.parametrize("sent", [0, 1])
def test_the_budget_ends_the_waiting_for_a_worker(tmp_path, sent):
    store, workers = Store(tmp_path), Answering(lambda *_: None, workers=("a",) * sent)
    with Dispatch(workers, TRIALS, store, time.time() + 0.2, False, True) as dispatch:
        assert list(dispatch._send_waiting()) == [] and len(dispatch._flights) == sent
        workers.workers = ()
        assert list(dispatch.outcomes()) == []
    with store.claimed(TRIALS[0]) as mine:
        assert mine


def test_the_rounds_of_a_lottery_follow_each_other_on_one_worker(tmp_path):
    study = figures.study("fig9", "tiny")
    tickets = [spec for spec in study.specs() if METHODS[spec.pruning.method].trained]
    workers = Answering(made, workers=("a", "b", "c"))
    dispatched(workers, Store(tmp_path), tickets)
    rounds = {}
    for spec, _, preferred in workers.sent:
        rounds.setdefault(spec.at(0.0).id, []).append((spec.pruning.sparsity, preferred))
    assert len(rounds) > 1 and max(map(len, rounds.values())) > 1
    for each in rounds.values():
        assert [sparsity for sparsity, _ in each] == sorted(sparsity for sparsity, _ in each)
        assert not each[0][1] and all(len(preferred) == 1 for _, preferred in each[1:])
        assert len(set().union(*(preferred for _, preferred in each))) <= 1
    never = Answering(lambda *_: None, workers=tuple("abcdefghijklmnopqrstuvwxyz"))
    with Dispatch(never, tickets, Store(tmp_path / "never"), None, False, True) as dispatch:
        list(dispatch._send_waiting())
    assert len(never.sent) == len(rounds)  # no second round while the first is under way


class Checking(cluster.Cluster):
    """What stands for a cluster whose workers lack what some specs need."""

    def __init__(self, lacking=None):
        self.lacking = {"a": set()} if lacking is None else lacking
        self.asked = []

    def ready(self):
        return self.lacking

    def submit(self, function, key, workers, texts):
        assert function is cluster_worker.check
        worker = min(workers or self.lacking)
        self.asked.append((worker, len(texts)))
        ids = [spec_of_text(text).id for text in texts]
        return cluster_worker.Checks(worker, [f"no data on {worker}" * (id in self.lacking[worker]) for id in ids])

    def result(self, checks, workers, deadline):
        return checks


def test_models_are_not_trained_from_scratch_on_a_cluster():
    study = figures.study("fig8", "tiny")
    ready, refused = Checking().checked(study.specs(), True)
    pretrainings, others = scheduler.models_first(study.specs())
    assert [each.spec for each in refused] == pretrainings and ready == others
    assert all("on one machine" in each.reason for each in refused)
    with pytest.raises(InputError, match="on one machine"):
        Checking().checked(study.specs(), False)


def test_a_check_of_which_workers_die_is_one_line():
    class Dying(Checking):
        def result(self, *_):
            raise RuntimeError("all those workers died\nwhile running it")

    with pytest.raises(InputError, match="no worker could check what is needed: RuntimeError: all") as error:
        Dying().checked(TRIALS, True)
    assert "\n" not in str(error.value)


def test_what_one_worker_cannot_have_another_one_checks():
    first, *others = TRIALS
    lacking = {"a": {first.id, others[0].id}, "b": {first.id}, "c": set()}
    workers = Checking(lacking)
    ready, refused = workers.checked(TRIALS, True)
    assert ready == others and refused == [Refusal(first, "no data on b")]
    assert workers.asked == [("a", len(TRIALS)), ("b", 2)]
    alone = Checking({"a": {first.id}})
    assert alone.checked(TRIALS, True)[1] == [Refusal(first, "no data on a")] and len(alone.asked) == 1


def test_a_second_check_whose_workers_have_gone_leaves_the_first_one_s_word():
    class Leaving(Checking):
        def result(self, checks, workers, deadline):
            if workers:
                raise LookupError("its workers have gone")
            return checks

    assert Leaving({"a": {TRIALS[0].id}, "b": set()}).checked(TRIALS, True)[1] == [Refusal(TRIALS[0], "no data on a")]
