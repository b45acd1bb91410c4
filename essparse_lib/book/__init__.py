"""The book: notebooks executed, pages made from records, and the whole built."""
