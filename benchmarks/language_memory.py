"""The most memory that pruning and scoring a language model take: in place, and by a mask and values of all matrices.

    python benchmarks/language_memory.py                                          # a made-up Llama of 1.1 billion
    python benchmarks/language_memory.py --layers 4 --hidden 512 --intermediate 1376    # of 30 million, in two minutes
    python benchmarks/language_memory.py --layers 32 --hidden 4096 --intermediate 11008 --key-value-heads 32 \\
        --dtype float16 --sequences 128 --length 128            # of the shape of Vicuna-7B, on a GPU of 24 GB

``by mask and values`` is ``registry.prune(...).apply(model)``, ``in place`` is ``registry.prune_in_place(...)``: the
same weights go. A half of the block matrices' weights is removed, or 2 of every 4. Every case runs in a process of its
own, on the GPU if there is one. There the peak is that of all tensors. On a CPU it is that of the process less what it
took before the model was made. The weights and the windows are drawn at random: memory does not depend on them.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import perf_counter

import command
import torch
from torch import nn
from transformers import AutoModelForCausalLM, LlamaConfig

from essparse_lib.errors import InputError
from essparse_lib.likelihood.encoding import EncodedQuestion
from essparse_lib.likelihood.scorer import Scorer
from essparse_lib.pruning import registry
from essparse_lib.pruning.method import Request
from essparse_lib.specs.methods import METHODS
from essparse_lib.training import device

#: What happens to a model in a case.
Work = Callable[[nn.Module, argparse.Namespace], object]
#: What is asked for of a method, by the name of the case.
_PRUNINGS = {
    "magnitude, global": ("magnitude", {"sparsity": 0.5}),
    "magnitude, by matrix": ("magnitude", {"sparsity": 0.5, "scope": "layer"}),
    "magnitude, 2:4": ("magnitude", {"pattern": "2:4"}),
    "random, global": ("random", {"sparsity": 0.5}),
    "Wanda": ("wanda", {"sparsity": 0.5}),
    "SparseGPT": ("sparsegpt", {"sparsity": 0.5}),
}
_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
_SIZES = (
    "layers",
    "hidden",
    "intermediate",
    "heads",
    "key_value_heads",
    "vocabulary",
    "sequences",
    "length",
    "questions",
    "threads",
)


def made_up_model(options: argparse.Namespace) -> nn.Module:
    """Return a Llama with random weights, on the GPU if there is one."""
    config = LlamaConfig(
        vocab_size=options.vocabulary,
        hidden_size=options.hidden,
        intermediate_size=options.intermediate,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        num_key_value_heads=options.key_value_heads,
    )
    torch.manual_seed(0)
    with device.accelerator().device:
        model: nn.Module = AutoModelForCausalLM.from_config(config, dtype=_DTYPES[options.dtype])
    return model.requires_grad_(False).eval()


def tokens(options: argparse.Namespace, rows: int, length: int) -> torch.Tensor:
    """Return random token numbers of shape (rows, length)."""
    return torch.randint(options.vocabulary, (rows, length), generator=torch.Generator().manual_seed(0))


def read(model: nn.Module, options: argparse.Namespace) -> None:
    """Read one window, as any use of the model does."""
    with torch.no_grad():
        model(input_ids=tokens(options, 1, options.length).to(next(model.parameters()).device), use_cache=False)


def score(model: nn.Module, options: argparse.Namespace) -> None:
    """Score questions of four choices; half of each context is that of all, as few-shot examples are."""
    shared = tuple(tokens(options, 1, options.length // 2)[0].tolist())
    questions = []
    for number, row in enumerate(tokens(options, options.questions, options.length // 2 + 4 * 8).tolist()):
        choices = tuple(tuple(row[start : start + 8]) for start in range(0, 32, 8))
        questions.append(EncodedQuestion((*shared, number, *row[32:]), choices, "one topic"))
    Scorer(model).scores(questions)


def pruning(case: str, in_place: bool) -> Work:
    """Return what prunes a model, in place or by a mask and values of all matrices."""
    method, amount = _PRUNINGS[case]

    def prune(model: nn.Module, options: argparse.Namespace) -> None:
        windows = tokens(options, options.sequences, options.length) if METHODS[method].calibrated else None
        request = Request(calibration=windows, **amount)
        if in_place:
            registry.prune_in_place(model, method, request)
        else:
            registry.prune(model, method, request).apply(model)

    return prune


def work_of(case: str, in_place: bool) -> Work:
    """Return what happens to the model in a case."""
    others: dict[str, Work] = {"the model alone": lambda _model, _options: None, "reading": read, "scoring": score}
    return others[case] if case in others else pruning(case, in_place)


def measure(case: str, in_place: bool, options: argparse.Namespace) -> tuple[int, int, float]:
    """Return the peak and the model's size in bytes, and the seconds that the work took, in this process."""
    warnings.simplefilter("ignore")
    device.use_threads(options.threads)
    place = device.accelerator().device
    small = argparse.Namespace(**{**vars(options), "layers": 1, "hidden": 64, "intermediate": 64, "vocabulary": 64})
    read(made_up_model(small), small)  # what is loaded at the first use is no part of a model
    before = device.peak_memory(place)
    model = made_up_model(options)
    start = perf_counter()
    work_of(case, in_place)(model, options)
    seconds = perf_counter() - start
    size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    return device.peak_memory(place) - before, size, seconds


def measure_apart(case: str, in_place: bool, options: argparse.Namespace) -> str:
    """Return the columns of a case that is measured in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        peak, size, seconds = process.submit(measure, case, in_place, options).result()
    return f"{peak / 1e9:>12.2f}{peak / size:>12.2f}{(peak - size) / 1e6:>16,.0f}{seconds:>10.0f}"


def main(options: argparse.Namespace) -> None:
    """Measure all cases, and print a row for each as it ends."""
    command.check(options, dict.fromkeys(_SIZES, 1))
    if options.dtype not in _DTYPES:
        raise InputError(f"dtype {options.dtype} is not allowed: choose from {', '.join(_DTYPES)}")
    about = device.description(device.accelerator().device)
    print(f"{about['device']}, {options.threads} threads, {options.dtype}, torch {torch.__version__}")
    print(
        f"{options.layers} blocks of {options.hidden} and {options.intermediate}; calibrated on {options.sequences} x",
        end=" ",
    )
    print(f"{options.length} tokens, {options.questions} questions of {options.length} tokens")
    print(f"\n{'':<44}{'peak, GB':>12}{'to model':>12}{'beyond it, MB':>16}{'seconds':>10}", flush=True)
    cases = {case: (case, True) for case in ("the model alone", "reading", "scoring")}
    for case in _PRUNINGS:
        cases |= {f"{case}, by mask and values": (case, False), f"{case}, in place": (case, True)}
    for name, (case, in_place) in cases.items():
        if options.only in name:
            print(f"{name:<44}{measure_apart(case, in_place, options)}", flush=True)


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    settings = (
        ("--layers", 22, "blocks"),
        ("--hidden", 2048, "width of the hidden states"),
        ("--intermediate", 5632, "width within the feed-forward part"),
        ("--heads", 32, "attention heads"),
        ("--key-value-heads", 4, "heads of keys and values"),
        ("--vocabulary", 32000, "words"),
        ("--dtype", "bfloat16", f"precision of the weights: {', '.join(_DTYPES)}"),
        ("--sequences", 16, "windows to calibrate on"),
        ("--length", 64, "tokens of a window and of a question"),
        ("--questions", 64, "questions to score, of four choices"),
        ("--only", "", "cases with this text in their names; all, if it is empty"),
        ("--threads", torch.get_num_threads(), "CPU threads"),
    )
    return command.parser(__doc__, settings).parse_args()


if __name__ == "__main__":
    command.run(main, arguments())
