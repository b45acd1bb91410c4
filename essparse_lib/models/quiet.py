"""Loading and saving models without the libraries' messages, and without the network."""

from __future__ import annotations

import warnings
from typing import Any


class quiet:
    """Silence transformers' progress bars, its report that the head is new (here it always is), and all warnings.

    Warnings say how a library is called, and torch's of empty weights come before the error that says the cause.

    The hub is not asked for anything meanwhile: all files are here, and a configuration of others may name more.
    """

    def __enter__(self) -> None:
        from huggingface_hub import constants
        from transformers.utils import logging

        self.warnings = warnings.catch_warnings(action="ignore")
        self.warnings.__enter__()
        self.offline = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = True
        self.before = logging.get_verbosity()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, *error: Any) -> None:
        from huggingface_hub import constants
        from transformers.utils import logging

        constants.HF_HUB_OFFLINE = self.offline
        self.warnings.__exit__(*error)
        logging.set_verbosity(self.before)
