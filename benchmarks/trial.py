"""How long one trial takes: ours, the authors' protocol, and transformers.Trainer, side by side in one process.

    python benchmarks/trial.py                                                # the lab scale's tasks, cut short
    python benchmarks/trial.py --max-train 1500 --epochs 3 --max-test 1000    # at the lab scale's size

A trial loads a pre-trained model from disk, prunes it by magnitude, fine-tunes it with the mask held, evaluates it.
All sides share the seeded training subset, the cut of the test set, the head to start from, sparsity, batch size,
number of steps, and AdamW (no weight decay, no clipping) at one linearly falling rate. They differ in this:

authors  as in the paper's code: torch.nn.utils.prune, every text padded to 256 tokens (in evaluation, too), fp32, no
         token types, a shuffled DataLoader, the loss read at every step; but evaluated once, not after every epoch.
Trainer  transformers.Trainer at its best: texts cut as ours, batches grouped by length and padded to their longest,
         bf16 where the device has it, fused AdamW, large evaluation batches, nothing logged or saved. Its mask is made
         and held as ours is, so that only the loop is compared. (It groups nothing in epochs of under 8 batches.)
ours     essparse_lib.runner.trial.execute, whole: its checks, and the record with its hashes, are in its time.

Timed: loading the model, tokenising, pruning, training, evaluating, scoring. Not timed: imports, reading the data,
loading the tokenizer and hashing the weights file, which a process does once. A short round of each side, not counted,
goes first; then each repeat has its number as the seed and begins with another side. Seconds and ratios are medians
over repeats, scores means.

The last row is of a task whose answer is an equation: the training of ours beside a plain loop in PyTorch that trains
the same modules, as ``equations.py`` has it.

A ratio above 1 means that ours is faster. On a CPU without bf16 instructions ours is in fp32, too, and the ratios
against the authors are lower. So they are in short runs, where what a trial costs whatever its steps (loading, pruning)
weighs more, and whose scores say little. Time on a quiet machine: a thread without a core makes the others wait.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from operator import attrgetter
from statistics import fmean, median
from time import perf_counter

import command
import equations
import numpy as np
import torch
import transformers
from torch.nn.utils import prune
from torch.utils.data import DataLoader, TensorDataset

from essparse_lib import tasks
from essparse_lib.figures.fig2 import STUDIES
from essparse_lib.models import loading
from essparse_lib.pruning.magnitude import global_magnitude
from essparse_lib.pruning.prunable import prunable_matrices, prunable_weights
from essparse_lib.records import metrics
from essparse_lib.runner import trial
from essparse_lib.specs.trial import Pruning, Trial
from essparse_lib.tasks import Examples, Task
from essparse_lib.training import device
from essparse_lib.training.batches import EncodedTexts, by_length, shuffled
from essparse_lib.training.fine_tune import subset
from essparse_lib.training.texts import encode

_EVALUATION_BATCH = 128  # what our side evaluates in; Trainer gets the same
_AUTHORS_LENGTH, _AUTHORS_EVALUATION_BATCH = 256, 32  # the defaults of their code


@dataclass(frozen=True)
class Case:
    """The case that all sides run: a task with its test set cut, and a trial on it."""

    task: Task
    spec: Trial

    def examples(self) -> tuple[Examples, Examples]:
        """Return the training examples (the trial's subset) and the test examples."""
        splits = self.task.splits()
        chosen = subset(len(splits.train), self.spec.training.max_train, self.spec.seed)
        return splits.train.take(chosen.tolist()), splits.test

    def encoded(self) -> tuple[EncodedTexts, EncodedTexts]:
        """Return both as tokens, cut to the trial's length and not padded."""
        tokenizer, length = loading.tokenizer_of(self.spec.model), self.spec.training.max_length
        train, test = (encode(examples, tokenizer, length) for examples in self.examples())
        return train, test


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One side's trial: seconds, score, the tokens that its model read, and how many of them were text."""

    seconds: float
    score: float
    tokens: int
    text: int


def case(name: str, seed: int, options: argparse.Namespace) -> Case:
    """Return the lab scale's trial on a task, cut to the options' size.

    The task gets a new name every time, so that nothing the runner keeps from trial to trial helps our side.
    """
    whole, trial = tasks.get(name), STUDIES["lab"].trial(options.model, name, Pruning(sparsity=options.sparsity), seed)
    splits = whole.splits()
    cut = replace(splits, test=splits.test.take(subset(len(splits.test), options.max_test, seed=0).tolist()))
    task = replace(whole, name=f"{name} at {perf_counter()}", load=lambda: cut, counts=None)
    length = options.max_length or trial.training.max_length
    training = replace(trial.training, max_train=options.max_train, epochs=options.epochs, max_length=length)
    return Case(task, replace(trial, task=task.name, training=training))


def authors(case: Case) -> Timing:
    """Time the protocol of the authors' repository."""
    training, classes, target = case.spec.training, len(case.task.classes), device.accelerator().device
    started = perf_counter()
    train, test = (_padded(examples, case) for examples in case.examples())
    model = loading.classifier(case.spec.model, classes, case.spec.seed)
    optimizer = torch.optim.AdamW(model.to(target).parameters(), lr=training.learning_rate, eps=1e-8, weight_decay=0.0)
    matrices = [(model.get_submodule(name.removesuffix(".weight")), "weight") for name in prunable_matrices(model)]
    prune.global_unstructured(matrices, pruning_method=prune.L1Unstructured, amount=case.spec.pruning.sparsity)
    batches = DataLoader(train, batch_size=training.batch_size, shuffle=True)
    decay = transformers.get_linear_schedule_with_warmup(optimizer, 0, training.epochs * len(batches))
    model.train()
    for _ in range(training.epochs):
        for batch in batches:
            ids, attended, labels = (tensor.to(target) for tensor in batch)
            loss = model(input_ids=ids, attention_mask=attended, labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            loss.item()
            optimizer.step()
            decay.step()
    model.eval()
    with torch.no_grad():
        batches = DataLoader(test, batch_size=_AUTHORS_EVALUATION_BATCH)
        logits = [model(input_ids=i.to(target), attention_mask=a.to(target)).logits for i, a, _ in batches]
    predicted = torch.cat(logits).argmax(-1).cpu().numpy()
    score = metrics.score(case.task.metric, test.tensors[2].numpy(), predicted, classes)
    seconds = perf_counter() - started
    text = training.epochs * int(train.tensors[1].sum()) + int(test.tensors[1].sum())
    tokens = (training.epochs * len(train) + len(test)) * _AUTHORS_LENGTH
    return Timing(seconds=seconds, score=score, tokens=tokens, text=text)


def trainer(case: Case) -> Timing:
    """Time transformers.Trainer with dynamic padding and our mask."""
    training, classes, target = case.spec.training, len(case.task.classes), device.accelerator().device
    pad = transformers.DataCollatorWithPadding(loading.tokenizer_of(case.spec.model))
    batch_tokens = []

    def collate(rows: list[dict]) -> transformers.BatchEncoding:
        batch = pad(rows)
        batch_tokens.append(batch["input_ids"].numel())
        return batch

    with tempfile.TemporaryDirectory() as folder:
        started = perf_counter()
        (train, test), model = case.encoded(), loading.classifier(case.spec.model, classes, case.spec.seed)
        mask = global_magnitude(prunable_weights(model), case.spec.pruning.sparsity)
        arguments = transformers.TrainingArguments(
            folder,
            seed=case.spec.seed,
            num_train_epochs=training.epochs,
            per_device_train_batch_size=training.batch_size,
            per_device_eval_batch_size=_EVALUATION_BATCH,
            learning_rate=training.learning_rate,
            optim="adamw_torch_fused",
            max_grad_norm=0.0,
            bf16=device.has_bf16(),
            use_cpu=target.type == "cpu",
            train_sampling_strategy="group_by_length",  # holds for evaluation, too
            logging_strategy="no",
            logging_nan_inf_filter=False,  # would make a GPU wait at every step
            save_strategy="no",
            disable_tqdm=True,
            remove_unused_columns=False,
        )
        loop = transformers.Trainer(model, arguments, collate, train_dataset=_rows(train))
        loop.remove_callback(transformers.PrinterCallback)
        with mask.held(model, loop.create_optimizer()) if mask.pruned else nullcontext():
            loop.train()
        predicted = loop.predict(_rows(test))
        score = metrics.score(case.task.metric, predicted.label_ids, predicted.predictions.argmax(-1), classes)
        seconds = perf_counter() - started
    steps = training.epochs * -(-len(train) // training.batch_size)
    assert loop.state.global_step == steps and not mask.drift(model), "not comparable: run on one device"
    text = training.epochs * int(train.lengths.sum()) + int(test.lengths.sum())
    return Timing(seconds=seconds, score=score, tokens=sum(batch_tokens), text=text)


def ours(case: Case) -> Timing:
    """Time the package's own trial, as a study runs it."""
    tasks.TASKS[case.task.name] = case.task  # a trial finds its task by its name
    started = perf_counter()
    record = trial.execute(case.spec)
    seconds = perf_counter() - started
    assert record.status == "ok", record.reason
    train, test = case.encoded()  # once more, to count its tokens
    training, rng = case.spec.training, np.random.default_rng([case.spec.seed, 1])
    batches = [(train, p) for _ in range(training.epochs) for p in shuffled(train.lengths, training.batch_size, rng)]
    batches += [(test, p) for p in by_length(test.lengths, _EVALUATION_BATCH)]
    tokens = sum(len(positions) * int(data.lengths[positions].max()) for data, positions in batches)
    text = training.epochs * int(train.lengths.sum()) + int(test.lengths.sum())
    return Timing(seconds=seconds, score=record.metrics[case.task.metric], tokens=tokens, text=text)


_SIDES: dict[str, Callable[[Case], Timing]] = {"authors": authors, "Trainer": trainer, "ours": ours}
_OTHERS = ("authors", "Trainer")
Timings = dict[str, list[Timing]]  # by side, one a repeat


def _rows(data: EncodedTexts) -> list[dict]:
    """Return encoded examples one by one, as Trainer takes them."""
    columns = {**data.inputs, **{name: values.tolist() for name, values in data.targets.items()}}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _padded(examples: Examples, case: Case) -> TensorDataset:
    """Return token numbers, attention and labels of examples that are all cut or padded to one length."""
    columns, tokenizer = [list(c) for c in zip(*examples.texts, strict=True)], loading.tokenizer_of(case.spec.model)
    inputs = tokenizer(*columns, truncation=True, max_length=_AUTHORS_LENGTH, padding="max_length", return_tensors="pt")
    return TensorDataset(inputs["input_ids"], inputs["attention_mask"], torch.tensor(examples.labels))


def measure(name: str, options: argparse.Namespace) -> Timings:
    """Time every side on a task; each repeat begins with another side."""
    timings: Timings = {side: [] for side in _SIDES}
    for repeat in range(options.repeats):
        current, first = case(name, repeat, options), repeat % len(_SIDES)
        for side in [*_SIDES][first:] + [*_SIDES][:first]:
            timings[side].append(_SIDES[side](current))
    return timings


def ratio(timings: Timings, side: str, of: Callable[[Timing], float] = attrgetter("seconds")) -> float:
    """Return the median over repeats of a side's quantity (its seconds) over ours."""
    return median(of(theirs) / of(base) for theirs, base in zip(timings[side], timings["ours"], strict=True))


def _row(name: str, cells: Sequence[str]) -> None:
    print(f"{name:<14}" + "".join(f"{cell:>10}" for cell in cells), flush=True)


def print_speed(name: str, timings: Timings, options: argparse.Namespace) -> None:
    """Print a task's row of seconds, ratios and scores."""
    task = case(name, 0, options).task
    majority = metrics.majority(task.metric, np.asarray(task.splits().test.labels), len(task.classes))
    seconds = [f"{median(t.seconds for t in timings[side]):.2f}" for side in _SIDES]
    ratios = [f"{ratio(timings, side):.2f}" for side in _OTHERS]
    scores = [f"{fmean(t.score for t in timings[side]):.1f}" for side in _SIDES]
    _row(name, [*seconds, *ratios, *scores, f"{majority:.1f}", task.metric])


def print_factors(results: dict[str, Timings]) -> None:
    """Print the factors of the ratios: a ratio of seconds is the product text x padding x rest."""
    print("\nRatios as products of: tokens of text (cut at other lengths); tokens in all per token of text (padding);")
    print("seconds per token (the rest: precision, longer rows, what a trial costs whatever its tokens)")
    _row("", [f"{side}/" for side in _OTHERS for _ in range(3)])
    _row("task", ["text", "padding", "rest"] * 2)
    factors = (lambda t: t.text, lambda t: t.tokens / t.text, lambda t: t.seconds / t.tokens)
    for name, timings in results.items():
        _row(name, [f"{ratio(timings, side, factor):.2f}" for side in _OTHERS for factor in factors])


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    study = STUDIES["lab"]
    settings = (
        ("--model", study.models[0], "named model, hub id or local folder"),
        ("--sparsity", 0.5, "fraction of the prunable weights removed"),
        ("--max-train", 128, "training examples"),
        ("--epochs", 1, "passes over them"),
        ("--max-test", 64, "test examples"),
        ("--max-length", 0, "tokens Trainer and ours cut to; 0: as the lab scale has it"),
        ("--repeats", 2, "timings of each side"),
        ("--threads", torch.get_num_threads(), "CPU threads"),
    )
    parser = command.parser(__doc__, settings)
    parser.add_argument("--tasks", nargs="+", default=study.tasks, help="named tasks (default: the lab scale's)")
    return parser.parse_args()


def main(options: argparse.Namespace) -> None:
    """Time every side on every task, and print rows as they come."""
    transformers.logging.set_verbosity_error()
    device.use_threads(options.threads)
    about = device.description(device.accelerator().device)
    settings = ", ".join(f"{name} {value}" for name, value in vars(options).items() if name != "tasks")
    print(f"{about['device']}, {about['threads']} threads, {about['precision']}, torch {torch.__version__}")
    print(f"{settings}\n", flush=True)
    measure(options.tasks[0], argparse.Namespace(**{**vars(options), "max_train": 16, "max_test": 16, "repeats": 1}))
    _row("", ["seconds"] * 3 + ["ratio"] * 2 + ["score"] * 4)
    _row("task", [*_SIDES, *(f"{side}/" for side in _OTHERS), *_SIDES, "majority", "metric"])
    results = {}
    for name in options.tasks:
        results[name] = measure(name, options)
        print_speed(name, results[name], options)
    print_factors(results)
    medians = (f"{side}/ours {median(ratio(r, side) for r in results.values()):.2f}" for side in _OTHERS)
    print(f"\nmedians over tasks: {', '.join(medians)}\n")
    defaults = {name.lstrip("-").replace("-", "_"): default for name, default, _ in equations.settings()}
    given = {name: value for name, value in vars(options).items() if name not in ("max_length", "tasks")}
    equations.print_row(equations.TASKS[0], argparse.Namespace(**{**defaults, **given, "processor": False}))


if __name__ == "__main__":
    command.run(main, arguments())
