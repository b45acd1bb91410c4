"""2:4 matrices for GPUs: what is refused and why, and, with the GPU's product imitated, that outputs stay the same.

No GPU is needed: torch packs and unpacks the CUTLASS format on a CPU, too; only its products are missing there.
"""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from torch import nn
from torch.sparse import _semi_structured_conversions as packing

from essparse_lib.errors import InputError
from essparse_lib.pruning import hardware
from essparse_lib.pruning.hardware import is_two_of_four, library, to_semi_structured
from essparse_lib.pruning.masks import Mask
from essparse_lib.pruning.n_m import n_m
from essparse_lib.pruning.prunable import prunable_weights

CUSPARSELT, CUTLASS = torch.sparse.SparseSemiStructuredTensorCUSPARSELT, torch.sparse.SparseSemiStructuredTensorCUTLASS
CUDA = torch.device("cuda")


class Packed(CUTLASS):
    """torch's CUTLASS tensor, made on a CPU."""

    @classmethod
    def from_dense(cls, original_tensor, alg_id=0):
        packed, meta = packing.sparse_semi_structured_from_dense_cutlass(original_tensor)
        return cls(original_tensor.shape, packed, meta, None, None, None)


@pytest.fixture
def on_cpu(monkeypatch):
    """The CPU passes for a device with CUTLASS."""
    monkeypatch.setattr(hardware, "library", lambda device, dtype: Packed)


@pytest.fixture
def products(on_cpu):
    """Products of packed matrices on a CPU, as often as this list says: its items are the numbers of tokens."""
    seen = []

    def mm(packed, meta, dense, out_dtype=None):
        seen.append(dense.shape[1])
        return packing.sparse_semi_structured_to_dense_cutlass(packed, meta) @ dense

    def addmm(bias, packed, meta, dense, alpha=1, beta=1, out_dtype=None):
        return mm(packed, meta, dense) + bias[:, None]

    imitation = torch.library.Library("aten", "IMPL")
    imitation.impl("_sparse_semi_structured_mm", mm, "CPU")
    imitation.impl("_sparse_semi_structured_addmm", addmm, "CPU")
    yield seen
    imitation._destroy()


def close(one, other):
    """Whether outputs agree up to rounding in half precision."""
    return one.shape == other.shape and (one - other).norm() < 0.01 * other.norm()


def net(dtype=torch.bfloat16):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 128), nn.Tanh(), nn.Linear(128, 64, bias=False), nn.Linear(64, 32)).to(dtype)


def mask_of(model, *layers):
    names = [f"{layer}.weight" for layer in layers]
    return n_m({name: model.get_parameter(name) for name in names}, "2:4")


# What is 2:4


@pytest.mark.parametrize(
    ("row", "yes"),
    [
        ("1100", True),
        ("0000", True),
        ("0001", True),
        ("1110", False),
        ("00111100", True),  # 4 in a row, 2 in each group
        ("11001110", False),
        ("110011", False),  # half a group is left
        ("", True),
    ],
)
def test_two_of_four(row, yes):
    kept = torch.tensor([[letter == "1" for letter in row]], dtype=torch.bool)
    assert is_two_of_four(kept) is yes
    assert is_two_of_four(torch.cat([torch.zeros_like(kept), kept])) is yes


def test_two_of_four_is_along_the_rows_of_a_matrix():
    down = torch.tensor([True, True, True, False])[:, None].expand(4, 8) & torch.tensor([True, False]).repeat(4)
    assert is_two_of_four(down)
    assert not is_two_of_four(down.T.contiguous())
    assert not is_two_of_four(torch.tensor([True, False, False, True]))


# What a device can


def test_without_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"compute capability 8\.0 or newer .*, and torch finds no GPU here$"):
        library(CUDA, torch.float16)


@pytest.fixture
def gpu(monkeypatch):
    """``gpu(capability)``: a GPU is there, as far as one can ask."""

    def there(capability, hip=None):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "Some GPU")
        monkeypatch.setattr(torch.version, "hip", hip)

    return there


def test_a_model_on_the_cpu(gpu):
    gpu((8, 0))
    with pytest.raises(InputError, match=r"and the model is on the cpu: move it there first"):
        library(torch.device("cpu"), torch.float16)


@pytest.mark.parametrize("capability", [(7, 0), (7, 5)])
def test_a_gpu_that_is_too_old(gpu, capability):
    gpu(capability)
    with pytest.raises(InputError, match=rf"8\.0 or newer .*, and Some GPU has 7\.{capability[1]}$"):
        library(CUDA, torch.float16)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int8])
def test_precisions_that_are_not_half(gpu, dtype):
    gpu((8, 0))
    with pytest.raises(InputError, match=rf"float16 or bfloat16, and the model is in {dtype}: try model\.half\(\)$"):
        library(CUDA, dtype)


@pytest.mark.parametrize("capability", [(8, 0), (8, 6), (9, 0), (12, 0)])
@pytest.mark.parametrize(("works", "chosen"), [([CUSPARSELT, CUTLASS], CUSPARSELT), ([CUTLASS], CUTLASS)])
def test_the_first_library_whose_product_is_right_is_taken(gpu, monkeypatch, capability, works, chosen):
    gpu(capability)
    monkeypatch.setattr(hardware, "_fails", lambda kind, *_: None if kind in works else "no")
    assert library(CUDA, torch.bfloat16) is chosen


def test_where_no_library_works_each_says_why(gpu, monkeypatch):
    gpu((9, 9))
    monkeypatch.setattr(hardware, "_fails", lambda kind, *_: f"not for {kind.BACKEND}")
    wanted = r"on this GPU \(cusparselt: not for cusparselt; cutlass: not for cutlass\)$"
    with pytest.raises(InputError, match=wanted):
        library(CUDA, torch.float16)


def test_amds_numbers_are_not_compared(gpu, monkeypatch):
    gpu((0, 9), hip="6.1")
    monkeypatch.setattr(hardware, "_fails", lambda *_: None)
    assert library(CUDA, torch.float16) is CUSPARSELT


def test_a_product_is_tried(products, monkeypatch):
    cpu = torch.device("cpu")
    assert hardware._fails(Packed, cpu, torch.float16) is None
    assert products == [128]
    assert "Only CUDA tensors are currently supported" in hardware._fails(CUTLASS, cpu, torch.float16)

    unpack = packing.sparse_semi_structured_to_dense_cutlass
    monkeypatch.setattr(packing, "sparse_semi_structured_to_dense_cutlass", lambda *a: unpack(*a).roll(1, 0))
    assert hardware._fails(Packed, cpu, torch.float16) == "it multiplies wrongly"


def test_a_product_that_the_device_lacks_is_a_reason(on_cpu):
    assert "_sparse_semi_structured_mm" in hardware._fails(Packed, torch.device("cpu"), torch.float16)


# Models


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_matrices_are_compressed_and_hold_what_the_mask_leaves(on_cpu, dtype):
    model = net(dtype)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    mask = mask_of(model, 0, 2)
    to_semi_structured(model, mask)
    for layer in (model[0], model[2]):
        assert isinstance(layer.weight, Packed)
        assert isinstance(layer.weight, nn.Parameter)
        assert not layer.weight.requires_grad
    for name, kept in mask.keep.items():
        assert torch.equal(model.get_parameter(name).to_dense(), before[name] * kept)
        assert model.get_parameter(name).packed.numel() * 2 == kept.numel()
    for name in ("0.bias", "3.weight", "3.bias"):  # as they were
        assert torch.equal(model.get_parameter(name), before[name])


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("shape", [(5,), (1,), (2, 3), (8, 8)])
def test_outputs_are_those_of_the_masked_model(products, context, shape):
    model = net()
    mask = mask_of(model, 0, 2)
    mask.apply(model)
    compressed = copy.deepcopy(model)
    to_semi_structured(compressed, mask)
    x = torch.randn(*shape, 64, generator=torch.Generator().manual_seed(1)).bfloat16()
    with context():
        assert close(compressed(x), model(x))
        assert not close(net()(x), model(x))  # what is removed matters
    assert len(products) == 2
    assert all(tokens >= x[..., 0].numel() for tokens in products)


@pytest.mark.parametrize("kind", ["bert", "opt", "vit"])
def test_whole_models(products, kind):
    torch.manual_seed(0)
    size = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    if kind == "bert":
        model = transformers.BertModel(transformers.BertConfig(**size, intermediate_size=128, vocab_size=30))
    elif kind == "opt":
        model = transformers.OPTModel(
            transformers.OPTConfig(**size, ffn_dim=128, vocab_size=30, word_embed_proj_dim=64)
        )
    else:
        model = transformers.ViTModel(transformers.ViTConfig(**size, intermediate_size=128, image_size=8, patch_size=4))
    model = model.bfloat16().eval()
    mask = n_m(prunable_weights(model), "2:4")
    mask.apply(model)
    compressed = copy.deepcopy(model)
    to_semi_structured(compressed, mask)
    given = (
        {"pixel_values": torch.ones(3, 3, 8, 8).bfloat16()} if kind == "vit" else {"input_ids": torch.ones(3, 5).long()}
    )
    with torch.inference_mode():
        assert close(compressed(**given)[0], model(**given)[0])
    assert len(products) == 12


def test_linear_layers_that_share_a_matrix_share_it_compressed(on_cpu):
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64)).half()
    model[1].weight = model[0].weight
    to_semi_structured(model, mask_of(model, 0))
    assert model[0].weight is model[1].weight
    assert isinstance(model[1].weight, Packed)


def refused(model, mask, message):
    """The model is refused in one line, and nothing is changed."""
    before = [type(p) for p in model.parameters()]
    with pytest.raises(InputError, match=message) as caught:
        to_semi_structured(model, mask)
    assert "\n" not in str(caught.value)
    assert [type(p) for p in model.parameters()] == before


def test_a_mask_that_is_not_two_of_four_is_refused(on_cpu):
    model = net()
    mask = mask_of(model, 0, 2)
    mask.keep["2.weight"][5, 8:12] = torch.tensor([True, True, False, True])
    refused(model, mask, r"^the mask of 2\.weight is not 2:4 \(at most 2 of each 4 consecutive inputs of a row\)")


def test_one_of_four_will_do(on_cpu):
    model = net()
    to_semi_structured(model, n_m({"0.weight": model[0].weight}, "1:4"))
    assert isinstance(model[0].weight, Packed)


def test_a_transposed_matrix_is_refused(on_cpu):
    model = nn.Sequential(transformers.pytorch_utils.Conv1D(64, 64)).half()
    refused(model, mask_of(model, 0), r"^0\.weight belongs to a Conv1D, which stores it transposed: only nn\.Linear")


def test_a_matrix_that_an_embedding_shares_is_refused(on_cpu):
    model = nn.Sequential(nn.Linear(64, 64), nn.Embedding(64, 64)).half()
    model[1].weight = model[0].weight
    refused(model, mask_of(model, 0), r"^0\.weight belongs to a Embedding, which cannot read 2:4 matrices")


@pytest.mark.parametrize(("outputs", "inputs"), [(48, 64), (32, 32), (32, 96), (8, 64), (0, 64)])
def test_sizes_that_the_library_refuses_are_refused(on_cpu, outputs, inputs):
    with pytest.warns() if not outputs else torch.no_grad():  # torch finds nothing to initialise
        model = nn.Sequential(nn.Linear(64, 32), nn.Linear(inputs, outputs)).half()
    message = rf"^1\.weight has shape \({outputs}, {inputs}\): cutlass takes multiples of 32 outputs and 64 inputs in "
    mask = mask_of(model, 0)
    refused(model, Mask({**mask.keep, "1.weight": torch.zeros(outputs, inputs, dtype=torch.bool)}), message)


def test_a_bias_of_another_precision_is_refused(on_cpu):
    model = net()
    model[0].bias.data = model[0].bias.data.float()
    refused(model, mask_of(model, 0), r"^0\.weight is torch\.bfloat16 and its bias torch\.float32: they must be alike")


def test_a_second_time_is_refused(on_cpu):
    model = net()
    mask = mask_of(model, 0)
    to_semi_structured(model, mask)
    refused(model, mask, r"^0\.weight is compressed already")


def test_a_mask_of_another_model_is_refused(on_cpu):
    refused(net(), Mask({"9.weight": torch.ones(4, 4).bool()}), r"^the mask is of another model: 9\.weight has shape")


def test_on_a_machine_without_a_gpu_a_good_mask_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model = net()
    refused(model, mask_of(model, 0), "torch finds no GPU here$")


@pytest.mark.slow
def test_the_benchmark_needs_a_gpu_and_says_so():
    benchmark = Path(__file__).parents[1] / "benchmarks" / "semi_structured.py"
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, benchmark], capture_output=True, text=True, env=hidden)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("and torch finds no GPU here\n")
    assert done.stderr.count("\n") == 1
