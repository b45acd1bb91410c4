"""Pre-training of language models: their batches, snapshots of their weights, and resuming after any step."""

import json
import math
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from killed import Killed, KilledObjective
from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoTokenizer

from essparse_lib.errors import InputError
from essparse_lib.pruning.prunable import prunable_weights
from essparse_lib.records import pretrained
from essparse_lib.records.pretrained import PRETRAINED
from essparse_lib.records.store import Record, Store
from essparse_lib.runner import pretraining as pretraining
from essparse_lib.runner.scheduler import missing, run
from essparse_lib.specs.pretraining import TextPretraining
from essparse_lib.specs.trial import Training, Trial
from essparse_lib.training import checkpoints, device, pretrain
from essparse_lib.training.dynamics import Dynamics, default_measured_steps, weight_snapshot
from essparse_lib.training.loop import LOSS_CHECK_INTERVAL
from essparse_lib.training.text_objectives import LANGUAGE_MODELS, MaskedLM, TextObjective, masked_batch

QUICK = TextPretraining(
    model="quick",
    architecture="bert",
    layers=2,
    hidden=16,
    heads=2,
    corpus="words",
    vocabulary=40,
    length=16,
    batch_size=8,
    steps=60,
    learning_rate=1e-2,
)


@dataclass(frozen=True)
class Words:
    """Made-up text with the face of ``Packed``: tokens follow one another in a circle, so that any can be told."""

    train: np.ndarray
    held_out: np.ndarray

    def part(self, fraction):
        return np.arange(round(fraction * len(self.train)))


def circle(blocks, start=0):
    words = 5 + (start + np.arange(blocks)[:, None] * 7 + np.arange(15)[None]) % 30
    return np.concatenate([np.full((blocks, 1), 2), words], 1).astype(np.uint16)


TEXT = Words(circle(100), circle(8, 3))


@pytest.fixture(scope="module")
def tokenizer():
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from transformers import PreTrainedTokenizerFast

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(35))]
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordPiece({name: i for i, name in enumerate(names)}, unk_token="[UNK]")),
        **dict(pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]"),
    )


@pytest.fixture
def trained(tokenizer, tmp_path):
    """``trained(spec, …)``: the result of pre-training, with the checkpoint in this test's folder."""

    def train(spec, checkpoint=tmp_path / "state.safetensors", killed_at=None, **options):
        objective = TextObjective(spec, TEXT, tokenizer)
        if killed_at is not None:
            objective = KilledObjective(objective, killed_at)
        return pretrain.pretrain(spec, objective, device.accelerator(), checkpoint, **options)

    return train


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["bert", "opt"])
def test_it_learns_and_two_runs_are_one(trained, architecture, tmp_path):
    spec = replace(QUICK, architecture=architecture, steps=300, hidden=32, masked=0.3)
    first, second = trained(spec), trained(spec, checkpoint=tmp_path / "other")
    assert first.losses == second.losses
    assert len(first.losses) == 300
    assert first.dynamics.held_out[-1] < math.log(30) - 0.3  # it knows more than how common each word is
    assert first.dynamics.held_out[0] == pytest.approx(math.log(40), rel=0.1)
    other = trained(replace(spec, seed=1), checkpoint=tmp_path / "third")
    assert other.losses != first.losses


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["bert", "opt"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_resumed_it_is_the_unbroken_run(trained, architecture, dropout, tmp_path):
    spec = replace(QUICK, architecture=architecture, dropout=dropout)
    whole = trained(spec, checkpoint=tmp_path / "whole")
    checkpoint = tmp_path / "killed"
    for step in (25, 47):
        with pytest.raises(Killed):  # with a checkpoint at every check of the losses
            trained(spec, checkpoint=checkpoint, killed_at=step, checkpoint_interval=0.0)
        assert checkpoints.read_notes(checkpoint)["steps"] == step - step % LOSS_CHECK_INTERVAL
    resumed = trained(spec, checkpoint=checkpoint)
    assert resumed.losses == whole.losses
    assert {k: v for k, v in resumed.dynamics.plain().items() if k != "seconds"} == {
        k: v for k, v in whole.dynamics.plain().items() if k != "seconds"
    }
    assert resumed.pruned == whole.pruned and tuple(whole.pruned.at) == spec.pruned_steps
    for (name, one), (_, other) in zip(
        resumed.module.state_dict().items(), whole.module.state_dict().items(), strict=True
    ):
        assert torch.equal(one, other), name


def test_a_deadline_ends_it_between_steps_and_it_goes_on(trained, monkeypatch):
    times = iter([0.0] * 2 + [9e9] * 9)
    monkeypatch.setattr(pretrain.time, "time", lambda: next(times))
    part = trained(QUICK, deadline=1.0)
    assert len(part.losses) == 2 * LOSS_CHECK_INTERVAL
    whole = trained(QUICK)
    assert len(whole.losses) == QUICK.steps
    assert whole.losses[: 2 * LOSS_CHECK_INTERVAL] == part.losses
    assert whole.dynamics.at == default_measured_steps(QUICK.steps)
    assert whole.seconds > part.seconds


def test_nan_is_a_result_and_the_last_good_checkpoint_stays(trained, monkeypatch, tmp_path):
    make_batch = LANGUAGE_MODELS["bert"].make_batch
    calls = iter(range(1000))

    def poisoned(*arguments):
        batch = make_batch(*arguments)
        return batch if next(calls) < 31 else {**batch, "labels": batch["labels"] - 10**6}

    def loss(self, **batch):
        output = forward(self, **{**batch, "labels": batch["labels"] % 10**6})
        if int(batch["labels"].min()) < 0:
            output.loss = output.loss * math.nan
        return output

    forward = MaskedLM.forward
    monkeypatch.setattr(MaskedLM, "forward", loss)
    monkeypatch.setitem(LANGUAGE_MODELS, "bert", replace(LANGUAGE_MODELS["bert"], make_batch=poisoned))
    result = trained(QUICK, measured_steps=[], checkpoint_interval=0.0)
    assert "NaN or infinite" in result.diverged
    assert result.dynamics.at == [0]
    assert checkpoints.read_notes(tmp_path / "state.safetensors")["steps"] == LOSS_CHECK_INTERVAL


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        (dict(learning_rate=2e-2), "checkpoint of another configuration: remove it"),
        (dict(batch_size=200), "100% of words are 100 blocks of 16 tokens, fewer than a batch of 200"),
    ],
)
def test_what_does_not_fit_is_refused(trained, changed, match):
    trained(QUICK, deadline=0.0)
    with pytest.raises(InputError, match=match):
        trained(replace(QUICK, **changed))


def test_a_checkpoint_of_another_shape_or_a_damaged_one_is_refused(trained, tmp_path):
    checkpoint = tmp_path / "state.safetensors"
    trained(QUICK, deadline=0.0)
    notes = checkpoints.read_notes(checkpoint)
    state = pretrain.TrainingState(model=torch.nn.Linear(2, 2), optimizer=None)
    with pytest.raises(InputError, match=r"checkpoint of another configuration: .* more differ; remove it"):
        checkpoints.restore_state(state, checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    with pytest.raises(InputError, match=r"it is damaged .*, move it away"):
        trained(QUICK)
    assert notes["asked"] == json.loads(json.dumps(QUICK.canonical()))


def test_masks_are_as_bert_has_them(tokenizer):
    blocks = torch.from_numpy(circle(4000).astype(np.int64))
    blocks[:, 5] = tokenizer.sep_token_id
    batch = masked_batch(blocks, 0.15, tokenizer, torch.Generator().manual_seed(0))
    shown = batch["input_ids"].gather(1, batch["positions"])
    assert batch["positions"].shape == (4000, 2)  # 15% of 16
    assert not bool(((batch["positions"] == 0) | (batch["positions"] == 5)).any())  # special tokens are never asked for
    assert torch.equal(blocks.gather(1, batch["positions"]), batch["labels"])
    untouched = torch.ones_like(blocks, dtype=torch.bool).scatter(1, batch["positions"], False)
    assert torch.equal(batch["input_ids"][untouched], blocks[untouched])
    hidden = (shown == tokenizer.mask_token_id).float().mean()
    same = (shown == batch["labels"]).float().mean()
    assert float(hidden) == pytest.approx(0.8, abs=0.02)
    assert float(same) == pytest.approx(0.1 + 0.1 / 35, abs=0.015)
    assert int(shown.min()) >= 4  # random tokens are words
    places = torch.bincount(batch["positions"].flatten(), minlength=16)[[1, 2, 3, 4, *range(6, 16)]]
    assert float(places.max() / places.min()) < 1.35  # anywhere alike


def test_only_masked_tokens_are_scored_and_the_loss_is_transformers_own(tokenizer):
    torch.manual_seed(0)
    model = LANGUAGE_MODELS["bert"].build(replace(QUICK, dropout=0.0), tokenizer).eval()
    batch = masked_batch(torch.from_numpy(circle(8).astype(np.int64)), 0.2, tokenizer, torch.Generator().manual_seed(1))
    labels = torch.full_like(batch["input_ids"], -100).scatter(1, batch["positions"], batch["labels"])
    whole = model(input_ids=batch["input_ids"], labels=labels).loss
    torch.testing.assert_close(MaskedLM(model)(**batch).loss, whole)


def test_too_few_words_to_mask_is_said(tokenizer):
    with pytest.raises(InputError, match="fewer than 4 tokens that are not special"):
        masked_batch(torch.full((1, 8), 3), 0.5, tokenizer, torch.Generator())


def test_snapshots_are_early_and_even():
    assert default_measured_steps(8000)[:9] == [0, 1, 2, 5, 10, 20, 50, 80, 160]
    assert default_measured_steps(8000)[-1] == 8000
    assert default_measured_steps(3) == [0, 1, 2, 3]


def test_a_snapshot_counts_what_is_there(tokenizer):
    model = LANGUAGE_MODELS["bert"].build(QUICK, tokenizer)
    with torch.no_grad():
        matrix = prunable_weights(model)["bert.encoder.layer.1.output.dense.weight"]
        matrix[:3] = 0
        matrix[3:, 0] = 1e-7
    snapshot = weight_snapshot(model)
    assert [place[:2] for place in snapshot["places"]].index([1, "output"]) == 11
    assert sum(size for *_, size in snapshot["places"]) == 2 * (4 * 16 * 16 + 2 * 16 * 64)
    assert snapshot["zeros"]["exact"][11] == 3 * 64
    assert snapshot["zeros"]["below 1e-06"][11] == 3 * 64 + 13
    assert snapshot["norms"][11] == pytest.approx(float(matrix.norm()), rel=1e-4)
    dynamics = Dynamics()
    dynamics.add_snapshot(0, model, None, 3.0, {})
    assert Dynamics(**json.loads(json.dumps(dynamics.plain()))).zeros == dynamics.zeros
    dynamics.add_snapshot(1, model, 2.0, 3.0, {"knn": 50.0})
    dynamics.add_snapshot(2, model, 2.0, 3.0, {"entropy": 1.0})
    assert dynamics.probes == {"knn": [None, 50.0, None], "entropy": [None, None, 1.0]}


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        (dict(architecture="gpt"), "unknown architecture 'gpt'"),
        (dict(steps=-1), "steps -1 is not allowed"),
        (dict(fraction=0.0), "fraction 0.0 is not allowed"),
        (dict(fraction=1.1), "fraction 1.1 is not allowed"),
        (dict(heads=3), "hidden 16 is not allowed: 3 heads"),
        (dict(dropout=1.0), "dropout 1.0 is not allowed"),
    ],
)
def test_bad_settings_are_refused(changed, match):
    with pytest.raises(InputError, match=match):
        replace(QUICK, **changed)


def test_names_say_scale_part_and_seed():
    lab = PRETRAINED["lab"]
    assert [name for name in lab if name.startswith("bert")] == [
        *(f"bert-2x128-{part}-0" for part in (100, 90, 80, 70, 60)),
        *(f"bert-2x128-{part}-1" for part in (100, 60)),
    ]
    alike = {replace(p, model="one", fraction=1.0, seed=0).id for n, p in lab.items() if n.startswith("bert")}
    assert len(alike) == 1  # they differ in nothing else
    assert len(pretrained.SCALE_OF) == sum(map(len, PRETRAINED.values()))
    ways = [f"vit-4x192-{way}-{seed}" for seed in (0, 1) for way in ("supervised", "dino", "long", "masked")]
    assert list(pretrained.vision_models("lab")) == [*ways, "vit-4x192-fresh-0"]
    first, fresh = lab["vit-4x192-supervised-0"], lab["vit-4x192-fresh-0"]
    assert fresh == replace(first, model=fresh.model, steps=0)  # the weights that the first one begins with


@pytest.fixture
def home(tmp_path, monkeypatch, fresh_models):
    """Records, and models that are trained, go into this test's folder."""
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "cache"))
    return pretrained.store_of(TINY.model)


TINY = PRETRAINED["tiny"]["tiny-scratch-60-0"]
TRIAL = Trial(
    model=TINY.model,
    task="tiny-sentiment",
    seed=0,
    training=Training(epochs=1, batch_size=16, learning_rate=1e-2, max_length=32, max_train=64),
)


def test_a_model_is_trained_recorded_saved_and_then_pruned(home):
    assert run([TRIAL.at(0.5), TINY], home) == []  # the trial is named first, its model trained first
    record = home.records()[TINY.id]
    assert record.status == "ok"
    assert record.metrics["held_out_loss"] < record.metrics["unigram_entropy"]
    assert record.values["dynamics"]["at"] == default_measured_steps(TINY.steps)
    assert all(record.values["text"][name] > 0 for name in ("documents", "characters", "words", "tokens"))
    assert Record.from_line(record.line()) == record
    folder = home.pretrained(TINY.model)
    assert record.provenance["weights"] == home.records()[TRIAL.at(0.5).id].provenance["weights"]
    saved = AutoModelForMaskedLM.from_pretrained(folder)
    assert saved.dtype == torch.float16
    assert saved.config.hidden_dropout_prob == 0.1  # fine-tuning has the architecture's own
    encoded = AutoTokenizer.from_pretrained(folder)("the film", "a plot")
    assert sorted(set(encoded["token_type_ids"])) == [0, 1]
    assert (
        home.records()[TRIAL.at(0.5).id].metrics["zeros"] == home.records()[TRIAL.at(0.5).id].metrics["prunable"] // 2
    )
    assert len(AutoModelForSequenceClassification.from_pretrained(folder).bert.encoder.layer) == TINY.layers
    assert AutoModel.from_pretrained(folder).config.vocab_size == TINY.vocabulary


class Kill(BaseException):
    """The end of a process, which no handler stops."""


def kill(*_, **__):
    raise Kill


def test_a_checkpoint_goes_once_its_training_is_recorded_wherever_the_process_was_killed(home, monkeypatch):
    checkpoint = pretraining.checkpoint_of(TINY)

    def train_a_part():
        assert pretraining.pretrain(TINY, home.pretrained(TINY.model), deadline=0.0) is None
        assert checkpoint.exists()

    train_a_part()
    with monkeypatch.context() as patch:  # killed when the weights are there and the record is not
        patch.setattr(Store, "append", kill)
        with pytest.raises(Kill):
            pretraining.build(TINY.model)
    assert home.pretrained(TINY.model).is_dir() and checkpoint.exists() and home.records() == {}
    with monkeypatch.context() as patch:  # killed when the record is there and so is the checkpoint
        patch.setattr(pretraining, "forget", kill)
        with pytest.raises(Kill):
            pretraining.build(TINY.model)
    assert home.records()[TINY.id].status == "ok" and checkpoint.exists()
    run([TINY], home)
    assert not checkpoint.exists()
    shutil.rmtree(home.pretrained(TINY.model))
    train_a_part()
    run([TINY], home)  # the weights are to be made again, and that may be gone on with
    assert checkpoint.exists()
    pretraining.build(TINY.model)
    assert not checkpoint.exists()
    train_a_part()  # for other records, say
    later = home.pretrained(TINY.model).joinpath("model.safetensors").stat().st_mtime + 1
    os.utime(checkpoint, (later, later))
    pretraining.build(TINY.model)
    assert checkpoint.exists()
    os.utime(checkpoint, (later - 2, later - 2))
    pretraining.build(TINY.model)
    assert not checkpoint.exists()


@pytest.mark.parametrize("content", ["somebody's", "changed since"])
def test_a_folder_of_weights_that_no_training_made_is_left_alone(home, monkeypatch, content):
    folder = home.pretrained(TINY.model)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "append", kill)
        with pytest.raises(Kill):
            pretraining.build(TINY.model)
    if content == "somebody's":
        shutil.rmtree(folder)
        folder.mkdir()
    (folder / "config.json").write_text("{}")
    monkeypatch.setattr(pretraining, "prepare", lambda _: pytest.fail("it was to be trained"))
    with pytest.raises(InputError, match="move it away"):
        pretraining.build(TINY.model)
    assert (folder / "config.json").read_text() == "{}"


@pytest.mark.slow
def test_what_the_budget_does_not_allow_is_gone_on_with(home):
    left = run([TINY, TRIAL], home, budget=1e-9)
    assert {one.id for one in left} == {TINY.id, TRIAL.id}
    assert home.records() == {}
    with pytest.raises(InputError, match="trained here, and its weights are not there yet: run `essparse pretrain"):
        run([TRIAL], home)
    record = pretraining.pretrain(TINY, home.pretrained(TINY.model), deadline=0.0)
    assert record is None
    assert missing([TINY], home.records()) == [TINY]
    assert run([TINY, TRIAL], home) == []


def test_installed_weights_are_found(home, tmp_path, monkeypatch):
    installed = tmp_path / "installed"
    (installed / TINY.model / "model").mkdir(parents=True)
    monkeypatch.setattr(pretrained, "results", lambda scale: Store(tmp_path / "none", installed))
    assert pretrained.folder_of(TINY.model) == installed / TINY.model / "model"


def test_the_methods_page_states_the_settings():
    page = (Path(__file__).parents[1] / "book/methods.md").read_text()
    lab, paper = PRETRAINED["lab"]["bert-2x128-100-0"], PRETRAINED["paper"]["bert-12x768-100-0"]
    for row in (
        f"| vocabulary | {lab.vocabulary:,} | {paper.vocabulary:,} |",
        f"| corpus | `{lab.corpus}` | `{paper.corpus}` |",
        f"| tokens of a block | {lab.length} | {paper.length} |",
        f"| blocks a step | {lab.batch_size} | {paper.batch_size} |",
        f"| steps | {lab.steps:,} | {paper.steps:,} |",
        f"| warm-up | {lab.warmup:.0%} of the steps | {paper.warmup:.0%} |",
        f"| standard deviation of the initial weights | {lab.initial:g} | {paper.initial:g} |",
        f"| dropout while pre-training | {lab.dropout:g} | {paper.dropout:g} |",
        f"| model | {lab.layers} blocks of width {lab.hidden}",
    ):
        assert row in page
    assert (lab.learning_rate, paper.learning_rate) == (1e-3, 1e-4)
    assert "| learning rate | 1e-3 | 1e-4 |" in page
