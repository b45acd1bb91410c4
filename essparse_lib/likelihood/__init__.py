"""Score texts by how probable a language model finds them, without training: the tasks, and how they are scored."""
