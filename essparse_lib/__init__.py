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
    "calibration_windows": "pruning.calibrated",
    "wanda": "pruning.wanda",
    "sparsegpt": "pruning.sparsegpt",
    "lottery": "training.lottery",
    "perplexity": "training.perplexity",
    "cosine": "pruning.compare",
    "compare_by_matrix": "pruning.compare",
    "jaccard": "pruning.compare",
    "jaccard_removed": "pruning.compare",
    "weights_fingerprint": "pruning.mask_io",
    "save_mask": "pruning.mask_io",
    "load_mask": "pruning.mask_io",
    "apply_torch_pruning": "pruning.mask_io",
    "mask_from_torch_pruning": "pruning.mask_io",
    "mask_from_zeros": "pruning.mask_io",
    "to_semi_structured": "pruning.hardware",
    "count_zeros": "pruning.zeros",
    "count_zeros_by_component": "pruning.zeros",
    "effective_sparsity": "pruning.effective_sparsity",
    "prunable_matrices": "pruning.prunable",
    "transposed_names": "pruning.prunable",
    "prunable_weights": "pruning.prunable",
    "magnitude_thresholds": "pruning.radix_select",
    "Trial": "specs.trial",
    "Training": "specs.trial",
    "Pruning": "specs.trial",
    "Study": "specs.study",
    "Record": "records.store",
    "Store": "records.store",
    "Curve": "analysis.curves",
    "curves": "analysis.curves",
    "essential_sparsity": "analysis.essential",
    "turning_point": "analysis.turning_point",
    "execute": "runner.trial",
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
