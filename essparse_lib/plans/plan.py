"""A plan: what running figures would take on several numbers of GPUs, with all that is assumed for it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, quantiles

from ..figures.blocks import comes_with_pretraining, in_lanes, missing_blocks
from ..records.cost import ASSUMED, shapes_with
from ..records.store import Record
from ..specs.pretraining import Pretraining
from ..specs.spec import Spec
from ..specs.study import Study
from ..wording import duration_text
from .chains import Chain, after_pretraining, longest
from .simulation import DEATHS, Conditions, Outcome, simulate
from .work import Work, works

#: How many runs are simulated for each number of GPUs.
RUNS = 20
#: The numbers of GPUs that every plan has.
GPUS = (1, 8, 64, 1000)


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a run would take on so many GPUs: means over simulated runs.

    Attributes:
        gpus: how many.
        seconds: from the beginning to the end of the run.
        low: the same of the run that is shorter than 95% of them.
        high: likewise longer than 95%.
        gpu_seconds: seconds of work, as a GPU of speed 1 takes them, with what is lost.
        again: of these, what is trained again since another worker has it.
        lost: of these, what died with a worker.
        busy: the share of the run in which a worker is at work.
        deaths: how many workers die.
        left_out: how many specs are left out, since too many workers have died of them.
    """

    gpus: int
    seconds: float
    low: float
    high: float
    gpu_seconds: float
    again: float
    lost: float
    busy: float
    deaths: float
    left_out: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What running figures would take.

    Attributes:
        missing: how many specs have no record and are run, by their kind in words.
        done: how many have a record.
        with_pretraining: how many are measured while a model is pre-trained, and are not part of the plan.
        gpu_seconds: on one GPU, one spec after another, where nothing is done twice.
        chain: what takes its time however many GPUs there are.
        forecasts: one for each number of GPUs.
        conditions: what is assumed of the GPUs.
        seed: of the simulated runs.
        specs: the specs that are run.
    """

    missing: Mapping[str, int]
    done: int
    with_pretraining: int
    gpu_seconds: float
    chain: Chain
    forecasts: tuple[Forecast, ...]
    conditions: Conditions
    seed: int
    specs: tuple[Spec, ...]


def plan(
    studies: Sequence[Study], records: Mapping[str, Record], gpus: Sequence[int], conditions: Conditions, seed: int = 0
) -> Plan:
    """Return what running studies would take.

    Args:
        studies: of one scale.
        records: by id, those that exist: what has one is not run.
        gpus: numbers of GPUs.
        conditions: what is assumed of them.
        seed: of the simulated runs.

    Raises:
        InputError: the cost model does not know how long a spec takes.
    """
    every = {spec.id for study in studies for spec in study.specs()}
    blocks = missing_blocks(studies, records)
    stages = _Stages([spec for block in blocks for spec in block.specs])
    calm = simulate(stages.ordered(list(in_lanes(blocks, 1))), 1, Conditions(), random.Random(0))
    forecasts = []
    for count in sorted(set(gpus)):
        ordered = stages.ordered(list(in_lanes(blocks, count)))
        outcomes = [simulate(ordered, count, conditions, random.Random(f"{seed}-{run}")) for run in range(RUNS)]
        forecasts.append(_forecast(count, outcomes, calm.computed))
    return Plan(
        missing=dict(Counter(map(_kind_in_words, stages.specs))),
        done=len(every & records.keys()),
        with_pretraining=stages.with_pretraining,
        gpu_seconds=calm.computed,
        chain=stages.chain(),
        forecasts=tuple(forecasts),
        conditions=conditions,
        seed=seed,
        specs=tuple(stages.specs),
    )


class _Stages:
    """The three stages of a run: what needs no model that is yet to be trained, pre-trainings, what needs these."""

    def __init__(self, specs: Sequence[Spec]) -> None:
        self.specs = [spec for spec in specs if not comes_with_pretraining(spec)]
        self.with_pretraining = len(specs) - len(self.specs)
        self._pretrainings = {spec.model: spec for spec in self.specs if isinstance(spec, Pretraining)}
        shapes = shapes_with(self._pretrainings.values())
        self._works = dict(zip(self.specs, works(self.specs, shapes), strict=True))

    def ordered(self, specs: Sequence[Spec]) -> list[list[Work]]:
        """Return the work of each stage, in the order of the specs."""
        stages: list[list[Work]] = [[], [], []]
        for spec in specs:
            if spec in self._works:
                stages[self._stage(spec)].append(self._works[spec])
        return stages

    def chain(self) -> Chain:
        """Return the longest chain of all stages."""
        ready = self.ordered(self.specs)[0]
        by_model: dict[str, list[Work]] = {}
        for spec in self.specs:
            if self._stage(spec) == 2:
                by_model.setdefault(spec.model, []).append(self._works[spec])
        pretrainings = {model: self._works[spec] for model, spec in self._pretrainings.items()}
        chains = (longest(ready), after_pretraining(pretrainings, by_model))
        return max(chains, key=lambda chain: chain.seconds)

    def _stage(self, spec: Spec) -> int:
        if isinstance(spec, Pretraining):
            return 1
        return 2 if spec.model in self._pretrainings else 0


def _kind_in_words(spec: Spec) -> str:
    return "pre-training" if isinstance(spec, Pretraining) else spec.record_kind


def _forecast(gpus: int, outcomes: Sequence[Outcome], once: float) -> Forecast:
    """Return the means over simulated runs; ``once`` is the work of one in which nothing is done twice."""
    seconds = [outcome.seconds for outcome in outcomes]
    low, *_, high = quantiles(seconds, n=20, method="inclusive")
    lost, computed = mean(outcome.lost for outcome in outcomes), mean(outcome.computed for outcome in outcomes)
    return Forecast(
        gpus=gpus,
        seconds=mean(seconds),
        low=low,
        high=high,
        gpu_seconds=computed + lost,
        again=max(0.0, computed - once),
        lost=lost,
        busy=mean(outcome.busy / (gpus * outcome.seconds) if outcome.seconds else 0.0 for outcome in outcomes),
        deaths=mean(outcome.deaths for outcome in outcomes),
        left_out=mean(outcome.left_out for outcome in outcomes),
    )


def assumptions(plan: Plan) -> list[str]:
    """Return all that a plan assumes, one sentence each."""
    conditions = plan.conditions
    sentences = [
        f"A GPU does {ASSUMED}; loading, tokenising, pruning itself and looking at weights take no time.",
        f"A GPU's speed is log-normal around this one, with a standard deviation of its logarithm of "
        f"{conditions.spread:g}.",
        f"Whoever starts the run takes {conditions.overhead:g} s for each trial, one after another, and "
        f"{1e3 * conditions.reading:g} ms for each record that its file has already (measured, unless given: "
        "benchmarks/cluster.py).",
        "Each worker takes one trial at a time, in the order of the queue. It has a cache of its own, with all models "
        "and data: where workers of one machine share theirs, fewer rounds of lotteries are trained again.",
        "A round of a lottery waits for the one before, and goes to the worker that did it if that one is idle; "
        "another trains the rounds before again.",
        "What is pruned after training needs the dense model trained once more by each worker that comes to it, which "
        "keeps the last one.",
    ]
    if conditions.failures < float("inf"):
        sentences.append(
            f"A worker dies after {duration_text(conditions.failures)} of work on average; what it was at is begun "
            f"again, unless {DEATHS} workers have died of it; a new worker, which has kept nothing, is there after "
            f"{duration_text(conditions.restart)}."
        )
    else:
        sentences.append("No worker dies.")
    if "pre-training" in plan.missing:
        sentences.append(
            "Pre-trainings come between what needs no such model and what needs one, one a GPU, outside of a cluster; "
            "they go on where a dead worker was, and their weights reach every worker's cache in no time."
        )
    sentences.append(f"Times are means of {RUNS} simulated runs (seed {plan.seed}), with the range of 90% of them.")
    return sentences
