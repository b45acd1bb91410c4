"""What the reference, made from docstrings, needs of Sphinx beyond its configuration."""

from __future__ import annotations

import re
from typing import Any

#: Sphinx's list of a signature's arguments, one a line: a ``dl`` with descriptions of nothing, which no screen reader
#: makes sense of.
_ARGUMENTS = re.compile(r"<dl>\s*((?:<dd>(?:(?!</?d[dlt]\b).)*</dd>\s*)+)</dl>", re.DOTALL)


def keep_colons(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Break the line of ``The share kept: 1 for all`` after its colon, where it is of an attribute or a property.

    Napoleon would read it as a type and its meaning, which it does only where both stand in the first line.
    """
    if what in ("attribute", "data", "property") and lines and ": " in lines[0]:
        before, _, after = lines[0].partition(": ")
        lines[:1] = [f"{before}:", after]


def name_factories(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Write ``...`` for what a factory makes: ``<factory>`` is no Python, and the types beside it would stay raw."""
    return signature and signature.replace("<factory>", "..."), returned


def plain_signatures(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Make spans of the lists in signatures; reference.css puts each argument on a line of its own."""

    def spans(found: re.Match[str]) -> str:
        lines = found[1].replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")
        return f'<span class="sig-lines">{lines}</span>'

    if "body" in context:
        context["body"] = _ARGUMENTS.sub(spans, context["body"])


def setup(app: Any) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.connect("autodoc-process-docstring", keep_colons, priority=100)  # before napoleon
    app.connect("autodoc-process-signature", name_factories)
    app.connect("html-page-context", plain_signatures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
