"""Sweeps: how much of one's own model can go before one's own task suffers."""

from .driver import sweep
from .result import SweepResult
from .settings import SweepSettings
from .tolerance import Tolerance

__all__ = ["SweepResult", "SweepSettings", "Tolerance", "sweep"]
