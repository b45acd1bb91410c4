"""Adapters are merged into a pruned model, its zeros stay, and how many the merge had filled is said."""

import pytest
import torch
from tiny_models import ADAPTERS, llama, train_adapter
from torch import nn

from essparse_lib.errors import InputError
from essparse_lib.pruning.adapters import merge_adapters
from essparse_lib.pruning.magnitude import global_magnitude
from essparse_lib.pruning.masks import Mask
from essparse_lib.pruning.prunable import prunable_weights

peft = pytest.importorskip("peft")
pytestmark = pytest.mark.filterwarnings("ignore")  # each kind of adapter has its own

#: Adapters that stand beside the weights: there is nothing to merge.
BESIDE = ("prefix", "prompt", "Llama-Adapter")


def adapted(kind):
    """Return a pruned model with an adapter that was trained, and its mask."""
    base = llama()
    mask = global_magnitude(prunable_weights(base), 0.5)
    mask.apply(base)
    config, options = ADAPTERS[kind]
    model = peft.get_peft_model(base, getattr(peft, config)(**options))
    train_adapter(model, mask)
    return model, mask


@pytest.mark.parametrize("kind", [kind for kind in ADAPTERS if kind not in BESIDE])
def test_a_merged_model_has_the_zeros_and_otherwise_what_the_merge_gives(kind):
    model, mask = adapted(kind)
    by_peft = adapted(kind)[0].merge_and_unload().state_dict()
    names = set(llama().state_dict())
    refilled = sum(int((by_peft[name][~kept] != 0).sum()) for name, kept in mask.keep.items())

    merged = merge_adapters(nn.DataParallel(model), mask)
    assert (merged.refilled, merged.pruned) == (refilled, mask.pruned)
    assert (merged.refilled > 0) == (kind not in ("norms", "IA3"))  # which leave a zero zero
    state = merged.model.state_dict()
    assert set(state) == names
    for name, values in state.items():
        kept = mask.keep.get(name, torch.ones_like(values, dtype=torch.bool))
        assert torch.equal(values[kept], by_peft[name][kept]), name
        assert not values[~kept].any(), name


@pytest.mark.parametrize("kind", BESIDE)
def test_an_adapter_that_changes_no_weights_is_refused_with_its_kind(kind):
    model, mask = adapted(kind)
    with pytest.raises(InputError, match=r"^[A-Z_]+ cannot be merged: it changes no weights") as error:
        merge_adapters(model, mask)
    assert "\n" not in str(error.value)


def test_a_model_without_adapters_is_refused():
    base = llama()
    with pytest.raises(InputError, match="^a LlamaForCausalLM has no adapters to merge: pass the model that peft"):
        merge_adapters(base, global_magnitude(prunable_weights(base), 0.5))


def test_a_mask_of_another_model_is_refused_before_anything_is_merged():
    model, _ = adapted("LoRA")
    with pytest.raises(InputError, match="another model: layers.9.weight"):
        merge_adapters(model, Mask({"layers.9.weight": torch.ones(2, 2, dtype=torch.bool)}))
    assert any("lora_B" in name for name, _ in model.named_parameters())


def test_what_peft_refuses_to_merge_is_one_line(monkeypatch):
    model, mask = adapted("LoRA")

    def refuse():
        raise ValueError("Cannot merge LORA layers\nwhen the model is gptq quantized")

    monkeypatch.setattr(model.base_model, "merge_and_unload", refuse, raising=False)
    message = "^LORA cannot be merged into this model: .*gptq quantized"
    with pytest.raises(InputError, match=message) as error:
        merge_adapters(model, mask)
    assert "\n" not in str(error.value)
