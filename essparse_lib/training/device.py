"""The devices that a trial or a pre-training runs on, their precision and their memory."""

from __future__ import annotations

import ctypes
import itertools
import os
import platform
import resource
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from filelock import FileLock
from torch import nn

from .. import environment
from ..errors import InputError
from ..files import cache_folder
from ..temporaries import make_folder


def has_bf16() -> bool:
    """Return whether the device multiplies bf16 matrices in hardware, so that bf16 is faster than fp32."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def accelerator() -> Accelerator:
    """Return the devices of this process (one, or its share of an ``accelerate launch``), in bf16 if that is faster.

    Raises:
        InputError: something else in this process, such as a ``Trainer``, has set accelerate up for another precision.
    """
    precision = "bf16" if has_bf16() else "no"
    try:
        return Accelerator(mixed_precision=precision)
    except ValueError as error:
        if "already been initialized" not in str(error):
            raise
        raise InputError(
            f"accelerate was set up in this process for another precision than {precision!r}, as by a Trainer: do this "
            "in a process of its own, or call accelerate.state.AcceleratorState._reset_state() before"
        ) from error


def agreed(value: Any) -> Any:
    """Return the main process's value in every process of an ``accelerate launch``; all must call this together.

    Args:
        value: this process's value.
    """
    accelerator()  # joins the other processes
    return broadcast_object_list([value])[0]


#: The lock of the GPU that this process uses; it is held until the process ends.
_gpu_locks: list[FileLock] = []


def take_gpu() -> None:
    """Choose the GPU that the fewest other workers of this user use, and keep it until this process ends."""
    if _gpu_locks or not torch.cuda.is_available():
        return
    folder = cache_folder() / "gpus" / platform.node()
    make_folder(folder)
    for slot, gpu in _slots(torch.cuda.device_count()):
        lock = FileLock(folder / f"{gpu}-{slot}.lock")
        try:
            lock.acquire(timeout=0)
        except TimeoutError:
            continue
        _gpu_locks.append(lock)
        torch.cuda.set_device(gpu)
        return


def use_threads(count: int) -> None:
    """Set the number of CPU threads that this process computes with.

    Args:
        count: number of threads; 1 if it is less.
    """
    torch.set_num_threads(max(1, count))


#: Parameters of glibc's mallopt: how many blocks may be mapped one by one, and from how many free bytes on memory is
#: returned to the system.
_MMAP_MAX, _TRIM_THRESHOLD = -4, -1


def keep_memory(keep: bool = True) -> None:
    """Let this process keep the memory of freed CPU tensors for later ones, if the C library is glibc.

    By default glibc returns every large block to the system as soon as it is free. The next training step then takes it
    again, page by page. That costs more than half of a step that scores every token against a vocabulary
    (benchmarks/memory.py). The memory that is kept is at most the peak of the memory in use.

    Args:
        keep: False restores glibc's defaults.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_MMAP_MAX, 0 if keep else 65_536)
    mallopt(_TRIM_THRESHOLD, -1 if keep else 131_072)


def suit_attention(model: nn.Module, device: torch.device) -> None:
    """Choose how a model of transformers computes attention: by plain matrix products on a CPU, else by its default.

    For small models and short texts, plain products are faster on a CPU than the fused kernels, in bf16 about twice as
    fast (benchmarks/attention.py). The results differ by rounding alone.

    Args:
        model: the model; models of transformers inside it are changed in place.
        device: the device that it will run on.
    """
    from transformers import PreTrainedModel

    for part in model.modules() if device.type == "cpu" else ():
        if isinstance(part, PreTrainedModel):
            part.set_attn_implementation("eager")


def description(device: torch.device) -> dict[str, str | int]:
    """Return what a record says of a device: its name, precision, CPU threads and number of processes."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = f"{_processor()} ({os.cpu_count()} cores)"
    return {
        "device": name,
        "precision": "bf16" if has_bf16() else "fp32",
        "threads": torch.get_num_threads(),
        "processes": environment.processes(),
    }


def reading_precision(model: nn.Module) -> str:
    """Return the precision in which a model that is not trained multiplies, as a record has it.

    A model of 16 bits keeps them. One of 32 is read in bf16 where that is faster, as all models are trained.
    """
    dtype = next(model.parameters()).dtype
    if dtype is torch.float32:
        return "bf16" if has_bf16() else "fp32"
    return {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(dtype, str(dtype).removeprefix("torch."))


def reading_autocast(model: nn.Module) -> AbstractContextManager[Any]:
    """Return the context in which a model is read in its ``reading_precision``."""
    if next(model.parameters()).dtype is torch.float32:
        return accelerator().autocast()
    return nullcontext()


def reset_peak_memory(device: torch.device) -> None:
    """Restart the measurement of ``peak_memory`` if the device is a GPU."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> int:
    """Return the peak memory in bytes: of tensors on the GPU, or of this process since its start if there is no GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _slots(gpus: int) -> Iterator[tuple[int, int]]:
    """Yield (slot, GPU): the first slot of every GPU, then the second of every GPU, without end."""
    for slot in itertools.count():  # itertools.product would first read all of count, which has no end
        for gpu in range(gpus):
            yield slot, gpu


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
