"""Perplexity of a causal language model: dense, and pruned by magnitude, Wanda and SparseGPT, side by side.

    python benchmarks/calibrated.py                                              # about ten minutes on one core
    python benchmarks/calibrated.py --sequences 128 --length 1024 --eval-tokens 200000     # nearer to the papers

Pruned are half of the weights of the transformer blocks, freely or 2 of every 4, with no training after it:

magnitude, global    one threshold for all matrices together
magnitude, by row    the smallest weights of each output, the comparison group of Wanda: what differs is the score
Wanda                |weight| times the norm of its input, by output
SparseGPT            by what it costs a layer's outputs, the other weights making up for it

Calibrated on windows of the training articles of the task wiki-topics, evaluated on windows of its test articles, all
sides on the same. Seconds are those of pruning alone. Expected from the papers: SparseGPT and Wanda near each other and
far below magnitude, and all further from dense at 2:4.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter

import command
import torch
import transformers
from torch import nn

from essparse_lib import tasks
from essparse_lib.models import loading
from essparse_lib.pruning.blocks import restored, transformer_blocks
from essparse_lib.pruning.calibrated import Amount, keep_within_rows
from essparse_lib.pruning.calibration import calibration_windows
from essparse_lib.pruning.magnitude import global_magnitude
from essparse_lib.pruning.masks import Mask
from essparse_lib.pruning.method import Pruned
from essparse_lib.pruning.prunable import prunable_weights
from essparse_lib.pruning.sparsegpt import sparsegpt
from essparse_lib.pruning.wanda import wanda
from essparse_lib.training import device
from essparse_lib.training.perplexity import perplexity

_TASK = "wiki-topics"
_BLOCK = 32  # weights that 4-bit formats quantise together


def magnitude_by_row(model: nn.Module, amount: Amount) -> Mask:
    """Return the mask of the smallest weights of every output, freely or by pattern."""
    matrices = {name: matrix for block in transformer_blocks(model) for name, matrix in block.matrices.items()}
    keep = {}
    for name, matrix in matrices.items():
        kept = keep_within_rows(matrix.layout.rows(matrix.values.abs()), amount)
        keep[name] = matrix.layout.stored(kept, matrix.weight.shape)
    return Mask(keep)


def sides(model: nn.Module, tokens: torch.Tensor) -> dict[str, Callable[[], Mask | Pruned]]:
    """Return the prunings to compare, by their names in the table."""
    return {
        "magnitude, global, 50%": lambda: global_magnitude(prunable_weights(model), 0.5),
        "magnitude, by row, 50%": lambda: magnitude_by_row(model, 0.5),
        "Wanda, 50%": lambda: wanda(model, tokens, sparsity=0.5),
        "SparseGPT, 50%": lambda: sparsegpt(model, tokens, sparsity=0.5),
        "magnitude, 2:4": lambda: magnitude_by_row(model, (2, 4)),
        "Wanda, 2:4": lambda: wanda(model, tokens, pattern="2:4"),
        "SparseGPT, 2:4": lambda: sparsegpt(model, tokens, pattern="2:4"),
    }


def pruned_perplexity(model: nn.Module, pruning: Mask | Pruned, windows: torch.Tensor) -> float:
    """Return the perplexity of the pruned model, and restore the model."""
    with restored(matrix for block in transformer_blocks(model) for matrix in block.matrices.values()):
        pruning.apply(model)
        return perplexity(model, windows)


def distinct(model: nn.Module) -> float:
    """Return how many magnitudes differ among 32 consecutive weights, on average: 32 if nothing was quantised."""
    counts = []
    for weight in prunable_weights(model).values():
        sorted_blocks = weight.abs().flatten()[: weight.numel() // _BLOCK * _BLOCK].view(-1, _BLOCK).sort().values
        counts.append((sorted_blocks.diff() != 0).sum(1).float() + 1)
    return float(torch.cat(counts).mean())


def windows(name: str, part: str, sequences: int, length: int, seed: int) -> torch.Tensor:
    """Return windows of the articles of ``train`` or ``test``."""
    examples = getattr(tasks.get(_TASK).splits(), part)
    return calibration_windows(
        "\n\n".join(text for (text,) in examples.texts), loading.tokenizer_of(name), sequences, length, seed
    )


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    settings = (
        ("--model", "smollm2-135m", "named model, hub id or local folder"),
        ("--sequences", 32, "windows to calibrate on"),
        ("--length", 256, "tokens of a window, in calibration and evaluation"),
        ("--eval-tokens", 10240, "tokens to evaluate on, in whole windows"),
        ("--seed", 0, "which windows are drawn"),
        ("--threads", torch.get_num_threads(), "CPU threads"),
    )
    return command.parser(__doc__, settings).parse_args()


def main(options: argparse.Namespace) -> None:
    """Prune and evaluate, and print rows as they come."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    device.use_threads(options.threads)
    tokens = windows(options.model, "train", options.sequences, options.length, options.seed)
    held_out = windows(options.model, "test", options.eval_tokens // options.length, options.length, options.seed)
    model = loading.load_model(options.model).float().to(device.accelerator().device)
    about = device.description(next(model.parameters()).device)
    print(f"{about['device']}, {about['threads']} threads, fp32, torch {torch.__version__}")
    print(f"{options.model}: {sum(w.numel() for w in prunable_weights(model).values()):,} prunable weights", end="; ")
    print(f"calibrated on {len(tokens)} x {options.length} tokens, evaluated on {len(held_out)} x {options.length}")
    weight_file = loading.locate(options.model).gguf
    if weight_file:
        print(f"The weights are dequantised from {weight_file}: of {_BLOCK} consecutive ones {distinct(model):.1f}")
        print("magnitudes differ on average, so magnitude's choice among the equal ones is by position alone.")
    print(f"\n{'':<24}{'perplexity':>12}{'zeros':>10}{'seconds':>10}", flush=True)
    print(f"{'dense':<24}{perplexity(model, held_out):>12.2f}{0:>10.2%}", flush=True)
    for name, prune in sides(model, tokens).items():
        start = perf_counter()
        pruning = prune()
        seconds = perf_counter() - start
        mask = pruning.mask if isinstance(pruning, Pruned) else pruning
        print(
            f"{name:<24}{pruned_perplexity(model, pruning, held_out):>12.2f}{mask.sparsity:>10.2%}{seconds:>10.0f}",
            flush=True,
        )


if __name__ == "__main__":
    command.run(main, arguments())
