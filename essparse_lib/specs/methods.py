"""The registry of pruning methods: what each is called, what goes with it and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from ..errors import InputError, check_known, check_pattern
from ..wording import listing


class Extent(StrEnum):
    """Which weights of a model can be pruned.

    ``blocks``: the matrices of the transformer blocks. ``embeddings``: these, and the tables of the embeddings.
    ``head``: those of the blocks, and the matrices of the head, such as a decoder. ``all``: all three.
    """

    BLOCKS = "blocks"
    EMBEDDINGS = "embeddings"
    HEAD = "head"
    ALL = "all"


class Scope(StrEnum):
    """Over what weights are ranked.

    ``global``: all matrices together. ``layer``: each matrix by itself, all at one sparsity. ``erk``: each matrix by
    itself, at the densities of an Erdős–Rényi kernel (``pruning.allocation``).
    """

    GLOBAL = "global"
    LAYER = "layer"
    ERK = "erk"


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to choose the weights that are removed.

    A method that is not trained has a module ``pruning/<name>.py`` with a function ``prune(model, request)``
    (``pruning.registry``). With that file and a row in ``METHODS`` it can be used in trials, on the command line and
    in the tutorial.

    Attributes:
        name: as in trials, in records and on the command line; the name of its module.
        summary: what it removes, in a few words, for the command line's help.
        scopes: the scopes that it can rank weights over; empty if it has a comparison group of its own.
        patterns: whether it can keep N of every M inputs of an output.
        by_matrix: whether it can remove another share of each matrix, ranking each by itself.
        extends: whether it can prune embeddings and heads as well (``Extent``).
        calibrated: whether it needs a text, to see what the text makes of the model's activations.
        trained: whether the mask is found by training on a task, in rounds (``training.lottery``).
        seeded: whether the mask depends on a seed.
    """

    name: str
    summary: str
    scopes: tuple[Scope, ...] = ()
    patterns: bool = False
    by_matrix: bool = False
    extends: bool = False
    calibrated: bool = False
    trained: bool = False
    seeded: bool = False

    def takes(self, scope: str) -> bool:
        """Return whether a scope goes with the method; ``global``, the default, says nothing where it has none."""
        return scope in (self.scopes or (Scope.GLOBAL,))


#: Every method, by its name.
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            name="magnitude",
            summary="the smallest weights",
            scopes=tuple(Scope),
            patterns=True,
            by_matrix=True,
            extends=True,
        ),
        Method(
            name="random",
            summary="weights drawn at random",
            scopes=tuple(Scope),
            by_matrix=True,
            extends=True,
            seeded=True,
        ),
        Method(
            name="lottery",
            summary="the smallest weights after training on the task, round by round",
            scopes=(Scope.GLOBAL,),
            trained=True,
            seeded=True,
        ),
        Method(
            name="wanda",
            summary="the weights that are smallest when multiplied by the size of their inputs",
            patterns=True,
            by_matrix=True,
            calibrated=True,
            seeded=True,
        ),
        Method(
            name="sparsegpt",
            summary="the weights that change a layer's outputs least, the others making up for them",
            patterns=True,
            by_matrix=True,
            calibrated=True,
            seeded=True,
        ),
    )
}


def one_shot_methods() -> dict[str, Method]:
    """Return the methods that need no training on a task, by name: those that can prune any model at once.

    >>> list(one_shot_methods())
    ['magnitude', 'random', 'wanda', 'sparsegpt']
    """
    return {name: method for name, method in METHODS.items() if not method.trained}


def check_method(
    name: str, scope: str, pattern: str | None, methods: Iterable[str] | None = None, by_matrix: bool = False
) -> Method:
    """Return the method of this name, once it is clear that scope, pattern and sparsities of matrices go with it.

    Args:
        name: of the method.
        scope: one of ``Scope``.
        pattern: ``N:M``; empty or None for none.
        methods: the names to choose from; None for all.
        by_matrix: whether matrices have sparsities of their own.

    Raises:
        InputError: the method or the scope is unknown, or something does not go with the method.

    >>> check_method("random", "global", "2:4")
    Traceback (most recent call last):
    essparse_lib.errors.InputError: a pattern goes with magnitude, wanda and sparsegpt, not with random
    """
    names = list(METHODS if methods is None else methods)
    check_known("method", name, names)
    check_known("scope", scope, Scope)
    method = METHODS[name]
    if pattern is not None and pattern != "":
        check_pattern(pattern)
        if not method.patterns:
            raise InputError(f"a pattern goes with {methods_text(names, lambda m: m.patterns)}, not with {name}")
    if not method.takes(scope) or (pattern and scope != Scope.GLOBAL):
        fitting = methods_text(names, lambda m: scope in m.scopes)
        raise InputError(f"scope {str(scope)!r} goes with {fitting} at a sparsity, and with nothing else")
    if by_matrix and not method.by_matrix:
        fitting = methods_text(names, lambda m: m.by_matrix)
        raise InputError(f"sparsities of matrices go with {fitting}, not with {name}")
    if by_matrix and method.scopes and scope != Scope.LAYER:
        raise InputError(
            f"scope {str(scope)!r} does not go with sparsities of matrices, as each matrix is ranked by itself then: "
            f"give scope {str(Scope.LAYER)!r}"
        )
    return method


def methods_text(names: Iterable[str], fits: Callable[[Method], object]) -> str:
    """Return the names of those of some methods that fit, as a sentence lists them.

    >>> methods_text(METHODS, lambda method: method.calibrated)
    'wanda and sparsegpt'
    """
    return listing([name for name in names if fits(METHODS[name])])
