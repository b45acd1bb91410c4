"""Write in a model's card what was done to its weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

_HEADING = "## Pruning"


def add_section(folder: Path, title: str, sentences: Sequence[str], base: str | None = None) -> None:
    """Append a section on pruning to the card of a model, ``README.md``, which is kept as it is; make one if needed.

    Args:
        folder: folder of the model.
        title: title of the card, if it is made.
        sentences: what to say, each a paragraph.
        base: the model's id on the hub before it was pruned, for the header of a new card; None for other models.
    """
    card = folder / "README.md"
    section = "\n\n".join([_HEADING, *sentences]) + "\n"
    if card.exists():
        before = card.read_bytes()
        ending = b"\n" if before.endswith(b"\n") else b"\n\n"
        card.write_bytes(before + (ending if before else b"") + section.encode())
        return
    header = ["---", "library_name: transformers", "tags:", "- pruned"]
    if base:
        header.append(f"base_model: {json.dumps(base)}")
    card.write_text("\n".join([*header, "---", "", f"# {title}", "", section]), encoding="utf-8")
