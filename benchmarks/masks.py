"""Ten magnitude masks of one model: this package against torch's ways, in one process, on the same weights.

ours              essparse_lib.magnitude_levels, one byte a weight for all ten
global_unstructured  torch.nn.utils.prune.global_unstructured, ten calls on an unpruned model
kthvalue          one concatenated copy of the magnitudes, ten calls of torch.kthvalue, ten comparisons
sort              one concatenated copy, sorted once, ten comparisons
one pass          sum(w.abs().sum()): what it takes to read every weight once, the floor for any method

Before them, a step of ``Mask.held`` on a model of so many matrices: ours looks up every weight and sets the removed
ones to zero, NaN too; "multiplied" is the floor, one product a matrix on tensors looked up once.

Each line says how long a side takes, how many times as long as ours, as how many passes, and how much memory it needs
beside the weights, as a multiple of theirs (Linux alone). The masks of every side are compared with ours.

    python benchmarks/masks.py [--device cpu] [--skip-torch] [--growth 1e6 1e7 1e8 1e9]
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils import prune

from essparse_lib import magnitude_levels
from essparse_lib.pruning.allocation import pruned_count
from essparse_lib.pruning.masked_weights import MaskedWeights
from essparse_lib.pruning.masks import Mask

SPARSITIES = [round(0.1 * i, 1) for i in range(10)]
BERT_BASE = [(768, 768)] * 4 + [(3072, 768), (768, 3072)]
Masks = Callable[[float], dict[str, torch.Tensor]]


def matrices(shapes: list[tuple[int, int]], device: str) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {str(i): (torch.randn(shape, generator=generator) * 0.04).to(device) for i, shape in enumerate(shapes)}


def ours(weights: dict[str, torch.Tensor]) -> Masks:
    sweep = magnitude_levels(weights, SPARSITIES)
    return lambda sparsity: dict(sweep.mask(sparsity).keep)


def by_kthvalue(weights: dict[str, torch.Tensor]) -> Masks:
    magnitudes = torch.cat([w.abs().flatten() for w in weights.values()])
    keep = {}
    for sparsity in SPARSITIES:
        k = pruned_count(sparsity, len(magnitudes))
        keep[sparsity] = magnitudes > (magnitudes.kthvalue(k).values if k else -1)
    return lambda sparsity: split(keep[sparsity], weights)


def by_sort(weights: dict[str, torch.Tensor]) -> Masks:
    magnitudes = torch.cat([w.abs().flatten() for w in weights.values()])
    ordered = magnitudes.sort().values
    keep = {}
    for sparsity in SPARSITIES:
        k = pruned_count(sparsity, len(magnitudes))
        keep[sparsity] = magnitudes > (ordered[k - 1] if k else -1)
    return lambda sparsity: split(keep[sparsity], weights)


def by_torch(weights: dict[str, torch.Tensor]) -> Masks:
    """Return every tenth weight of the masks alone: ten whole masks in fp32 would be ten times the model."""
    keep = {}
    for sparsity in SPARSITIES:
        holders = []
        for weight in weights.values():
            holder = nn.Module()
            holder.weight = nn.Parameter(weight)
            holders.append((holder, "weight"))
        prune.global_unstructured(
            holders, prune.L1Unstructured, amount=pruned_count(sparsity, sum(w.numel() for w in weights.values()))
        )
        keep[sparsity] = {n: h.weight_mask.flatten()[::10].bool() for n, (h, _) in zip(weights, holders, strict=True)}
    return lambda sparsity: keep[sparsity]


def one_pass(weights: dict[str, torch.Tensor]) -> float:
    return float(sum(w.abs().sum() for w in weights.values()))


def split(keep: torch.Tensor, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    parts = keep.split([w.numel() for w in weights.values()])
    return {n: part.view(w.shape) for (n, w), part in zip(weights.items(), parts, strict=True)}


def timed(call: Callable[[], object], repeats: int) -> tuple[float, object]:
    """Return the median seconds of a call, and the result of the last one."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        result = call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), result


def extra_memory(call: Callable[[], object], device: str) -> float | None:
    """Return the peak of the bytes that a call allocates; None if the system does not tell."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return torch.cuda.max_memory_allocated() - before
    try:
        ctypes.CDLL(None).malloc_trim(0)  # else the call could reuse freed memory, which would not count
        Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
        before = _status("VmRSS")
    except (OSError, AttributeError):
        return None
    call()
    return _status("VmHWM") - before


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])


def differing(mask: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> int:
    """Return how many weights two masks treat differently; ``other`` may hold every tenth weight alone."""
    total = 0
    for name, keep in mask.items():
        step = 1 if other[name].numel() == keep.numel() else 10
        total += int((keep.flatten()[::step] != other[name].flatten()).sum())
    return total


def compare(device: str, with_torch: bool) -> None:
    weights = matrices(BERT_BASE * 12, device)
    size = sum(w.numel() for w in weights.values())
    print(f"{size:,} weights, fp32, {device}, {torch.get_num_threads()} threads, {len(SPARSITIES)} sparsities\n")
    ours(weights)  # warm
    floor, _ = timed(lambda: one_pass(weights), 9)
    base, reference = timed(lambda: ours(weights), 7)
    print(f"{'':20} {'seconds':>9} {'× ours':>8} {'passes':>8} {'memory':>8}   weights masked otherwise, at most")
    print(f"{'one pass':20} {floor:9.4f} {floor / base:8.3f} {1:8.1f}")
    sides = {"ours": ours, "kthvalue": by_kthvalue, "sort": by_sort, "global_unstructured": by_torch}
    for name, side in sides.items():
        if side is by_torch and not with_torch:
            continue
        taken, masks = (base, reference) if side is ours else timed(partial(side, weights), 1)
        apart = max(differing(reference(s), masks(s)) for s in SPARSITIES)
        del masks
        # torch's own takes minutes: to see its memory would take as long again
        memory = None if side is by_torch else extra_memory(partial(side, weights), device)
        shown = "" if memory is None else f"{memory / (4 * size):8.2f}"
        print(f"{name:20} {taken:9.4f} {taken / base:8.1f} {taken / floor:8.1f} {shown:>8}   {apart}", flush=True)


def growth(sizes: list[int], device: str) -> None:
    print(f"\n{'weights':>14} {'seconds':>9} {'ns/weight':>10} {'passes':>8}")
    for size in sizes:
        weights = matrices([(1000, 1000)] * max(1, size // 10**6), device)
        ours(weights)
        (taken, _), (floor, _) = (timed(partial(side, weights), 3) for side in (ours, one_pass))
        count = sum(w.numel() for w in weights.values())
        print(f"{count:14,} {taken:9.4f} {1e9 * taken / count:10.2f} {taken / floor:8.1f}", flush=True)


def holding(device: str) -> None:
    """Time what ``Mask.held`` does at a step, beside the bare products."""
    print(f"\n{'a step of held':20} {'weights':>14} {'ms':>9} {'× multiplied':>13}")
    for width in (16, 256, 768):
        model = nn.Sequential()
        for name, weight in matrices([(width, width)] * 102, device).items():
            model.add_module(name, nn.Linear(width, width, bias=False, device="meta"))
            model.get_submodule(name).weight = nn.Parameter(weight)
        mask = Mask({f"{i}.weight": module.weight.detach().abs() > 0.02 for i, module in enumerate(model)})
        pairs = [(module.weight.detach(), mask.keep[f"{i}.weight"]) for i, module in enumerate(model)]
        weights = MaskedWeights(model, mask.keep)
        weights.zero()  # warm
        (floor, _), (taken, _) = (timed(call, 15) for call in (lambda p=pairs: multiplied(p), weights.zero))
        print(f"{len(pairs)} × ({width}, {width}){'':4} {mask.size:14,} {1e3 * taken:9.2f} {taken / floor:13.2f}")


def multiplied(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    for weight, kept in pairs:
        weight.mul_(kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--skip-torch", action="store_true", help="leave out global_unstructured, which takes minutes")
    parser.add_argument("--growth", type=float, nargs="*", default=[1e6, 1e7, 1e8, 1e9])
    options = parser.parse_args()
    holding(options.device)
    compare(options.device, not options.skip_torch)
    growth([int(size) for size in options.growth], options.device)


if __name__ == "__main__":
    main()
