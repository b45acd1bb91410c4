"""Training and evaluation: one loop, one way to make batches, the device they run on."""
