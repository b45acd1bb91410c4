"""On what a trial runs, and in which precision."""

from __future__ import annotations

import ctypes
import itertools
import os
import platform
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from filelock import FileLock
from torch import nn


def has_bf16() -> bool:
    """Whether the device multiplies bf16 matrices in hardware, so that bf16 is faster than fp32."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def accelerator() -> Accelerator:
    """The devices of this process (one, or its share of an ``accelerate launch``), in bf16 where it helps."""
    return Accelerator(mixed_precision="bf16" if has_bf16() else "no")


def agreed(value: Any) -> Any:
    """The main process's value, in every process of an ``accelerate launch``; all must ask together."""
    accelerator()  # joins the others
    return broadcast_object_list([value])[0]


_taken: list[FileLock] = []


def take_gpu() -> None:
    """Let this worker compute, as long as it lives, on the GPU that the fewest other workers have taken."""
    if _taken or not torch.cuda.is_available():
        return
    folder = Path(tempfile.gettempdir()) / "essparse-gpus"
    folder.mkdir(exist_ok=True)
    for place, gpu in itertools.product(itertools.count(), range(torch.cuda.device_count())):
        lock = FileLock(folder / f"{gpu}-{place}.lock")
        try:
            lock.acquire(timeout=0)
        except TimeoutError:
            continue
        _taken.append(lock)
        torch.cuda.set_device(gpu)
        return


def use_threads(count: int) -> None:
    """How many CPU threads this process computes with."""
    torch.set_num_threads(max(1, count))


#: Of glibc's mallopt: how many blocks may be taken from the system one by one; how much free memory goes back to it.
_MMAP_MAX, _TRIM_THRESHOLD = -4, -1


def keep_memory(kept: bool = True) -> None:
    """Have this process keep the memory of tensors on a CPU for those to come, where the C library is glibc.

    By itself it gives every large block back to the system as soon as it is free, and takes it anew, page by page, in
    the next step of the same training: more than half of the time where a step scores every token against a vocabulary
    (benchmarks/memory.py). What is kept is at most what was in use at once.

    Args:
        kept: False for the library's own way.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_MMAP_MAX, 0 if kept else 65_536)
    mallopt(_TRIM_THRESHOLD, -1 if kept else 131_072)


def suit_attention(model: nn.Module, where: torch.device) -> None:
    """Have a model of transformers attend by plain matrix products if it will run on a CPU, and as is usual elsewhere.

    On rows as short as ours and on small models these are faster there than the fused kernels, in bf16 about twice
    (benchmarks/attention.py). What comes out differs by rounding alone.
    """
    from transformers import PreTrainedModel

    for part in model.modules() if where.type == "cpu" else ():
        if isinstance(part, PreTrainedModel):
            part.set_attn_implementation("eager")


def description(device: torch.device) -> dict[str, str | int]:
    """The device for a record: its name, how many work together, precision and CPU threads."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = f"{_processor()} ({os.cpu_count()} cores)"
    return {
        "device": name,
        "precision": "bf16" if has_bf16() else "fp32",
        "threads": torch.get_num_threads(),
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
    }


def reset_peak_memory(device: torch.device) -> None:
    """Begin to measure ``peak_memory`` anew, where the device can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> int:
    """Bytes: most that were allocated on the GPU, or this process's largest resident size since it began."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
