"""Loading and saving models without transformers' messages, and without the network."""

from __future__ import annotations


class quiet:
    """Silence transformers' progress bars, and its report that the head is new: here it always is.

    The hub is not asked for anything meanwhile: all files are here, and a configuration of others may name more.
    """

    def __enter__(self) -> None:
        from huggingface_hub import constants
        from transformers.utils import logging

        self.offline = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = True
        self.before = logging.get_verbosity()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        from huggingface_hub import constants
        from transformers.utils import logging

        constants.HF_HUB_OFFLINE = self.offline
        logging.set_verbosity(self.before)
