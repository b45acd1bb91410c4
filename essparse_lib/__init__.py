"""Companion to "The Emergence of Essential Sparsity in Large Pre-trained Models"."""
