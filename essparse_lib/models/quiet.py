"""Loading and saving models without transformers' messages."""

from __future__ import annotations


class quiet:
    """Silence transformers' progress bars, and its report that the head is new: here it always is."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self.before = logging.get_verbosity()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self.before)
