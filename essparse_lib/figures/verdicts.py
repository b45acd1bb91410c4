"""The verdict on any of the paper's claims, from records alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..analysis.curves import curves
from ..analysis.turns import turns
from ..claims.c12_without_fine_tuning import sparsegpt_variant
from ..claims.registry import CLAIMS
from ..claims.verdict import Verdict, not_run
from ..errors import check_known
from ..records.store import Record
from ..specs.study import Study, check_scale
from . import fig3, fig6, study


def verdict(claim: str, scale: str, records: Mapping[str, Record]) -> Verdict:
    """Return the verdict on a claim, judged from the whole study of its figure.

    Args:
        claim: name of the claim, such as ``C1``.
        scale: ``tiny``, ``lab`` or ``paper``.
        records: records of that scale by the id of their spec.

    Raises:
        InputError: there is no such claim or scale.
    """
    check_known("claim", claim, CLAIMS)
    check_scale(scale)
    figure, judge = CLAIMS[claim].figure, CLAIMS[claim].judge
    if figure is None or judge is None:
        return not_run(claim, "no study tests it yet")
    arguments = _ARGUMENTS.get(claim, _records)
    return judge(*arguments(study(figure, scale), records))


def _records(study: Study, records: Mapping[str, Record]) -> tuple[Any, ...]:
    return study, records


def _curves(study: Study, records: Mapping[str, Record]) -> tuple[Any, ...]:
    return study, curves(study, records)


def _turns(study: Study, records: Mapping[str, Record]) -> tuple[Any, ...]:
    vision = turns(study, curves(study, records), fig3.VISION)
    return study, vision, fig3.language(study.scale, records), fig3.longer(study, records)


def _comparisons(study: Study, records: Mapping[str, Record]) -> tuple[Any, ...]:
    first, *others = fig6.comparisons(study)
    return study, records, curves(study, records), first, others


def _by_both(study: Study, records: Mapping[str, Record]) -> tuple[Any, ...]:
    return study, curves(study, records), curves(study, records, sparsegpt_variant(study))


#: By claim, the arguments of its rule, where they are not the study and its records.
_ARGUMENTS = {"C1": _curves, "C3": _curves, "C4": _turns, "C7": _comparisons, "C12": _by_both}
