"""What to prune of a model of one's own, and how: settings that are checked before any work begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError, check_seed, check_sparsity, check_texts, check_whole
from .paths import check_file, check_folder
from .pruning.sparsities import check_no_include, check_one_amount, check_sparsities, read_sparsities
from .specs.methods import METHODS, Scope, check_method, one_shot_methods

#: The most windows, or tokens in one; and the most tokens that a tokenizer makes of a byte.
_MOST, _TOKENS_PER_BYTE = 1_000_000, 4


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to prune a model of one's own.

    Attributes:
        sparsity: fraction of the block matrices' weights to remove, in [0, 1); None with sparsities or a pattern.
        sparsities: instead, the fraction of each matrix: a JSON file with an object of patterns of parameter names and
            sparsities, such as ``{"*.mlp.*": 0.6, "*": 0.3}``, or a dictionary like it. Of the patterns that a name
            fits the first decides; matrices whose names fit none stay dense. Each matrix is ranked by itself.
        method: a name in ``specs.methods.METHODS`` of a method that needs no training.
        scope: over what the method ranks the weights; None for ``global`` or, with sparsities, for each by itself.
        pattern: instead, ``N:M``, for the methods that take one.
        text: a file of text like that which the model is for; calibrated methods need one, or images.
        images: a folder of images, for calibrated methods and models that read these.
        windows: number of windows of the text, or of images; None for 128.
        length: tokens in a window; None for 256, or for as many as the model takes if these are fewer.
        include: patterns of the parameters to prune, such as ``*.mlp.*``; () for all matrices of the blocks.
        exclude: patterns of the parameters to leave dense.
        seed: of the methods that draw numbers, and of which parts of the text, or which images, are read.
    """

    sparsity: float | str | None = None
    sparsities: Path | Mapping[str, float] | None = None
    method: str = "magnitude"
    scope: str | None = None
    pattern: str | None = None
    text: Path | None = None
    images: Path | None = None
    windows: int | None = None
    length: int | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        check_one_amount(self.sparsity, self.sparsities, self.pattern)
        scope = self._usual_scope() if self.scope is None else self.scope
        object.__setattr__(self, "scope", scope)
        by_matrix = self.sparsities is not None
        method = check_method(self.method, scope, self.pattern, one_shot_methods(), by_matrix)
        if self.sparsity is not None:
            check_sparsity(self.sparsity)
        for name in ("include", "exclude"):
            object.__setattr__(self, name, check_texts(name, getattr(self, name), "['*.mlp.*']"))
        if by_matrix:
            check_no_include(self.include)
            object.__setattr__(self, "sparsities", _read(self.sparsities))
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

    @property
    def included(self) -> tuple[str, ...]:
        """The patterns of the parameters to prune: those of the sparsities, if these are given; () for all."""
        return tuple(self.sparsities) if isinstance(self.sparsities, Mapping) else self.include

    def _usual_scope(self) -> Scope:
        """Return the scope where none is given; a method without scopes takes ``global``, which says nothing then."""
        method = METHODS.get(self.method) if isinstance(self.method, str) else None
        ranks_each = self.sparsities is not None and method is not None and method.scopes
        return Scope.LAYER if ranks_each else Scope.GLOBAL

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


def _read(sparsities: object) -> dict[str, float]:
    """Return sparsities by patterns, from a file unless they are given as they are."""
    if isinstance(sparsities, Mapping):
        return check_sparsities(sparsities)
    return read_sparsities(check_file("sparsities", sparsities, "sparsities"))
