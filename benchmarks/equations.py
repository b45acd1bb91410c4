"""Whether a pre-trained model writes better equations than its random self, and where a training step's time goes.

    python benchmarks/equations.py                                   # one fold of each source, cut short
    python benchmarks/equations.py --epochs 10 --max-train 0         # at full size

For each task, the same trial is run from the pre-trained weights and from random ones: value accuracy in points, beside
what the commonest equation of the training set scores. If the first does not lie above the second, the task shows
nothing of the pre-trained weights, and pruning has nothing to take away.

Seconds a step are processor seconds of this process, on a quiet machine with one thread those of the clock. They are
those of the text model, forth and back, of the decoder, forth and back, and of the optimizer. The last lines set the
training of a whole trial beside a plain loop in PyTorch that trains the same modules: shuffled batches padded to their
longest, the same precision, AdamW, a rate that falls linearly, the loss read at every step.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import median
from time import perf_counter, process_time

import command
import numpy as np
import torch
import transformers

from essparse_lib import tasks
from essparse_lib.models.equation_model import EquationModel
from essparse_lib.runner.fresh_models import fresh_model
from essparse_lib.runner.task_heads import TASK_HEADS
from essparse_lib.runner.trial import execute
from essparse_lib.specs.trial import Training, Trial
from essparse_lib.training import device
from essparse_lib.training.equation_texts import EncodedProblems
from essparse_lib.training.evaluate import write_equations
from essparse_lib.training.fine_tune import fine_tune, subset

TASKS = ("mawps-0", "asdiv-a-0", "svamp")
_PARTS = ("text model", "decoder", "optimizer")


def trial_of(task: str, options: argparse.Namespace, random_weights: bool = False) -> Trial:
    """Return the trial of a task that the options ask for."""
    training = Training(
        epochs=options.epochs,
        batch_size=16,
        learning_rate=options.learning_rate,
        head_rate=options.head_rate,
        max_length=options.max_length,
        max_train=options.max_train or None,
        max_test=options.max_test or None,
        decoder=options.decoder,
        random_weights=random_weights,
    )
    return Trial(model=options.model, task=task, seed=options.seed, training=training)


def training_examples(trial: Trial) -> EncodedProblems:
    """Return the problems that a trial trains on, encoded."""
    task = tasks.get(trial.task)
    train = task.splits().train
    chosen = subset(len(train), trial.training.max_train, trial.seed)
    encode = TASK_HEADS[task.head].encode
    problems = encode(train.take(chosen.tolist()), trial.model, trial.training.max_length)
    assert isinstance(problems, EncodedProblems)
    return problems


def model_of(trial: Trial) -> EquationModel:
    """Return the model that a trial begins with, on the device that it is trained on."""
    model = fresh_model(trial)
    assert isinstance(model, EquationModel)
    return model.to(device.accelerator().device)


def seconds_by_part(trial: Trial, steps: int) -> dict[str, float]:
    """Return the median processor seconds of a training step by part; a first step, not counted, goes before."""
    data, model, devices = training_examples(trial), model_of(trial), device.accelerator()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.0, fused=True)
    rng = np.random.default_rng(0)
    taken: dict[str, list[float]] = {part: [] for part in _PARTS}
    for _ in range(steps + 1):
        batch = data.batch(rng.permutation(len(data))[: trial.training.batch_size])
        batch = {name: values.to(devices.device) for name, values in batch.items()}
        for part, seconds in zip(_PARTS, _step(model, optimizer, batch), strict=True):
            taken[part].append(seconds)
    return {part: median(seconds[1:]) for part, seconds in taken.items()}


def _step(
    model: EquationModel, optimizer: torch.optim.Optimizer, batch: dict[str, torch.Tensor]
) -> tuple[float, float, float]:
    """Return the processor seconds of the text model, the decoder and the optimizer in one training step."""
    equations, slots = batch.pop("equations"), batch.pop("slots")
    marks = [process_time()]
    with device.accelerator().autocast():
        states = model.encoder(**batch).last_hidden_state
        marks.append(process_time())
        cut = states.detach().requires_grad_()
        logits = model.decoder(model.decoder.read(cut, batch["attention_mask"], slots), equations.clamp(min=0))
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), equations.flatten()) / len(equations)
    loss.backward()
    marks.append(process_time())
    states.backward(cut.grad)
    marks.append(process_time())
    optimizer.step()
    optimizer.zero_grad()
    marks.append(process_time())
    forth, decoder, back, update = np.diff(marks)
    return forth + back, decoder, update


def plain_loop(trial: Trial, data: EncodedProblems, model: EquationModel) -> None:
    """Train a model in place by a plain loop in PyTorch."""
    training, devices = trial.training, device.accelerator()
    head = [{"params": model.decoder.parameters(), "lr": training.head_rate or training.learning_rate}]
    groups = [{"params": model.encoder.parameters()}, *head]
    optimizer = torch.optim.AdamW(groups, lr=training.learning_rate, weight_decay=0.0)
    loader = torch.utils.data.DataLoader(range(len(data)), training.batch_size, shuffle=True, collate_fn=np.array)
    decay = transformers.get_linear_schedule_with_warmup(optimizer, 0, training.epochs * len(loader))
    model.train()
    for _ in range(training.epochs):
        for positions in loader:
            batch = {name: values.to(devices.device) for name, values in data.batch(positions).items()}
            with devices.autocast():
                loss = model(**batch).loss
            optimizer.zero_grad()
            loss.backward()
            loss.item()
            optimizer.step()
            decay.step()


def our_loop(trial: Trial, data: EncodedProblems, model: EquationModel) -> None:
    """Train a model in place as a trial does."""
    fine_tune(model, data, trial.training, trial.seed, device.accelerator(), None)


_LOOPS: dict[str, Callable[[Trial, EncodedProblems, EquationModel], None]] = {"plain": plain_loop, "ours": our_loop}


def print_row(task: str, options: argparse.Namespace) -> None:
    """Print the seconds of a plain loop and of ours on the same problems, their ratio, and the value accuracy of each.

    Each repeat begins with another side.
    """
    trial = trial_of(task, options)
    data = training_examples(trial)
    test = tasks.fixed_part(tasks.get(task).splits().test, trial.training.max_test)
    encoded = TASK_HEADS[tasks.get(task).head].encode(test, trial.model, trial.training.max_length)
    seconds: dict[str, list[float]] = {side: [] for side in _LOOPS}
    scores: dict[str, float] = {}
    for repeat in range(options.repeats):
        for side in list(_LOOPS)[:: 1 if repeat % 2 else -1]:
            model = model_of(trial)
            started = perf_counter(), process_time()
            _LOOPS[side](trial, data, model)
            seconds[side].append(process_time() - started[1] if options.processor else perf_counter() - started[0])
            equations = write_equations(model, encoded, device.accelerator())
            scores[side] = 100 * float(np.mean(test.right(equations)))
    taken = {side: median(values) for side, values in seconds.items()}
    ratio = median(plain / ours for plain, ours in zip(*seconds.values(), strict=True))
    print(
        f"{task}: plain loop {taken['plain']:.2f} s, ours {taken['ours']:.2f} s, ratio {ratio:.2f}; value accuracy "
        f"{scores['plain']:.1f} and {scores['ours']:.1f}",
        flush=True,
    )


def print_assay(task: str, options: argparse.Namespace) -> None:
    """Print the value accuracy of the pre-trained model and of its random self."""
    records = [execute(trial_of(task, options, random_weights)) for random_weights in (False, True)]
    assert all(record.status == "ok" for record in records), [record.reason for record in records]
    commonest = records[0].values["equations"]["commonest"]
    scores = [record.metrics["value_accuracy"] for record in records]
    floor = 100 * commonest.count("1") / len(commonest)
    print(
        f"{task}: pre-trained {scores[0]:.1f}, random {scores[1]:.1f}, the commonest equation {floor:.1f}; "
        f"{records[0].metrics['steps']} steps, {records[0].provenance['seconds']:.0f} s",
        flush=True,
    )


def settings() -> tuple[tuple[str, float | str, str], ...]:
    """Return the options that the trials of this file depend on: name, default, meaning."""
    return (
        ("--model", "minilm-l6", "named model, hub id or local folder"),
        ("--decoder", "gru", "what writes equations: gru or tree"),
        ("--epochs", 1, "passes over the training problems"),
        ("--max-train", 256, "training problems; 0 for all"),
        ("--max-test", 128, "test problems; 0 for all"),
        ("--max-length", 96, "tokens of a question"),
        ("--learning-rate", 1e-4, "peak rate of the text model"),
        ("--head-rate", 1e-3, "peak rate of the decoder"),
        ("--seed", 0, "seed of the trials"),
        ("--repeats", 2, "timings of each loop"),
        ("--threads", torch.get_num_threads(), "CPU threads"),
    )


def main(options: argparse.Namespace) -> None:
    """Print the assay of every task, the parts of a step and the row of the loops."""
    transformers.logging.set_verbosity_error()
    device.use_threads(options.threads)
    about = device.description(device.accelerator().device)
    print(f"{about['device']}, {about['threads']} threads, {about['precision']}, torch {torch.__version__}", flush=True)
    first = trial_of(options.tasks[0], options)
    parts = seconds_by_part(first, steps=8)
    whole = sum(parts.values())
    shares = ", ".join(f"{part} {seconds:.3f} ({seconds / whole:.0%})" for part, seconds in parts.items())
    print(f"processor seconds a step of {first.training.batch_size} problems: {whole:.3f}, of which {shares}")
    short = argparse.Namespace(**{**vars(options), "epochs": 1, "max_train": 256, "max_test": 64})
    print_row(options.tasks[0], short)
    for task in options.tasks:
        print_assay(task, options)


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = command.parser(__doc__, settings())
    parser.add_argument("--tasks", nargs="+", default=TASKS, help="named tasks of equations")
    parser.add_argument("--processor", action="store_true", help="time loops by processor seconds: on a busy machine")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main, arguments())
