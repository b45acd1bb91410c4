"""Download files of packages from the indexes that this machine's package managers use."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from ..errors import one_line


def download_from_python_indexes(package: str, filename: str, folder: Path) -> Path:
    """Download a file of a Python package from the first package index that has it; its hash is not checked.

    The indexes are those that pip is configured to use on this machine.

    Args:
        package: name of the package.
        filename: name of the file, a wheel or an sdist.
        folder: where to put the file.

    Returns:
        The path of the file.

    Raises:
        LookupError: no index has the file, or none can be reached.
    """
    from pypi_simple import NoSuchProjectError, PyPISimple

    refusal: Exception = LookupError("no Python package index is configured")
    for index in _indexes():
        with PyPISimple(index) as client:
            try:
                page = client.get_project_page(package, timeout=60)
                matches = [package for package in page.packages if package.filename == filename]
                if not matches:
                    raise LookupError(f"the index does not list it under {package}")
                client.download_package(matches[0], folder / filename, verify=False, timeout=60)
                return folder / filename  # the caller checks the pinned hash
            except (OSError, LookupError, NoSuchProjectError) as error:
                refusal = error
    raise LookupError(one_line(refusal))


def _indexes() -> list[str]:
    """Return the package indexes that pip uses on this machine, from pip's configuration, in pip's order."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=60
    ).stdout
    settings = dict(line.split("=", 1) for line in listing.splitlines() if "=" in line)

    def setting(option: str) -> list[str]:
        # the environment overrides the files
        for section in (":env:", "install", "download", "global"):
            if f"{section}.{option}" in settings:
                return settings[f"{section}.{option}"].strip("'").replace("\\n", " ").split()
        return []

    urls = [*(setting("index-url") or [PYPI_SIMPLE_ENDPOINT]), *setting("extra-index-url")]
    return [url for url in urls if url.startswith("http")]


def download_with_apt(package: str, filename: str, folder: Path) -> Path:
    """Download a Debian package with apt-get; its hash is not checked.

    Args:
        package: name of the package.
        filename: name that the downloaded file must have.
        folder: where to put the file.

    Returns:
        The path of the file.

    Raises:
        LookupError: this machine has no apt-get, or apt-get gives no such file.
        subprocess.TimeoutExpired: apt-get takes too long.
    """
    if shutil.which("apt-get") is None:
        raise LookupError("this machine has no apt-get")
    done = subprocess.run(["apt-get", "download", package], cwd=folder, capture_output=True, text=True, timeout=900)
    path = folder / filename
    if not path.exists():
        raise LookupError(f"apt-get gave no such file: {done.stderr.strip() or sorted(folder.iterdir())}")
    return path
