"""On what a trial runs, and in which precision."""

from __future__ import annotations

import os
import platform
import resource
import sys
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list


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


def use_gpu(number: int) -> None:
    """Let this worker compute on the GPU of this number, counted around; the first call decides for good."""
    if torch.cuda.is_available() and not torch.cuda.is_initialized():
        torch.cuda.set_device(number % torch.cuda.device_count())


def use_threads(count: int) -> None:
    """How many CPU threads this process computes with."""
    torch.set_num_threads(max(1, count))


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


def peak_memory(device: torch.device) -> int:
    """Bytes: most that were allocated on the GPU, or this process's largest resident size."""
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
