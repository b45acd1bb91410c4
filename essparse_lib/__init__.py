"""Companion to "The Emergence of Essential Sparsity in Large Pre-trained Models" (Jaiswal et al., NeurIPS 2023).

The names below are the public face; each is imported when it is first asked for, so that what draws needs no
torch and what prunes needs no plotting.
"""

from __future__ import annotations

from importlib import import_module

_HOME = {
    "InputError": "errors",
    "Mask": "pruning.masks",
    "global_magnitude": "pruning.magnitude",
    "prunable": "pruning.prunable",
    "weights": "pruning.prunable",
    "Trial": "study.trial",
    "Training": "study.trial",
    "Pruning": "study.trial",
    "Study": "study.grid",
    "Record": "study.store",
    "Store": "study.store",
    "Curve": "study.curves",
    "curves": "study.curves",
    "essential_sparsity": "study.essential",
    "turning_point": "study.essential",
    "execute": "experiment",
    "save_pruned": "sparsify",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
