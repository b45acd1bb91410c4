"""Training and evaluation: the training loop, objectives, batches, and the devices they run on."""
