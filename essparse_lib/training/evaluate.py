"""What a trained model predicts."""

from __future__ import annotations

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from .batches import Encoded, by_length


@torch.no_grad()
def classify(model: nn.Module, data: Encoded, devices: Accelerator, batch_size: int = 128) -> np.ndarray:
    """The class of every example, in the data's order; shape (examples,).

    Every process computes all of them: evaluation is short, and the numbers need no gathering.
    """
    model.to(devices.device).eval()
    predictions = np.empty(len(data), dtype=np.int64)
    for positions in by_length(data.lengths, batch_size):
        batch = {k: v.to(devices.device) for k, v in data.batch(positions).items() if k != "labels"}
        with devices.autocast():
            logits = model(**batch).logits
        predictions[positions] = logits.float().argmax(-1).cpu().numpy()
    return predictions
