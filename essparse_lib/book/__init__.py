"""The book: it executes notebooks, makes pages from records, and builds the whole."""
