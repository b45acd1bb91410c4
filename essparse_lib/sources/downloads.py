"""Download pinned files: of packages from the indexes that this machine's package managers use, or from an address."""

from __future__ import annotations

import hashlib
import ipaddress
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from ..errors import one_line
from ..files import disk_refuses

if TYPE_CHECKING:
    import requests

T = TypeVar("T")

#: Seconds that an index has for an answer to begin, and for a page; the slowest rate for a file, in bytes a second.
_SECONDS, _RATE = 60, 20_000
#: The most bytes of an index's page about one package, and the most redirections to it or to a file.
_MOST_PAGE, _MOST_REDIRECTIONS = 512 * 2**10, 5


def download_from_python_indexes(package: str, file: Path, *, size: int, sha256: str) -> None:
    """Download a file of a Python package from the first package index that has it.

    The indexes are those that pip is configured to use on this machine. All that is sent comes over TLS, but from this
    machine itself.

    Args:
        package: name of the package.
        file: where to put the file; its name is that of a wheel or an sdist on the index.
        size: the most bytes that it may have.
        sha256: SHA-256 that it must have.

    Raises:
        LookupError: no index has the file, or none can be reached.
        OSError: the file cannot be written.
    """
    refusals = ["no Python package index is configured"]
    for index in _indexes():
        try:
            _download_from(index, package, file, size, sha256)
            return
        except (OSError, LookupError, ValueError) as error:  # requests and urllib3 raise OSErrors and ValueErrors
            if disk_refuses(error):
                raise
            refusals.append(re.sub(r"//[^/@\s]*@", "//", one_line(error)))  # no password of an index's address
    raise LookupError(refusals[-1])


def _download_from(index: str, package: str, file: Path, size: int, sha256: str) -> None:
    """Download a file of a package from one index."""
    from pypi_simple import ACCEPT_HTML_ONLY, PyPISimple

    with PyPISimple(index, session=_session()) as client:
        address = client.get_project_url(package)
        page = _answer(client.s, address, {"Accept": ACCEPT_HTML_ONLY})
        content = b"".join(_body(page, _MOST_PAGE, _SECONDS))
        links = [url for name, url in _links(content, page.url) if name == file.name]
        if not links:
            raise LookupError(f"{index} does not list it under {package}")
        _save(client.s, links[0], file, size, sha256)


def download_from_address(address: str, file: Path, *, size: int, sha256: str) -> None:
    """Download a file from an address, over TLS or from this machine itself.

    Args:
        address: the file's address.
        file: where to put the file.
        size: the most bytes that it may have.
        sha256: SHA-256 that it must have.

    Raises:
        LookupError: the address cannot be reached, or has another file.
        OSError: the file cannot be written.
    """
    try:
        with _session() as session:
            _save(session, address, file, size, sha256)
    except (OSError, ValueError) as error:  # requests and urllib3 raise both
        if disk_refuses(error):
            raise
        raise LookupError(one_line(error)) from error


def _save(session: requests.Session, address: str, file: Path, size: int, sha256: str) -> None:
    """Save what an address sends, once it is clear that it is the file of this hash."""
    digest = hashlib.sha256()
    with file.open("wb") as out:
        for piece in _body(_answer(session, address, {}), size, _SECONDS + size / _RATE):
            digest.update(piece)
            out.write(piece)
    if digest.hexdigest() != sha256:
        raise LookupError(f"{address} sent another file, of sha256 {digest.hexdigest()}")


def _session() -> requests.Session:
    """Return a session that speaks TLS alone, but to this machine itself, through all redirections."""
    import requests
    from requests.adapters import HTTPAdapter

    class Tls(HTTPAdapter):
        def send(self, request, *args, **kwargs):  # type: ignore[no-untyped-def]
            if not _is_safe(request.url):
                raise requests.exceptions.InvalidURL(f"{request.url} is not reached by https: refused")
            response = super().send(request, *args, **kwargs)
            if response.is_redirect:
                response.close()  # else its body would be read, however long it is
            return response

    session = requests.Session()
    session.max_redirects = _MOST_REDIRECTIONS
    session.headers["Accept-Encoding"] = "identity"  # what is sent has the size that is stated
    for scheme in ("https://", "http://"):
        session.mount(scheme, Tls())
    return session


def _is_safe(url: str) -> bool:
    """Return whether what is read from an address comes over TLS or from this machine itself, as pip takes it.

    >>> _is_safe("https://pypi.org/simple"), _is_safe("http://127.0.0.1:8080"), _is_safe("http://pypi.org")
    (True, True, False)
    """
    scheme, host = urlsplit(url).scheme, urlsplit(url).hostname or ""
    try:
        return scheme == "https" or host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # the name of another machine
        return False


def _answer(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    """Return the answer to a request, of which the body is not read yet."""

    def get() -> requests.Response:
        response = session.get(url, headers=headers, stream=True, timeout=_SECONDS)
        if not response.ok:
            response.close()
            response.raise_for_status()
        return response

    return _in_time(get, _SECONDS)


def _in_time(work: Callable[[], T], seconds: float) -> T:
    """Return what ``work`` returns, or raise what it raises; it goes on unheard where it takes too long.

    A server may send a header so slowly that no wait for the next byte is ever too long.
    """
    outcomes: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcomes.put((work(), None))
        except Exception as error:
            outcomes.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = outcomes.get(timeout=seconds)
    except queue.Empty:
        raise LookupError(f"no answer within {seconds} s") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def _body(response: requests.Response, most: int, seconds: float) -> Iterator[bytes]:
    """Yield an answer's body as it comes in, up to so many bytes and for so long."""
    from urllib3.exceptions import HTTPError

    received, deadline = 0, time.monotonic() + seconds
    with response:
        while True:
            try:
                piece = response.raw.read1(2**16, decode_content=False)
            except HTTPError as error:
                raise LookupError(f"{response.url} breaks off: {one_line(error)}") from error
            if not piece:
                return
            received += len(piece)
            if received > most:
                raise LookupError(f"{response.url} sends more than {most:,} bytes")
            if time.monotonic() > deadline:
                raise LookupError(f"{response.url} sends too slowly: {received:,} bytes in {seconds:.0f} s")
            yield piece


def _links(page: bytes, url: str) -> list[tuple[str, str]]:
    """Return the files that an index's page lists: their names and addresses."""
    from pypi_simple import parse_links_stream

    try:  # without a tree of the page, which takes time and memory without bounds
        return [(each.text, each.url) for each in parse_links_stream([page.decode(errors="replace")], url)]
    except Exception as error:  # whatever the parsers make of what is no page
        raise LookupError(f"{url} is no page of a package index ({one_line(error)})") from error


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


def download_with_apt(package: str, file: Path) -> None:
    """Download a Debian package with apt-get, which checks it against the signed list of its repository.

    Args:
        package: name of the package.
        file: where to put the file, in an empty folder; its name is the one that apt-get gives it.

    Raises:
        LookupError: this machine has no apt-get, or apt-get gives no such file.
        subprocess.TimeoutExpired: apt-get takes too long.
    """
    if shutil.which("apt-get") is None:
        raise LookupError("this machine has no apt-get")
    done = subprocess.run(
        ["apt-get", "download", package], cwd=file.parent, capture_output=True, text=True, errors="replace", timeout=900
    )
    if not file.exists():
        others = ", ".join(sorted(each.name for each in file.parent.iterdir()))
        raise LookupError(f"apt-get gave no such file: {done.stderr.strip() or others or 'none at all'}")
