"""Damaged and hostile archives: every reader reads them, or refuses them in one line."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import struct
import tarfile
import zipfile

import pytest
from fuzzing import ODD_VALUES, damaged_bytes, fuzzed, read_or_refused
from hypothesis import given
from hypothesis import strategies as st

from essparse_lib.errors import InputError
from essparse_lib.sources.archives import Archive, extract, read, read_all

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Duplicate name")]
examples = fuzzed()
MEMBERS = {"pkg/data/a.txt": b"alpha", "pkg/data/deep/b.txt": b"beta" * 500, "pkg/other.txt": b"no"}
COMPRESSIONS = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}
NAMES = [
    *("pkg/data/a.txt", "pkg/data/A.txt", "pkg/data", "pkg", "pkg/data/a.txt/x", "", ".", "/", "..", "pkg/../../x"),
    *("/tmp/evil", "pkg\\x", "C:x", "x" * 300, "x/" * 200, "pkg/\x00x", "pkg/\n", "pkg/\u00e9", "pkg/e\u0301", "-"),
]


def _tried(data, filename, number=[0]):  # noqa: B006 (a counter)
    """Put an archive into the cache and give it to every reader; nothing but what it should hold may come out."""
    number[0] += 1
    archive = Archive(
        package="a-package", filename=filename, sha256=hashlib.sha256(data).hexdigest(), size=2**20, unpacked=2**22
    )
    archive.path.parent.mkdir(parents=True, exist_ok=True)
    archive.path.write_bytes(data)
    os.utime(archive.path, ns=(number[0], number[0]))  # a hash is remembered by the time of modification
    read_or_refused(lambda: read(archive, "pkg/in.tar.gz", inner="pkg/data/a.txt"))
    read_or_refused(lambda: read_all(archive, "pkg/", gunzip=True))
    folder = read_or_refused(lambda: extract(archive, "pkg/"))
    extracted = archive.path.parents[1] / "extracted"
    assert {entry for entry in extracted.glob("*") if not entry.name.endswith((".lock", ".sha256"))} <= {folder}
    if not isinstance(folder, InputError):
        for top, folders, files in os.walk(folder, topdown=False):
            assert not any(os.path.islink(os.path.join(top, name)) for name in [*folders, *files])
            for name in files:
                os.unlink(os.path.join(top, name))
            os.rmdir(top)
    assert not (archive.path.parents[2] / "evil").exists()
    return folder


@pytest.mark.parametrize("filename", ["a.whl", "a.tar.gz", "a.tar.xz", "a.deb"])
def test_damaged_bytes_of_an_archive(filename, pack, empty_cache):
    whole = pack(filename, MEMBERS | {"pkg/in.tar.gz": pack("in.tar.gz", MEMBERS)})

    @examples
    @given(damaged_bytes(whole))
    def check(data):
        _tried(data, filename)

    check()


@pytest.mark.parametrize("place", ["tar within a compressed one", "tar within a member", "gzip within a member"])
def test_damaged_bytes_within_an_archive(place, pack, empty_cache):
    """The outer archive is whole, so that the damage reaches the inner reader."""
    tar = gzip.decompress(pack("a.tar.gz", MEMBERS))

    @examples
    @given(damaged_bytes(tar))
    def check(data):
        if place == "tar within a compressed one":
            _tried(gzip.compress(data, 1), "a.tar.gz")
        elif place == "tar within a member":
            _tried(pack("a.tar.gz", {"pkg/in.tar.gz": data}), "a.tar.gz")
        else:
            _tried(pack("a.whl", {"pkg/data/a.txt": gzip.compress(data)[: len(data)], "pkg/b.gz": data}), "a.whl")

    check()


@st.composite
def _tar(draw):
    """A tar file whose headers and lengths do not fit, with right checksums."""
    out = b""
    for _ in range(draw(st.integers(1, 4))):
        info = tarfile.TarInfo(draw(st.sampled_from(NAMES))[:100])
        info.type = draw(st.sampled_from([bytes([each]) for each in b"0000\x001234567SxxgLKXDVM?"]))
        content = draw(
            st.sampled_from([b"", b"alpha", b"x" * 600, b"30 mtime=1234567890.1234567890\n", b"15 size=-99999\n"])
            | st.sampled_from([b"23 path=pkg/../../evil\n", b"21 GNU.sparse.major=1\n", b"9" * 600, b"7 x=\xff\xfe\n"])
            | st.binary(max_size=20)
        )
        info.size = draw(st.sampled_from([len(content)] * 5 + [0, 1, 511, 512, 513, 2**20, 8**11 - 1]))
        header = bytearray(info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "replace"))
        field = draw(
            st.sampled_from([b""] * 5 + [b"abcdefghijk\0", b"-0000000001\0", b"\x80" + b"\xff" * 11, b"\xff" * 12])
        )
        header[124 : 124 + len(field)] = field
        for _ in range(draw(st.integers(0, 1))):
            header[draw(st.integers(0, 511))] = draw(st.integers(0, 255))
        if draw(st.integers(0, 9)):
            header[148:156] = b"        "
            header[148:156] = b"%06o\0 " % sum(header)
        out += bytes(header) + content + bytes(draw(st.sampled_from([-len(content) % 512] * 5 + [0, 1])))
    return out + bytes(draw(st.sampled_from([1024, 1024, 512, 0, 100])))


@examples
@given(_tar(), st.sampled_from(["", ".gz", ".xz", ".bz2"]))
def test_tar_files_of_odd_headers(empty_cache, data, compression):
    _tried(COMPRESSIONS[compression](data), "a.tar.gz")


@st.composite
def _deb(draw):
    """A Debian package whose members' headers do not fit."""
    tar = draw(st.sampled_from([b"", b"x" * 100]) | _tar())
    packed = draw(st.sampled_from([gzip.compress, lzma.compress, bytes, lambda data: b"\x28\xb5\x2f\xfd" + data]))(tar)
    out = draw(st.sampled_from([b"!<arch>\n"] * 9 + [b"!<thin>\n", b""]))
    for name, data in (("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), ("data.tar.xz", packed)):
        name = draw(st.sampled_from([name] * 9 + ["", "data.tar.zst", "x" * 30]))
        size = draw(st.sampled_from([str(len(data))] * 9 + ["-60", "-1", "abc", "", "9999999999", "1_0", "0", "+4"]))
        end = draw(st.sampled_from([b"`\n"] * 9 + [b"``", b""]))
        out += name.encode().ljust(48)[:48] + size.encode().ljust(10)[:10] + end + data + b"\n" * (len(data) % 2)
    return out


@examples
@given(_deb())
def test_debian_packages_of_odd_headers(empty_cache, data):
    _tried(data, "a.deb")


@st.composite
def _zip(draw):
    """A zip file whose members and records do not fit."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for _ in range(draw(st.integers(1, 4))):
            info = zipfile.ZipInfo("x")
            info.filename = info.orig_filename = draw(st.sampled_from(NAMES))
            info.compress_type = draw(st.sampled_from([0, 8, 8, 8, 12, 14]))
            info.external_attr = draw(st.sampled_from([0, 0o100644, 0o120777, 0o040755, 0o010644])) << 16
            archive.writestr(info, draw(st.sampled_from([b"", b"alpha", b"beta" * 500, b"\x1f\x8b\x08\x00"])))
    data = bytearray(buffer.getvalue())
    for _ in range(draw(st.integers(0, 3))):
        record = draw(st.sampled_from([b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"]))
        start = data.find(record)
        offset = start + draw(st.integers(4, 45))
        kind = draw(st.sampled_from(["<B", "<H", "<I"]))
        most = 256 ** struct.calcsize(kind) - 1
        value = draw(st.sampled_from([0, 1, 9, 99, most, most - 1]) | st.integers(0, most))
        if start >= 0 and offset + 4 <= len(data):
            struct.pack_into(kind, data, offset, min(value, most))
    return bytes(data)


@examples
@given(_zip())
def test_zip_files_of_odd_records(empty_cache, data):
    _tried(data, "a.whl")


@examples
@given(st.sampled_from([each for each in ODD_VALUES if isinstance(each, str)] + NAMES) | st.text(max_size=30))
def test_odd_names(empty_cache, pack, name):
    info = tarfile.TarInfo("x")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for each in ("pkg/a.txt", f"pkg/{name}"):
            info.name = each.encode(errors="surrogatepass").decode(errors="surrogateescape")
            archive.addfile(info, io.BytesIO())
    _tried(buffer.getvalue(), "a.tar.gz")
