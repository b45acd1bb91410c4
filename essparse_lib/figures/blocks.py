"""What is missing, block by block, in the order that serves verdicts: that of a run, and of ``essparse status``.

A block is what one model misses on one task with one seed: the levels of one curve. A model's pre-training, and its
measurements of one kind, are blocks too. Where nothing is trained, pruning may take longer than to ask a task: a block
is then what one pruning with one seed misses, on all tasks.

The order: what a claim rests on; then blocks that have begun; then every block's first seed, then its second, and so
on; then what feeds more claims; then what takes less time. Within a curve: the dense model, the levels at which the
paper states its claims, the other levels, and lottery tickets from the least sparse on, since each needs the one
before. Prunings of models that are not trained come in the same order, and variants of fewer levels than the main one
after all seeds of the others. What is only measured while a model is pre-trained comes last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..claims.paper import ESSENTIAL_RANGE, FREE_OF_BERT
from ..claims.registry import CLAIMS
from ..records.cost import seconds_by_id
from ..records.pretrained import PRETRAINED, SCALE_OF
from ..records.store import Record, Status
from ..specs.evaluation import Evaluation
from ..specs.evaluation_study import EvaluationStudy
from ..specs.measurement import Measurement, MeasurementKind
from ..specs.methods import METHODS
from ..specs.pretraining import Pretraining, TextPretraining
from ..specs.spec import Spec
from ..specs.study import Study
from ..specs.trial import Pruning, Timing, Trial

#: The levels at which the paper's claims are stated.
CLAIMED = (FREE_OF_BERT, *ESSENTIAL_RANGE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """What one model misses on one task with one seed; with one pruning and seed, where nothing is trained; of one kind
    of its measurements; or its pre-training.

    Attributes:
        model: the model's name.
        what: the task's name; the pruning in words; the kind of measurement; or ``pretraining``.
        seed: of the fine-tunings, or of what a pruning draws; None where nothing is drawn.
        specs: what has no record yet, in the order in which it is run.
        total: how many specs the block has, those with a record included.
        seconds: how long it is expected to take, without what comes with a pre-training; None if no record tells.
        figures: the figures that show it.
        claims: the claims that rest on it.
        rank: how many seeds of the same model and task, or pruning, come before this one.
        with_pretraining: how many of the specs are measured while a model is pre-trained, and at no other time.
        place: where the pruning of a model that is not trained comes among its prunings.
    """

    model: str
    what: str
    seed: int | None
    specs: tuple[Spec, ...]
    total: int
    seconds: float | None
    figures: tuple[str, ...]
    claims: tuple[str, ...]
    rank: int
    with_pretraining: int
    place: tuple[float, ...] = ()

    @property
    def begun(self) -> bool:
        """Whether the block has a record already."""
        return len(self.specs) < self.total


_Key = tuple[str, str | Pruning, int | None]


def missing_blocks(studies: Sequence[Study], records: Mapping[str, Record], retry: bool = False) -> list[Block]:
    """Return the blocks of some studies that are not whole, in the order in which they are run.

    Args:
        studies: of one scale.
        records: by id, those that exist.
        retry: count specs that failed as missing.
    """
    specs = {spec.id: spec for study in studies for spec in study.specs()}
    missing = {id_ for id_ in specs if id_ not in records or (retry and records[id_].status == Status.FAILED)}
    seconds = seconds_by_id(specs.values(), records, missing)
    figures_of, claims_of = _fed(studies)
    places = _places(studies)
    members: dict[_Key, list[Spec]] = {}
    for spec in specs.values():
        members.setdefault(_key(spec), []).append(spec)
    seeds: dict[tuple[str, str | Pruning], list[int]] = {}
    for model, what, seed in members:
        if seed is not None:
            seeds.setdefault((model, what), []).append(seed)
    blocks = []
    for (model, what, seed), block in members.items():
        left = sorted((spec for spec in block if spec.id in missing), key=_within)
        if left:
            timed = [spec.id for spec in left if not comes_with_pretraining(spec)]
            blocks.append(
                Block(
                    model=model,
                    what=str(what),
                    seed=seed,
                    specs=tuple(left),
                    total=len(block),
                    seconds=sum(seconds[id_] for id_ in timed) if seconds else None,
                    figures=_joined(figures_of, left),
                    claims=_joined(claims_of, left),
                    rank=0 if seed is None else sorted(seeds[model, what]).index(seed),
                    with_pretraining=len(left) - len(timed),
                    place=places[what] if isinstance(what, Pruning) else (),
                )
            )
    return sorted(blocks, key=_place)


def comes_with_pretraining(spec: Spec) -> bool:
    """Return whether a spec is measured while its model is pre-trained, and does not follow from the saved weights."""
    if not isinstance(spec, Measurement) or spec.kind is not MeasurementKind.HELD_OUT_LOSS:
        return False
    scale = SCALE_OF.get(spec.model)
    return spec.step is not None or (
        scale is not None and not isinstance(PRETRAINED[scale][spec.model], TextPretraining)
    )


def in_lanes(blocks: Iterable[Block], lanes: int) -> Iterator[Spec]:
    """Yield the specs of all blocks, in turns of as many blocks as there are lanes, so that each worker has its own.

    >>> from types import SimpleNamespace as Some
    >>> list(in_lanes([Some(specs="abc"), Some(specs="d"), Some(specs="ef")], 2))
    ['a', 'd', 'b', 'e', 'c', 'f']
    """
    waiting = [list(block.specs) for block in blocks]
    active: list[list[Spec]] = []
    while waiting or active:
        while waiting and len(active) < lanes:
            active.append(waiting.pop(0))
        lane = active.pop(0)
        yield lane.pop(0)
        if lane:
            active.append(lane)


def _key(spec: Spec) -> _Key:
    """Return the model, the task or the pruning, and the seed of a spec's block."""
    if isinstance(spec, Evaluation):
        return spec.model, spec.pruning, spec.seed if spec.draws else None
    if isinstance(spec, Trial):
        return spec.model, spec.file, spec.seed
    if isinstance(spec, Measurement) and spec.trials:
        return spec.model, spec.file, spec.trials[0].seed
    return spec.model, spec.file, None


def _within(spec: Spec) -> tuple[bool, bool, float]:
    """Return what a block's specs are sorted by; of two that are alike here, the one that the study names first is."""
    pruning = spec.pruning if isinstance(spec, Trial) else Pruning()
    if not pruning.sparsity:
        return False, False, 0.0
    if METHODS[pruning.method].trained:
        return True, True, pruning.sparsity
    return True, False, 0.0 if pruning.sparsity in CLAIMED and pruning.timing is Timing.BEFORE else 1.0


#: The first stage of variants with fewer levels than the main one, which claims do not rest on.
_FEWER_LEVELS = 2


def _places(studies: Iterable[Study]) -> dict[Pruning, tuple[float, ...]]:
    """Return where each pruning comes among those of the studies in which nothing is trained.

    The dense model comes first, then variants with as many levels as the main one, then those with fewer: in each part
    the levels at which the paper states its claims, then the others, variant by variant.
    """
    places: dict[Pruning, tuple[float, ...]] = {Pruning(): (0, 0, 0, 0.0)}
    for study in studies:
        if not isinstance(study, EvaluationStudy):  # its blocks are not by pruning
            continue
        whole = len(study.variants[study.main])
        for number, variant in enumerate(study.variants.values()):
            for pruning in variant:
                stages = (_FEWER_LEVELS if len(variant) < whole else 1, int(pruning.sparsity not in CLAIMED))
                places.setdefault(pruning, (*stages, number, pruning.sparsity))
    return places


def _place(block: Block) -> tuple[bool, bool, bool, bool, int, bool, int, tuple[float, ...], float]:
    """Return what blocks are sorted by."""
    rests_on_others = any(isinstance(spec, Measurement) and spec.trials for spec in block.specs)
    begun = block.begun and not isinstance(block.specs[0], Pretraining)
    seconds = block.seconds or 0.0
    return (
        block.with_pretraining == len(block.specs),
        not block.claims,
        block.place >= (_FEWER_LEVELS,),
        not begun,
        block.rank,
        rests_on_others,
        -len(block.claims),
        block.place,
        seconds,
    )


def _fed(studies: Iterable[Study]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return, by the id of a spec, the figures that show it and the claims that rest on it: on no control does one."""
    figures: dict[str, list[str]] = {}
    claims: dict[str, list[str]] = {}
    for study in studies:
        judged = [name for name, claim in CLAIMS.items() if claim.figure == study.figure]
        for spec in study.specs():
            figures.setdefault(spec.id, []).append(study.figure)
        for spec in (*study.pretrainings(), *study.trials(), *study.measurements()):
            claims.setdefault(spec.id, []).extend(judged)
    return figures, claims


def _joined(names: Mapping[str, Sequence[str]], specs: Iterable[Spec]) -> tuple[str, ...]:
    """Return what is named for any of these specs, each once, by number: ``C2`` before ``C10``."""
    every = {name for spec in specs for name in names.get(spec.id, ())}
    return tuple(sorted(every, key=lambda name: (len(name), name)))
