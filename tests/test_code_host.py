"""Files of a repository of code: from a mirror, else from the host, and never another one than is pinned."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from essparse_lib.errors import InputError
from essparse_lib.sources import code_host
from essparse_lib.sources.code_host import CodeRepository, PinnedFile, pinned_files

DATA = b"Question,Numbers\n"
REPOSITORY = CodeRepository(id="owner/name", commit="c0ffee", root="data")
FILE = PinnedFile(path="fold0/dev.csv", sha256=hashlib.sha256(DATA).hexdigest(), size=len(DATA))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def host(tmp_path, empty_cache, monkeypatch):
    """A host on this machine that has the file at its commit; its folder."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "host/owner/name/c0ffee/data/fold0"
    folder.mkdir(parents=True)
    (folder / "dev.csv").write_bytes(DATA)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=tmp_path / "host"))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(code_host, "_ADDRESS", f"{address}/{{repository}}/{{commit}}/{{path}}")
    yield folder
    server.shutdown()
    server.server_close()


@pytest.fixture
def mirror(tmp_path, empty_cache, monkeypatch):
    folder = tmp_path / "mirror/owner/name/fold0"
    folder.mkdir(parents=True)
    monkeypatch.setenv("ESSPARSE_MIRROR", str(tmp_path / "mirror"))
    return folder


def test_a_file_comes_from_the_host_once(host):
    (path,), origin = pinned_files(REPOSITORY, [FILE])
    assert path.read_bytes() == DATA and origin == "owner/name@c0ffee"
    (host / "dev.csv").unlink()
    assert pinned_files(REPOSITORY, [FILE])[0] == [path]


@pytest.mark.parametrize("content", [b"another file of.\n", DATA + b"more", b""])
def test_another_file_of_the_host_is_refused_and_not_kept(host, content, empty_cache):
    (host / "dev.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"cannot fetch fold0/dev.csv of owner/name \(.*ESSPARSE_MIRROR"):
        pinned_files(REPOSITORY, [FILE])
    assert not list(empty_cache.rglob("*.csv"))


def test_a_file_that_the_host_lacks_is_one_clear_line(host):
    (host / "dev.csv").unlink()
    with pytest.raises(InputError, match=r"cannot fetch fold0/dev.csv of owner/name \(404") as refusal:
        pinned_files(REPOSITORY, [FILE])
    assert "\n" not in str(refusal.value)


def test_a_file_that_was_damaged_in_the_cache_is_not_read(host):
    (path,), _ = pinned_files(REPOSITORY, [FILE])
    path.write_bytes(DATA[::-1])
    with pytest.raises(InputError, match="has sha256 .*delete it and run again"):
        pinned_files(REPOSITORY, [FILE])


def test_a_mirror_comes_first(mirror):
    (mirror / "dev.csv").write_bytes(DATA)
    (path,), origin = pinned_files(REPOSITORY, [FILE])
    assert path == mirror / "dev.csv" and origin == "mirror of owner/name"


def test_a_mirror_that_lacks_a_file_or_has_another_is_refused(mirror):
    (mirror / "dev.csv").write_bytes(DATA)
    other = PinnedFile(path="fold0/train.csv", sha256=FILE.sha256, size=FILE.size)
    with pytest.raises(InputError, match=r"train.csv cannot be read"):
        pinned_files(REPOSITORY, [FILE, other])
    (mirror / "train.csv").write_bytes(DATA[::-1])
    with pytest.raises(InputError, match="train.csv has sha256 .*: complete the mirror"):
        pinned_files(REPOSITORY, [FILE, other])
    (mirror / "train.csv").write_bytes(DATA * 2)
    with pytest.raises(InputError, match="train.csv has 34 bytes, more than 17: complete the mirror"):
        pinned_files(REPOSITORY, [FILE, other])


def test_the_address_names_repository_commit_and_path():
    assert REPOSITORY.address(FILE).endswith("/owner/name/c0ffee/data/fold0/dev.csv")
    assert REPOSITORY.address(FILE).startswith("https://")
