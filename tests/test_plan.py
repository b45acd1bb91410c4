"""What a run would take: simulated runs against closed forms, against the real dispatch, and as they are shown."""

import heapq
import json
import math
import random
import sys
from collections import Counter
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essparse_lib import cli, figures
from essparse_lib.errors import InputError
from essparse_lib.figures.blocks import in_lanes, missing_blocks
from essparse_lib.plans import printed
from essparse_lib.plans.chains import Chain, longest
from essparse_lib.plans.plan import GPUS, RUNS, plan
from essparse_lib.plans.simulation import DEATHS, USUAL, Conditions, _Simulation, simulate
from essparse_lib.plans.storage import expected_storage
from essparse_lib.plans.work import Preparation, Work, works
from essparse_lib.records import cost
from essparse_lib.records.record import Record, spec_of_text
from essparse_lib.records.store import Store, results
from essparse_lib.runner.cluster_dispatch import Dispatch
from essparse_lib.runner.cluster_worker import Reply
from essparse_lib.specs.measurement import Measurement
from essparse_lib.specs.trial import Timing, Trial

CALM = Conditions()


def alone(seconds):
    return [Work(name=str(number), seconds=each) for number, each in enumerate(seconds)]


def lottery(name, rounds, seconds=1.0):
    """The rounds of a lottery, each of which is one training, and needs those before."""
    return [
        Work(
            name=f"{name}{number}",
            seconds=seconds,
            preparations=(Preparation(key=name, steps=(seconds,) * number, on_disk=True),),
            lottery=name,
            steps_kept=number + 1,
        )
        for number in range(1, rounds + 1)
    ]


def simulated(stage, workers=1, conditions=CALM, seed=0):
    return simulate([stage], workers, conditions, random.Random(seed))


# ── closed forms ──

SECONDS = st.lists(st.floats(0.01, 100), min_size=1, max_size=40)


@given(seconds=SECONDS)
def test_one_worker_takes_the_sum(seconds):
    outcome = simulated(alone(seconds))
    assert outcome.seconds == pytest.approx(sum(seconds)) == outcome.computed == outcome.busy


@given(seconds=SECONDS, workers=st.integers(1, 50))
def test_equal_workers_keep_grahams_bounds(seconds, workers):
    taken = simulated(alone(seconds), workers).seconds
    least = max(*seconds, sum(seconds) / workers, 0)
    assert least <= taken * (1 + 1e-9)
    assert taken <= (sum(seconds) / workers + (1 - 1 / workers) * max(seconds)) * (1 + 1e-9)


@given(
    seconds=SECONDS,
    rounds=st.lists(st.integers(1, 6), max_size=4),
    workers=st.integers(1, 20),
    failures=st.sampled_from([math.inf, 1000.0, 100.0]),
    spread=st.sampled_from([0.0, 0.5]),
    seed=st.integers(0, 99),
)
def test_no_run_is_shorter_than_its_longest_chain_or_its_share_of_the_work(
    seconds, rounds, workers, failures, spread, seed
):
    stage = alone(seconds) + [work for name, count in enumerate(rounds) for work in lottery(f"l{name}-", count)]
    conditions = Conditions(failures=failures, spread=spread, overhead=0.01)
    outcome = simulated(stage, workers, conditions, seed)
    generator = random.Random(seed)
    speeds = [generator.lognormvariate(0, spread) for _ in range(workers)]
    if not outcome.left_out:
        once = sum(seconds) + sum(count + 1 for count in rounds)  # the dense training finds the first round's mask
        assert outcome.computed >= once * (1 - 1e-9)
        assert outcome.seconds >= longest(stage).seconds / max(speeds) * (1 - 1e-9)
        assert outcome.seconds >= once / sum(speeds) * (1 - 1e-9)
    assert outcome.seconds >= 0.01 * len(stage)  # whoever starts the run sends one after another
    assert outcome.busy <= outcome.seconds * workers * (1 + 1e-9)


def test_the_rounds_of_a_lottery_take_their_sum_on_however_many_workers():
    stage = lottery("a", 9)
    assert {simulated(stage, workers).seconds for workers in (1, 8, 1000)} == {10.0}
    assert longest(stage).seconds == 10.0 == longest(stage[4:]).seconds  # the rounds before have to be found anyway
    tested = [replace(work, seconds=1.5) for work in stage]  # each round is also evaluated
    assert longest(tested) == Chain(14.5, "the lottery of which a round is a9")
    assert {simulated(tested, workers).seconds for workers in (1, 8, 1000)} == {14.5}


def test_a_worker_without_the_rounds_before_trains_them_again():
    # the one that did the first round is at the long spec when the second round's turn comes
    first, second = lottery("a", 2)
    stage = [first, *alone([3.0]), *alone([5.0]), second]
    outcome = simulated(stage, 2)
    assert outcome.computed == first.alone + 3 + 5 + second.alone
    assert simulated(stage, 1).computed == first.alone + 3 + 5 + second.seconds


def test_memory_holds_what_was_used_last():
    def pruned(key):
        return Work(name=key, seconds=1.0, preparations=(Preparation(key=key, steps=(10.0,)),))

    assert simulated([pruned("a"), pruned("a"), pruned("b")]).seconds == 23.0
    assert simulated([pruned("a"), pruned("b"), pruned("a")]).seconds == 33.0


def test_stages_follow_each_other():
    assert simulate([alone([1.0, 4.0]), [], alone([2.0])], 5, CALM, random.Random(0)).seconds == 6.0


def test_deaths_lengthen_a_run_as_they_should():
    seconds, mean = [1.0] * 500, 20.0
    runs = [simulated(alone(seconds), 1, Conditions(failures=mean, restart=0.0), seed) for seed in range(200)]
    # begun until it succeeds: an exponential lifetime gives mean · (e^(seconds / mean) − 1) seconds a spec
    foreseen = 500 * mean * math.expm1(1 / mean)
    assert sum(run.seconds for run in runs) / len(runs) == pytest.approx(foreseen, rel=0.01)
    assert sum(run.lost for run in runs) / len(runs) == pytest.approx(foreseen - 500, rel=0.1)
    later = Conditions(failures=mean, restart=5.0)
    assert simulated(alone(seconds), 1, later).seconds > simulated(alone(seconds), 1, Conditions(failures=mean)).lost


def test_a_spec_of_which_all_workers_die_is_left_out_and_one_that_resumes_is_not():
    deadly = Conditions(failures=1.0, restart=0.0)
    outcome = simulated(alone([1e6]), 3, deadly)
    assert (outcome.left_out, outcome.deaths, outcome.computed) == (1, DEATHS, 0.0)
    outcome = simulated([Work(name="a", seconds=100.0, resumes=True)], 3, deadly)
    assert (outcome.left_out, outcome.lost) == (0, 0.0) and outcome.computed == pytest.approx(100.0)


def test_whoever_starts_the_run_is_the_limit_of_many_workers():
    assert simulated(alone([1.0] * 1000), 1000, Conditions(overhead=0.1)).seconds == pytest.approx(101.0)
    in_two_files = [replace(work, file=name) for work in alone([0.0] * 10) for name in "ab"]
    # the first has no record before it in its file, the last nine
    assert simulated(in_two_files, 1, Conditions(reading=1.0)).seconds == pytest.approx(2 * sum(range(10)))


def test_a_seed_repeats_a_run():
    stage, conditions = alone([1.0] * 50), Conditions(failures=20.0, spread=0.3)
    assert simulated(stage, 5, conditions, 1) == simulated(stage, 5, conditions, 1)
    assert simulated(stage, 5, conditions, 1) != simulated(stage, 5, conditions, 2)


# ── against the real dispatch ──


class Clock:
    """What stands for a cluster, whose workers take the simulation's time: answers come in the order of their ends.

    The real dispatch takes the next answer from what stands for its queue of ended calls.
    """

    def __init__(self, seconds, workers):
        self.seconds, self.idle, self.workers = seconds, list(range(workers)), [str(each) for each in range(workers)]
        self.now, self.events, self.sent = 0.0, [], []

    def ready(self):
        return self.workers

    def sharing(self):
        return 1

    def submit(self, function, key, preferred, text, sharing):
        spec = spec_of_text(text)
        worker = next((int(each) for each in preferred if int(each) in self.idle), self.idle[0])
        self.idle.remove(worker)
        self.sent.append((str(spec), worker))
        call = Call(spec, worker)
        heapq.heappush(self.events, (self.now + self.seconds[spec.id], len(self.sent), call))
        return call

    def result(self, call):
        record = Record(spec=call.spec, status="diverged", reason="of a test")
        return Reply(worker=str(call.worker), record=record.line())

    def get(self, timeout):
        self.now, _, call = heapq.heappop(self.events)
        self.idle.append(call.worker)
        return call

    put = None


@dataclass(eq=False)
class Call:
    """What stands for a spec with a worker, which answers later."""

    spec: Trial
    worker: int

    def add_done_callback(self, call):
        pass

    def cancel(self):
        pass


class Logged(_Simulation):
    """A simulation that writes down what it sends, and to which worker."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.numbers = {worker: number for number, worker in enumerate(self._idle)}
        self.sent = []

    def _send(self, waiting, worker):
        self.sent.append((waiting.work.name, self.numbers[worker]))
        super()._send(waiting, worker)


@pytest.mark.parametrize("workers", [1, 3, 20])
def test_the_simulation_sends_what_the_real_dispatch_sends(tmp_path, workers):
    """With equal times for all specs but a little, and no time to find masks again, on which both agree."""
    study = figures.study("fig9", "tiny")
    specs = list(in_lanes(missing_blocks([study], {}), workers))
    generator = random.Random(0)
    seconds = {spec.id: generator.uniform(1, 2) for spec in specs}
    clock = Clock(seconds, workers)
    with Dispatch(clock, specs, Store(tmp_path), None, False, True) as dispatch:
        dispatch._ended = clock
        assert len(list(dispatch.outcomes())) == len(specs)
    stage = [Work(name=str(s), seconds=seconds[s.id], lottery=s.lottery) for s in specs if isinstance(s, Trial)]
    assert len(stage) == len(specs) and any(work.lottery for work in stage)
    simulation = Logged(workers, CALM, random.Random(0))
    simulation.run(stage)
    assert simulation.sent == clock.sent
    assert simulation.outcome().seconds == pytest.approx(clock.now)


# ── from figures ──


def made(name, gpus=(1,), conditions=CALM, scale="paper"):
    return plan([figures.study(name, scale)], {}, gpus, conditions)


@pytest.mark.parametrize("name", ["fig2", "fig3", "fig8", "fig11"])
def test_one_gpu_takes_the_hours_of_the_cost_model_and_the_dense_trainings_again(name):
    study = figures.study(name, "paper")
    shapes = cost.shapes_with(study.pretrainings())
    after = {spec.at(0.0) for spec in study.specs() if isinstance(spec, Trial) and spec.pruning.timing is Timing.AFTER}
    again = sum(cost.training_seconds(trial, shapes[trial.model]) for trial in after)
    foreseen = made(name)
    assert foreseen.gpu_seconds == pytest.approx(3600 * cost.expected(study).hours + again)
    [forecast] = foreseen.forecasts
    assert forecast.seconds == pytest.approx(foreseen.gpu_seconds) and forecast.again == forecast.lost == 0


def test_a_lottery_of_a_figure_has_the_trainings_of_all_its_rounds():
    study = figures.study("fig10", "paper")
    [deepest, *_] = sorted(
        (spec for spec in study.specs() if isinstance(spec, Trial) and spec.lottery),
        key=lambda trial: -trial.pruning.sparsity,
    )
    shapes = cost.shapes_with(())
    of_lottery = [spec for spec in study.specs() if isinstance(spec, Trial) and spec.lottery == deepest.lottery]
    training = cost.training_seconds(deepest, shapes[deepest.model])
    evaluation = cost.evaluation_flops(deepest, shapes[deepest.model]) / cost.RATE
    stage = works(sorted(of_lottery, key=lambda trial: trial.pruning.sparsity), shapes)
    # cost.trainings counts the dense one, too
    trainings = len(cost.trainings(of_lottery))
    assert simulated(stage, 4).computed == pytest.approx(trainings * training + len(stage) * evaluation)
    assert longest(stage).seconds == pytest.approx(simulated(stage, 4).seconds)
    [compared] = [
        spec
        for spec in study.specs()
        if isinstance(spec, Measurement) and deepest in spec.trials and spec.sparsity == deepest.pruning.sparsity
    ]
    [measured] = works([compared], shapes)
    assert len(measured.preparations) == len(compared.trials) and measured.seconds == 0
    after = simulated([*stage, measured])
    assert after.computed == pytest.approx(
        simulated(stage).computed + measured.alone - sum(measured.preparations[compared.trials.index(deepest)].steps)
    )


def test_the_longest_chain_of_a_pretrained_model_begins_with_its_pretraining():
    foreseen = made("fig8")
    [name, *_] = foreseen.chain.text.split(", then ")
    assert name.startswith("pre-training of ") and ", then " in foreseen.chain.text
    study = figures.study("fig8", "paper")
    longest_pretraining = max(map(cost.pretraining_seconds, study.pretrainings()))
    assert foreseen.chain.seconds > longest_pretraining
    assert foreseen.with_pretraining == 63 and foreseen.missing["pre-training"] == 7


def test_what_has_a_record_is_not_planned():
    study = figures.study("fig3", "paper")
    records = {spec.id: Record(spec=spec, status="diverged", reason="of a test") for spec in study.specs()[:100]}
    foreseen = plan([study], records, [1], CALM)
    assert (foreseen.done, sum(foreseen.missing.values())) == (100, 80)
    whole = {spec.id: Record(spec=spec, status="diverged", reason="of a test") for spec in study.specs()}
    nothing = plan([study], whole, [1, 8], USUAL)
    assert (nothing.gpu_seconds, nothing.chain, nothing.forecasts[1].seconds) == (0.0, Chain(), 0.0)


def test_more_gpus_take_no_longer_and_never_less_than_the_longest_chain():
    for name in ("fig3", "fig10"):
        foreseen = made(name, GPUS)
        seconds = [forecast.seconds for forecast in foreseen.forecasts]
        assert seconds == sorted(seconds, reverse=True)
        assert seconds[-1] >= foreseen.chain.seconds * (1 - 1e-9)


def test_what_the_cost_model_does_not_know_is_refused_in_a_line():
    for name, scale in (("fig2", "tiny"), ("fig6", "lab")):
        with pytest.raises(InputError, match="no plan: how long .* is not known .*: plan another figure"):
            made(name, scale=scale)


# ── records ──


def test_the_size_of_records_is_their_mean_by_kind_and_by_answer(tmp_path):
    store = Store(tmp_path)
    trials = [spec for spec in figures.study("fig2", "paper").trials() if spec.task == "qnli"][:20]
    assert expected_storage(trials, [store]).unknown == 20 and expected_storage(trials, [store]).reading is None
    for trial in trials[:5]:
        labels = "1" * cost.test_examples(trial)
        metrics = {"accuracy": 100.0}
        record = Record(spec=trial, status="ok", metrics=metrics, predictions=labels, labels=labels)
        store.append(record)
    size = sum(path.stat().st_size for path in store.files())
    existing = expected_storage(trials[:5], [store])
    assert existing.size == pytest.approx(size, abs=1) and existing.measured == 5 and existing.reading > 0
    longer = [spec for spec in figures.study("fig2", "paper").specs() if cost.test_examples(spec) > 30_000][:1]
    assert expected_storage(longer, [store]).size > 60_000
    pretraining = figures.study("fig8", "paper").specs()[0]
    assert expected_storage([pretraining], [store]).unknown == 1


# ── as it is shown ──


@pytest.fixture
def essparse(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["essparse", "plan", *arguments])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


def test_the_command_prints_a_row_for_each_number_of_gpus_and_all_that_is_assumed(essparse, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = essparse("fig3", "--scale", "paper", "--gpus", "21", "--failures", "500h", "--spread", "0.25")
    rows = [line.split()[0] for line in out.splitlines() if line.strip()[:1].isdigit()]
    assert code == 0 and rows == ["1", "8", "21", "64", "1,000"]
    for assumed in (cost.ASSUMED, "0.25", "500.0 h", f"{USUAL.overhead:g} s", f"{RUNS} simulated runs", "seed 0"):
        assert assumed in out, assumed
    assert "180 trials" in out and "longest chain: " in out and "records: " in out and "to read them" in out


def test_the_command_prints_json_of_the_same(essparse):
    code, out, _ = essparse("fig3", "--scale", "paper", "--failures", "none", "--json")
    plain = json.loads(out, parse_constant=lambda name: pytest.fail(name))
    assert code == 0 and [each["gpus"] for each in plain["forecasts"]] == list(GPUS)
    assert plain["missing"] == {"trial": 180} and plain["conditions"]["failures"] is None
    assert plain["storage"]["size"] > 0 and any("No worker dies." in each for each in plain["assumptions"])
    assert plain["chain"]["seconds"] > 0 and plain["forecasts"][0]["low"] <= plain["forecasts"][0]["high"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["fig2", "--gpus", "0"], "gpus 0"),
        (["fig2", "--gpus", "10001"], "gpus 10001"),
        (["fig2", "--failures", "10m"], "failures '10m'"),
        (["fig2", "--failures", "never"], "failures 'never'"),
        (["fig2", "--spread", "2"], "spread '2'"),
        (["fig2", "--overhead=-1"], "overhead '-1'"),
        (["fig99", "--scale", "paper"], "fig99"),
        (["fig2", "--scale", "tiny"], "is not known"),
    ],
)
def test_a_wrong_value_is_one_line(essparse, arguments, named):
    code, out, err = essparse(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1) and named in err


def test_the_fragment_has_a_row_for_each_figure(monkeypatch, tmp_path):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path))
    text = printed.fragment()
    rows = [line for line in text.splitlines() if line.startswith("|")][2:]
    assert [row.split("|")[1].strip() for row in rows] == [*figures.STUDIES, "all"]
    assert Counter(row.count("|") for row in rows) == {len(GPUS) + 3: len(rows)}
    assert cost.ASSUMED in text and "Pre-trainings" in text
    assert not results("paper").records()
