"""Prune a model of one's own and save it: what the command line does for any model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError, check_sparsity
from .files import check_new_folder, writing, writing_folder
from .models import loading
from .models.companions import copy_companions
from .models.model_card import add_section
from .models.saving import save_model
from .outcome import ZeroCounts, card_sentences, recovery_entry, settings_of
from .paths import check_path, is_folder
from .recipe import Recipe
from .specs.methods import METHODS
from .training.recovery import Recovery

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from .pruning.method import Calibration, Pruned
    from .training.language_recovery import LanguageTraining


def save_pruned(
    name: str, recipe: Recipe, out: Path, recovery: Recovery | None = None, compressed: bool = False
) -> str:
    """Prune a model and save it, with all files beside its weights, for ``from_pretrained``.

    The model keeps its heads, its precision and the size of its shards; tokenizer, processors, settings, licence and
    whatever else is no weight come along byte for byte. The file ``essparse.json`` and a section in the model card say
    what was done: how many weights are zero and how many of them this call removed, which class the model was read
    with, which weights of the file were not used, which files were copied.

    Args:
        name: a model's name here, its id on the hub, or its local folder.
        recipe: how to prune it.
        out: a folder that does not exist yet, or is empty.
        recovery: how to train the pruned model on a text, its zeros held; None for no training.
        compressed: whether to store weights as a mask of bits and those that are not zero, as ``models.compressed``
            does: ``load_model`` reads them, and ``decompress`` makes the ordinary files of them.

    Returns:
        A line that says what was done, and what of the files was not used.

    Raises:
        InputError: the folder is not empty, a link or the current one, the model cannot be had or pruned so, its files
            do not hold all its weights or hold NaN or infinite ones; nothing has been written then.
    """
    out = check_path("out", out)
    check_new_folder(out)
    loaded = loading.load_and_report(name)
    model = loaded.model
    training = None if recovery is None else _training(model, name, recovery)
    pruned = prune(model, name, recipe)
    removed = pruned.mask.drift(model)  # those that the mask removes and that are not zero yet
    pruned.apply(model)
    recovered = None if training is None else training.recover(model)
    counts = _zero_counts(model, pruned, removed)
    left = left_out_text(model, recipe.included, recipe.exclude)
    source = loading.locate(name)
    with writing_folder(out) as made:  # the whole model or nothing
        save_model(loaded, source, made)
        copied = copy_companions(source.folder, made)
        if source.gguf:  # the tokenizer is in the file of the weights
            _save_tokenizer(name, made)
        done = {
            "model": name,
            "weights_sha256": source.weights,
            **settings_of(recipe),
            "pruned": pruned.mask.pruned,
            "prunable": pruned.mask.size,
            **vars(counts),
            "left_dense": left,
            **({"recovery": recovery_entry(recovery, recovered)} if recovery and recovered else {}),
            "architecture": type(model).__name__,
            "notes": loaded.notes,
            "unused_weights": loaded.gaps.unused_others,
            "weights_not_in_the_file": loaded.gaps.optional,
            "copied_files": copied.files,
            "left_out_files": copied.left_out,
        }
        with writing(made / "essparse.json") as file:
            file.write((json.dumps(done, indent=1) + "\n").encode())
        sentences = card_sentences(name, recipe, counts, bool(pruned.values), recovery, recovered)
        add_section(made, out.name, sentences, base=_id_on_hub(name))
        sizes = _compressed(made) if compressed else ""
    subject = f"the chosen matrices of {name}" if recipe.included or recipe.exclude else name
    recovery_text = recovered.text(recovery) if recovery and recovered else ""
    clauses = [counts.text(subject), left, recovery_text, sizes, *loaded.notes]
    return f"{out}: {'; '.join(filter(None, clauses))}"


def _id_on_hub(name: str) -> str | None:
    """Return the id on the hub that a model was named by, without the revision; None for a folder and a name here."""
    local = "/" not in name or is_folder(name)
    return None if local else name.partition("@")[0]


def _training(model: PreTrainedModel, name: str, recovery: Recovery) -> LanguageTraining:
    """Return the training by which a model is to recover, with the loss of the dense model."""
    from .training.language_recovery import LanguageTraining

    return LanguageTraining(model, name, recovery)


def _zero_counts(model: PreTrainedModel, pruned: Pruned, removed: int) -> ZeroCounts:
    """Return how many weights of the matrices that were pruned are zero now, of which this call removed some."""
    from .pruning.masks import zeros_and_size
    from .pruning.wrapped import plain_parameters

    parameters = plain_parameters(model)
    zeros, weights = zeros_and_size({name: parameters[name].detach() for name in pruned.mask.keep})
    return ZeroCounts(weights=weights, zeros=zeros, removed=removed)


def _compressed(folder: Path) -> str:
    """Compress the weights of a checkpoint in place, and return what that came to, as a clause."""
    from .models.compressed import compress

    return compress(folder).text()


def prune(model: PreTrainedModel, name: str, recipe: Recipe) -> Pruned:
    """Return what a recipe removes from a model, which is left alone.

    Args:
        model: the loaded model.
        name: its name here, its id on the hub, or its local folder: calibrated methods read the text by its tokenizer.
        recipe: how to prune it.

    Raises:
        InputError: the model cannot be pruned so, a weight of its blocks is NaN or infinite, or the text is too short.
    """
    from .pruning import registry
    from .pruning.method import Request
    from .pruning.prunable import check_finite

    check_finite(model)
    request = Request(
        sparsity=None if recipe.sparsity is None else check_sparsity(recipe.sparsity),
        sparsities=recipe.sparsities if isinstance(recipe.sparsities, Mapping) else None,
        pattern=recipe.pattern or None,
        scope=str(recipe.scope),
        seed=recipe.seed,
        calibration=_calibration(model, name, recipe) if METHODS[recipe.method].calibrated else None,
        include=recipe.include,
        exclude=recipe.exclude,
    )
    return registry.prune(model, recipe.method, request)


def _calibration(model: PreTrainedModel, name: str, recipe: Recipe) -> Calibration:
    """Return what a recipe lets flow through a model."""
    from .models import calibration_data

    count = recipe.windows or calibration_data.COUNT
    if recipe.images is not None:
        return calibration_data.images(name, recipe.images, count, recipe.seed)
    assert recipe.text is not None
    return calibration_data.text_windows(model, name, recipe.text, count, recipe.length, recipe.seed)


def left_out_text(model: PreTrainedModel, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> str:
    """Return how many weights of a model's blocks are not pruned, and why, as a clause; empty if there are none.

    Args:
        model: the model.
        include: patterns of the parameters to prune; () for all.
        exclude: patterns of the parameters to leave dense.
    """
    from .pruning.prunable import left_out

    counts = left_out(model, include, exclude)
    parts = [f"{count:,} in {reason}" for reason, count in counts.items()]
    return f"left dense in its blocks: {', '.join(parts)}" if parts else ""


def _save_tokenizer(name: str, folder: Path) -> None:
    """Save the model's tokenizer, if it has one."""
    try:
        loading.tokenizer_of(name).save_pretrained(folder)
    except InputError:
        pass  # a model without a tokenizer
