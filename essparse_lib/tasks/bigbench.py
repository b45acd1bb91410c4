"""BIG-bench's tasks, whose data lie in one large package archive.

They carry a notice that they must not enter training corpora: they are fetched and used, and no text of theirs is
kept in this project.
"""

from __future__ import annotations

from pathlib import Path

from ..sources.archives import Archive, extract

ARCHIVE = Archive(
    package="bigbench",
    filename="bigbench-1.0.0.tar.gz",
    sha256="1bb398a5512c6d798cdebe0dfa0ac03f67f6033fa6b39c6ef71df978c7cbc5c2",
)


def folder(task: str) -> Path:
    """A task's files in the cache: taken out once, as the archive has to be read from end to end for it."""
    return extract(ARCHIVE, f"bigbench-1.0.0/bigbench/benchmark_tasks/{task}/")
