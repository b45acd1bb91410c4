"""Package archives: fetched by name and hash, members taken out with path checks, every refusal one clear line."""

import gzip
import hashlib
import io
import itertools
import os
import random
import socket
import struct
import tarfile
import threading
import time
import zipfile
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from essparse_lib import files
from essparse_lib.errors import InputError, shown
from essparse_lib.sources import archives, downloads, streams
from essparse_lib.sources.archives import Archive, extract, fetch, read, read_all

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
    with pytest.raises(InputError, match="another file.*sha256 " + "0" * 64):
        fetch(archive)
    assert not archive.path.exists()


class _Hostile(BaseHTTPRequestHandler):
    """A package index whose page lists one file; what ``answers`` has for a path comes instead."""

    answers: ClassVar = {}

    def do_GET(self):
        page = f'<a href="/files/{KINDS[0]}">{KINDS[0]}</a>'.encode()
        status, headers, body = self.answers.get(self.path, (200, {}, [page]))
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            for piece in body:
                self.wfile.write(piece)
        except OSError:  # the other side has had enough
            pass

    def log_message(self, *_):
        pass


def _trickle():
    while True:
        time.sleep(0.1)
        yield b"x"


PAGE, FILE, ELSEWHERE = "/simple/pkg/", f"/files/{KINDS[0]}", "http://192.0.2.1/file"
HOSTILE = {
    "a page without end": ({PAGE: (200, {}, itertools.repeat(b"x" * 2**16))}, "sends more than 524,288 bytes"),
    "a page of nothing": ({PAGE: (200, {}, [b"\x00\xff" * 999])}, "does not list it"),
    "a page of 40,000 tags": ({PAGE: (200, {}, [b"<a><div>" * 40_000])}, "does not list it"),
    "a page that is not there": ({PAGE: (500, {}, [b"no"])}, "500 Server Error"),
    "a page that comes too slowly": ({PAGE: (200, {}, _trickle())}, "too slowly"),
    "a page that redirects to itself": ({PAGE: (302, {"Location": PAGE}, [])}, "redirects"),
    "a redirection without end": ({PAGE: (302, {"Location": "/else"}, itertools.repeat(b"x" * 2**16))}, "another file"),
    "a page that is packed": ({PAGE: (200, {"Content-Encoding": "gzip"}, [gzip.compress(b"x")])}, "not list it"),
    "a file without end": ({FILE: (200, {}, itertools.repeat(b"x" * 2**16))}, "sends more than 1,048,576 bytes"),
    "a file of another size": ({FILE: (200, {"Content-Length": "99"}, [b"x"])}, "breaks off"),
    "HTML in a file's place": ({FILE: (200, {"Content-Type": "text/html"}, [b"<html>"])}, "another file, of sha256"),
    "a file on the disk": ({FILE: (302, {"Location": "file:///etc/hostname"}, [])}, "No connection adapters"),
    "a file that comes in the clear": ({FILE: (302, {"Location": ELSEWHERE}, [])}, "not reached by https"),
    "a link to the disk": ({PAGE: (200, {}, [f'<a href="file:///etc/{KINDS[0]}">{KINDS[0]}</a>'.encode()])}, "No conn"),
    "a link in the clear": ({PAGE: (200, {}, [f'<a href="{ELSEWHERE}">{KINDS[0]}</a>'.encode()])}, "by https"),
    "a link to nowhere": ({PAGE: (200, {}, [f'<a href="http://[">{KINDS[0]}</a>'.encode()])}, "Invalid"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_what_a_hostile_index_sends_is_refused_and_not_kept(what, serve, monkeypatch, empty_cache):
    answers, cause = HOSTILE[what]
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Hostile,), {"answers": answers}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setattr(downloads, "_indexes", lambda: [f"http://127.0.0.1:{server.server_port}/simple/"])
    if "slowly" in what:
        monkeypatch.setattr(downloads, "_SECONDS", 1)
    archive = Archive(package="pkg", filename=KINDS[0], sha256="0" * 64, size=2**20)
    try:
        _refused(lambda: fetch(archive), f"cannot fetch {KINDS[0]}", cause, "0" * 64, str(archive.path))
    finally:
        server.shutdown()
        server.server_close()
    assert [entry.name for entry in archive.path.parent.iterdir()] == [f".{KINDS[0]}.lock"]


def test_an_index_that_is_not_reached_by_tls_is_not_asked(serve, monkeypatch):
    monkeypatch.setattr(downloads, "_indexes", lambda: ["http://somebody:secret@192.0.2.1/simple/"])
    line = _refused(lambda: fetch(Archive(package="pkg", filename=KINDS[0], sha256="0" * 64)), "not reached by https")
    assert "secret" not in line


def test_an_index_that_never_answers_is_given_up(serve, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections, and says nothing
        monkeypatch.setattr(downloads, "_indexes", lambda: [f"http://127.0.0.1:{server.getsockname()[1]}/simple/"])
        monkeypatch.setattr(downloads, "_SECONDS", 0.5)
        _refused(lambda: fetch(Archive(package="pkg", filename=KINDS[0], sha256="0" * 64)), "cannot fetch")


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
    assert read(archive, "pkg-1.0/inner.tar.gz", inner="in/x.txt") == b"deep"
    with pytest.raises(InputError, match=r"inner\.tar\.gz: in/y\.txt"):
        read(archive, "pkg-1.0/inner.tar.gz", inner="in/y.txt")


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


def _refused(call, *parts):
    """Give the line with which a call is refused; it names all parts."""
    with pytest.raises(InputError) as caught:
        call()
    line = str(caught.value)
    assert "\n" not in line
    assert all(part in line for part in parts), line
    return line


def _within(header, start, value):
    return header[:start] + value + header[start + len(value) :]


def _tar(*members, end=bytes(1024)):
    """A tar file of (header's fields, content); ``raw`` are bytes of the header by their place."""
    out = b""
    for fields, content in members:
        info = tarfile.TarInfo(fields.get("name", "pkg/a.txt"))
        info.size, info.type = fields.get("size", len(content)), fields.get("type", tarfile.REGTYPE)
        header = info.tobuf(tarfile.USTAR_FORMAT)
        for start, value in fields.get("raw", {}).items():
            header = _within(header, start, value)
        header = _within(header, 148, b" " * 8)
        out += _within(header, 148, b"%06o\0 " % sum(header)) + content + bytes(-len(content) % 512)
    return out + end


def _deb(size=b"0", name=b"data.tar", data=b""):
    return b"!<arch>\n" + name.ljust(48) + size.ljust(10) + b"`\n" + data


def _zip_with(place, value, record=b"PK\x01\x02"):
    """A function that gives a zip file with other bytes at a place of its first record of a kind."""
    return lambda pack: (
        (whole := pack(KINDS[0], {"pkg/a.txt": b"alpha"})) and _within(whole, whole.index(record) + place, value)
    )


A_TAR, A_DEB, A_WHEEL = "a.tar.gz", "a_1_all.deb", "a.whl"
NEVER_READ = {
    "encrypted": (A_WHEEL, _zip_with(8, b"\x01\x00"), "'pkg/a.txt', is encrypted"),
    "of an unknown compression": (A_WHEEL, _zip_with(10, b"\x61\x00"), "'pkg/a.txt', has compression 97"),
    "a link in a zip": (A_WHEEL, _zip_with(38, struct.pack("<I", 0o120777 << 16)), "'pkg/a.txt', is a link"),
    "a list of four gigabytes": (A_WHEEL, _zip_with(12, b"\xf0\xff\xff\xff", b"PK\x05\x06"), "damaged"),
    "without a name in a zip": (A_WHEEL, lambda pack: pack(A_WHEEL, {".": b"x"}), "no name"),
    "cut at a zero byte": (A_WHEEL, _zip_with(50, b"\x00"), "'pkg/\\x00.txt', has a name of characters"),
    "without a name": (A_TAR, lambda _: _tar(({"name": ""}, b"x")), "no name"),
    "of a negative size": (A_TAR, lambda _: _tar(({"raw": {124: b"\xff" * 12}}, b"")), "a size of -1"),
    "of a size in letters": (A_TAR, lambda _: _tar(({"raw": {124: b"abcdefghijk"}}, b"")), "damaged"),
    "larger than the file": (A_TAR, lambda _: _tar(({"size": 8**11 - 1}, b"x")), "bytes too early"),
    "a header in the middle that is none": (A_TAR, lambda _: _tar(({}, b"x"), end=b"x" * 1024), "damaged"),
    "no end": (A_TAR, lambda _: _tar(({}, b"x"), end=b""), "ends too early"),
    "sparse": (A_TAR, lambda _: _tar(({"type": tarfile.GNUTYPE_SPARSE}, b"")), "sparse"),
    "sparse in a record": (A_TAR, lambda _: _tar(({"type": b"x"}, b"22 GNU.sparse.major=1\n"), ({}, b"")), "sparse"),
    "of a negative size in a record": (A_TAR, lambda _: _tar(({"type": b"x"}, b"11 size=-9\n"), ({}, b"")), "of -9"),
    "named by a record of eight gigabytes": (A_TAR, lambda _: _tar(({"type": b"x", "size": 8**11 - 1}, b"")), "a size"),
    "leaving by a record": (A_TAR, lambda _: _tar(({"type": b"x"}, b"13 path=../x\n"), ({}, b"")), "leave its folder"),
    "damaged by a record": (A_TAR, lambda _: _tar(({"type": b"x"}, b"99 path=pkg/x\n"), ({}, b"")), "a record"),
    "a deb of letters": (A_DEB, lambda _: _deb(b"abc"), "not an ar header"),
    "a deb of a negative size": (A_DEB, lambda _: _deb(b"-60", b"control.tar"), "not an ar header"),
    "a deb of zstd": (A_DEB, lambda _: _deb(b"9", data=b"\x28\xb5\x2f\xfdxxxxx"), "zstd"),
    "a deb of unknown data": (A_DEB, lambda _: _deb(b"600", data=b"?" * 600), "damaged"),
}  # fmt: skip


@pytest.mark.parametrize("what", NEVER_READ)
def test_a_hostile_archive_is_refused_by_file_and_member(what, cached, pack, empty_cache):
    filename, make, cause = NEVER_READ[what]
    archive = cached(filename, make(pack))
    for call in (read_all, extract):
        _refused(lambda call=call: call(archive, "pkg/"), str(archive.path), cause)
    assert list((empty_cache / "extracted").glob("[!.]*")) == []


CLASHES = {
    "file and folder": ("pkg/x", "pkg/x/y"),
    "folder and file": ("pkg/x/y", "pkg/x"),
    "the same": ("pkg/x", "pkg/x"),
    "the same in other words": ("pkg/x", "pkg/./x"),
    "case": ("pkg/Name", "pkg/name"),
    "a folder's case": ("pkg/A/x", "pkg/a/y"),
    "Unicode form": ("pkg/\u00e9", "pkg/e\u0301"),
}


@pytest.mark.parametrize("clash", CLASHES)
@pytest.mark.parametrize("filename", [A_TAR, A_WHEEL])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_that_would_overwrite_each_other_are_refused(filename, clash, cached, empty_cache):
    buffer = io.BytesIO()
    if filename == A_WHEEL:
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in CLASHES[clash]:
                archive.writestr(name, b"x")
    else:
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name in CLASHES[clash]:
                archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    archive = cached(filename, buffer.getvalue())
    _refused(lambda: extract(archive, "pkg/"), filename, shown(CLASHES[clash][1]))
    assert list((empty_cache / "extracted").glob("[!.]*")) == []


@pytest.mark.parametrize("name", ["x" * 256, "\u00e9" * 128, "/".join(["x"] * 40), "/".join(["y" * 200] * 6), "a\nb"])
@pytest.mark.parametrize("filename", KINDS)
def test_a_name_that_fits_no_file_system_is_refused(filename, name, cached, empty_cache):
    archive = cached(filename, {f"pkg/{name}": b"x"})
    _refused(lambda: extract(archive, "pkg/"), filename, "name")
    assert list((empty_cache / "extracted").glob("[!.]*")) == []


@pytest.mark.parametrize("filename", [*KINDS, "a.tar.xz"])
def test_more_than_an_archive_should_unpack_to_is_refused_while_it_is_read(filename, cached, pack, empty_cache):
    whole = replace(cached(filename, {"pkg/zeros": bytes(3 * 2**20)}), unpacked=2**22)
    assert len(read(whole, "pkg/zeros")) == 3 * 2**20  # as much as it may
    bomb = replace(whole, unpacked=2**20)
    for call in (partial(read, bomb, "pkg/zeros"), partial(read_all, bomb, "pkg/"), partial(extract, bomb, "pkg/")):
        _refused(call, filename, "'pkg/zeros'" if filename != KINDS[2] else "zeros", "more than the 1,048,576 bytes")
    assert list((empty_cache / "extracted").glob("[!.]*")) == []


def test_what_is_within_members_counts_too(cached, pack):
    members = {
        "pkg/in.tar.gz": pack("in.tar.gz", {"in/zeros": bytes(2**20)}),
        "pkg/zeros.gz": gzip.compress(bytes(2**20)),
        "pkg/zeros-2.gz": gzip.compress(bytes(2**20)),
    }
    whole = cached(KINDS[0], members)
    assert read(whole, "pkg/zeros.gz", gunzip=True) == bytes(2**20)
    assert read_all(whole, "pkg/zeros", gunzip=True) == {".gz": bytes(2**20), "-2.gz": bytes(2**20)}
    less = replace(whole, unpacked=2**20)
    _refused(lambda: read(less, "pkg/in.tar.gz", inner="in/zeros"), "pkg/in.tar.gz: in/zeros", "more than")
    _refused(lambda: read(less, "pkg/zeros.gz", gunzip=True), "pkg/zeros.gz", "more than")
    _refused(lambda: read_all(replace(whole, unpacked=2**21), "pkg/zeros", gunzip=True), "zeros-2.gz", "more than")


@pytest.mark.parametrize("content", [NOISE, b"", b"\x1f\x8b\x08\x00", bytes(100)])
def test_a_member_that_is_no_tar_or_gzip_file_is_named(content, cached):
    archive = cached(KINDS[1], {"pkg/in.gz": content})
    _refused(lambda: read(archive, "pkg/in.gz", inner="x"), KINDS[1], "pkg/in.gz")
    if content:  # an empty gzip file is what Python takes nothing at all for
        _refused(lambda: read(archive, "pkg/in.gz", gunzip=True), KINDS[1], "pkg/in.gz")


def test_too_many_members_are_refused(cached, monkeypatch):
    monkeypatch.setattr(streams, "_MOST_MEMBERS", 2)
    for filename in KINDS:
        _refused(lambda: read(cached(filename, MEMBERS), "absent"), filename, "more than 2")  # noqa: B023


def _no_file(kind, path):
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "link to nothing":
        path.symlink_to(path.with_name("nothing"))
    elif kind == "unreadable device":
        path.symlink_to("/proc/self/mem")
    else:
        with path.open("wb") as file:
            file.truncate(2**40)  # takes no space, and hours to read


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop", "link to nothing", "unreadable device", "terabyte"])
def test_what_lies_in_an_archives_place_and_is_no_archive_is_named(kind, cached):
    archive = cached(KINDS[0], MEMBERS)
    _no_file(kind, archive.path)
    for call in (lambda: read(archive, "pkg/data/a.txt"), lambda: extract(archive, "pkg/")):
        _refused(call, str(archive.path), "delete it and run again")


def test_an_archive_that_goes_while_it_is_read_is_named(cached, monkeypatch):
    archive = cached(KINDS[0], MEMBERS)
    path = fetch(archive)
    monkeypatch.setattr(archives, "fetch", lambda _: path.unlink(missing_ok=True) or path)
    _refused(lambda: read(archive, "pkg/data/a.txt"), str(path), "No such file")


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


def _tar_member(name, kind, **attributes):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/hostname"
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE, b"?"])
def test_links_and_devices_are_passed_over_but_never_taken_for_files(kind, cached, empty_cache):
    members = {"other/first": _tar_member("other/first", kind), "pkg/a.txt": b"alpha"}
    assert read_all(cached("pkg-1.0.tar.gz", members), "pkg/") == {"a.txt": b"alpha"}
    archive = cached("pkg-1.0.tar.gz", members | {"pkg/link": _tar_member("pkg/link", kind)})
    for call in (read_all, extract):
        with pytest.raises(InputError, match=r"pkg-1\.0\.tar\.gz, member 'pkg/link', is a link, a device"):
            call(archive, "pkg/")
    assert list((empty_cache / "extracted").glob("[!.]*")) == []


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
    with pytest.raises(InputError, match=f"ESSPARSE_CACHE names {tmp_path / 'file'}"):
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


def test_every_archive_that_is_named_states_its_sizes():
    from essparse_lib.corpora import packaged as corpora
    from essparse_lib.models.catalogue import MODELS
    from essparse_lib.tasks import bigbench, packaged, vision

    named = [each for module in (bigbench, corpora, packaged, vision) for each in vars(module).values()]
    named += [model.archive[0] for model in MODELS.values() if model.archive]
    named += [part for each in named if isinstance(each, Archive) for part in each.parts]
    stated = {each.filename: (each.size, each.unpacked) for each in named if isinstance(each, Archive)}
    assert len(stated) >= 17
    general = Archive(package="", filename="", sha256="")
    assert [name for name, sizes in stated.items() if general.size in sizes] == []
