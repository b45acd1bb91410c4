"""Predictions of a trained model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from ..models.equation_model import EquationModel
from ..tasks.equations import from_numbers
from .batches import EncodedExamples, by_length
from .equation_texts import EncodedProblems
from .spans import Windows, best_spans


def classify(model: nn.Module, data: EncodedExamples, devices: Accelerator, batch_size: int = 128) -> np.ndarray:
    """Return the predicted class of every example, shape (examples,).

    Args:
        model: a classifier of transformers.
        data: the examples.
        devices: the devices to evaluate on; the model is moved to the first.
        batch_size: number of examples read at once.
    """
    predictions = np.empty(len(data), dtype=np.int64)
    for positions, output in _outputs(model, data, devices, batch_size):
        predictions[positions] = output.logits.float().argmax(-1).cpu().numpy()
    return predictions


def answer(model: nn.Module, data: Windows, devices: Accelerator, batch_size: int = 32) -> list[str]:
    """Return the answer to every question: the likeliest in all its windows, or empty if no window has one.

    Args:
        model: a question-answering model of transformers.
        data: the questions with their contexts, cut into windows.
        devices: the devices to evaluate on; the model is moved to the first.
        batch_size: number of windows read at once.
    """
    scores = np.full(len(data.questions), -np.inf)
    answers = [""] * len(data.questions)
    for positions, output in _outputs(model, data, devices, batch_size):
        # the question and padding are no answers; with padding, answers would depend on the batch of a window
        allowed = data.context_tokens(positions).to(devices.device)
        best = best_spans(output.start_logits.float(), output.end_logits.float(), allowed)
        for window, score, first, last in zip(positions, *(values.tolist() for values in best), strict=True):
            question = data.question_positions[window]
            if score > scores[question]:
                scores[question], answers[question] = score, data.text(window, first, last)
    return answers


def write_equations(
    model: EquationModel, data: EncodedProblems, devices: Accelerator, batch_size: int = 128
) -> list[tuple[str, ...]]:
    """Return the equation that is written for every problem, as its symbols; one that never ends is cut off.

    Args:
        model: a model with a decoder.
        data: the problems.
        devices: the devices to evaluate on; the model is moved to the first.
        batch_size: number of equations written at once, of which each problem has as many as the model's beam.
    """
    equations: list[tuple[str, ...]] = [()] * len(data)
    problems = max(1, batch_size // model.beam)
    for positions, output in _outputs(model, data, devices, problems, model.write):
        for position, symbols in zip(positions, output.tolist(), strict=True):
            equations[position] = from_numbers(symbols)
    return equations


def _outputs(
    model: nn.Module,
    data: EncodedExamples,
    devices: Accelerator,
    batch_size: int,
    compute: Callable[..., Any] | None = None,
) -> Iterator[tuple[np.ndarray, Any]]:
    """Yield positions of examples and the model's output for them, batch by batch, until all are done.

    Every process computes all outputs, because evaluation is short and nothing needs to be gathered then.

    Args:
        model: the model; moved to the first of the devices.
        data: the examples.
        devices: the devices to evaluate on.
        batch_size: number of examples read at once.
        compute: gives the output for a batch; None for the model itself.
    """
    compute = compute or model
    model.to(devices.device).eval()
    for positions in by_length(data.lengths, batch_size):
        batch = {name: values.to(devices.device) for name, values in data.input_batch(positions).items()}
        with torch.no_grad(), devices.autocast():
            output = compute(**batch)
        yield positions, output
