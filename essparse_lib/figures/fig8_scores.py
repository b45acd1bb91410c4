"""The interactive panel of Figure 8's scores, with the colours and dashes of its static figures."""

from __future__ import annotations

from collections.abc import Sequence

from ..analysis.curve import Curve
from ..analysis.series import text_pretrainings
from ..specs.study import Study
from . import fig8, panels, style


def panel(study: Study, curves: Sequence[Curve], start: float) -> panels.Panel | None:
    """Return a panel of the curves, or None if there are none: a colour for each share of the text, dashes for seeds.

    At first the models of the most and of the least text are drawn, on one task.

    Args:
        study: a study of Figure 8.
        curves: its curves.
        start: the first position of the slider, in percent.
    """
    pretrainings = {pretraining.model: pretraining for pretraining in text_pretrainings(study)}
    styles = fig8.line_styles([*pretrainings.values()])
    text_of = {model: f"{pretraining.fraction:.0%}" for model, pretraining in pretrainings.items()}
    fractions = [pretraining.fraction for pretraining in pretrainings.values()]
    extremes = {max(fractions), min(fractions)}
    groups: dict[str, list[Curve]] = {"most and least": [], "between": []}
    for curve in curves:
        is_extreme = pretrainings[curve.model].fraction in extremes
        groups["most and least" if is_extreme else "between"].append(curve)
    return panels.of_curves(
        groups,
        "A line for each pre-trained model and task: the change from the dense model against the share of the weights "
        "removed.",
        name_of=lambda curve: text_of[curve.model],
        dash_of=lambda curve: f"seed {pretrainings[curve.model].seed}",
        shown=["most and least"],
        legends=("share of the text", "task", "seed"),
        palette={text_of[model]: look["color"][:3] for model, look in styles.items()},
        dashes=style.SEED_LINES,
        start=start,
    )
