"""Every test runs offline, with caches of its own; here too is what several files need: archives, folders, the book."""

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

# Set before anything is imported: the hub's client reads its variables at import. Workers of pytest-xdist inherit
# them, and so share one cache.
_OWNER = "ESSPARSE_TEST_HOME" not in os.environ
if _OWNER:
    os.environ["ESSPARSE_TEST_HOME"] = tempfile.mkdtemp(prefix="essparse-tests-")
    os.environ["ESSPARSE_TEST_REAL_CACHE"] = os.environ.get("ESSPARSE_CACHE", "")
    os.environ["ESSPARSE_TEST_REAL_MIRROR"] = os.environ.get("ESSPARSE_MIRROR", "")
_HOME = Path(os.environ["ESSPARSE_TEST_HOME"])
_ROOT = Path(__file__).parents[1]
os.environ.update(ESSPARSE_CACHE=str(_HOME / "cache"), HF_HOME=str(_HOME / "huggingface"), HF_HUB_OFFLINE="1")
# Tests run side by side, on cores that they share. A thread that waits for another must sleep: by default it spins, and
# a training on two threads then takes fifty times as long as on one. Runs set their number of threads themselves.
os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE")
# Each test trains what it speaks of: no dense weights are taken from another one's.
os.environ["ESSPARSE_DENSE_GB"] = "0"
for _name in ("ESSPARSE_MIRROR", "ESSPARSE_RESULTS", "HF_HUB_CACHE", "HF_DATASETS_CACHE"):
    os.environ.pop(_name, None)

import hypothesis  # noqa: E402
import pytest  # noqa: E402
from listening import Watch  # noqa: E402

# A busy machine is no failure, and what passes here passes elsewhere: ``--hypothesis-profile search`` looks further.
hypothesis.settings.register_profile("tests", deadline=None, database=None, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None, database=None)
hypothesis.settings.load_profile("tests")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    """Mark tests that need the built book or a Chromium, by their fixtures; let those that take longest come first."""
    for item in items:
        if {"built", "browser"} & set(item.fixturenames):
            item.add_marker("browser")
    items.sort(key=lambda item: not {"browser", "notebook"} & {mark.name for mark in item.iter_markers()})


def pytest_unconfigure():
    if _OWNER:
        shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def nothing_reachable():
    """Let nothing that tests start listen on an address that other machines reach."""
    watch = Watch()
    watch.start()
    yield
    assert not watch.end(), f"reachable from other machines: {watch.reachable}"


@pytest.fixture(autouse=True)
def accelerate_as_it_was():
    """Leave accelerate's state of the process, such as its precision, to a test as an earlier one found it."""
    from accelerate.state import AcceleratorState, GradientState, PartialState

    states = [each._shared_state for each in (AcceleratorState, GradientState, PartialState)]
    before = [dict(state) for state in states]
    yield
    for state, entries in zip(states, before, strict=True):
        state.clear()
        state.update(entries)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """Give this test an empty cache of its own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("ESSPARSE_CACHE", str(folder))
    return folder


@pytest.fixture
def real_cache():
    """Return the cache that is used outside of tests: to read what is in it, never to fetch."""
    import platformdirs

    return Path(os.environ["ESSPARSE_TEST_REAL_CACHE"] or platformdirs.user_cache_dir("essparse"))


@pytest.fixture
def real_mirror(monkeypatch):
    """Use the mirror that is used outside of tests for this one; skip it where there is none."""
    folder = os.environ["ESSPARSE_TEST_REAL_MIRROR"]
    if not folder:
        pytest.skip("no mirror of the hub is there")
    monkeypatch.setenv("ESSPARSE_MIRROR", folder)


@pytest.fixture
def fresh_models():
    """Models are looked for anew in this test, and after it."""
    from essparse_lib.models import loading

    loading.forget()
    yield loading
    loading.forget()


@pytest.fixture(scope="session")
def built():
    """The folder of the built book's pages: built once, by whichever worker of pytest-xdist comes first."""
    from essparse_lib import files
    from essparse_lib.book.build import build as build_book

    def build(folder):
        before = _digest(_ROOT)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(_ROOT)
            build_book(folder)
        assert _digest(_ROOT) == before, "building changed the checkout"

    return files.built(_HOME / "book", build) / "html"


@pytest.fixture(scope="session")
def pages(built):
    """The names of the book's pages, such as ``notebooks/fig2``: those of _toc.yml, the landing page first."""
    from sphinx_external_toc.parsing import parse_toc_yaml

    contents = parse_toc_yaml(_ROOT / "_toc.yml")
    return [contents.root.docname, *sorted(set(contents) - {contents.root.docname})]


@pytest.fixture(scope="module")
def browser():
    """A Chromium. For one module at a time: while it is there, nothing else in its process may run an event loop."""
    paths = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    executable = next(filter(None, paths), None)
    if executable is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        yield window
        window.close()


def _digest(root):
    """A hash of all sources of the book."""
    files = sorted(p for name in ("book", "notebooks") for p in (root / name).rglob("*") if p.is_file())
    kept = [p for p in files if "__pycache__" not in p.parts]
    return hashlib.sha256(b"".join(str(p).encode() + p.read_bytes() for p in kept)).hexdigest()


@pytest.fixture
def pack():
    """``pack(filename, members)``: the bytes of an archive of the kind that the filename's ending says."""
    return _pack


@pytest.fixture
def cached(empty_cache):
    """``cached(filename, members or bytes)``: an archive that lies in the cache already."""
    from essparse_lib.sources.archives import Archive

    def put(filename, content):
        data = content if isinstance(content, bytes) else _pack(filename, content)
        archive = Archive(package="a-package", filename=filename, sha256=hashlib.sha256(data).hexdigest())
        archive.path.parent.mkdir(parents=True, exist_ok=True)
        archive.path.write_bytes(data)
        return archive

    return put


def _pack(filename, members):
    """Members are bytes by name; in a tar file also TarInfo by name, for links."""
    buffer = io.BytesIO()
    if filename.endswith((".whl", ".zip")):
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    elif filename.endswith(".deb"):
        return b"!<arch>\n" + b"".join(
            _ar_member(name, data)
            for name, data in (
                ("debian-binary", b"2.0\n"),
                ("control.tar.xz", b"odd"),  # of odd size: the next member begins one byte later
                ("data.tar.xz", _pack("data.tar.xz", {f"./{n}": d for n, d in members.items()})),
            )
        )
    else:
        with tarfile.open(fileobj=buffer, mode="w:xz" if filename.endswith(".xz") else "w:gz") as archive:
            for name, data in members.items():
                if isinstance(data, tarfile.TarInfo):
                    archive.addfile(data)
                else:
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _ar_member(name, data):
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
    return header + data + b"\n" * (len(data) % 2)
