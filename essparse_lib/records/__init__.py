"""What came of each spec: records, where they are kept, what they cost, and the weights kept beside them."""
