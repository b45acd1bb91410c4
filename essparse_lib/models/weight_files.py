"""Look into a model's weight files without loading them: the tensors' names, shapes and precisions."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, shown
from ..sources.foreign import entry, reading, regular_file
from .configuration import read_settings

if TYPE_CHECKING:
    import torch

#: The file that tells, in a folder of compressed weights, which matrices are compressed (``models.compressed``).
MANIFEST = "essparse-compressed.json"
#: Precisions in which a number of a file is a weight, by their names in safetensors, and in which it is a position, a
#: step or a truth value. Others are those of quantised weights, which mean nothing without their scales.
_FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_WHOLE = ("I64", "I32", "I16", "U64", "U32", "U16", "BOOL")
#: The most bytes of a file's header, and the most tensors of a model: more take too long to be compared.
_LARGEST_HEADER, _MOST_TENSORS = 2**24, 50_000
#: By the last part of a tensor's name, the format of quantised weights that has it.
_QUANTISED = {
    "qweight": "GPTQ or AWQ",
    "qzeros": "GPTQ or AWQ",
    "absmax": "bitsandbytes",
    "quant_map": "bitsandbytes",
    "SCB": "bitsandbytes",
    "weight_scale_inv": "fp8",
    "weight_packed": "compressed-tensors",
}
#: Parts of a name that wrappers put in the middle of it.
_INSIDE = ("_orig_mod", "module", "base_layer", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file.

    Attributes:
        dtype: its precision, as safetensors names it, such as ``BF16``.
        shape: its shape.
    """

    dtype: str
    shape: tuple[int, ...]

    @property
    def is_weight(self) -> bool:
        """Whether its numbers can be weights: no whole numbers, no single number, no mask of shape (1, 1, …)."""
        return self.dtype in _FLOATS and bool(self.shape) and not self._is_mask

    @property
    def is_quantised(self) -> bool:
        """Whether it is a matrix of numbers of eight bits or fewer."""
        wide = self.dtype in _FLOATS or self.dtype in _WHOLE
        return not wide and len(self.shape) > 1 and not self._is_mask

    @property
    def _is_mask(self) -> bool:
        return len(self.shape) > 2 and self.shape[:2] == (1, 1)


def is_compressed(folder: Path) -> bool:
    """Return whether a folder holds a compressed checkpoint, as ``models.compressed`` makes it.

    Args:
        folder: folder of the model's files.
    """
    return (folder / MANIFEST).is_file()


def stored_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Return the tensors in the safetensors files that a model is loaded from, by name; empty for other formats.

    Args:
        folder: folder of the model's files.

    Raises:
        InputError: a file is damaged, its index names one that is not there or elsewhere, or a name comes twice.
    """
    from safetensors import safe_open

    tensors: dict[str, StoredTensor] = {}
    for path in weight_files(folder):
        with reading(path):
            check_header(path)
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 (an opened file is no dictionary)
                    if name in tensors:
                        raise InputError(f"{path} holds {shown(name)}, as another file does: fetch both anew")
                    part = file.get_slice(name)
                    tensors[name] = StoredTensor(part.get_dtype(), tuple(part.get_shape()))
        if len(tensors) > _MOST_TENSORS:
            raise InputError(f"{folder} holds more than {_MOST_TENSORS:,} tensors, which is too many for this program")
    return tensors


def check_header(path: Path) -> None:
    """Check what safetensors does not: that the header is no larger than any model's, and names no tensor twice.

    Args:
        path: a safetensors file.

    Raises:
        InputError: the header is larger, or names one twice; or there is no such file.
    """

    def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) < len(pairs):
            name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
            raise InputError(f"{path} has {shown(name)} twice in its header: fetch it anew")
        return entries

    with regular_file(path).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length <= path.stat().st_size and length > _LARGEST_HEADER:
            size = f"{length // 2**20:,} MB of names and shapes"
            raise InputError(f"{path} begins with {size}, more than any model needs: fetch it anew")
        if length <= _LARGEST_HEADER:
            header = file.read(length)
            if header.count(b'"dtype"') and header.lstrip()[:1] == b"{":  # anything else is refused by safetensors
                json.loads(header, object_pairs_hook=without_doubles)


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files that transformers reads in a folder; empty if it holds none.

    Args:
        folder: folder of the model's files.

    Raises:
        InputError: the index is damaged, or names a file that is not there or is in another folder.
    """
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole.exists():
        return [whole]
    if not index.exists():
        return []
    settings = read_settings(index)
    names = entry(settings, "weight_map", dict, index).values()
    entry(settings, "metadata", dict, index)
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"[\w-][\w. -]*\.safetensors", name):
            raise InputError(
                f"{index} names {shown(name)} as a file of weights: give *.safetensors of this folder alone"
            )
    files = [folder / name for name in sorted(set(names))]
    absent = [path.name for path in files if not path.exists()]
    if absent:
        raise InputError(f"{folder} lacks {', '.join(absent[:3])}, which {index.name} names: fetch the model anew")
    if not files:
        raise InputError(f"{index} names no file of weights: fetch the model anew")
    return files


def check_not_quantised(tensors: Mapping[str, StoredTensor]) -> None:
    """Check that no matrix of a file is quantised, which its configuration may not say.

    Args:
        tensors: the tensors of the file, by name.

    Raises:
        InputError: one is.
    """
    for name, tensor in tensors.items():
        form = _QUANTISED.get(name.rpartition(".")[2])
        if form or tensor.is_quantised:
            kind = f"of {form}" if form else f"stored as {tensor.dtype}"
            raise InputError(
                f"{name} is {kind}: the model is quantised, and its weights cannot be ranked; prune it in "
                "float32, float16 or bfloat16, and quantise it afterwards"
            )


def dtypes(tensors: Iterable[StoredTensor]) -> set[torch.dtype]:
    """Return the precisions of a file's weights."""
    import torch

    return {getattr(torch, _FLOATS[tensor.dtype]) for tensor in tensors if tensor.dtype in _FLOATS}


def widest_dtype(tensors: Iterable[StoredTensor]) -> torch.dtype | None:
    """Return a precision that holds the numbers of all tensors exactly; None if no tensor holds weights.

    >>> widest_dtype([StoredTensor("BF16", (2,)), StoredTensor("F16", (2,))])
    torch.float32
    """
    import torch

    every = dtypes(tensors)
    return reduce(torch.promote_types, every) if every else None


def restore_precision(folder: Path, tensors: Mapping[str, StoredTensor]) -> None:
    """Give each tensor of a saved model the precision that the tensor of its name has in another file, in place.

    A model is loaded in one precision, the widest of its file, so that no weight changes, and saved in it.

    Args:
        folder: folder of the saved model.
        tensors: the tensors of the other file, by name.
    """
    import torch
    from safetensors.torch import load, save_file

    for path in weight_files(folder):
        saved = load(path.read_bytes())  # not the file itself, which is written over
        for name, tensor in saved.items():
            stored = tensors.get(name)
            if stored is not None and stored.dtype in _FLOATS:
                saved[name] = tensor.to(getattr(torch, _FLOATS[stored.dtype]))
        save_file(saved, path, {"format": "pt"})


def wrapping(stored: Collection[str], wanted: Collection[str], base: str) -> tuple[str, ...]:
    """Return what wrappers added to the names of a file's tensors: a prefix, parts in the middle, or both.

    It is what must go for most of the names to be the model's.

    Args:
        stored: the names in the file.
        wanted: the names in the model.
        base: the prefix of the model's body, which a file may leave out or have besides.

    Returns:
        The prefix with its dot, if there is one, and the parts with the dot before them; empty if nothing helps.

    >>> wrapping(["module.a.weight", "module.b.weight"], ["a.weight", "b.weight"], "")
    ('module.',)
    """
    outside = (f"{base}.{name}" for name in wanted if not name.startswith(f"{base}."))
    targets = {*wanted, *(name.removeprefix(f"{base}.") for name in wanted), *outside}

    def matches(names: Iterable[str]) -> int:
        return sum(name in targets for name in names)

    best: tuple[int, tuple[str, ...]] = (matches(stored), ())
    present = [part for part in _INSIDE if any(f".{part}." in name for name in stored)]
    for inside in [(), *((f".{part}",) for part in present), tuple(f".{part}" for part in present)]:
        names = [_without(name, inside) for name in stored]
        prefixes = Counter(
            ".".join(parts[:length]) + "."
            for parts in (name.split(".") for name in names)
            for length in range(1, min(len(parts), 6))
        )
        common = [prefix for prefix, count in prefixes.items() if 2 * count >= len(names)]
        for prefix in ["", *sorted(common, key=len)]:
            count = matches(name.removeprefix(prefix) for name in names)
            if count > best[0]:
                best = (count, (*filter(None, [prefix]), *inside))
    return best[1] if 2 * best[0] >= len(wanted) else ()


def _without(name: str, parts: Iterable[str]) -> str:
    for part in parts:
        name = name.replace(f"{part}.", ".")
    return name


def renaming_program(added: tuple[str, ...]) -> str:
    """Return a shell command that takes what wrappers added out of the names in all safetensors files of a folder.

    >>> "k.removeprefix('module.')" in renaming_program(("module.",))
    True
    """
    new_name = "k"
    for part in added:
        if part.startswith("."):
            new_name += f".replace('{part}.', '.')"
        else:
            new_name += f".removeprefix('{part}')"
    loop = "for p in glob.glob('*.safetensors')"
    tensors = f"{{{new_name}: v for k, v in s.load_file(p).items()}}"
    save = f"s.save_file({tensors}, p, {{'format': 'pt'}})"
    return f'python -c "import glob, safetensors.torch as s; [{save} {loop}]"'
