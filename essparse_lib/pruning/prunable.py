"""Find the weights that are pruned: the matrices of the transformer blocks, by walking the module tree.

Nothing is overlooked in silence. Every parameter of a block that has two dimensions or more is either found here, or
left out for a stated reason (``left_out``), or named in an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import torch
from torch import nn

from ..errors import InputError, check_texts, not_finite_error
from .block_lists import block_prefixes
from .survey import PrunableMatrix, Survey, survey_blocks


def prunable_matrices(
    model: nn.Module, include: Iterable[str] = (), exclude: Iterable[str] = ()
) -> dict[str, PrunableMatrix]:
    """Return the matrices of a model's transformer blocks, by parameter name, in the model's order.

    A block is an element of a ``ModuleList``, or of an ``nn.Sequential`` or ``nn.ModuleDict`` of one class, that is
    made of several modules, matrices among them. Linear layers, fused projections, experts in one tensor and
    convolutions of one position are found. Embeddings, biases, norms, poolers and heads lie outside of blocks or are no
    matrices; routers, wider convolutions and adapters are left alone (``left_out`` counts them). A weight that several
    modules share is listed once (paper, §3: six matrices a block, 84,934,656 weights in bert-base).

    Args:
        model: any PyTorch model, wrapped or not; not changed.
        include: patterns of parameter names, such as ``*.mlp.*``: only these are returned; all, if there are none.
        exclude: patterns of parameter names that are left out.

    Raises:
        InputError: the model has no such blocks; or its blocks have other matrices that are not known here, and that
            the patterns do not leave out; or a pattern fits nothing.

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=2, num_attention_heads=1))
    >>> [entry.component for entry in prunable_matrices(model).values() if entry.depth == 1]
    ['query', 'key', 'value', 'attention output', 'intermediate', 'output']
    >>> list(prunable_matrices(model, include=["*.0.attention.self.*"], exclude=["*.key.weight"]))
    ['encoder.layer.0.attention.self.query.weight', 'encoder.layer.0.attention.self.value.weight']
    """
    survey = survey_blocks(model)
    include, exclude = _patterns(include), _patterns(exclude)
    names = [*survey.matrices, *survey.unknown]
    for pattern in (*include, *exclude):
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(f"pattern {pattern!r} fits no weight of the blocks: they are called such as {names[0]}")
    _check_all_known(model, survey, include, exclude)
    chosen = {name: entry for name, entry in survey.matrices.items() if _is_chosen(name, include, exclude)}
    if not chosen:
        raise InputError("include and exclude leave no weight of the blocks to prune")
    return chosen


def prunable_weights(
    model: nn.Module, include: Iterable[str] = (), exclude: Iterable[str] = ()
) -> dict[str, torch.Tensor]:
    """Return the values of a model's prunable matrices by parameter name: detached views, not copies.

    Args:
        model: any PyTorch model made of transformer blocks.
        include: patterns of names, as for ``prunable_matrices``.
        exclude: patterns of names, as for ``prunable_matrices``.

    Raises:
        InputError: as ``prunable_matrices``; or the values of a weight are not in the model (meta, offloaded).

    >>> from transformers import BertConfig, BertModel
    >>> model = BertModel(BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    >>> prunable_weights(model)["encoder.layer.0.attention.self.query.weight"].shape
    torch.Size([8, 8])
    """
    return {name: entry.values for name, entry in prunable_matrices(model, include, exclude).items()}


def left_out(model: nn.Module, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> dict[str, int]:
    """Return how many weights of a model's blocks are not pruned, by the reason, most first.

    Biases, norms and other vectors are not counted: they are no matrices.

    Args:
        model: any PyTorch model made of transformer blocks.
        include: patterns of names, as for ``prunable_matrices``.
        exclude: patterns of names, as for ``prunable_matrices``.

    >>> model = nn.Sequential(*(nn.TransformerEncoderLayer(4, 1, 8) for _ in range(2)))
    >>> left_out(model), left_out(model, exclude=["*.linear?.weight"])
    ({}, {'matrices that the patterns leave out': 128})
    """
    survey = survey_blocks(model)
    include, exclude = _patterns(include), _patterns(exclude)
    sizes = {**{name: entry.weight.numel() for name, entry in survey.matrices.items()}, **survey.unknown}
    by_patterns = sum(size for name, size in sizes.items() if not _is_chosen(name, include, exclude))
    counts = {**survey.left_out, **({"matrices that the patterns leave out": by_patterns} if by_patterns else {})}
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))


def check_finite(model: nn.Module) -> None:
    """Check that all weights in the blocks of a model are numbers, also those that are never pruned.

    Args:
        model: any PyTorch model, not wrapped, with its values.

    Raises:
        InputError: a weight is NaN or infinite; the message names the parameter.

    >>> check_finite(nn.Sequential(*(nn.TransformerEncoderLayer(4, 1, 8) for _ in range(2))))
    """
    prefixes = tuple(block_prefixes(model))
    for name, parameter in model.named_parameters():
        if name.startswith(prefixes) and not parameter.isfinite().all():
            raise not_finite_error(name)


def check_finite_matrices(matrices: Mapping[str, PrunableMatrix]) -> None:
    """Check that all weights of some matrices are numbers, of a precision that they can be ranked in.

    Args:
        matrices: the matrices, by name.

    Raises:
        InputError: a weight is NaN or infinite, or has 8 bits; the message names the parameter.

    >>> check_finite_matrices({})
    """
    for name, entry in matrices.items():
        if entry.values.element_size() == 1:
            raise InputError(f"{name} is {entry.values.dtype}: cast it to float32, bfloat16 or float16")
        if not entry.values.isfinite().all():
            raise not_finite_error(name)


def transposed_names(model: nn.Module) -> set[str]:
    """Return the names of the model's prunable matrices that are stored as (inputs, outputs), as GPT-2's are.

    Args:
        model: any PyTorch model made of transformer blocks.

    Raises:
        InputError: as ``prunable_matrices``.

    >>> from transformers import GPT2Config, GPT2Model
    >>> len(transposed_names(GPT2Model(GPT2Config(vocab_size=8, n_embd=8, n_layer=1, n_head=1))))
    4
    """
    return {name for name, entry in prunable_matrices(model).items() if entry.transposed}


def _check_all_known(model: nn.Module, survey: Survey, include: tuple[str, ...], exclude: tuple[str, ...]) -> None:
    """Raise an error if blocks have matrices that are not known and that no pattern leaves out."""
    unknown = {name: size for name, size in survey.unknown.items() if _is_chosen(name, include, exclude)}
    if not unknown:
        return
    known = sum(entry.weight.numel() for entry in survey.matrices.values())
    share = sum(unknown.values()) / (sum(unknown.values()) + known)
    listed = list(unknown)
    more = f" and {len(listed) - 2} more" if len(listed) > 2 else ""
    remedies = [survey.remedies[name] for name in listed if name in survey.remedies]
    raise InputError(
        f"{share:.2%} of the weights of {type(model).__name__}'s blocks are not seen: {', '.join(listed[:2])}{more}, "
        f"stored in a way that is not known here. To go on: {remedies[0] if remedies else 'prune these by hand'}; "
        f"or leave them out: exclude={_suggested(listed)!r}"
    )


def _suggested(names: list[str]) -> list[str]:
    """Return patterns that fit these names in all blocks."""
    return list(dict.fromkeys(re.sub(r"(?<![^.])\d+(?![^.])", "*", name) for name in names))


def _patterns(patterns: Iterable[str]) -> tuple[str, ...]:
    return check_texts("patterns", [patterns] if isinstance(patterns, str) else patterns, "['*.mlp.*']")


def _is_chosen(name: str, include: tuple[str, ...], exclude: tuple[str, ...]) -> bool:
    """Return whether a parameter fits a pattern of ``include``, if there are any, and none of ``exclude``."""

    def fits(patterns: tuple[str, ...]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns)

    return (not include or fits(include)) and not fits(exclude)
