"""Choose weights of a model that can go, remove them, and keep them away while the model trains."""
