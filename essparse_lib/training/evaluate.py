"""What a trained model predicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from .batches import Batches, by_length
from .spans import Windows, best_spans


def classify(model: nn.Module, data: Batches, devices: Accelerator, batch_size: int = 128) -> np.ndarray:
    """The class of every example, in the data's order; shape (examples,)."""
    predictions = np.empty(len(data), dtype=np.int64)
    for positions, output in _outputs(model, data, devices, batch_size):
        predictions[positions] = output.logits.float().argmax(-1).cpu().numpy()
    return predictions


def answer(model: nn.Module, data: Windows, devices: Accelerator, batch_size: int = 32) -> list[str]:
    """The answer to every question: the likeliest of all its windows; empty where none has any."""
    scores = np.full(len(data.questions), -np.inf)
    answers = [""] * len(data.questions)
    for positions, output in _outputs(model, data, devices, batch_size):
        # tokens of the question and padding are no answers: else the batch that a window lies in would count
        allowed = data.context_tokens(positions).to(devices.device)
        best = best_spans(output.start_logits.float(), output.end_logits.float(), allowed)
        for window, score, first, last in zip(positions, *(values.tolist() for values in best), strict=True):
            owner = data.owners[window]
            if score > scores[owner]:
                scores[owner], answers[owner] = score, data.text(window, first, last)
    return answers


def _outputs(
    model: nn.Module, data: Batches, devices: Accelerator, batch_size: int
) -> Iterator[tuple[np.ndarray, Any]]:
    """Positions, and what the model returns for the examples there, until all are done.

    Every process computes all of them: evaluation is short, and the numbers need no gathering.
    """
    model.to(devices.device).eval()
    for positions in by_length(data.lengths, batch_size):
        batch = {name: values.to(devices.device) for name, values in data.shown(positions).items()}
        with torch.no_grad(), devices.autocast():
            output = model(**batch)
        yield positions, output
