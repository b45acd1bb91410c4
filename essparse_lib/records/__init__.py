"""What came of each spec: records, the store that keeps them, what they cost, and the models trained here."""
