"""What 2:4 sparsity gains on a GPU: dense against compressed, matrix by matrix and a whole encoder, in one process.

    python benchmarks/semi_structured.py
    python benchmarks/semi_structured.py --dtype bfloat16 --tokens 1 128 8192 --batches 1 64

Both sides hold the same weights, half of them zero (the two smallest of each four), and get the same inputs; one
multiplies them as a dense matrix, the other as ``essparse_lib.pruning.hardware`` compresses them. Products are those of
nn.Linear, with bias; the encoder is a random BERT of base size without its pooler, whose 72 matrices are 2:4. Outputs
are compared, too: they agree but for rounding, or the run stops.

Timed is what a caller waits for: the GPU's work and Python's. A sample is as many calls as take some milliseconds,
with the GPU waited for at both ends; sides take turns, after a warm-up. Times are medians over samples, ratios medians
of the ratios of neighbouring samples. A ratio above 1 means that 2:4 is faster; where it is not, the row says slower.
Small products are: both sides wait for launches there, and the compressed one passes through more of Python.

Exits with code 2, and one line, where there is no GPU that can do it.
"""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Callable
from statistics import median
from time import perf_counter

import command
import torch
from torch import nn

from essparse_lib.pruning.hardware import library, to_semi_structured
from essparse_lib.pruning.n_m import n_m
from essparse_lib.pruning.prunable import prunable_weights

_DEVICE = torch.device("cuda")
#: Outputs and inputs: attention and feed-forward of BERT-base, of OPT-1.3B, and of 7-billion-parameter models.
_SIZES = ((768, 768), (3072, 768), (768, 3072), (2048, 2048), (8192, 2048), (4096, 4096), (11008, 4096), (4096, 11008))
_SAMPLE = 5e-3  # seconds: much longer than waiting for the GPU takes
_TOLERANCE = 0.02  # of the output's norm; rounding in bf16 costs a few thousandths

Call = Callable[[], torch.Tensor]


def sample(call: Call, count: int) -> float:
    """Return the seconds a call, in a row of ``count`` calls."""
    torch.cuda.synchronize()
    started = perf_counter()
    for _ in range(count):
        call()
    torch.cuda.synchronize()
    return (perf_counter() - started) / count


def compare(dense: Call, sparse: Call, repeats: int) -> tuple[float, float, float]:
    """Return the median seconds of both, and the median ratio.

    Raises:
        RuntimeError: their outputs differ by more than rounding.
    """
    expected, output = dense().float(), sparse().float()
    difference = float((output - expected).norm() / expected.norm())
    if not difference < _TOLERANCE:
        raise RuntimeError(f"dense and 2:4 outputs differ by {difference:.1%}: nothing to time")
    counts = []
    for call in (dense, sparse):
        sample(call, 10)  # warm-up: kernels are chosen, memory is allocated, clocks rise
        counts.append(math.ceil(_SAMPLE / sample(call, 10)))
    pairs = [(sample(dense, counts[0]), sample(sparse, counts[1])) for _ in range(repeats)]
    return median(d for d, _ in pairs), median(s for _, s in pairs), median(d / s for d, s in pairs)


def pruned(model: nn.Module, names: dict[str, torch.Tensor]) -> nn.Module:
    """Return a copy of a model whose 2:4 matrices are compressed; the model itself gets the same zeros."""
    mask = n_m(names, "2:4")
    mask.apply(model)
    compressed = copy.deepcopy(model)
    to_semi_structured(compressed, mask)
    return compressed


def print_row(name: str, size: int, timing: tuple[float, float, float]) -> None:
    """Print one comparison: microseconds of both sides, their ratio, and a word where 2:4 loses."""
    dense, sparse, ratio = timing
    word = "  slower" if ratio < 1 else ""
    print(f"{name:<16}{size:>8}{dense * 1e6:>12.1f}{sparse * 1e6:>12.1f}{ratio:>9.2f}{word}", flush=True)


def products(options: argparse.Namespace, dtype: torch.dtype) -> None:
    """Compare every size of matrix at every number of tokens."""
    print(f"{'outputs×inputs':<16}{'tokens':>8}{'dense, µs':>12}{'2:4, µs':>12}{'ratio':>9}")
    for outputs, inputs in _SIZES:
        dense = nn.Linear(inputs, outputs, device=_DEVICE, dtype=dtype)
        sparse = pruned(dense, {"weight": dense.weight})
        for tokens in options.tokens:
            x = torch.randn(tokens, inputs, device=_DEVICE, dtype=dtype)
            timing = compare(lambda d=dense, x=x: d(x), lambda s=sparse, x=x: s(x), options.repeats)  # type: ignore[misc]
            print_row(f"{outputs}×{inputs}", tokens, timing)


def encoder(options: argparse.Namespace, dtype: torch.dtype) -> None:
    """Compare a forward pass of an encoder of BERT-base's size at every batch size."""
    from transformers import BertConfig, BertModel

    config = BertConfig()
    dense = BertModel(config, add_pooling_layer=False).eval().to(_DEVICE, dtype)
    sparse = pruned(dense, prunable_weights(dense))
    print(f"\n{'encoder':<16}{'batch':>8}{'dense, µs':>12}{'2:4, µs':>12}{'ratio':>9}")
    for batch in options.batches:
        ids = torch.randint(config.vocab_size, (batch, options.length), device=_DEVICE)
        calls = [lambda m=m, i=ids: m(input_ids=i).last_hidden_state for m in (dense, sparse)]  # type: ignore[misc]
        print_row(f"{options.length} tokens", batch, compare(calls[0], calls[1], options.repeats))


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = command.parser(__doc__)
    parser.add_argument("--dtype", choices=("float16", "bfloat16"), default="float16", help="default: %(default)s")
    for name, default, meaning in (
        ("--tokens", [1, 64, 512, 4096, 16384], "tokens that a matrix is multiplied with"),
        ("--batches", [1, 8, 32, 128], "texts that the encoder reads at once"),
    ):
        parser.add_argument(name, type=int, nargs="+", default=default, help=f"{meaning} (default: %(default)s)")
    parser.add_argument("--length", type=int, default=128, help="tokens of a text (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=21, help="samples of each side (default: %(default)s)")
    return parser.parse_args()


@torch.inference_mode()
def main(options: argparse.Namespace) -> None:
    """Compare products, then encoders, and print rows as they come."""
    dtype = getattr(torch, options.dtype)
    kind = library(_DEVICE, dtype)
    torch.manual_seed(0)
    print(f"{torch.cuda.get_device_name()}, {options.dtype}, torch {torch.__version__}, {kind.BACKEND}\n", flush=True)
    products(options, dtype)
    encoder(options, dtype)


if __name__ == "__main__":
    command.run(main, arguments())
