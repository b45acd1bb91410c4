"""What is asked and what is kept: trials, grids of them, their records, and what the records say."""
