"""Verdicts: whether the records agree with a claim, by a stated rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, pairwise
from statistics import fmean

import numpy as np

from ..analysis.contrasts import MARGIN, Contrast, contrasts
from ..analysis.curves import Curve
from ..analysis.essential import EPSILON, essential_sparsity, resampled_essential
from ..analysis.estimate import percentile_interval
from ..records.store import Record
from ..specs.study import Study
from ..specs.trial import Pruning
from ..wording import listing, places_text, rates_text
from .paper import ALIKE_BELOW, COSINES, ESSENTIAL_RANGE
from .verdict import SEEDS, Outcome, Verdict, against, by_outcome, least, untested

#: The essential range, as C11 takes it: up to 40%.
_INSIDE = ESSENTIAL_RANGE[0] + 0.1 + 1e-9


def c1(study: Study, curves: Sequence[Curve]) -> Verdict:
    """C1: every model and task keeps its performance when 30% of its weights go.

    Agrees if the 95% interval of the essential sparsity lies at or above 30% for every curve, differs if it
    lies below for any. Curves whose dense model has not learned the task say nothing and are not counted.
    """
    threshold = ESSENTIAL_RANGE[0]
    if study.scale == "tiny":
        return untested("C1")
    whole = [model for model in study.models if len(study.seeds_of(model)) >= SEEDS]
    expected = sum(len(study.tasks_of(model)) for model in whole)
    complete = [c for c in curves if len(c.seeds) >= SEEDS and c.complete(study)]
    counted = [c for c in complete if c.learned()]
    if len(complete) < expected or not whole:
        return Verdict(
            claim="C1",
            outcome="inconclusive" if complete else "not tested at this scale",
            reason=f"{expected - len(complete)} of {expected} curves lack records of {SEEDS} seeds at every sparsity"
            if whole
            else f"no model has the {SEEDS} seeds that a verdict takes",
        )
    if not counted:
        return Verdict(claim="C1", outcome="inconclusive", reason="no dense model learned its task")
    knees = [(c, essential_sparsity(c)) for c in counted]
    outcomes = by_outcome((against(knee, threshold), (c.model, c.task)) for c, knee in knees)
    several = len(study.models) > 1
    parts = [f"{o} {places_text(where, several)}" for o, where in outcomes.items()]
    if left_out := [(c.model, c.task) for c in complete if not c.learned()]:
        told = places_text(left_out, several)
        parts.append(f"not counted {told}, where the dense model does not beat the commonest class")
    if few := [(c.model, c.task) for c in curves if c.model not in whole]:
        parts.append(f"not counted {places_text(few, several)}, for want of seeds")
    rule = f"a loss of at most {EPSILON:g} point with {threshold:.0%} of the prunable weights gone"
    last = max(study.sparsities)
    measured = " to ".join(
        f"{k.text(0, 100, last)}% ({_name(counted, c)})"
        for c, k in (extreme(knees, key=lambda pair: pair[1].value) for extreme in (min, max))
    )
    return Verdict(claim="C1", outcome=least(outcomes), reason=f"{rule}: {'; '.join(parts)}", measured=measured)


def c2(study: Study, records: Mapping[str, Record]) -> Verdict:
    """C2: 21.50% of the weights go with no drop on any task, and most of them lie in the feed-forward layers.

    The drop agrees on a task if its whole 95% interval lies at or below one point, and differs if it lies above. The
    share is exact: it agrees if more than half of the removed weights lie there. The verdict is the less favourable.
    """
    if study.scale == "tiny":
        return untested("C2")
    pruning = study.variants[study.main][0]
    drops = [c for c in contrasts(study, records, [(pruning, Pruning())]) if c.learned]
    enough = [c for c in drops if c.seeds >= SEEDS]
    outcomes = by_outcome((against(c.difference, -EPSILON), c.task) for c in enough)
    shares = feed_forward(study, records)
    if not enough or not shares:
        return Verdict(claim="C2", outcome="not tested at this scale", reason="records are missing")
    if any(share <= 0.5 for share, _ in shares.values()):
        outcomes.setdefault("differs", [])
    parts = [f"{o} on {listing(tasks)}" for o, tasks in outcomes.items() if tasks]
    parts += [
        f"of what goes {share:.0%} lies in the feed-forward layers of {model}, which hold {held:.0%} of the weights"
        for model, (share, held) in shares.items()
    ]
    rule = f"a loss of at most {EPSILON:g} point with {pruning.sparsity:.2%} gone"
    inside = " and ".join(f"{share:.0%}" for share, _ in shares.values())
    measured = f"{_greatest_loss(enough)}; {inside} of what goes is feed-forward"
    return Verdict(claim="C2", outcome=least(outcomes), reason=f"{rule}: {'; '.join(parts)}", measured=measured)


def feed_forward(study: Study, records: Mapping[str, Record]) -> dict[str, tuple[float, float]]:
    """By model, of the removed weights and of all weights, the share that lies in the feed-forward layers."""
    shares = {}
    for asked in study.measurements():
        if asked.kind == "pruned-share" and asked.id in records:
            matrices = records[asked.id].values["matrices"]
            inside = [m for m in matrices if m["component"] in ("intermediate", "output")]
            shares[asked.model] = (
                sum(m["pruned"] for m in inside) / sum(m["pruned"] for m in matrices),
                sum(m["size"] for m in inside) / sum(m["size"] for m in matrices),
            )
    return shares


def c3(study: Study, curves: Sequence[Curve]) -> Verdict:
    """C3: where the curve turns depends on the task, not on the size of the model.

    Compares how far essential sparsities of one model on two tasks lie apart with how far those of two models on one
    task do, both in the mean over all pairs. Agrees if the first exceeds the second by its whole 95% interval. Curves
    that do not fall by the last sparsity turn nowhere that is known, and are not counted; models must share two tasks.
    """
    if study.scale == "tiny":
        return untested("C3")
    counted = [c for c in curves if len(c.seeds) >= SEEDS and c.complete(study) and c.learned()]
    apart: dict[str, list[tuple[float, np.ndarray]]] = {"task": [], "model": []}
    all_found = {(c.model, c.task): (resampled_essential(c), c.levels[-1]) for c in counted}
    found = {curve: knee for curve, (knee, last) in all_found.items() if knee[0] < last}
    for (one, here), (other, there) in combinations(found, 2):
        kind = "task" if one == other else "model" if here == there else None
        if kind is not None:
            pair = found[one, here], found[other, there]
            apart[kind].append((abs(pair[0][0] - pair[1][0]), np.abs(pair[0][1] - pair[1][1])))
    if not apart["task"] or len(apart["model"]) < 2:
        return Verdict(
            claim="C3",
            outcome="not tested at this scale",
            reason=f"it takes two tasks on which the curves of two models with {SEEDS} seeds both fall by more than "
            f"{EPSILON:g} point; curves that never fall are left out",
            measured="no two models fall on the same two tasks" if counted else "",
        )
    means = {kind: (fmean(v for v, _ in pairs), np.mean([r for _, r in pairs], 0)) for kind, pairs in apart.items()}
    excess = percentile_interval(means["task"][0] - means["model"][0], means["task"][1] - means["model"][1])
    outcome: Outcome = "agrees" if excess.low > 0 else "differs" if excess.high < 0 else "inconclusive"
    return Verdict(
        claim="C3",
        outcome=outcome,
        reason=f"essential sparsities lie {100 * means['task'][0]:.0f} points of sparsity apart between tasks and "
        f"{100 * means['model'][0]:.0f} between models: {excess.text(0, 100)} more",
        measured=f"tasks lie {excess.text(0, 100)} points of sparsity further apart than models",
    )


def c6(study: Study, records: Mapping[str, Record]) -> Verdict:
    """C6: essential sparsity holds for N:M patterns.

    On each task, a pattern that removes a quarter of the weights (the lightest that are tried) must cost at most one
    point: agrees if the whole 95% interval of the drop lies at or below it, differs if it lies above.
    """
    if study.scale == "tiny":
        return untested("C6")
    patterns = {p for way in study.variants.values() for p in way if p.pattern}
    lightest = min((p.sparsity for p in patterns), default=0.0)
    light = [p for p in patterns if p.sparsity == lightest]
    found = contrasts(study, records, [(pattern, Pruning()) for pattern in sorted(light, key=str)])
    enough = [c for c in found if c.learned and c.seeds >= SEEDS]
    if len({(c.model, c.task) for c in enough}) < sum(len(study.tasks_of(m)) for m in study.models):
        return Verdict(
            claim="C6", outcome="inconclusive" if enough else "not tested at this scale", reason="records are missing"
        )
    judged = ((against(c.difference, -EPSILON), (c.model, f"{c.task} ({c.one.pattern})")) for c in enough)
    outcomes = by_outcome(judged)
    parts = "; ".join(f"{o} {places_text(where, len(study.models) > 1)}" for o, where in outcomes.items())
    rule = f"a loss of at most {EPSILON:g} point with {lightest:.0%} gone"
    return Verdict(claim="C6", outcome=least(outcomes), reason=f"{rule}: {parts}", measured=_greatest_loss(enough))


def _greatest_loss(drops: Sequence[Contrast]) -> str:
    return f"at worst {_told(drops, min(drops, key=lambda c: c.difference.value))}"


def _told(counted: Sequence[Contrast], contrast: Contrast) -> str:
    """One of several differences in words, with where it was found."""
    how = contrast.one.pattern or f"{contrast.one.sparsity:.4g}"
    return f"{contrast.difference.text()} points ({_name(counted, contrast)}, {how})"


def c10(study: Study, records: Mapping[str, Record]) -> Verdict:
    """C10: below 50% sparsity, lottery tickets and one-shot masks fine-tune to the same performance.

    Agrees if the 95% interval of every difference lies within one point (equivalence), differs if one of them lies
    wholly beyond one point, and is inconclusive otherwise. A model that lacks records is named and not counted, nor is
    a task that it has not learned without pruning.
    """
    if study.scale == "tiny":
        return untested("C10")
    tickets = [p for way in study.variants.values() for p in way if p.method == "lottery" and p.sparsity < ALIKE_BELOW]
    found = contrasts(study, records, [(ticket, Pruning(sparsity=ticket.sparsity)) for ticket in tickets])
    enough = [c for c in found if c.seeds >= SEEDS]
    whole, lacking = _whole(study, lambda m: sum(c.model == m for c in enough) == len(tickets) * len(study.tasks_of(m)))
    counted = [c for c in enough if c.model in whole and c.learned]
    if not counted:
        return Verdict(
            claim="C10", outcome="inconclusive" if enough else "not tested at this scale", reason="records are missing"
        )
    outcomes = by_outcome((_alike(c), c.task) for c in counted)
    parts = [_name_first(whole, model, _tally([c for c in counted if c.model == model])) for model in whole]
    parts += [_not_counted(lacking)] if lacking else []
    rule = f"within {MARGIN:g} point of each other below {ALIKE_BELOW:.0%}"
    measured = f"at most {_told(counted, max(counted, key=lambda c: abs(c.difference.value)))}"
    return Verdict(claim="C10", outcome=least(outcomes), reason=f"{rule}: {'; '.join(parts)}", measured=measured)


def _tally(found: Sequence[Contrast]) -> str:
    outcomes = by_outcome((_alike(c), c.task) for c in found)
    counts = (f"{len(names)} of {len(found)} differences: {outcome}" for outcome, names in outcomes.items())
    return ", ".join(counts) or "no task learned"


def c11(study: Study, records: Mapping[str, Record], cosine: float = COSINES[0]) -> Verdict:
    """C11: inside the essential range (up to 40%) the masks' cosine is above 96%, and it falls as sparsity rises.

    Similarities are exact. Agrees if those of all tickets with the one-shot mask, and of all tickets with each
    other, lie above at every sparsity up to 40%, and their mean falls from each sparsity to the next; in every model
    whose records are all there. The others are named and not counted; so is what the study's control gives.
    """
    if study.scale == "tiny":
        return untested("C11")
    whole, lacking = _whole(study, lambda model: all(m.id in records for m in study.measurements() if m.model == model))
    if not whole:
        some = any(m.id in records for m in study.measurements())
        return Verdict(
            claim="C11", outcome="inconclusive" if some else "not tested at this scale", reason="records are missing"
        )
    found = {model: similarities(study, records, model) for model in whole}
    judged = {model: _above(alike, cosine) for model, alike in found.items()}
    parts = [_name_first(whole, model, reason) for model, (_, reason) in judged.items()]
    parts += [_not_counted(lacking)] if lacking else []
    parts += [_controlled(study.control, records, cosine)] if study.control else []
    agrees = all(holds for holds, _ in judged.values())
    least_of = {m: min(v for s, own in alike.items() if s <= _INSIDE for v in own) for m, alike in found.items()}
    told = ", ".join(f"{value:.1%}{f' ({model})' if len(whole) > 1 else ''}" for model, value in least_of.items())
    measured = f"cosine at least {told} up to 40%"
    return Verdict(claim="C11", outcome="agrees" if agrees else "differs", reason="; ".join(parts), measured=measured)


def _controlled(control: Study, records: Mapping[str, Record], cosine: float) -> str:
    reason = c11(control, records, cosine).reason
    rates = rates_text(trial.training.learning_rate for trial in control.trials())
    return f"not counted: {listing(control.models)} fine-tuned at a learning rate of {rates}: {reason}"


def _above(found: Mapping[float, Sequence[float]], cosine: float) -> tuple[bool, str]:
    """Whether all of one model's similarities lie above up to 40% and their means fall; and that in words."""
    inside = {s: values for s, values in found.items() if s <= _INSIDE}
    above = [s for s, values in inside.items() if min(values) > cosine]
    means = [fmean(found[s]) for s in sorted(found)]
    falls = all(later < earlier for earlier, later in pairwise(means))
    where = f"at sparsities of {listing([f'{s:.0%}' for s in above])}" if above else "at no sparsity up to 40%"
    lowest = listing([f"{100 * min(values):.1f}" for _, values in sorted(inside.items())])
    return (
        len(above) == len(inside) and falls,
        f"all cosines lie above {cosine:.0%} {where} (the least are {lowest}%), "
        f"and the mean {'falls' if falls else 'does not fall'} at every step",
    )


def similarities(
    study: Study, records: Mapping[str, Record], model: str, measure: str = "cosine"
) -> dict[float, list[float]]:
    """By sparsity, how alike each two of a model's measured masks are, over all seeds."""
    found: dict[float, list[float]] = {}
    for asked in study.measurements():
        if asked.kind == "mask-similarity" and asked.model == model and asked.id in records:
            table = records[asked.id].values[measure]
            pairs = [table[i][j] for i in range(len(table)) for j in range(i)]
            found.setdefault(asked.sparsity, []).extend(pairs)
    return found


def _whole(study: Study, complete: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """Of the study's models that are tried on any task, those whose records are complete, and the others."""
    tried = [model for model in study.models if study.tasks_of(model)]
    return [m for m in tried if complete(m)], [m for m in tried if not complete(m)]


def _name_first(models: Sequence[str], model: str, text: str) -> str:
    return f"for {model}: {text}" if len(models) > 1 else text


def _not_counted(models: Sequence[str]) -> str:
    return f"not counted: {listing(models)}, whose records are missing"


def _alike(contrast: Contrast) -> Outcome:
    if contrast.standing == "equivalent":
        return "agrees"
    beyond = contrast.difference.low > MARGIN or contrast.difference.high < -MARGIN
    return "differs" if beyond else "inconclusive"


def _name(counted: Sequence[Curve] | Sequence[Contrast], of: Curve | Contrast) -> str:
    """Where one of several was found: its model too, where they have more than one."""
    return of.task if len({each.model for each in counted}) == 1 else f"{of.model} on {of.task}"
