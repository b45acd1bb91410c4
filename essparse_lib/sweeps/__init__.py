"""Sweeps: how much of one's own model can go before one's own task suffers."""

from .result import SweepResult
from .settings import SweepSettings
from .sweep import sweep
from .tolerance import Tolerance

__all__ = ["SweepResult", "SweepSettings", "Tolerance", "sweep"]
