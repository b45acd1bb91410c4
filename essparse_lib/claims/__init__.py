"""What the paper claims, and how the records stand to it: a file a claim."""
