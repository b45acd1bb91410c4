"""Time and memory of Wanda and SparseGPT, beside plain re-implementations of the published algorithms.

    python benchmarks/published.py                                  # about ten minutes on one core
    python benchmarks/published.py --layers 2 --sequences 16        # quick

Both sides prune half of the weights of the blocks of the same random OPT, on the same random tokens. Theirs is what the
authors' code does for an OPT, without its special cases: the inputs of the first block are caught, then block by block
the sequences are run one at a time, hooks on the linear layers add up the statistics, the layers are pruned, and the
sequences are run again (github.com/locuslab/wanda: lib/prune.py and lib/layerwrapper.py;
github.com/IST-DASLab/sparsegpt: opt.py and sparsegpt.py). Theirs prunes the model in place; ours leaves the model alone
and returns a mask, and for SparseGPT new values, which is a second copy of the blocks' weights.

Seconds are the processor's, a block, the sides in turns. Memory is the peak of the process above what it was before,
with the model counted: 1.0 is the model alone. The goal is at most 2.5.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
from collections.abc import Callable
from time import process_time

import command
import torch
import transformers
from torch import nn

from essparse_lib.pruning.sparsegpt import sparsegpt
from essparse_lib.pruning.wanda import wanda
from essparse_lib.training import device

_SETTINGS = (
    ("--layers", 14, "transformer blocks"),
    ("--width", 768, "width of the model"),
    ("--sequences", 64, "calibration sequences"),
    ("--length", 128, "tokens in each"),
    ("--repeats", 1, "times that each side is timed"),
    ("--threads", 1, "threads"),
)


@torch.no_grad()
def published(
    model: nn.Module, tokens: torch.Tensor, prune_layer: Callable[[nn.Linear, torch.Tensor], None], moments: Callable
) -> None:
    """Prune a model in place as the authors' code does: block by block, one sequence at a time."""
    layers = model.model.decoder.layers
    inputs: list[torch.Tensor] = []
    arguments: list[dict] = []

    class Catcher(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

        def forward(self, hidden: torch.Tensor, **kwargs: object) -> None:
            inputs.append(hidden)
            arguments.append(kwargs)
            raise ValueError

    layers[0] = Catcher(layers[0])
    for row in tokens:
        try:
            model(row[None], use_cache=False)
        except ValueError:
            pass
    layers[0] = layers[0].module
    for layer in layers:
        linears = {name: module for name, module in layer.named_modules() if isinstance(module, nn.Linear)}
        totals: dict[str, torch.Tensor] = {}

        def add(name: str, x: torch.Tensor, totals: dict = totals) -> None:
            statistic = moments(x.reshape(-1, x.shape[-1]).float())
            totals[name] = totals[name] + statistic if name in totals else statistic

        hooks = [
            module.register_forward_hook(lambda _m, args, _out, name=name, add=add: add(name, args[0]))
            for name, module in linears.items()
        ]
        for x, kwargs in zip(inputs, arguments, strict=True):
            layer(x, **kwargs)
        for hook in hooks:
            hook.remove()
        for name, module in linears.items():
            prune_layer(module, totals[name])
        for number, kwargs in enumerate(arguments):
            output = layer(inputs[number], **kwargs)
            inputs[number] = output if isinstance(output, torch.Tensor) else output[0]


def wanda_layer(module: nn.Linear, squares: torch.Tensor) -> None:
    """Prune a layer as in Wanda's lib/prune.py: the least products of each row."""
    metric = module.weight.abs() * squares.sqrt().reshape(1, -1)
    order = metric.sort(dim=-1, stable=True)[1]
    mask = torch.zeros_like(metric, dtype=torch.bool)
    mask.scatter_(1, order[:, : int(metric.shape[1] * 0.5)], True)
    module.weight[mask] = 0


def sparsegpt_layer(module: nn.Linear, hessian: torch.Tensor, damping: float = 0.01, block: int = 128) -> None:
    """Prune a layer as ``fasterprune`` in sparsegpt.py: half of each 128 columns, the others making up for it."""
    weight = module.weight.clone().float()
    columns = weight.shape[1]
    dead = hessian.diagonal() == 0
    hessian[dead, dead] = 1
    weight[:, dead] = 0
    index = torch.arange(columns)
    hessian[index, index] += damping * hessian.diagonal().mean()
    inverse = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(hessian)), upper=True)
    for start in range(0, columns, block):
        end = min(start + block, columns)
        part = weight[:, start:end].clone()
        pruned, errors = torch.zeros_like(part), torch.zeros_like(part)
        own = inverse[start:end, start:end]
        saliency = part**2 / own.diagonal().reshape(1, -1) ** 2
        threshold = saliency.flatten().sort()[0][int(saliency.numel() * 0.5)]
        mask = saliency <= threshold
        for column in range(end - start):
            w, d = part[:, column], own[column, column]
            q = w.clone()
            q[mask[:, column]] = 0
            pruned[:, column] = q
            error = (w - q) / d
            part[:, column:] -= error[:, None] @ own[column, column:][None]
            errors[:, column] = error
        weight[:, start:end] = pruned
        weight[:, end:] -= errors @ inverse[start:end, end:]
    module.weight.copy_(weight)


def squares(x: torch.Tensor) -> torch.Tensor:
    """Return each input's sum of squares."""
    return x.square().sum(0)


def gram(x: torch.Tensor) -> torch.Tensor:
    """Return the sum of x xᵀ."""
    return x.t() @ x


def peak_after(call: Callable[[], object]) -> float:
    """Return by how many bytes a call raises the process's peak memory above what it has before (Linux)."""
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak starts anew
    before = _status("VmRSS")
    result = call()
    peak = _status("VmHWM")
    del result
    return peak - before


def _status(name: str) -> int:
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(name))


def main(options: argparse.Namespace) -> None:
    """Print both sides' seconds a block, their ratio, and the peak memory of ours."""
    command.check(options, {"layers": 1, "width": 64, "sequences": 1, "length": 8, "repeats": 1, "threads": 1})
    device.use_threads(options.threads)
    config = transformers.OPTConfig(
        vocab_size=512,
        hidden_size=options.width,
        word_embed_proj_dim=options.width,
        ffn_dim=4 * options.width,
        num_hidden_layers=options.layers,
        num_attention_heads=max(1, options.width // 64),
        max_position_embeddings=options.length,
    )
    torch.manual_seed(0)
    model = transformers.OPTForCausalLM(config).eval()
    original = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    size = sum(4 * parameter.numel() for parameter in model.parameters())
    tokens = torch.randint(3, 512, (options.sequences, options.length))
    print(f"{size / 4e6:.0f}M weights, {options.sequences} sequences of {options.length} tokens")
    print(f"{'':<12}{'ours, s a block':>16}{'published, s':>14}{'ratio':>8}{'peak, models':>14}{'published':>11}")
    sides = {
        "Wanda": (lambda: wanda(model, tokens, 0.5), lambda: published(model, tokens, wanda_layer, squares)),
        "SparseGPT": (lambda: sparsegpt(model, tokens, 0.5), lambda: published(model, tokens, sparsegpt_layer, gram)),
    }
    for name, calls in sides.items():
        times: tuple[list[float], list[float]] = ([], [])
        peaks = [0.0, 0.0]
        for _ in range(options.repeats):
            for side, call in enumerate(calls):
                began = process_time()
                peaks[side] = peak_after(call)
                times[side].append((process_time() - began) / options.layers)
                model.load_state_dict(original)
        ours, theirs = map(statistics.median, times)
        peak, their_peak = (1 + bytes_above / size for bytes_above in peaks)
        print(
            f"{name:<12}{ours:>16.2f}{theirs:>14.2f}{ours / theirs:>8.2f}{peak:>14.2f}{their_peak:>11.2f}", flush=True
        )


if __name__ == "__main__":
    command.run(main, command.parser(__doc__, _SETTINGS).parse_args())
