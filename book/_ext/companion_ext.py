"""What the book needs of Sphinx beyond its configuration."""

from __future__ import annotations

from typing import Any


def drop_repeated_scripts(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Name every script once: the theme adds one with a ``const`` twice, which is an error on every page."""
    once: dict[tuple[str, str], Any] = {}
    for script in context.get("script_files", ()):
        body = getattr(script, "attributes", {}).get("body", "")
        once.setdefault((getattr(script, "filename", script) or "", body), script)
    context["script_files"] = list(once.values())


def setup(app: Any) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.connect("html-page-context", drop_repeated_scripts, priority=900)  # after the theme's own
    return {"parallel_read_safe": True, "parallel_write_safe": True}
