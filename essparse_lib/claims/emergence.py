"""What emerges while a model is pre-trained, and what more text to train on gives: claims C8 and C9."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..analysis.change_point import ChangePoint, find_change_point
from ..analysis.curves import Curve, curves
from ..analysis.effects import Effect, detectable_ratio, effect, most_lost, task_means
from ..analysis.essential import EPSILON
from ..records.store import Record
from ..specs.pretraining import TextPretraining
from ..specs.study import Study
from ..wording import listing
from . import verdict
from .paper import JUMPS
from .verdict import Outcome, Verdict

#: Fewest looks of a run in which ``find_change_point`` can tell a jump from a bend.
LOOKS = 12

#: The reading of zero by which C9 is judged: against each matrix's own standard deviation, so that it changes with the
#: shape of the distributions alone, and not, as pruning does not either, with the size of all weights together. And the
#: absolute one that is told beside it: where weights grow, fewer of them are small, though none is dearer to remove.
RELATIVE, ABSOLUTE = "below 0.01 sd", "below 0.001"

#: The names that the MultiBERTs' checkpoints have on the hub.
_CHECKPOINT = re.compile(r"(?P<run>.*seed_(?P<seed>\d+))-step_(?P<thousands>\d+)k")


@dataclass(frozen=True, kw_only=True)
class Series:
    """One pre-training, looked at again and again.

    Attributes:
        name: the model's.
        fraction: of the corpus's text that it is trained on.
        seed: of the pre-training.
        steps: done at each look, shape (looks,).
        places: of the prunable matrices: (block, component, weights).
        zeros: by reading, how many weights are zero, shape (looks, places).
        norms: Euclidean, shape (looks, places).
        effective: largest share of the weights that can go and leave 99% of the squared norm, shape (looks,).
        loss: mean since the look before, shape (looks,); NaN where unknown.
        held_out: on text that is not trained on, likewise.
        complete: whether every look is there; not so if the training diverged.
    """

    name: str
    fraction: float
    seed: int
    steps: np.ndarray
    places: tuple[tuple[int, str, int], ...]
    zeros: Mapping[str, np.ndarray]
    norms: np.ndarray
    effective: np.ndarray
    loss: np.ndarray
    held_out: np.ndarray
    complete: bool

    @property
    def label(self) -> str:
        """What tells it from the others of its study."""
        return f"{self.fraction:.0%}, seed {self.seed}"

    def share(self, reading: str, component: str | None = None, block: int | None = None) -> np.ndarray:
        """Fraction of the prunable weights that is zero at each look, of all or of some matrices: shape (looks,)."""
        chosen = self._chosen(component, block)
        return self.zeros[reading][:, chosen].sum(1) / self._sizes[chosen].sum()

    def norm(self, component: str | None = None, block: int | None = None) -> np.ndarray:
        """Euclidean norm at each look, of all or of some matrices: shape (looks,)."""
        return np.sqrt((self.norms[:, self._chosen(component, block)] ** 2).sum(1))

    def jump(self, reading: str) -> ChangePoint:
        """The clearest jump of the number of zeros; counts of chance scatter as those of independent weights."""
        counts, size = self.zeros[reading].sum(1), self._sizes.sum()
        scatter = math.sqrt(float((counts * (1 - counts / size)).max()))
        return find_change_point(self.steps, counts, error=scatter)

    @property
    def _sizes(self) -> np.ndarray:
        return np.array([size for _, _, size in self.places])

    def _chosen(self, component: str | None, block: int | None) -> np.ndarray:
        wanted = [component in (None, c) and block in (None, b) for b, c, _ in self.places]
        return np.flatnonzero(wanted)


def series(study: Study, records: Mapping[str, Record]) -> list[Series]:
    """The study's pre-trainings as far as they went, in its order; then runs whose checkpoints were measured."""
    found = []
    for asked in on_text(study):
        record = records.get(asked.id)
        looks = record.values.get("dynamics", {}) if record is not None else {}
        if record is not None and looks.get("at"):
            found.append(_series(asked.model, asked.fraction, asked.seed, looks, record.status == "ok"))
    return [*found, *_of_checkpoints(study, records)]


def _of_checkpoints(study: Study, records: Mapping[str, Record]) -> Iterable[Series]:
    for (run, seed), checkpoints in _checkpoints(study).items():
        good = {step: records[i].values for step, i in sorted(checkpoints.items()) if i in records}
        if good:
            first = next(iter(good.values()))
            looks = {name: [values[name] for values in good.values()] for name in ("norms", "effective")}
            zeros = {reading: [values["zeros"][reading] for values in good.values()] for reading in first["zeros"]}
            every = {"at": list(good), "places": first["places"], "zeros": zeros, **looks}
            yield _series(run, 1.0, seed, every, len(good) == len(checkpoints))


def _checkpoints(study: Study) -> dict[tuple[str, int], dict[int, str]]:
    """By run and its seed, the ids of the measurements by the step that they are of."""
    found: dict[tuple[str, int], dict[int, str]] = {}
    for asked in study.measurements():
        name = _CHECKPOINT.fullmatch(asked.model)
        if asked.kind == "zeros" and name is not None:
            found.setdefault((name["run"], int(name["seed"])), {})[1000 * int(name["thousands"])] = asked.id
    return found


def _series(name: str, fraction: float, seed: int, looks: Mapping[str, Any], complete: bool) -> Series:
    def numbers(values: Sequence[float | None] | None) -> np.ndarray:
        given = [None] * len(looks["at"]) if values is None else values
        return np.array([math.nan if value is None else value for value in given])

    return Series(
        name=name,
        fraction=fraction,
        seed=seed,
        steps=np.array(looks["at"]),
        places=tuple((block, component, size) for block, component, size in looks["places"]),
        zeros={reading: np.array(counts) for reading, counts in looks["zeros"].items()},
        norms=np.array(looks["norms"]),
        effective=np.array(looks["effective"]),
        loss=numbers(looks.get("loss")),
        held_out=numbers(looks.get("held_out")),
        complete=complete,
    )


def jumps(runs: Sequence[Series]) -> dict[str, dict[str, ChangePoint]]:
    """By reading, the clearest jump of the number of zeros in each complete run, by its name."""
    tested = [run for run in runs if run.complete and len(run.steps) >= LOOKS]
    shared = [reading for reading in (tested[0].zeros if tested else ()) if all(reading in r.zeros for r in tested)]
    return {reading: {run.name: run.jump(reading) for run in tested} for reading in shared}


def by_reading(found: Mapping[str, Mapping[str, ChangePoint]]) -> dict[str, Outcome]:
    """How each reading stands to C8: agrees if every run's zeros jump upwards, differs if no run's do."""
    rises = {reading: [jump.abrupt and jump.size > 0 for jump in own.values()] for reading, own in found.items()}
    return {r: "agrees" if all(up) else "inconclusive" if any(up) else "differs" for r, up in rises.items()}


def c8(study: Study, records: Mapping[str, Record]) -> Verdict:
    """C8: during pre-training the number of zero weights rises abruptly.

    The paper does not say when a weight counts as zero, so every reading is judged. One agrees if the number rises
    abruptly (``find_change_point``) in every complete pre-training, differs if it does so in none, and is inconclusive
    otherwise. The claim agrees if some reading does, differs if all differ, and is inconclusive otherwise. It takes
    two runs; those that diverged are told, and not counted. Whether the rise comes later with less text is told as
    well, and decides nothing.
    """
    if study.scale == "tiny":
        return verdict.untested("C8")
    runs = series(study, records)
    found = jumps(runs)
    expected = len(study.pretrainings()) + len(_checkpoints(study))
    diverged = sum(p.id in records and records[p.id].status == "diverged" for p in study.pretrainings())
    complete = len(next(iter(found.values()), {}))
    if lacking := expected - diverged - complete:
        outcome: Outcome = "inconclusive" if complete else "not tested at this scale"
        return Verdict(claim="C8", outcome=outcome, reason=f"{lacking} of {expected} pre-trainings lack records")
    if complete < 2:
        return Verdict(
            claim="C8", outcome="not tested at this scale", reason="it takes two pre-trainings that did not diverge"
        )
    outcomes = verdict.by_outcome((outcome, reading) for reading, outcome in by_reading(found).items())
    told: dict[Outcome, str] = {"agrees": "in all of", "inconclusive": "in some of", "differs": "in none of"}
    there = [outcome for outcome in told if outcome in outcomes]
    parts = [f"{told[o]} the {complete} pre-trainings by {_readings(outcomes[o], len(found))}" for o in there]
    when = {reading: later(runs, found[reading]) for reading in outcomes.get("agrees", [])}
    parts += [f"by {reading!r} {words}" for reading, words in when.items() if words]
    parts += [f"not counted: {diverged} that diverged"] if diverged else []
    abrupt = sum(jump.abrupt for by_run in found.values() for jump in by_run.values())
    measured = f"abrupt in {abrupt} of {complete * len(found)} series ({complete} runs, {len(found)} readings)"
    return Verdict(
        claim="C8", outcome=there[0], reason=f"the number of zeros rises abruptly {'; '.join(parts)}", measured=measured
    )


def _readings(names: Sequence[str], of: int) -> str:
    if len(names) == of:
        return f"any of the {of} readings of zero"
    return listing([repr(name) for name in names]) if len(names) < 5 else f"{len(names)} of the {of} readings"


def later(runs: Sequence[Series], found: Mapping[str, ChangePoint]) -> str:
    """Whether the rise comes later with less text, in words: in every run of less than in any of more; else empty."""
    at = [
        [sum(j.at) / 2 for r in runs if r.fraction in parts and (j := found.get(r.name)) and j.abrupt and j.at]
        for parts in JUMPS
    ]
    if not all(at):
        return ""
    more, less = at
    places = ["–".join(dict.fromkeys(f"{end(steps):,.0f}" for end in (min, max))) for steps in at]
    verb = "comes later" if min(less) > max(more) else "does not always come later"
    return f"it {verb} with less text: at {places[0]} steps with 80–100% of it, at {places[1]} with 60–70%"


def zero_effects(study: Study, runs: Sequence[Series]) -> dict[str, Effect]:
    """By reading, on the percentage of the prunable weights that is zero when the pre-training ends."""
    ended = [run for run in runs if run.complete and run.name in study.pretrained]
    shared = [reading for reading in (ended[0].zeros if ended else ()) if all(reading in r.zeros for r in ended)]
    return {r: _effect(study, {run.name: 100 * float(run.share(r)[-1]) for run in ended}) for r in shared}


def loss_effect(study: Study, runs: Sequence[Series]) -> Effect:
    """On the held-out loss when the pre-training ends, in nats a token."""
    ended = [run for run in runs if run.complete and run.name in study.pretrained]
    return _effect(study, {run.name: float(run.held_out[-1]) for run in ended})


def score_effects(study: Study, found: Sequence[Curve]) -> dict[float, Effect]:
    """By sparsity, on the score: the mean over the tasks that some dense model has learned."""
    whole = [c for c in found if c.complete(study) and c.model in study.pretrained]
    tasks = {c.task for c in whole if c.learned()}
    means = task_means(whole, tasks, lambda curve: curve.scores.mean(0))
    levels = enumerate(study.sparsities if means else ())
    return {level: _effect(study, {m: float(scores[i]) for m, scores in means.items()}) for i, level in levels}


def _effect(study: Study, values: Mapping[str, float]) -> Effect:
    more, less = ([p.model for p in group] for group in compared(study))
    return effect(values, more, less, {p.model: p.fraction for p in on_text(study)})


def compared(study: Study) -> tuple[list[TextPretraining], list[TextPretraining]]:
    """The pre-trainings on the most text, and those on the least."""
    fractions = [p.fraction for p in on_text(study)]
    more, less = ([p for p in on_text(study) if p.fraction == end(fractions)] for end in (max, min))
    return more, less


def on_text(study: Study) -> list[TextPretraining]:
    """Those of the study's pre-trainings that read text."""
    return [asked for asked in study.pretrainings() if isinstance(asked, TextPretraining)]


def c9(study: Study, records: Mapping[str, Record], found: Sequence[Curve] | None = None) -> Verdict:
    """C9: more text gives more zeros, a better score at every sparsity, and better dense scores.

    The pre-trained model is the unit, not the seed of its fine-tuning: the models of the most text are held against
    those of the least, by 95% t-intervals from the spread between pre-trainings. Models in between show the trend,
    and decide nothing. Agrees if the difference in zeros (``RELATIVE``), in the dense score, and in the score at each
    sparsity lies above 0 with its whole interval; differs if one lies below; is inconclusive otherwise.

    Args:
        found: the study's curves, where they are there already.
    """
    if study.scale == "tiny":
        return verdict.untested("C9")
    more, less = compared(study)
    if min(len(more), len(less)) < 2 or more == less:
        return Verdict(
            claim="C9",
            outcome="not tested at this scale",
            reason="it takes two pre-trainings each, on more and on less text",
        )
    found = curves(study, records) if found is None else found
    zeros, scores = zero_effects(study, series(study, records)), score_effects(study, found)
    names = {p.model for p in (*more, *less)}
    tried = {m for m in names if len(study.tasks_of(m)) == sum(c.complete(study) for c in found if c.model == m)}
    there = tried & {*(zeros[RELATIVE].values if zeros else ())}
    if there != names:
        outcome: Outcome = "inconclusive" if there else "not tested at this scale"
        return Verdict(
            claim="C9", outcome=outcome, reason=f"{len(names - there)} of the {len(names)} models compared lack records"
        )
    if not scores:
        return Verdict(claim="C9", outcome="inconclusive", reason="no dense model learned its task")
    whole = {f"zeros {RELATIVE}": zeros[RELATIVE], "the dense score": scores[0.0]}
    pruned = {f"{level:.0%}": effect for level, effect in scores.items() if level}
    outcomes, at = (
        verdict.by_outcome((verdict.above_zero(e.difference), n) for n, e in d.items()) for d in (whole, pruned)
    )
    for outcome, levels in at.items():
        outcomes.setdefault(outcome, []).append(f"the score at {listing(levels)}")
    told: dict[Outcome, str] = {"agrees": "more", "differs": "less", "inconclusive": "undecided"}
    parts = [f"{words}: {listing(outcomes[o])}" for o, words in told.items() if o in outcomes]
    sizes = listing([f"{zeros[reading].difference.text(3)} ({reading})" for reading in (RELATIVE, ABSOLUTE)])
    parts.append(f"zeros differ by {sizes} percent of the weights")
    parts.append(f"dense scores differ by {scores[0.0].difference.text()} points")
    if most_lost(scores) <= EPSILON:
        parts.append("no model loses more than a point at any sparsity, so that which prunes better cannot be told")
    times = detectable_ratio(len(more), len(less))
    parts.append(f"a difference shows if it is {times:.1f} times as large as the spread between such pre-trainings")
    text = f"on {more[0].fraction:.0%} of the text rather than {less[0].fraction:.0%}"
    measured = f"zeros {zeros[RELATIVE].difference.text(3)} percent, dense score {scores[0.0].difference.text()} points"
    return Verdict(claim="C9", outcome=verdict.least(outcomes), reason=f"{text}, {'; '.join(parts)}", measured=measured)
