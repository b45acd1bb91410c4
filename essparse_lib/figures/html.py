"""HTML that a notebook shows."""

from __future__ import annotations


class Html(str):
    """HTML as a text, which a notebook shows as what it describes."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """Return the HTML (IPython's protocol)."""
        return str(self)
