"""Companion to "The Emergence of Essential Sparsity in Large Pre-trained Models" (Jaiswal et al., NeurIPS 2023).

The names below are the public face; each is imported when it is first asked for, so that what draws needs no
torch and what prunes needs no plotting.
"""

from __future__ import annotations

from importlib import import_module

_HOME = {
    "InputError": "errors",
    "Mask": "pruning.masks",
    "Levels": "pruning.levels",
    "magnitude_levels": "pruning.magnitude",
    "global_magnitude": "pruning.magnitude",
    "layer_magnitude": "pruning.magnitude",
    "random_levels": "pruning.random",
    "random_mask": "pruning.random",
    "n_m": "pruning.n_m",
    "calibration": "pruning.calibrated",
    "wanda": "pruning.wanda",
    "sparsegpt": "pruning.sparsegpt",
    "lottery": "training.lottery",
    "perplexity": "training.language",
    "cosine": "pruning.compare",
    "by_matrix": "pruning.compare",
    "jaccard": "pruning.compare",
    "jaccard_removed": "pruning.compare",
    "fingerprint": "pruning.keeping",
    "save_mask": "pruning.keeping",
    "load_mask": "pruning.keeping",
    "to_torch": "pruning.keeping",
    "from_torch": "pruning.keeping",
    "from_zeros": "pruning.keeping",
    "to_semi_structured": "pruning.hardware",
    "zeros": "pruning.zeros",
    "zeros_by_place": "pruning.zeros",
    "effective_sparsity": "pruning.zeros",
    "prunable": "pruning.prunable",
    "transposed": "pruning.prunable",
    "weights": "pruning.prunable",
    "thresholds": "pruning.thresholds",
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
    "Recipe": "sparsify",
    "save_pruned": "sparsify",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
