"""The verdicts that the executed notebooks computed, for the book's first page: they are not computed twice."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..claims.registry import CLAIMS
from ..errors import InputError
from ..figures.parameters import VERDICT
from ..wording import listing

#: What an executed notebook keeps a quoted value under.
_QUOTED = "application/papermill.record/text/plain"


def of_notebooks(notebooks: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Return the verdicts of executed notebooks as plain data (``Verdict.plain``), by claim in the paper's order.

    Args:
        notebooks: executed notebooks, each of which quotes the verdicts of its figure (``parameters.glue_verdict``).
            Without any there is no verdict.

    Raises:
        InputError: a claim's verdict is quoted by none of the notebooks, or twice.
    """
    verdicts: dict[str, dict[str, Any]] = {}
    notebooks = list(notebooks)
    for path in notebooks:
        for cell in json.loads(path.read_bytes())["cells"]:
            for output in cell.get("outputs", ()):
                name = output.get("metadata", {}).get("scrapbook", {}).get("name", "")
                if name.endswith(VERDICT):
                    verdict = json.loads(ast.literal_eval("".join(output["data"][_QUOTED])))
                    if verdict["claim"] in verdicts:
                        raise InputError(f"two notebooks quote a verdict on {verdict['claim']}: let one do")
                    verdicts[verdict["claim"]] = verdict
    if missing := [name for name in CLAIMS if notebooks and name not in verdicts]:
        raise InputError(f"no notebook quotes a verdict on {listing(missing)}: call parameters.glue_verdict in one")
    return {name: verdicts[name] for name in CLAIMS if name in verdicts}
