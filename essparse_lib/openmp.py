"""How OpenMP's threads wait for each other: set before PyTorch is loaded, since OpenMP reads it once."""

from __future__ import annotations

import os

#: What says how threads wait: the standard's variable, GNU's, and that of LLVM and Intel. A user's own value stays.
VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def let_threads_sleep() -> None:
    """Let OpenMP's threads sleep while they wait for each other, in this process and those that it starts.

    By default a thread that waits spins at first, also where another process needs its core; benchmarks/waiting.py
    times both. Does nothing if one of ``VARIABLES`` is set. In a process that has loaded PyTorch already, it holds for
    those that it starts alone.
    """
    if not any(name in os.environ for name in VARIABLES):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
