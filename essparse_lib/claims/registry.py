"""The twelve claims of the paper, each with the figure that studies it and the rule that judges it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import (
    c01_essential_sparsity,
    c02_free_weights,
    c03_task_not_size,
    c04_sharper_in_vision,
    c05_arithmetic_reasoning,
    c06_n_m_patterns,
    c07_self_supervision,
    c08_zeros_jump,
    c09_more_text,
    c10_tickets_like_one_shot,
    c11_similar_masks,
    c12_without_fine_tuning,
)
from .paper import STATEMENTS
from .verdict import Verdict

#: A claim's rule: from a study, with its records or what was computed from them, to a verdict.
Judge = Callable[..., Verdict]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of the paper.

    Attributes:
        name: name of the claim, such as ``C1``.
        statement: what the paper claims, in our words.
        figure: name of the figure whose study judges the claim; None if there is none yet.
        judge: the rule that judges the claim; None if no study tests it yet.
    """

    name: str
    statement: str
    figure: str | None
    judge: Judge | None


_JUDGED: dict[str, tuple[str, Judge]] = {
    "C1": ("fig2", c01_essential_sparsity.judge),
    "C2": ("fig1", c02_free_weights.judge),
    "C3": ("fig2", c03_task_not_size.judge),
    "C4": ("fig3", c04_sharper_in_vision.judge),
    "C5": ("fig4", c05_arithmetic_reasoning.judge),
    "C6": ("fig5", c06_n_m_patterns.judge),
    "C7": ("fig6", c07_self_supervision.judge),
    "C8": ("fig8", c08_zeros_jump.judge),
    "C9": ("fig8", c09_more_text.judge),
    "C10": ("fig9", c10_tickets_like_one_shot.judge),
    "C11": ("fig10", c11_similar_masks.judge),
    "C12": ("fig11", c12_without_fine_tuning.judge),
}


def _claim(name: str) -> Claim:
    figure, judge = _JUDGED.get(name, (None, None))
    return Claim(name=name, statement=STATEMENTS[name], figure=figure, judge=judge)


#: All claims by name, in the paper's order.
CLAIMS: dict[str, Claim] = {name: _claim(name) for name in STATEMENTS}
