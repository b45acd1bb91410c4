"""The names that models go by: those of the catalogue, ids on the hub, and folders."""

from __future__ import annotations

import re

from ..errors import unknown
from ..paths import check_folder, is_folder, is_path, missing_folder
from ..records.pretrained import SCALE_OF
from .catalogue import MODELS

#: What prints the names of all models.
_LISTING = "python -c 'from essparse_lib.models.loading import MODELS, SCALE_OF; print(*MODELS, *SCALE_OF)'"
#: An id on the hub, which may name a revision: no part of it leads to a folder above.
_ID = re.compile(r"[\w-][\w.-]*/(?!\.)[\w.-]+(@(?!.*\.\.)[\w./-]+)?", re.ASCII)
_LONGEST_ID = 200


def check_name(name: str) -> None:
    """Check that a name can be that of a model; ``locate`` sees whether the model can be had.

    Args:
        name: the name.

    Raises:
        InputError: it is no name known here, no id on the hub, and no folder.
    """
    text = name if isinstance(name, str) else ""
    if text in MODELS or text in SCALE_OF:
        return
    if is_folder(text):
        check_folder("model", text)
        return
    if is_path(text):
        raise missing_folder(text)
    if len(text) > _LONGEST_ID or not _ID.fullmatch(text):
        hint = ", an id on the hub (owner/name or owner/name@revision), or a folder"
        raise unknown("model", name, [*MODELS, *SCALE_OF], hint, _LISTING)
