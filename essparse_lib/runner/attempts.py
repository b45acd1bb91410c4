"""Make the record of an attempt at a trial or an evaluation: its provenance, and what an error makes of it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Hashable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, one_line
from ..records.store import Record, Status
from ..specs.spec import Spec
from ..specs.trial import Pruning
from .provenance import finished, made_by

if TYPE_CHECKING:
    import torch


def recorded(
    spec: Spec, place: torch.device, data: str, origin: str, attempt: Callable[[dict[str, Any]], Record]
) -> Record:
    """Return the record of an attempt at a spec, with its provenance; an error that ends the attempt is a failure.

    Args:
        spec: the spec.
        place: the device that it is run on.
        data: the fingerprint of the data.
        origin: where the data came from, in words.
        attempt: returns the record without its provenance; it may change the provenance that it is given.

    Raises:
        InputError: the attempt raised it: nothing was tried.
    """
    from ..training import device

    started = time.perf_counter()
    device.reset_peak_memory(place)
    provenance: dict[str, Any] = {**made_by(spec.model, place), "data": data, "data_from": origin}
    try:
        record = attempt(provenance)
    except InputError:
        raise
    except Exception as error:  # a failure is a result: recorded with its reason, and the study goes on
        last = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {one_line(error, 450)} ({Path(last.filename).name}:{last.lineno})"
        record = Record(spec=spec, status=Status.FAILED, reason=reason)
    memory = {"peak_memory_bytes": device.peak_memory(place)}
    return replace(record, provenance={**provenance, **memory, **finished(started)})


def text_read(pruning: Pruning) -> Hashable:
    """Return what the check of the text that a calibrated method reads depends on; None where none is read."""
    return (pruning.method, pruning.calibration, pruning.windows, pruning.length) if pruning.calibration else None
