"""Sweeps: how much of one's own model can go before one's own task suffers."""
