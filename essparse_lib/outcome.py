"""What pruning a model came to, in numbers and in words: for ``essparse.json``, the model card and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import check_sparsity
from .recipe import Recipe
from .specs.methods import Scope
from .training.recovery import Recovered, Recovery


@dataclass(frozen=True)
class ZeroCounts:
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

        >>> ZeroCounts(weights=8, zeros=6, removed=2).text("m")
        '6 of 8 weights of m are zero (75.0000%), 2 of them by this call, as the others were zero before'
        """
        share = self.zeros / self.weights if self.weights else 0.0
        zeros_text = f"{self.zeros:,} of {self.weights:,} weights of {name} are zero ({share:.4%})"
        if self.removed == self.zeros:
            return zeros_text
        return f"{zeros_text}, {self.removed:,} of them by this call, as the others were zero before"


def card_sentences(
    name: str, recipe: Recipe, counts: ZeroCounts, changed: bool, recovery: Recovery | None, recovered: Recovered | None
) -> list[str]:
    """Return what a model card says of the pruning.

    Args:
        name: what the model was named by.
        recipe: how it was pruned.
        counts: how many of its weights are zero.
        changed: whether the method gave the weights that stay new values.
        recovery: how it was trained afterwards; None if it was not.
        recovered: what the training came to; None if there was none.
    """
    part = " that were chosen" if recipe.included or recipe.exclude else ""
    sentences = [
        f"These weights were made from `{name}` by `essparse prune`: {_settings_text(recipe)}. "
        f"In the matrices of the transformer blocks{part} {counts.text('the model')}."
    ]
    kept = "The weights that stay have their values"
    if changed:
        kept = "The weights that stay in these matrices have new values that make up for the others"
    if recovery is None or recovered is None:
        sentences.append(
            f"{kept}; all others are unchanged, and nothing was trained afterwards. `essparse.json` says more."
        )
    else:
        sentences.append(
            f"All weights that are not zero were trained afterwards, those of embeddings, norms and heads too, with a "
            f"peak learning rate of {recovery.learning_rate:g}: {recovered.text(recovery)}. `essparse.json` says more."
        )
    return sentences


def _settings_text(recipe: Recipe) -> str:
    """Return the settings of a recipe as a card lists them."""
    settings = [f"method {recipe.method}"]
    if isinstance(recipe.sparsities, Mapping):
        shares = [f"{sparsity:g} of `{pattern}`" for pattern, sparsity in recipe.sparsities.items()]
        settings.append(f"sparsities {', '.join(shares)}")
    else:
        settings.append(f"pattern {recipe.pattern}" if recipe.pattern else f"sparsity {recipe.sparsity}")
    if recipe.scope != Scope.GLOBAL:
        settings.append(f"scope {recipe.scope}")
    for word, patterns in (("only", recipe.include), ("without", recipe.exclude)):
        if patterns:
            settings.append(f"{word} {', '.join(f'`{pattern}`' for pattern in patterns)}")
    calibrated_on = recipe.text or recipe.images
    if calibrated_on is not None:
        settings.append(f"calibrated on `{Path(calibrated_on).name}`")
    return ", ".join(settings)


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """Return the settings of a recipe that are given, as JSON has them.

    Args:
        recipe: the recipe.
    """
    given = {key: value for key, value in vars(recipe).items() if value not in (None, ())}
    if recipe.sparsity is not None:
        given["sparsity"] = check_sparsity(recipe.sparsity)
    return {key: str(value) if isinstance(value, Path) else value for key, value in given.items()}


def recovery_entry(recovery: Recovery, recovered: Recovered) -> dict[str, Any]:
    """Return how a model was trained after pruning and what came of it, as JSON has them.

    Args:
        recovery: how it was trained.
        recovered: what the training came to.
    """
    return {**asdict(recovery), "text": str(recovery.text), **asdict(recovered)}
