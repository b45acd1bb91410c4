"""What a run would take on so many GPUs, known before there are any: a simulation of the scheduler."""
