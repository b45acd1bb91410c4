"""Predictions of a trained model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from .batches import EncodedExamples, by_length
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


def _outputs(
    model: nn.Module, data: EncodedExamples, devices: Accelerator, batch_size: int
) -> Iterator[tuple[np.ndarray, Any]]:
    """Yield positions of examples and the model's output for them, batch by batch, until all are done.

    Every process computes all outputs, because evaluation is short and nothing needs to be gathered then.
    """
    model.to(devices.device).eval()
    for positions in by_length(data.lengths, batch_size):
        batch = {name: values.to(devices.device) for name, values in data.input_batch(positions).items()}
        with torch.no_grad(), devices.autocast():
            output = model(**batch)
        yield positions, output
