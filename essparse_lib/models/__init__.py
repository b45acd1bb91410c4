"""The named models, where each comes from, and how any model is loaded."""
