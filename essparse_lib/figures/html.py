"""HTML and Markdown that a notebook shows."""

from __future__ import annotations


class Html(str):
    """HTML as a text, which a notebook shows as what it describes."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """Return the HTML (IPython's protocol)."""
        return str(self)


class Paragraphs(str):
    """Markdown as a text, which a notebook shows as paragraphs."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        """Return the Markdown (IPython's protocol)."""
        return str(self)


def paragraphs(*texts: str) -> Paragraphs | None:
    """Return texts in Markdown as paragraphs; None, of which a notebook shows nothing, where all of them are empty."""
    return Paragraphs("\n\n".join(filter(None, texts))) if any(texts) else None
