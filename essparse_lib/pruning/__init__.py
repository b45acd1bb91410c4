"""Which weights a model can lose, and how they are chosen, removed and kept away."""
