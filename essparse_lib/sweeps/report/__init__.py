"""The report of a sweep: a page, the picture of its curve, and all its numbers as JSON."""

from .writing import write_report

__all__ = ["write_report"]
