"""The verdicts that the executed notebooks computed, for the book's first page: they are not computed twice."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..claims.registry import CLAIMS
from ..figures.parameters import VERDICT

#: What an executed notebook keeps a quoted value under.
_QUOTED = "application/papermill.record/text/plain"


def of_notebooks(notebooks: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Return the verdicts of executed notebooks as plain data (``Verdict.plain``), by claim in the paper's order.

    Args:
        notebooks: executed notebooks, each of which quotes the verdicts of its figure (``parameters.glue_verdict``).
    """
    verdicts: dict[str, dict[str, Any]] = {}
    for path in notebooks:
        for cell in json.loads(path.read_bytes())["cells"]:
            for output in cell.get("outputs", ()):
                name = output.get("metadata", {}).get("scrapbook", {}).get("name", "")
                if name.endswith(VERDICT):
                    verdict = json.loads(ast.literal_eval("".join(output["data"][_QUOTED])))
                    verdicts[verdict["claim"]] = verdict
    return {name: verdicts[name] for name in CLAIMS if name in verdicts}
