"""Name models, say where each comes from, and load them or any other model."""
