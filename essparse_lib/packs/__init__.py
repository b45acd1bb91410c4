"""Packs: folders with all that the studies of some figures need, for a machine without a network."""
