"""Score what may follow a text: how probable a language model finds each choice of a question."""
