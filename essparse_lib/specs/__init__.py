"""What can be run, as plain data: trials, measurements, pre-trainings, studies; and the named models and tasks."""
