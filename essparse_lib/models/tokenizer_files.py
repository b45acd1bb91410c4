"""Read a model's tokenizer from its files, or say in one line why it cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..sources.foreign import reading
from .configuration import read_settings
from .model_files import ModelFiles
from .quiet import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: The most bytes of a tokenizer's file: the largest take 40 MB.
_LARGEST = 100_000_000
#: The most times as long as a text may become by what is put in the place of its parts, by these keys, and by the
#: pieces of a template, of which so many count as once: a sign becomes another sign, and a text gets its ends.
_MOST_GROWTH, _ADDED, _MOST_PIECES = 64, ("content", "prepend"), 8
#: Files of JSON that a tokenizer is read from.
_SETTINGS = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json")
#: Files that any tokenizer may be read from, beside those that its class names.
_ANY_FILES = {"tokenizer.json", "tekken.json"}


def read_tokenizer(source: ModelFiles) -> PreTrainedTokenizerBase:
    """Return a model's tokenizer.

    Args:
        source: the model's files.

    Raises:
        InputError: there is none, a file of it cannot be read, or it makes no tokens of a text.
    """
    from transformers import AutoTokenizer

    _check_settings(source.folder)
    hint = "fetch the files of the tokenizer anew"
    with quiet(), reading(source.folder, hint):
        tokenizer = AutoTokenizer.from_pretrained(**source.options)
        numbers = tokenizer("A few words.", verbose=False)["input_ids"]
    if not all(isinstance(number, int) for number in numbers):
        raise InputError(f"it gives no numbers of tokens: {hint}")
    files = set(tokenizer.vocab_files_names.values())  # none for those that read bytes
    if files and not source.gguf and not any((source.folder / file).exists() for file in files | _ANY_FILES):
        raise InputError(f"transformers would make up one that knows no word: give {' or '.join(sorted(files))}")
    return tokenizer


def _check_settings(folder: Path) -> None:
    """Check the JSON files of a tokenizer before a library reads them."""
    for name in _SETTINGS:
        if (folder / name).exists():
            settings = read_settings(folder / name, _LARGEST)
            if name == "tokenizer.json" and _growth(settings) > _MOST_GROWTH:
                raise InputError(
                    f"{folder / name} makes much more of a text than it has, as no model's does: fetch it anew"
                )


def _growth(settings: dict[str, Any]) -> float:
    """Return how many times as long a text may become by the steps before it is cut into tokens, and by those after."""
    growth = 1.0
    rest: list[Any] = [settings.get(part) for part in ("normalizer", "pre_tokenizer", "post_processor")]
    while rest:
        value = rest.pop()
        if isinstance(value, list):
            rest += value
        elif isinstance(value, dict):
            rest += (each for key, each in value.items() if key != "special_tokens")
            lengths = [len(text) for key in _ADDED if isinstance(text := value.get(key), str)]
            replaced = value.get("pattern")
            whole = replaced.get("String") if isinstance(replaced, dict) else None
            growth *= max([1.0, *(length / max(1, len(str(whole or ""))) for length in lengths)])
            if isinstance(value.get("single"), list):
                growth *= max(1, len(value["single"]) / _MOST_PIECES)
    return growth
