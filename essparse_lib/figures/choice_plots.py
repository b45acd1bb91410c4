"""How much to prune, as curves say: the picture of the choice, its table, and what to do, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..analysis.choice import Choice, Found, Place, choose_sparsity, place_of
from ..analysis.curve import EPSILON, Curve
from ..analysis.essential import essential_sparsity
from ..analysis.estimate import Estimate
from . import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Colour, mark and name in the legend of a loss, by how it lies to the tolerated one.
_LOOKS: dict[Place, tuple[str, str, str]] = {
    Place.WITHIN: ("#0173b2", "o", "interval within ε: safe"),
    Place.UNDECIDED: ("#949494", "s", "undecided"),
    Place.BEYOND: (style.MARKED, "D", "interval beyond ε: too much"),
}

#: What a curve says where there is a sparsity to prune to.
_ANSWERED = (Found.SPARSITY, Found.AT_LEAST)

#: What to do, by what a curve says.
ADVICE: dict[Found, str] = {
    Found.SPARSITY: "Prune to this sparsity.",
    Found.AT_LEAST: "Prune to this sparsity, and measure larger ones if you need more.",
    Found.NONE: "Take more seeds or more test examples, allow a larger loss, or keep the model dense.",
    Found.NOT_LEARNED: "Make the dense model learn first: more examples, more epochs or another learning rate.",
    Found.TOO_FEW_SEEDS: "Train with three seeds or more: one training tells nothing of the next.",
}


def draw(losses: Sequence[tuple[float, Estimate]], epsilon: float = EPSILON, sparsity: float = 0.0) -> Figure:
    """Draw the change of the score at each sparsity with its 95% interval, and which sparsity is chosen.

    The mark and the colour of an interval say how it lies to the tolerated loss.

    Args:
        losses: each measured sparsity, from 0 to 1, with the loss there in points, rising.
        epsilon: the tolerated loss in points.
        sparsity: the chosen sparsity, which gets a vertical band; 0 for none.
    """
    figure, (ax,) = style.titled_axes([""], y="change (points)", x=style.SPARSITY, height=3.2)
    ax.axhline(-epsilon, color=style.GUIDE, linestyle="--", linewidth=1)
    ax.plot([100 * level for level, _ in losses], [-loss.value for _, loss in losses], color=style.GUIDE, linewidth=1)
    lines: dict[str, dict[str, Any]] = {}
    for level, loss in losses:
        if not level or not loss.known:
            continue
        colour, mark, name = _LOOKS[place_of(loss, epsilon)]
        ends = [[max(0.0, loss.high - loss.value)], [max(0.0, loss.value - loss.low)]]
        ax.errorbar(100 * level, -loss.value, yerr=ends, color=colour, marker=mark, capsize=3, markersize=5)
        lines[name] = {"color": colour, "marker": mark, "linewidth": 1.5}
    lines[f"ε = {epsilon:g} below dense"] = {"color": style.GUIDE, "linestyle": "--", "linewidth": 1}
    if sparsity:
        band: dict[str, Any] = {"color": _LOOKS[Place.WITHIN][0], "linewidth": 6, "alpha": 0.2}
        ax.axvline(100 * sparsity, **band)
        lines["chosen sparsity"] = band
    ax.set_xlim(0, None)
    style.line_legend(figure, lines, columns=3)
    return figure


def draw_curve(curve: Curve, epsilon: float = EPSILON) -> Figure:
    """Draw a curve's changes and its chosen sparsity, as ``draw`` does."""
    choice = choose_sparsity(curve, epsilon)
    losses = list(zip(curve.levels.tolist(), curve.drop_estimates(), strict=True))
    return draw(losses, epsilon, choice.sparsity if choice.found in _ANSWERED else 0.0)


def sentence(curve: Curve, epsilon: float = EPSILON) -> str:
    """Return what a curve says of how much to prune, in sentences."""
    choice = choose_sparsity(curve, epsilon)
    return f"**{curve.model} on {curve.task}: {_answer(choice, epsilon)}.** {_why(curve, choice, epsilon)}"


def _answer(choice: Choice, epsilon: float) -> str:
    answers = {
        Found.SPARSITY: f"{choice.sparsity:.0%} can go",
        Found.AT_LEAST: f"at least {choice.sparsity:.0%} can go",
        Found.NONE: f"no sparsity surely loses at most {_points(epsilon)}",
        Found.NOT_LEARNED: "no answer, as the task was not learned",
        Found.TOO_FEW_SEEDS: "no answer yet, as there is one seed",
    }
    return answers[choice.found]


def _why(curve: Curve, choice: Choice, epsilon: float) -> str:
    """Return the reason for an answer: the losses at the chosen sparsity and at the next measured one."""
    if choice.found not in _ANSWERED:
        return ADVICE[choice.found]
    levels, losses = curve.levels.tolist(), curve.drop_estimates()
    at = levels.index(choice.sparsity)
    reason = f"There the loss is {losses[at].text(2)} points: the whole interval lies at or below ε = {epsilon:g}."
    if at + 1 == len(levels):
        return f"{reason} No larger sparsity was measured. {ADVICE[choice.found]}"
    following, loss = levels[at + 1], losses[at + 1]
    if choice.places[at + 1] is Place.BEYOND:
        return f"{reason} At {following:.0%} the loss is {loss.text(2)} points, surely more."
    return f"{reason} At {following:.0%} the loss is {loss.text(2)} points: it may be more than ε."


def table(curves: Sequence[Curve], epsilon: float = EPSILON) -> pd.DataFrame:
    """Return a row for each curve: the sparsity to prune to, the smallest one that costs too much, and what to do.

    The model has a column if there are several.

    Args:
        curves: the curves.
        epsilon: the tolerated loss in points.
    """
    import pandas as pd

    rows = []
    for curve in curves:
        choice = choose_sparsity(curve, epsilon)
        known = choice.found in _ANSWERED
        answered = known or choice.found is Found.NONE
        rows.append(
            {
                "model": curve.model,
                "task": curve.task,
                "prune to": f"{choice.sparsity:.0%}" if known else "–",
                "too much from": f"{choice.too_much:.0%}" if answered and choice.too_much < 1 else "–",
                "mean loss reaches ε at": _mean_text(curve, epsilon) if answered else "–",
                "what to do": ADVICE[choice.found],
            }
        )
    frame = pd.DataFrame(rows)
    return frame.drop(columns="model") if len({curve.model for curve in curves}) == 1 else frame


def _mean_text(curve: Curve, epsilon: float) -> str:
    value = essential_sparsity(curve, epsilon).value
    last = curve.at_tenths.levels[-1]
    return f"over {last:.0%}" if value >= last else f"{value:.0%}"


def _points(epsilon: float) -> str:
    return f"{epsilon:g} point{'' if epsilon == 1 else 's'}"
