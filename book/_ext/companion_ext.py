"""What the book needs of Sphinx beyond its configuration."""

from __future__ import annotations

import re
import string
from typing import Any

from docutils import nodes


def choose_scripts(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Name every script once, and MathJax where there are formulas.

    The theme adds a script with a ``const`` twice, which is an error on every page; Sphinx adds MathJax, two
    megabytes, to the landing page for the formulas of the pages that it lists.
    """
    once: dict[tuple[str, str], Any] = {}
    for script in context.get("script_files", ()):
        name = str(getattr(script, "filename", script) or "")
        body = getattr(script, "attributes", {}).get("body", "")
        if not name.endswith(app.config.mathjax_path) or 'class="math' in context.get("body", ""):
            once.setdefault((name, body), script)
    context["script_files"] = list(once.values())


def link_pictures(app: Any, doctree: nodes.document, page: str) -> None:
    """Make the picture of a figure a link to itself, as Sphinx does with those that state a width.

    On a phone it then opens at its full size, and a keyboard reaches it where it scrolls.
    """
    for picture in doctree.findall(nodes.image):
        if isinstance(picture.parent, nodes.figure):
            picture.setdefault("width", "100%")


def raise_finding(app: Any, doctree: nodes.document) -> None:
    """Put the box with a page's finding right under its title; its notebook must compute before it can show it."""
    page = next(iter(doctree.findall(nodes.section)), None)
    for box in _cells(doctree, "finding") if page is not None else ():
        box.parent.remove(box)
        page.insert(1, box)  # after the title


def put_code_last(app: Any, doctree: nodes.document) -> None:
    """Put the folded code of a figure's page into its last section: the figure comes first."""
    page = next(iter(doctree.findall(nodes.section)), None)
    sections = [node for node in page.children if isinstance(node, nodes.section)] if page is not None else []
    if not sections or not _cells(doctree, "finding"):
        return
    for cell in _cells(doctree, "hide-input"):
        if not any("output" in part for output in cell.children for part in output.get("classes", ())):
            cell.parent.remove(cell)
            sections[-1].append(cell)


def _cells(doctree: nodes.document, tag: str) -> list[nodes.container]:
    """Return the cells of a notebook's page that have a tag."""
    return [node for node in doctree.findall(nodes.container) if f"tag_{tag}" in node.get("classes", ())]


#: Pages whose plots are numbered after the paper's figure, and what stands before a plot's number on others.
_FIGURE = re.compile(r"notebooks/fig(\d+)")
_OTHERS = {"notebooks/use-your-own-model": "U", "notebooks/beyond": "B"}


def number_plots(app: Any, env: Any) -> None:
    """Number the plots of a page by its figure and letters: 2a, 2b."""
    for page, numbers in env.toc_fignumbers.items():
        figure = _FIGURE.fullmatch(page)
        plots = numbers.get("figure", {})
        for place, plot in enumerate(plots):
            letters = string.ascii_lowercase[place] if place < len(string.ascii_lowercase) else f"-{place + 1}"
            plots[plot] = (f"{figure[1]}{letters}",) if figure else (f"{_OTHERS.get(page, '')}{place + 1}",)


def setup(app: Any) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.connect("html-page-context", choose_scripts, priority=900)  # after the theme's own
    app.connect("doctree-read", put_code_last)
    app.connect("doctree-read", raise_finding)
    app.connect("env-check-consistency", number_plots)  # after Sphinx numbers them, and before it writes
    app.connect("doctree-resolved", link_pictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
