"""A pruned language model recovers: it is trained briefly on a text, and what was pruned stays zero."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertForMaskedLM, RobertaConfig, RobertaForMaskedLM

from essparse_lib import sparsify
from essparse_lib.errors import InputError
from essparse_lib.models import loading
from essparse_lib.pruning.prunable import prunable_weights
from essparse_lib.recipe import Recipe
from essparse_lib.training.language_recovery import single_precision
from essparse_lib.training.recovery import Recovery, recovery_of
from essparse_lib.training.text_objectives import masked_batch

HALF = Recipe(sparsity=0.5)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the film has a good plot and its actors play a dull story " * 1500)
    return path


def masked_lm(folder, config=BertConfig, model=BertForMaskedLM, dtype=torch.float32):
    """Write a small model that predicts masked tokens, with the tokenizer of tiny-bert, and return its folder."""
    tokenizer = loading.tokenizer_of("tiny-bert")
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    model(config(vocab_size=len(tokenizer), max_position_embeddings=66, **shape)).to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def recovered(name, recovery, out, recipe=HALF, **options):
    """Prune and recover a model; return what essparse.json says of the recovery, and the line that was said."""
    said = sparsify.save_pruned(str(name), recipe, out, recovery, **options)
    return json.loads((out / "essparse.json").read_text()), said


def test_a_causal_model_learns_the_text_and_its_zeros_stay(text, tmp_path):
    recovery = Recovery(text=text, steps=40, learning_rate="1e-2", seed=3)
    done, said = recovered("tiny-llama", recovery, tmp_path / "out")
    numbers = done["recovery"]
    assert numbers["loss_recovered"] < numbers["loss_pruned"] - 0.5 and numbers["objective"] == "next token"
    assert (numbers["steps"], numbers["learning_rate"], numbers["seed"]) == (40, 0.01, 3)
    assert f"{numbers['loss_recovered']:.3f} after 40 steps" in said and "held-out windows of text.txt" in said
    zeros = sum(
        int((weight == 0).sum()) for weight in prunable_weights(loading.load_model(str(tmp_path / "out"))).values()
    )
    assert zeros == done["zeros"] == done["pruned"] == done["weights"] // 2
    card = (tmp_path / "out/README.md").read_text()
    assert "were trained afterwards" in card and f"{numbers['loss_recovered']:.3f}" in card and "nothing" not in card


def test_the_same_seed_gives_the_same_weights(text, tmp_path):
    saved = []
    for number, seed in enumerate((1, 1, 2)):
        recovered("tiny-llama", Recovery(text=text, steps=3, seed=seed), tmp_path / str(number))
        saved.append(load_file(tmp_path / str(number) / "model.safetensors"))
    same = [all(torch.equal(saved[0][name], other[name]) for name in other) for other in saved]
    assert same == [True, True, False]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_model_of_masked_tokens_recovers_in_its_precision(dtype, text, tmp_path):
    folder = masked_lm(tmp_path / "model", dtype=dtype)
    done, _ = recovered(folder, Recovery(text=text, steps=30, learning_rate=1e-2), tmp_path / "out")
    assert done["recovery"]["objective"] == "masked tokens"
    assert done["recovery"]["loss_recovered"] < done["recovery"]["loss_pruned"] - 0.2
    after = load_file(tmp_path / "out/model.safetensors")
    assert {weight.dtype for weight in after.values()} == {dtype}
    before = load_file(folder / "model.safetensors")
    assert not torch.equal(
        after["bert.embeddings.word_embeddings.weight"], before["bert.embeddings.word_embeddings.weight"]
    )


def test_special_tokens_with_the_highest_numbers_are_never_drawn():
    class Tokenizer:
        all_special_ids = (0, 18, 19)
        mask_token_id = 19

        def __len__(self):
            return 20

    blocks = torch.randint(1, 18, (64, 32), generator=torch.Generator().manual_seed(0))
    batch = masked_batch(blocks, 0.9, Tokenizer(), torch.Generator().manual_seed(1))
    assert set(batch["input_ids"].unique().tolist()) == {*range(1, 18), 19}


def test_a_model_that_numbers_positions_from_its_padding_on_recovers(text, tmp_path):
    folder = masked_lm(tmp_path / "model", RobertaConfig, RobertaForMaskedLM)
    done, _ = recovered(folder, Recovery(text=text, steps=2), tmp_path / "out")
    assert done["recovery"]["length"] == 64


def test_zeros_of_an_earlier_pruning_stay_also_where_nothing_is_pruned_now(text, tmp_path):
    sparsify.save_pruned("tiny-llama", Recipe(sparsity=0.7, include=("*self_attn*",)), tmp_path / "first")
    before = prunable_weights(loading.load_model(str(tmp_path / "first")))
    recipe = Recipe(sparsity=0.5, include=("*mlp*",))
    recovered(tmp_path / "first", Recovery(text=text, steps=5, learning_rate=1e-2), tmp_path / "out", recipe)
    after = prunable_weights(loading.load_model(str(tmp_path / "out")))
    assert all(bool((after[name][weight == 0] == 0).all()) for name, weight in before.items())
    assert all((after[name] == 0).float().mean() > 0.4 for name in after if "mlp" in name)


def test_a_recovered_model_can_be_stored_compressed(text, tmp_path):
    done, said = recovered("tiny-llama", Recovery(text=text, steps=2), tmp_path / "out", compressed=True)
    weights = prunable_weights(loading.load_model(str(tmp_path / "out")))
    assert sum(int((weight == 0).sum()) for weight in weights.values()) == done["zeros"] and "bytes" in said


@pytest.mark.parametrize("name", ["tiny-bert", "tiny-vit", "tiny-opt"])
def test_a_model_without_a_head_that_learns_from_text_is_refused(name, text, tmp_path):
    with pytest.raises(InputError, match="has no head that learns from text alone"):
        sparsify.save_pruned(name, HALF, tmp_path / "out", Recovery(text=text))
    assert not (tmp_path / "out").exists()


def test_a_text_too_short_is_refused(text, tmp_path):
    text.write_text("too short")
    with pytest.raises(InputError, match="too few to recover on: give a text of"):
        sparsify.save_pruned("tiny-llama", HALF, tmp_path / "out", Recovery(text=text))
    assert not (tmp_path / "out").exists()


def test_a_training_that_diverges_is_one_line_and_leaves_nothing(text, tmp_path, monkeypatch):
    from essparse_lib.training import language_recovery
    from essparse_lib.training.loop import Diverged

    def diverge(*_):
        raise Diverged("the loss is NaN or infinite within 3 steps before step 3")

    monkeypatch.setattr(language_recovery, "train", diverge)
    with pytest.raises(InputError, match=r"recovery failed \(the loss is NaN.*\): lower recover-rate 0.0001"):
        sparsify.save_pruned("tiny-llama", HALF, tmp_path / "out", Recovery(text=text))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "recover-steps 0 is not allowed"),
        ({"steps": 2.5}, "recover-steps 2.5 is not allowed"),
        ({"learning_rate": 0}, "recover-rate 0 is not allowed"),
        ({"learning_rate": "2"}, "recover-rate '2' is not allowed"),
        ({"learning_rate": "fast"}, "recover-rate 'fast' is not allowed"),
        ({"seed": -1}, "seed -1 is not allowed"),
    ],
    ids=str,
)
def test_settings_that_are_not_allowed_are_refused(settings, message, text):
    with pytest.raises(InputError, match=message):
        Recovery(text=text, **settings)


def test_settings_without_a_text_are_refused(tmp_path):
    assert recovery_of(None, None, None, 0) is None
    for steps, rate in ((5, None), (None, "1e-3")):
        with pytest.raises(InputError, match="go with a text to recover on, and none is given"):
            recovery_of(None, steps, rate, 0)
    with pytest.raises(InputError, match="is no file"):
        recovery_of(tmp_path / "absent", None, None, 0)


def test_tied_weights_and_buffers_are_what_they_were_after_single_precision():
    model = loading.load_model("tiny-llama").half()
    before = {name: tensor.clone() for name, tensor in [*model.named_parameters(), *model.named_buffers()]}
    with single_precision(model):
        assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    after = dict([*model.named_parameters(), *model.named_buffers()])
    assert all(
        torch.equal(after[name], tensor) and after[name].dtype == tensor.dtype for name, tensor in before.items()
    )
