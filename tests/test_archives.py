"""Package archives: fetched by name and hash, members taken out with path checks, every refusal one clear line."""

import gzip
import hashlib
import io
import os
import random
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from essparse_lib import files
from essparse_lib.errors import InputError
from essparse_lib.sources import archives
from essparse_lib.sources.archives import Archive, extract, fetch, read, read_all, read_tar

MEMBERS = {"pkg/data/a.txt": b"alpha", "pkg/data/deep/b.txt": b"beta" * 500, "pkg/other.txt": b"no"}
NOISE = random.Random(0).randbytes(5000)
KINDS = ("pkg-1.0-py3-none-any.whl", "pkg-1.0.tar.gz", "pkg_1.0_all.deb")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def serve(tmp_path, empty_cache, monkeypatch):
    """``serve(package, files)``: a package index that pip's configuration on this machine names; its URL."""
    servers = []

    def start(package, files):
        root = tmp_path / f"index-{len(servers)}"
        page = root / "simple" / package / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text("".join(f'<a href="/files/{name}">{name}</a>' for name in files))
        (root / "files").mkdir()
        for name, data in files.items():
            (root / "files" / name).write_bytes(data)
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=root))
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/simple/"

    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("filename", KINDS[:2])
def test_fetched_from_the_index_in_pips_environment(filename, serve, pack, monkeypatch):
    data = pack(filename, MEMBERS)
    monkeypatch.setenv("PIP_INDEX_URL", serve("pkg", {filename: data, "pkg-2.0.tar.gz": b"another"}))
    archive = Archive(package="pkg", filename=filename, sha256=hashlib.sha256(data).hexdigest())
    assert fetch(archive) == archive.path
    assert archive.path.read_bytes() == data
    assert read(archive, "pkg/data/a.txt") == b"alpha"


def test_the_environment_overrides_pips_file_and_extra_indexes_are_tried(serve, pack, tmp_path, monkeypatch):
    data, other = pack(KINDS[0], MEMBERS), pack(KINDS[0], {"x": b"x"})
    lacking, having = serve("pkg", {KINDS[1]: b"not this"}), serve("pkg", {KINDS[0]: data})
    configuration = tmp_path / "pip.conf"
    configuration.write_text(f"[global]\nindex-url = {serve('pkg', {KINDS[0]: other})}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    monkeypatch.setenv("PIP_INDEX_URL", lacking)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"http://127.0.0.1:9/simple {having}")
    archive = Archive(package="pkg", filename=KINDS[0], sha256=hashlib.sha256(data).hexdigest())
    assert fetch(archive).read_bytes() == data


def test_fetched_from_the_index_in_pips_file(serve, pack, tmp_path, monkeypatch):
    data = pack(KINDS[0], MEMBERS)
    configuration = tmp_path / "pip.conf"
    configuration.write_text(f"[global]\nindex-url = {serve('pkg', {KINDS[0]: data})}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    assert (
        fetch(Archive(package="pkg", filename=KINDS[0], sha256=hashlib.sha256(data).hexdigest())).read_bytes() == data
    )


def test_a_served_file_with_another_hash_is_not_kept(serve, pack, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", serve("pkg", {KINDS[0]: pack(KINDS[0], MEMBERS)}))
    archive = Archive(package="pkg", filename=KINDS[0], sha256="0" * 64)
    with pytest.raises(InputError, match="must have " + "0" * 64):
        fetch(archive)
    assert not archive.path.exists()


@pytest.mark.parametrize("filename", KINDS)
def test_without_network_the_message_names_file_hash_and_path(filename, serve, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setattr(archives.shutil, "which", lambda _: None)  # and no apt-get
    archive = Archive(package="pkg", filename=filename, sha256="ab" * 32)
    with pytest.raises(InputError) as caught:
        fetch(archive)
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in (filename, "ab" * 32, str(archive.path), "network"))
    assert not archive.path.exists()


@pytest.mark.parametrize("filename", KINDS)
def test_members_of_every_kind_of_archive(filename, cached):
    archive = cached(filename, MEMBERS)
    assert read(archive, "pkg/data/deep/b.txt") == b"beta" * 500
    assert read_all(archive, "pkg/data/") == {"a.txt": b"alpha", "deep/b.txt": b"beta" * 500}
    folder = extract(archive, "pkg/data/")
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == {"a.txt", "deep/b.txt"}
    assert (folder / "deep" / "b.txt").read_bytes() == b"beta" * 500


def test_a_member_of_a_tar_file_within(cached, pack):
    archive = cached("pkg-1.0.tar.gz", {"pkg-1.0/inner.tar.gz": pack("inner.tar.gz", {"in/x.txt": b"deep"})})
    assert read_tar(read(archive, "pkg-1.0/inner.tar.gz"), "in/x.txt") == b"deep"
    with pytest.raises(InputError, match=r"in/y\.txt"):
        read_tar(read(archive, "pkg-1.0/inner.tar.gz"), "in/y.txt")


@pytest.mark.parametrize("call", [read, read_all, extract])
@pytest.mark.parametrize("filename", KINDS)
def test_what_is_not_in_the_archive_is_named(call, filename, cached, empty_cache):
    with pytest.raises(InputError, match=f"{filename}.*absent"):
        call(cached(filename, MEMBERS), "absent/")
    assert list((empty_cache / "extracted").glob("[!.]*")) == []


def test_once_extracted_the_archive_is_not_read_again(cached):
    archive = cached(KINDS[0], MEMBERS)
    folder = extract(archive, "pkg/data/")
    archive.path.unlink()
    assert extract(archive, "pkg/data/") == folder
    assert (folder / "a.txt").read_bytes() == b"alpha"


def test_a_cached_file_with_another_hash_is_refused(cached):
    archive = cached(KINDS[0], MEMBERS)
    fetch(archive)
    archive.path.write_bytes(b"something else")
    os.utime(archive.path, ns=(1, 1))
    with pytest.raises(InputError) as caught:
        fetch(archive)
    assert archive.sha256 in str(caught.value)
    assert hashlib.sha256(b"something else").hexdigest() in str(caught.value)
    assert str(archive.path) in str(caught.value)


def _spliced_gzip(pack):
    """A tar.gz in two gzip streams, the first with a wrong checksum."""
    tar = gzip.decompress(pack("x.tar.gz", {"pkg/z.bin": NOISE}))
    first = bytearray(gzip.compress(tar[:2000]))
    first[-8] ^= 0xFF
    return bytes(first) + gzip.compress(tar[2000:])


DAMAGES = {
    "zip cut short": (KINDS[0], lambda whole, _: whole[:-2000]),
    "zip of a wrong checksum": (KINDS[0], lambda whole, _: whole.replace(NOISE[:9], NOISE[1:10])),
    "no zip": (KINDS[0], lambda *_: NOISE),
    "gzip cut short": (KINDS[1], lambda whole, _: whole[:-2000]),
    "gzip of a wrong checksum": (KINDS[1], lambda _, pack: _spliced_gzip(pack)),
    "no gzip": (KINDS[1], lambda *_: NOISE),
    "deb cut short": (KINDS[2], lambda whole, _: whole[:-2000]),
    "deb cut in a header": (KINDS[2], lambda whole, _: whole[: 8 + 60 + 4 + 30]),
    "deb of one member": (KINDS[2], lambda whole, _: whole[: 8 + 60 + 4]),
    "no deb": (KINDS[2], lambda *_: NOISE),
}
CALLS = {
    "read": partial(read, member="pkg/z.bin"),
    "read_all": partial(read_all, prefix="pkg/"),
    "extract": partial(extract, prefix="pkg/"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("call", CALLS)
def test_a_damaged_archive_of_the_right_hash_is_reported(call, damage, cached, pack, empty_cache):
    filename, make = DAMAGES[damage]
    archive = cached(filename, make(pack(filename, {"pkg/z.bin": NOISE}), pack))
    with pytest.raises(InputError, match="damaged archive") as caught:
        CALLS[call](archive)
    assert str(archive.path) in str(caught.value)
    assert list((empty_cache / "extracted").glob("[!.]*")) == []


LEAVING = ("../evil.txt", "pkg/../../evil.txt", "pkg\\evil.txt", "/tmp/evil.txt")


@pytest.mark.parametrize(
    ("filename", "name"),  # names in a Debian package begin with ./ here, and so are never absolute
    [(kind, name) for kind in KINDS for name in LEAVING[: 3 if kind.endswith(".deb") else 4]],
)
def test_a_member_that_leaves_its_folder_is_refused(filename, name, cached, empty_cache, pack):
    archive = cached(filename, {"pkg/a.txt": b"alpha", name: b"evil"})
    with pytest.raises(InputError, match="refused"):
        extract(archive, "pkg/")
    assert [p for p in empty_cache.parent.rglob("*") if p.name in ("evil.txt", "a.txt", "pkg\\evil.txt")] == []


def test_links_in_a_tar_file_are_passed_over(cached):
    links = {}
    for name, kind in (("pkg/soft", tarfile.SYMTYPE), ("pkg/hard", tarfile.LNKTYPE)):
        links[name] = tarfile.TarInfo(name)
        links[name].type, links[name].linkname = kind, "/etc/hostname"
    archive = cached("pkg-1.0.tar.gz", {**links, "pkg/a.txt": b"alpha"})
    assert [p.name for p in extract(archive, "pkg/").iterdir()] == ["a.txt"]
    assert read_all(archive, "pkg/") == {"a.txt": b"alpha"}


def test_a_cache_that_cannot_be_written_is_named(cached, empty_cache, monkeypatch):
    archive = cached(KINDS[0], MEMBERS)

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system", str(empty_cache))

    for module in (archives, files):
        monkeypatch.setattr(module, "temporary_folder", refuse)
    with pytest.raises(InputError, match=f"cannot write {empty_cache}.*Read-only file system"):
        extract(archive, "pkg/data/")
    archive.path.unlink()
    with pytest.raises(InputError, match=f"cannot write {archive.path}.*Read-only file system"):
        fetch(archive)


def test_a_file_in_the_place_of_the_cache_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("ESSPARSE_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match=f"cannot write {tmp_path / 'file'}"):
        fetch(Archive(package="pkg", filename=KINDS[0], sha256="0" * 64))


def test_an_archive_put_into_a_cache_that_cannot_be_written_is_used(cached, monkeypatch):
    archive = cached(KINDS[0], MEMBERS)
    monkeypatch.setattr(archives, "locked", lambda *_: pytest.fail("nothing is to be written"))
    assert read(archive, "pkg/data/a.txt") == b"alpha"


def test_debian_data_begins_at_an_even_offset(pack):
    raw = pack(KINDS[2], MEMBERS)
    at = raw.index(b"data.tar.xz")
    assert at % 2 == 0  # else the kinds above would prove nothing about padding
    with tarfile.open(fileobj=io.BytesIO(raw[at + 60 :])) as data:
        assert data.getnames()[0] == "./pkg/data/a.txt"


def test_a_large_file_is_joined_from_the_pieces_in_several_packages(empty_cache, pack):
    whole = pack("big.zip", MEMBERS)
    pieces = [whole[:100], whole[100:150], whole[150:]]
    parts = []
    for number, piece in enumerate(pieces, start=1):
        name = f"pkg_{number}-1.0-py3-none-any.whl"
        data = pack(name, {"pkg/__init__.py": b"", f"pkg/input/big.zip.{number:03}": piece})
        parts.append(Archive(package=f"pkg-{number}", filename=name, sha256=hashlib.sha256(data).hexdigest()))
        parts[-1].path.parent.mkdir(parents=True, exist_ok=True)
        parts[-1].path.write_bytes(data)
    archive = Archive(package="pkg-1", filename="big.zip", sha256=hashlib.sha256(whole).hexdigest(), parts=tuple(parts))
    assert read(archive, "pkg/data/a.txt") == b"alpha"
    assert archive.path.read_bytes() == whole
    assert not any(part.path.exists() for part in parts)  # the same bytes need not lie there twice
    wrong = Archive(package="pkg-1", filename="big.zip", sha256="0" * 64, parts=tuple(parts))
    archive.path.unlink()
    with pytest.raises(InputError, match="pkg_1-1.0"):
        read(wrong, "pkg/data/a.txt")
