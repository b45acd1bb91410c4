"""Prune a model of one's own and save it: what the command line does for any model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InputError, check_seed, check_sparsity, check_texts, check_whole
from .files import check_new_folder, writing, writing_folder
from .models import loading
from .models.companions import copy_companions
from .models.model_card import add_section
from .models.saving import save_model
from .paths import check_file, check_folder, check_path, is_folder
from .specs.methods import METHODS, Scope, check_method, one_shot_methods

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from .pruning.method import Calibration, Pruned


#: The most windows, or tokens in one; and the most tokens that a tokenizer makes of a byte.
_MOST, _TOKENS_PER_BYTE = 1_000_000, 4


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to prune a model of one's own.

    Attributes:
        sparsity: fraction of the block matrices' weights to remove, in [0, 1), or None with a pattern.
        method: a name in ``specs.methods.METHODS`` of a method that needs no training.
        scope: over what the method ranks the weights.
        pattern: ``N:M`` in place of a sparsity, for the methods that take one.
        text: a file of text like that which the model is for; calibrated methods need one, or images.
        images: a folder of images, for calibrated methods and models that read these.
        windows: number of windows of the text, or of images; None for 128.
        length: tokens in a window; None for 256, or for as many as the model takes if these are fewer.
        include: patterns of the parameters to prune, such as ``*.mlp.*``; () for all matrices of the blocks.
        exclude: patterns of the parameters to leave dense.
        seed: of the methods that draw numbers, and of which parts of the text, or which images, are read.
    """

    sparsity: float | str | None = None
    method: str = "magnitude"
    scope: str = Scope.GLOBAL
    pattern: str | None = None
    text: Path | None = None
    images: Path | None = None
    windows: int | None = None
    length: int | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        method = check_method(self.method, self.scope, self.pattern, one_shot_methods())
        if (self.sparsity is None) == (self.pattern is None):
            raise InputError("give either a sparsity, such as 0.4, or a pattern, such as 2:4")
        if self.pattern is None:
            check_sparsity(self.sparsity)
        given = (self.text is not None) + (self.images is not None)
        if given != method.calibrated:
            needs = "needs a text file, or a folder of images" if method.calibrated else "takes no text file or images"
            raise InputError(f"method {self.method!r} {'takes one of text and images' if given > 1 else needs}")
        if self.windows is not None:
            check_whole("windows", self.windows, most=_MOST)
            if not given:
                raise InputError(f"windows {self.windows} goes with a text or images, and neither is given")
        if self.length is not None:
            check_whole("length", self.length, most=_MOST)
            if self.text is None:
                raise InputError(f"length {self.length} goes with a text, and none is given")
        if self.text is not None:
            self._check_text()
        if self.images is not None:
            object.__setattr__(self, "images", check_folder("images", self.images, "images"))
        check_seed(self.seed)
        for name in ("include", "exclude"):
            object.__setattr__(self, name, check_texts(name, getattr(self, name), "['*.mlp.*']"))

    def _check_text(self) -> None:
        """Check that there is a text, and that it can be as long as is asked for."""
        text = check_file("text", self.text, "text")
        object.__setattr__(self, "text", text)
        tokens, size = (self.windows or 1) * (self.length or 1), text.stat().st_size
        if tokens > _TOKENS_PER_BYTE * size:
            raise InputError(
                f"{text} has {size:,} bytes, too few for {tokens:,} tokens: give a longer text, or ask for fewer or "
                "shorter sequences (windows, length)"
            )


def save_pruned(name: str, recipe: Recipe, out: Path) -> str:
    """Prune a model and save it, with all files beside its weights, for ``from_pretrained``.

    The model keeps its heads, its precision and the size of its shards; tokenizer, processors, settings, licence and
    whatever else is no weight come along byte for byte. The file ``essparse.json`` and a section in the model card say
    what was done: how many weights are zero and how many of them this call removed, which class the model was read
    with, which weights of the file were not used, which files were copied.

    Args:
        name: a model's name here, its id on the hub, or its local folder.
        recipe: how to prune it.
        out: a folder that does not exist yet, or is empty.

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
    pruned = prune(model, name, recipe)
    outcome = _applied(model, pruned)
    left = left_out_text(model, recipe.include, recipe.exclude)
    source = loading.locate(name)
    with writing_folder(out) as made:  # the whole model or nothing
        save_model(loaded, source, made)
        copied = copy_companions(source.folder, made)
        if source.gguf:  # the tokenizer is in the file of the weights
            _save_tokenizer(name, made)
        done = {
            "model": name,
            "weights_sha256": source.weights,
            **_settings(recipe),
            "pruned": pruned.mask.pruned,
            "prunable": pruned.mask.size,
            **vars(outcome),
            "left_dense": left,
            "architecture": type(model).__name__,
            "notes": loaded.notes,
            "unused_weights": loaded.gaps.unused_others,
            "weights_not_in_the_file": loaded.gaps.optional,
            "copied_files": copied.files,
            "left_out_files": copied.left_out,
        }
        with writing(made / "essparse.json") as file:
            file.write((json.dumps(done, indent=1) + "\n").encode())
        add_section(made, out.name, _card_sentences(name, recipe, outcome, bool(pruned.values)), base=_id_on_hub(name))
    subject = f"the chosen matrices of {name}" if recipe.include or recipe.exclude else name
    return "; ".join([f"{out}: {outcome.text(subject)}", *([left] if left else []), *loaded.notes])


@dataclass(frozen=True)
class Outcome:
    """How many weights of a model's blocks are zero after pruning.

    Attributes:
        weights: number of weights in the matrices of the blocks, or in those of them that were asked for.
        zeros: how many of them are zero now.
        removed: how many this call set to zero; the others were zero before.
    """

    weights: int
    zeros: int
    removed: int

    def text(self, name: str) -> str:
        """Return the numbers as a clause about the model of this name.

        >>> Outcome(weights=8, zeros=6, removed=2).text("m")
        '6 of 8 weights of m are zero (75.0000%), 2 of them by this call, as the others were zero before'
        """
        share = self.zeros / self.weights if self.weights else 0.0
        zeros_text = f"{self.zeros:,} of {self.weights:,} weights of {name} are zero ({share:.4%})"
        if self.removed == self.zeros:
            return zeros_text
        return f"{zeros_text}, {self.removed:,} of them by this call, as the others were zero before"


def _id_on_hub(name: str) -> str | None:
    """Return the id on the hub that a model was named by, without the revision; None for a folder and a name here."""
    local = "/" not in name or is_folder(name)
    return None if local else name.partition("@")[0]


def _applied(model: PreTrainedModel, pruned: Pruned) -> Outcome:
    """Apply what a method chose, and return how many weights are zero then."""
    from .pruning.masks import zeros_and_size
    from .pruning.wrapped import plain_parameters

    removed = pruned.mask.drift(model)  # those that the mask removes and that are not zero yet
    pruned.apply(model)
    parameters = plain_parameters(model)
    zeros, weights = zeros_and_size({name: parameters[name].detach() for name in pruned.mask.keep})
    return Outcome(weights=weights, zeros=zeros, removed=removed)


def _card_sentences(name: str, recipe: Recipe, outcome: Outcome, changed: bool) -> list[str]:
    """Return what a model card says of the pruning."""
    settings = [f"method {recipe.method}"]
    settings.append(f"pattern {recipe.pattern}" if recipe.pattern else f"sparsity {recipe.sparsity}")
    if recipe.scope != Scope.GLOBAL:
        settings.append(f"scope {recipe.scope}")
    for word, patterns in (("only", recipe.include), ("without", recipe.exclude)):
        if patterns:
            settings.append(f"{word} {', '.join(f'`{pattern}`' for pattern in patterns)}")
    calibrated_on = recipe.text or recipe.images
    if calibrated_on is not None:
        settings.append(f"calibrated on `{Path(calibrated_on).name}`")
    part = " that were chosen" if recipe.include or recipe.exclude else ""
    kept = "The weights that stay in these matrices have new values that make up for the others" if changed else ""
    return [
        f"These weights were made from `{name}` by `essparse prune`: {', '.join(settings)}. "
        f"In the matrices of the transformer blocks{part} {outcome.text('the model')}.",
        f"{kept or 'The weights that stay have their values'}; all others are unchanged, and nothing was trained "
        "afterwards. `essparse.json` says more.",
    ]


def _settings(recipe: Recipe) -> dict[str, Any]:
    """Return the settings of a recipe that are given, as JSON has them."""
    given = {key: value for key, value in vars(recipe).items() if value not in (None, ())}
    if not recipe.pattern:
        given["sparsity"] = check_sparsity(recipe.sparsity)
    return {key: str(value) if isinstance(value, Path) else value for key, value in given.items()}


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
        pattern=recipe.pattern or None,
        scope=recipe.scope,
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
