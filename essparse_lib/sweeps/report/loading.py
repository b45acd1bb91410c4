"""The few lines that load a saved model, by the kind of model that its folder says."""

from __future__ import annotations

import json
from pathlib import Path

#: The class that loads a model, by how the name of its architecture ends.
_CLASSES = {
    "ForSequenceClassification": "AutoModelForSequenceClassification",
    "ForImageClassification": "AutoModelForImageClassification",
    "ForCausalLM": "AutoModelForCausalLM",
    "LMHeadModel": "AutoModelForCausalLM",
}


def loading_code(saved: str) -> str:
    """Return the lines of Python that load a saved model, with its tokenizer or image processor where it has one.

    >>> print(loading_code("out/model"))
    from transformers import AutoModel
    <BLANKLINE>
    folder = 'out/model'
    model = AutoModel.from_pretrained(folder)

    Args:
        saved: the folder of the model.
    """
    loaded = {"model": _class_of(Path(saved))}
    if (Path(saved) / "tokenizer_config.json").exists():
        loaded["tokenizer"] = "AutoTokenizer"
    if (Path(saved) / "preprocessor_config.json").exists():
        loaded["processor"] = "AutoImageProcessor"
    lines = [f"from transformers import {', '.join(sorted(loaded.values()))}", "", f"folder = {saved!r}"]
    lines += [f"{name} = {class_}.from_pretrained(folder)" for name, class_ in loaded.items()]
    return "\n".join(lines)


def _class_of(folder: Path) -> str:
    """Return the class of transformers that loads a model, as its configuration names the architecture."""
    try:
        (architecture, *_) = json.loads((folder / "config.json").read_text(encoding="utf-8"))["architectures"]
    except (OSError, ValueError, KeyError, TypeError):
        return "AutoModel"
    return next((class_ for end, class_ in _CLASSES.items() if str(architecture).endswith(end)), "AutoModel")
