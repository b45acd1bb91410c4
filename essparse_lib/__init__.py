"""Companion to "The Emergence of Essential Sparsity in Large Pre-trained Models" (Jaiswal et al., NeurIPS 2023).

The names below are the public face. Each is imported when it is first used, so that drawing needs no torch and
pruning needs no plotting. ``__init__.pyi`` lists them for type checkers and editors.
"""

from __future__ import annotations

from importlib import import_module

from .openmp import let_threads_sleep as _let_threads_sleep

_let_threads_sleep()  # before any module of the package loads PyTorch

_HOME = {
    "InputError": "errors",
    "check_sparsity": "errors",
    "load_model": "models.loading",
    "load_with_head": "models.loading",
    "METHODS": "specs.methods",
    "prune": "sparsify",
    "Mask": "pruning.masks",
    "merge_adapters": "pruning.adapters",
    "Levels": "pruning.levels",
    "magnitude_levels": "pruning.magnitude",
    "global_magnitude": "pruning.magnitude",
    "layer_magnitude": "pruning.magnitude",
    "random_levels": "pruning.random",
    "random_mask": "pruning.random",
    "n_m": "pruning.n_m",
    "calibration_windows": "pruning.calibration",
    "wanda": "pruning.wanda",
    "sparsegpt": "pruning.sparsegpt",
    "accelerator": "training.device",
    "fine_tune": "training.fine_tune",
    "MaskCallback": "training.mask_callback",
    "lottery": "training.lottery",
    "perplexity": "training.perplexity",
    "cosine": "pruning.compare",
    "compare_by_matrix": "pruning.compare",
    "jaccard": "pruning.compare",
    "jaccard_removed": "pruning.compare",
    "weights_fingerprint": "pruning.mask_io",
    "save_mask": "pruning.mask_io",
    "load_mask": "pruning.mask_io",
    "apply_torch_pruning": "pruning.torch_pruning",
    "mask_from_torch_pruning": "pruning.torch_pruning",
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
    "TENTHS": "specs.study",
    "at_sparsities": "specs.study",
    "Evaluation": "specs.evaluation",
    "Prompting": "specs.evaluation",
    "EvaluationStudy": "specs.evaluation_study",
    "Record": "records.record",
    "Store": "records.store",
    "results": "records.store",
    "Estimate": "analysis.estimate",
    "Curve": "analysis.curve",
    "curves": "analysis.curves",
    "essential_sparsity": "analysis.essential",
    "choose_sparsity": "analysis.choice",
    "Choice": "analysis.choice",
    "turning_point": "analysis.turning_point",
    "Verdict": "claims.verdict",
    "verdict": "figures.verdicts",
    "TASK_HEADS": "runner.task_heads",
    "execute": "runner.trial",
    "Recipe": "recipe",
    "Recovery": "training.recovery",
    "decompress": "models.compressed",
    "save_pruned": "sparsify",
    "sweep": "sweeps.driver",
    "OwnData": "tasks.own",
    "SweepSettings": "sweeps.settings",
    "SweepResult": "sweeps.result",
    "Tolerance": "sweeps.tolerance",
    "evaluate": "language_evaluation",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
