"""What a study should cost: counted by hand, in parts, as it is run, and as the pages say it."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModel, BertConfig, OPTConfig, RobertaConfig

from essparse_lib import figures
from essparse_lib.figures import fig8
from essparse_lib.pruning.prunable import prunable_matrices
from essparse_lib.records import cost
from essparse_lib.runner import trial as trial_runner
from essparse_lib.runner.workbench import Workbench
from essparse_lib.specs.models import MODELS
from essparse_lib.specs.study import Study, at_sparsities
from essparse_lib.specs.trial import Pruning, Training, Trial, lottery_rounds

ROOT = Path(__file__).parents[1]
FIGURES = ("fig1", "fig2", "fig3", "fig4", "fig5", "fig6", "fig8", "fig9", "fig10")
TABLE_1 = Training(epochs=3, batch_size=32, learning_rate=2e-5, max_length=256)
DENSE = Trial(model="bert-base-uncased", task="rte", seed=0, training=TABLE_1)


def study(task="rte", model="bert-base-uncased", training=TABLE_1, **ways):
    return Study(
        figure="fig0",
        scale="paper",
        models=(model,),
        tasks=(task,),
        training={"*": training},
        variants=ways or {"none": ()},
        seeds=(0,),
    )


def opt(layers, hidden, heads):
    """OPT as on the hub; opt-350m's embeddings are narrower than its blocks."""
    narrow = 512 if layers == 24 and hidden == 1024 else hidden
    sizes = dict(num_hidden_layers=layers, hidden_size=hidden, num_attention_heads=heads, ffn_dim=4 * hidden)
    return OPTConfig(**sizes, word_embed_proj_dim=narrow, do_layer_norm_before=narrow == hidden)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("bert-base-uncased", BertConfig()),
        ("roberta-base", RobertaConfig()),
        (
            "bert-large-uncased",
            BertConfig(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096),
        ),
        ("opt-125m", opt(12, 768, 12)),
        ("opt-350m", opt(24, 1024, 16)),
        ("opt-1.3b", opt(24, 2048, 32)),
    ],
)
def test_a_shape_has_the_models_prunable_matrices(name, config):
    with torch.device("meta"):
        entries = prunable_matrices(AutoModel.from_config(config))
    assert MODELS[name].shape.parameters == sum(entry.weight.numel() for entry in entries.values())


BASE = MODELS["bert-base-uncased"].shape


def test_a_pre_training_is_told_with_what_comes_of_it():
    paper = fig8.STUDIES["paper"]
    first = paper.pretrainings()[0]
    tokens = 50_000 * 256 * 128
    assert cost.pretraining_flops(first) == pytest.approx(6 * tokens * (84_934_656 + 0.15 * 768 * (768 + 30_522)))
    whole, alone = cost.expected(paper), cost.expected(replace(paper, pretrained={}, models=("bert-base-uncased",)))
    assert whole.trainings == 7 * alone.trainings + 7
    own = 7 * cost.pretraining_flops(first) / cost.RATE / 3600
    assert whole.hours == pytest.approx(7 * alone.hours + own)  # of BERT-base's size, all of them


def test_one_small_trial_by_hand_is_as_long_as_its_steps():
    flops = 6 * 84_934_656 * 3 * 2_490 * 70
    steps = 3 * 78  # 77 batches of 32, and one of 26
    assert cost.training_flops(DENSE, BASE) == flops
    assert cost.evaluation_flops(DENSE, BASE) == 2 * 84_934_656 * 277 * 70
    assert flops / 1e14 < steps * 12 * 2e-3
    seconds = steps * 12 * 2e-3 + 2 * 84_934_656 * 277 * 70 / 1e14
    assert cost.expected(study()).hours == pytest.approx(seconds / 3600)


def test_one_large_trial_by_hand_is_as_long_as_its_arithmetic():
    training = Training(epochs=3, batch_size=16, learning_rate=3e-5, max_length=384)
    flops = 1_207_959_552 * 170 * (6 * 3 * 87_599 + 2 * 10_570)
    assert cost.expected(study("squad-v1.1", "opt-1.3b", training)).hours == pytest.approx(flops / 1e14 / 3600)


def test_limits_of_examples_and_of_tokens_count():
    short = replace(DENSE, training=replace(TABLE_1, max_length=35, max_train=249, max_test=27))
    assert cost.training_flops(short, BASE) == pytest.approx(cost.training_flops(DENSE, BASE) / 20)
    assert cost.evaluation_flops(short, BASE) == pytest.approx(cost.evaluation_flops(DENSE, BASE) * 27 / 277 / 2)
    ample = replace(DENSE, training=replace(TABLE_1, max_train=10**6, max_test=10**6))
    assert cost.training_flops(ample, BASE) == cost.training_flops(DENSE, BASE)
    assert cost.evaluation_flops(ample, BASE) == cost.evaluation_flops(DENSE, BASE)


def test_all_that_is_pruned_after_training_needs_the_dense_training_alone():
    after = at_sparsities((0.1, 0.5, 0.9), timing="after")
    assert cost.trainings(study(after=after).trials()) == [DENSE]
    assert cost.trainings([replace(DENSE, pruning=after[0])]) == [DENSE]
    evaluations = 3 * cost.evaluation_flops(DENSE, BASE) / cost.RATE / 3600
    assert cost.expected(study(after=after)).hours == pytest.approx(cost.expected(study()).hours + evaluations)


def test_a_control_is_paid_for_with_its_study():
    slower = replace(study(), training={"*": replace(TABLE_1, learning_rate=1e-5)})
    both = replace(study(), controls=(slower,))
    assert cost.expected(both).trainings == 2 * cost.expected(study()).trainings
    assert cost.expected(both).hours == pytest.approx(2 * cost.expected(study()).hours)


def test_a_sweep_of_tickets_needs_one_training_a_sparsity():
    tickets = at_sparsities((0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7), method="lottery")
    assert cost.expected(study(lottery=tickets)).trainings == 1 + 7
    assert cost.expected(study(lottery=tickets[::-1])).trainings == 1 + 7
    together = cost.expected(study(lottery=tickets, one_shot=at_sparsities((0.1, 0.2))))
    assert together.trainings == 1 + 7 + 2


def test_a_single_ticket_needs_its_rounds():
    ticket = replace(DENSE, pruning=Pruning(sparsity=0.4, method="lottery"))
    assert [t.pruning.sparsity for t in cost.trainings([ticket])] == [0.0, 0.1, 0.2, 0.3, 0.4]


@given(st.integers(1, 99), st.sampled_from([0.05, 0.1, 0.15, 0.2, 0.3]))
def test_tickets_are_counted_by_the_rounds_that_find_them(percent, rate):
    ticket = replace(DENSE, pruning=Pruning(sparsity=percent / 100, method="lottery", rate=rate))
    sparsities = [t.pruning.sparsity for t in cost.trainings([ticket])]
    assert sparsities == pytest.approx([0.0, *lottery_rounds(percent / 100, rate)])


def test_no_more_is_trained_than_is_counted_but_the_dense_model_again(empty_cache, monkeypatch):
    done = []
    monkeypatch.setattr("essparse_lib.training.fine_tune.fine_tune", lambda *_: done.append(1) or [0.0])
    training = Training(epochs=1, batch_size=16, learning_rate=1e-3, max_length=16, max_test=16)
    ways = {
        "lottery": at_sparsities((0.1, 0.2, 0.3), method="lottery"),
        "after": at_sparsities((0.1, 0.2), timing="after"),
    }
    trials = study("tiny-sentiment", "tiny-bert", training, **ways).trials()
    bench = Workbench()
    for trial in trials:
        trial_runner.execute(trial, bench)
    assert len(cost.trainings(trials)) == 1 + 3 <= len(done) <= 1 + 3 + 2


@pytest.mark.parametrize("figure", FIGURES)
def test_hours_add_up_over_tasks_models_and_seeds(figure):
    whole = replace(figures.study(figure, "paper"), controls=())  # a part on some tasks has no controls
    models = cost.expected(replace(whole, tasks=()))  # pre-trainings are no task's and no seed's: each part has them
    for by in ("tasks", "models", "seeds"):
        parts = [cost.expected(whole.narrowed(**{by: [entry]})) for entry in getattr(whole, by)]
        again = 0 if by == "models" else len(parts) - 1
        assert sum(part.trainings for part in parts) == cost.expected(whole).trainings + again * models.trainings
        assert sum(part.hours for part in parts) == pytest.approx(cost.expected(whole).hours + again * models.hours)


def test_what_studies_share_counts_once():
    pairs, masks = figures.study("fig9", "paper"), figures.study("fig10", "paper")
    assert cost.expected(pairs, masks) == cost.expected(pairs)
    assert cost.expected(masks).trainings == (5 + 2) * 3 * (1 + 7)
    every = [figures.study(name, "paper") for name in FIGURES]
    assert cost.expected(*every).hours < sum(cost.expected(each).hours for each in every)


@pytest.mark.parametrize("figure", FIGURES)
def test_every_paper_study_has_hours(figure):
    paper = figures.study(figure, "paper")
    assert cost.expected(paper).hours > 0
    assert cost.ASSUMED.startswith("100 TFLOP/s") and "2 ms" in cost.ASSUMED
    line = rf"At paper scale: [\d,]+ trainings, about [\d.,]+ hours on one GPU \(assumed: {re.escape(cost.ASSUMED)}\)\."
    assert re.fullmatch(line, cost.sentence(paper))


@pytest.mark.parametrize("narrow", [{"models": ["someone/else"]}, {"tasks": ["rte", "cola"]}])
def test_what_is_not_known_is_said_and_no_error(narrow):
    paper = figures.study("fig9", "paper").narrowed(**narrow)
    assert cost.expected(paper).hours is None and cost.expected(paper).about == "not known"
    assert re.fullmatch(r"At paper scale: \d+ trainings; how long they take is not known\.", cost.sentence(paper))


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0.0456, "0.046"), (1.04, "1"), (9.96, "10"), (12.4, "12"), (1_249, "1,200"), (99_900, "100,000")],
)
def test_hours_are_written_to_two_digits(hours, text):
    assert cost.Cost(1, hours).about == text


def test_it_is_told_without_torch():
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('torch', 'transformers', 'accelerate', 'pandas', 'matplotlib')))\n"
        "from essparse_lib import figures\n"
        "from essparse_lib.records import cost\n"
        "print(cost.sentence(figures.study('fig2', 'paper')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.startswith("At paper scale: "), done.stderr


@pytest.mark.parametrize("figure", FIGURES)
def test_each_figure_tells_its_cost(figure):
    cells = (ROOT / f"notebooks/{figure}.py").read_text().split("# %%")
    places = [i for i, cell in enumerate(cells) if "cost.sentence(paper)" in cell]
    assert len(places) == 1 and f'paper = figures.study("{figure}", "paper")' in cells[places[0]]
    assert "To run it again" in cells[places[0] - 1]


def test_the_page_says_what_is_assumed():
    assert "{glue:text}`../notebooks/fig2.ipynb::paper_assumed:s`" in (ROOT / "book/reproduce.md").read_text()
    assert 'parameters.glue("paper_assumed", cost.ASSUMED)' in (ROOT / "notebooks/fig2.py").read_text()
