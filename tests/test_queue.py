"""The queue: what is missing over all figures, in the order that serves verdicts, and what cannot be had left out."""

import sys
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essparse_lib import cli, figures
from essparse_lib.book import status
from essparse_lib.errors import InputError
from essparse_lib.figures import blocks
from essparse_lib.figures.blocks import CLAIMED, in_lanes, missing_blocks
from essparse_lib.records.store import Record, Store, results
from essparse_lib.runner import measurement, pretraining, queue
from essparse_lib.runner import trial as trial_runner
from essparse_lib.specs.measurement import Measurement
from essparse_lib.specs.study import Study, at_sparsities
from essparse_lib.specs.trial import Training

TRAINING = Training(epochs=1, batch_size=16, learning_rate=1e-2, max_length=32, max_train=32)
VARIANTS = {
    "lottery": at_sparsities((0.3, 0.1, 0.2), method="lottery"),
    "one-shot": at_sparsities((0.1, 0.215, 0.3, 0.4, 0.5, 0.6)),
    "after": at_sparsities((0.3,), timing="after"),
}


def study(figure="fig2", **changes):
    settings = dict(
        figure=figure,
        scale="tiny",
        models=("tiny-bert",),
        tasks=("tiny-sentiment", "tiny-pairs"),
        training={"*": TRAINING},
        variants={"one-shot": at_sparsities((0.3, 0.6))},
        seeds=(3, 1, 2),
    )
    return Study(**{**settings, **changes})


def made(spec, seconds=10.0, state="ok"):
    return Record(spec=spec, status=state, metrics={"accuracy": 50.0}, provenance={"seconds": seconds})


def by_id(*records):
    return {record.spec.id: record for record in records}


def places(found):
    return [(block.what, block.seed) for block in found]


@given(st.data())
def test_every_missing_spec_is_in_one_block_once(data):
    whole = study(variants=VARIANTS, measured={"zeros": (0.0,)})
    specs = whole.specs()
    there = data.draw(st.lists(st.sampled_from(specs), unique_by=lambda spec: spec.id))
    found = missing_blocks([whole, study("fig5", variants=VARIANTS)], by_id(*map(made, there)))
    queued = [spec.id for block in found for spec in block.specs]
    assert len(queued) == len(set(queued))
    assert set(queued) == {spec.id for spec in specs} - {spec.id for spec in there}
    lanes = data.draw(st.integers(1, 9))
    assert sorted(spec.id for spec in in_lanes(found, lanes)) == sorted(queued)
    assert sum(block.total - len(block.specs) for block in found) <= len(there)


def test_within_a_curve_the_dense_model_comes_first_then_the_papers_levels_and_tickets_climb():
    (block, *_) = missing_blocks([study(variants=VARIANTS)], {})
    prunings = [spec.pruning for spec in block.specs]
    assert prunings[0].sparsity == 0
    assert {pruning.sparsity for pruning in prunings[1:4]} == set(CLAIMED)
    assert all(pruning.method == "magnitude" for pruning in prunings[:8])
    assert [(p.method, p.sparsity) for p in prunings[8:]] == [("lottery", s) for s in (0.1, 0.2, 0.3)]


def test_every_curves_first_seed_comes_before_any_second():
    found = missing_blocks([study()], {})
    assert [seed for _, seed in places(found)] == [1, 1, 2, 2, 3, 3]
    assert [block.rank for block in found] == [0, 0, 1, 1, 2, 2]


def test_a_curve_that_has_begun_is_finished_first():
    whole = study()
    begun = whole.trial("tiny-bert", "tiny-pairs", VARIANTS["one-shot"][2], 3)
    found = missing_blocks([whole], by_id(made(begun)))
    assert places(found)[0] == ("tiny-pairs", 3)
    assert (len(found[0].specs), found[0].total) == (2, 3)


def test_what_no_claim_rests_on_comes_last_and_what_more_rest_on_first():
    control = study("fig10", tasks=("tiny-questions",))
    none = study("fig7", tasks=("tiny-questions",), seeds=(0,))
    one, two = study("fig5", tasks=("tiny-pairs",)), study("fig2", tasks=("tiny-sentiment",))
    found = missing_blocks([none, replace(one, controls=(control,)), two], {})
    assert places(found)[:2] == [("tiny-sentiment", 1), ("tiny-pairs", 1)]
    by_file = {block.what: (block.figures, block.claims) for block in found}
    assert by_file["tiny-sentiment"] == (("fig2",), ("C1", "C3"))
    assert by_file["tiny-pairs"] == (("fig5",), ("C6",))
    assert {block.what for block in found[6:]} == {"tiny-questions"}
    assert all(not block.claims and block.figures for block in found[6:])


def test_prunings_of_an_untrained_model_come_in_the_order_of_their_own_study_whatever_else_is_asked_for():
    def order(*names):
        found = missing_blocks(figures.studies(names, "lab"), {})
        return [(block.what, block.seed) for block in found if block.model == "smollm2-135m"]

    alone = order("fig11")
    assert order("all") == alone and alone.index(("20% pruned", None)) < alone.index(("2:4 pruned", None))


def test_what_several_figures_need_feeds_them_all_and_counts_once():
    (block, *_) = missing_blocks([study("fig9"), study("fig2")], {})
    assert (block.figures, block.claims) == (("fig2", "fig9"), ("C1", "C3", "C10"))
    assert len(block.specs) == 3


def test_the_shorter_of_two_comes_first_by_what_records_say():
    whole = study(seeds=(0, 1))
    slow, quick = (whole.trial("tiny-bert", task, at_sparsities((0.3,))[0], 0).at(0) for task in whole.tasks)
    more = [spec for spec in whole.trials() if spec.seed == 0]
    records = by_id(*(made(spec, 90.0 if spec.task == slow.task else 5.0) for spec in more))
    found = missing_blocks([whole], records)
    assert places(found) == [(quick.task, 1), (slow.task, 1)]
    assert [block.seconds for block in found] == [15.0, 270.0]


def test_failed_trials_are_missing_where_they_are_to_be_run_again():
    whole = study(seeds=(0,), tasks=("tiny-pairs",))
    records = by_id(*(Record(spec=spec, status="failed", reason="it broke") for spec in whole.trials()))
    assert missing_blocks([whole], records) == []
    (block,) = missing_blocks([whole], records, retry=True)
    assert (len(block.specs), block.total) == (3, 3)


def test_what_is_measured_while_a_model_is_trained_comes_last_and_takes_no_time():
    early = Measurement(kind="held-out-loss", model="tiny-scratch-60-1", sparsity=0.0, step=1)
    assert blocks.comes_with_pretraining(early)
    assert not blocks.comes_with_pretraining(replace(early, step=None))
    fig8 = figures.study("fig8", "tiny")
    found = missing_blocks([fig8], by_id(*map(made, fig8.pretrainings())))
    assert all(block.with_pretraining in (0, len(block.specs), len(block.specs) - 1) for block in found)
    timed = [block for block in found if block.with_pretraining < len(block.specs)]
    assert found[: len(timed)] == timed
    assert found[-1].seconds == 0.0 or found[-1] in timed


def test_workers_have_blocks_of_their_own():
    turns = list(in_lanes(missing_blocks([study(seeds=(1,))], {}), 2))
    assert [spec.task for spec in turns[::2]] == ["tiny-sentiment"] * 3
    assert [spec.task for spec in turns[1::2]] == ["tiny-pairs"] * 3


@pytest.mark.parametrize("figure", figures.STUDIES)
@pytest.mark.parametrize("scale", ["tiny", "lab", "paper"])
def test_every_study_is_queued_whole(figure, scale):
    whole = figures.study(figure, scale)
    found = missing_blocks([whole], {})
    assert sum(len(block.specs) for block in found) == len({spec.id for spec in whole.specs()})


@pytest.fixture
def fake(monkeypatch):
    """Trials come out at once; the order in which they were run."""
    ran = []

    def execute(trial):
        ran.append(trial)
        if trial.task == "tiny-questions":
            raise InputError("no network")
        return made(trial)

    monkeypatch.setattr(trial_runner, "execute", execute)
    return ran


def test_a_run_follows_the_order(tmp_path, fake):
    whole = study(variants=VARIANTS)
    expected = [spec for block in missing_blocks([whole], {}) for spec in block.specs]
    rest = queue.run([whole], Store(tmp_path / "results"))
    assert fake == expected
    assert (rest.left, rest.refused, rest.with_pretraining) == ([], [], [])


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_cannot_be_had_does_not_stop_the_rest(tmp_path, jobs):
    whole = study(models=("tiny-bert", "nobody/nothing", "tiny-opt"), tasks=("tiny-pairs",), seeds=(0,))
    store, told = Store(tmp_path / "results"), []
    rest = queue.run([whole], store, jobs, refuse=told.append)
    assert {record.spec.model for record in store.records().values()} == {"tiny-bert", "tiny-opt"}
    assert len(store.records()) == 6
    assert [refusal.spec.model for refusal in rest.refused] == ["nobody/nothing"] * 3
    assert told == rest.refused and all("nobody/nothing" in refusal.reason for refusal in told)
    assert rest.left == []


def test_what_fails_to_be_had_in_the_middle_does_not_stop_the_rest(tmp_path, fake):
    whole = study(tasks=("tiny-sentiment", "tiny-questions"), seeds=(0,))
    store, reports = Store(tmp_path / "results"), []
    rest = queue.run([whole], store, progress=reports.append)
    assert {record.spec.task for record in store.records().values()} == {"tiny-sentiment"}
    assert [(refusal.spec.task, refusal.reason) for refusal in rest.refused] == [("tiny-questions", "no network")] * 3
    assert reports[-1].left <= 3 and len(reports) == 3


def test_a_measurement_that_breaks_is_left_out_with_its_reason(tmp_path, monkeypatch, fake):
    def measure(spec):
        raise ZeroDivisionError("nothing\nto divide")

    monkeypatch.setattr(measurement, "measure", measure)
    rest = queue.run([study(seeds=(0,), measured={"zeros": (0.0,)})], Store(tmp_path / "results"))
    assert [refusal.reason for refusal in rest.refused] == ["ZeroDivisionError: nothing to divide"]
    assert len(fake) == 6


@pytest.mark.parametrize("when", ["before", "while it is trained"])
def test_what_needs_a_model_whose_training_cannot_be_had_is_left_out_with_it(tmp_path, monkeypatch, fake, when):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))  # the model's weights would lie beside
    fig8 = figures.study("fig8", "tiny")
    (model,) = fig8.models[:1]
    whole = study(models=("tiny-bert", model), pretrained=fig8.pretrained, seeds=(0,), tasks=("tiny-pairs",))

    def no_corpus(*_):
        raise InputError("no corpus")

    if when == "before":
        monkeypatch.setattr(pretraining, "checks", lambda spec: {"corpus": no_corpus})
    else:
        monkeypatch.setattr(pretraining, "run", no_corpus)
    rest = queue.run([whole], results("tiny"))
    assert {refusal.spec.model for refusal in rest.refused} == {model}
    assert [refusal.reason for refusal in rest.refused] == ["no corpus"] * 4
    assert (rest.left, {trial.model for trial in fake}) == ([], {"tiny-bert"})


def test_where_nothing_can_be_had_it_is_said_and_nothing_is_written(tmp_path):
    store = Store(tmp_path / "results")
    with pytest.raises(InputError, match="nobody/nothing"):
        queue.run([study(models=("nobody/nothing", "nobody/else"))], store)
    assert not store.folder.exists()


def test_a_record_that_cannot_be_written_ends_the_run(tmp_path, monkeypatch, fake):
    def append(self, record):
        raise InputError("cannot write: disk full")

    monkeypatch.setattr(Store, "append", append)
    with pytest.raises(InputError, match="disk full"):
        queue.run([study()], Store(tmp_path / "results"))
    assert len(fake) == 1


def test_the_budget_leaves_the_end_of_the_order(tmp_path, monkeypatch):
    def execute(trial):
        time.sleep(0.2)
        return made(trial)

    monkeypatch.setattr(trial_runner, "execute", execute)
    whole = study()
    trial_runner.prepare(whole.trials()[0])
    expected = [spec for block in missing_blocks([whole], {}) for spec in block.specs]
    rest = queue.run([whole], Store(tmp_path / "results"), budget=1.5)
    assert 0 < len(rest.left) < len(expected)
    assert rest.left == expected[-len(rest.left) :]
    assert queue.run([whole], Store(tmp_path / "results")).left == []


@pytest.fixture
def essparse(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("COLUMNS", "200")
    small = {"fig2": study("fig2", seeds=(0,)), "fig5": study("fig5", seeds=(0, 1), tasks=("tiny-pairs",))}
    monkeypatch.setattr(
        figures, "STUDIES", {name: dict.fromkeys(("tiny", "lab", "paper"), each) for name, each in small.items()}
    )
    monkeypatch.setattr(status, "STUDIES", figures.STUDIES)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["essparse", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        printed = capsys.readouterr()
        return end.value.code or 0, printed.out, printed.err

    return call


@pytest.mark.parametrize(
    ("names", "count"), [(["fig2"], 6), (["fig5", "fig2"], 9), (["all"], 9), (["fig5", "fig5"], 6)]
)
def test_several_figures_or_all_are_run(essparse, fake, names, count):
    assert essparse("run", *names, "--scale", "tiny")[0] == 0
    assert len(fake) == len(results("tiny").records()) == count
    assert essparse("run", *names, "--scale", "tiny")[0] == 0
    assert len(fake) == count


def test_what_was_left_out_is_counted_and_the_exit_code_says_so(essparse, fake, monkeypatch):
    monkeypatch.setitem(figures.STUDIES["fig5"], "tiny", study("fig5", seeds=(0,), tasks=("tiny-questions",)))
    code, out, err = essparse("run", "all", "--scale", "tiny")
    assert code == 1
    assert out == "3 of 9 were left out, since something that they need cannot be had\n"
    assert [line for line in err.splitlines() if line.startswith("left out: ")] == [
        "left out: tiny-bert on tiny-questions, dense, seed 0: no network"
    ]
    assert len(results("tiny").records()) == 6


@pytest.mark.parametrize("names", [["fig2", "fig3x"], ["alll"]])
def test_a_wrong_name_among_several_ends_it(essparse, fake, names):
    code, out, err = essparse("run", *names, "--scale", "tiny")
    assert (code, out) == (2, "") and err.startswith("essparse: unknown figure") and not fake


def test_status_shows_what_each_missing_block_would_decide(essparse, fake):
    def rows():
        code, out, _ = essparse("status", "--scale", "tiny")
        assert code == 0
        return [line.split() for line in out.splitlines() if line.split()[:1] == ["tiny-bert"]]

    found = rows()
    # the blocks that feed two figures first, and all claims of both
    assert [row[1:3] for row in found] == [["tiny-pairs", "0"], ["tiny-sentiment", "0"], ["tiny-pairs", "1"]]
    assert found[0][3:6] == ["3", "of", "3"]
    assert found[0][-5:] == ["2,", "5", "C1,", "C3,", "C6"]
    essparse("run", "fig2", "--scale", "tiny")
    assert [row[1:3] for row in rows()] == [["tiny-pairs", "1"]]
    assert "about 30 s" in " ".join(rows()[0])
    essparse("run", "all", "--scale", "tiny")
    assert rows() == []
    assert "Nothing is missing at tiny scale." in essparse("status", "--scale", "tiny")[1]


def test_status_counts_the_blocks_that_it_does_not_show(essparse, monkeypatch):
    monkeypatch.setattr(status, "SHOWN", 1)
    assert "and 6 more in 2 blocks (--all shows them)" in essparse("status", "--scale", "tiny")[1]
    shown = essparse("status", "--scale", "tiny", "--all")[1]
    assert "more in" not in shown and shown.count("tiny-bert") == 3
