"""What can be run, as plain data: trials, measurements, pre-trainings, and the studies that figures are made of."""
