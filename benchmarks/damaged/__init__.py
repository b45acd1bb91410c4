"""Damaged and hostile inputs of every kind that is read, each with what reads it and what must come of it."""
