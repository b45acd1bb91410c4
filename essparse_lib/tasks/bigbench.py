"""Read the data of BIG-bench's tasks, which lie in one large package archive.

They carry a notice that they must not enter training corpora. So they are fetched and used, but none of their text is
kept in this project.
"""

from __future__ import annotations

from pathlib import Path

from ..sources.archives import Archive, extract

ARCHIVE = Archive(
    package="bigbench",
    filename="bigbench-1.0.0.tar.gz",
    sha256="1bb398a5512c6d798cdebe0dfa0ac03f67f6033fa6b39c6ef71df978c7cbc5c2",
    size=358_249_635,
    unpacked=1_876_602_880,
)


def folder(task: str) -> Path:
    """Return the folder of the cache that has a task's files.

    They are taken out of the archive once, since for that it has to be read from end to end.

    Args:
        task: name of the task in BIG-bench.

    Raises:
        InputError: the archive cannot be fetched, or lacks the task.
    """
    return extract(ARCHIVE, f"bigbench-1.0.0/bigbench/benchmark_tasks/{task}/")
