"""The built book, as a reader has it: from a folder on disk, without a network and without a kernel."""

import hashlib
import html.parser
import json
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from essparse_lib import book
from essparse_lib.errors import InputError

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(p.stem for p in (ROOT / "notebooks").glob("*.ipynb"))
PAGES = [f"notebooks/{name}" for name in NOTEBOOKS] + [
    f"book/{name}" for name in ("index", "methods", "reproduce", "references")
]


def digest(folder):
    """A hash of all sources of the book."""
    files = sorted(p for name in ("book", "notebooks") for p in (folder / name).rglob("*") if p.is_file())
    kept = [p for p in files if "__pycache__" not in p.parts]
    return hashlib.sha256(b"".join(str(p).encode() + p.read_bytes() for p in kept)).hexdigest()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the built pages, and the one that was built into."""
    out = tmp_path_factory.mktemp("out")
    before = digest(ROOT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        index = book.build(out)
    assert digest(ROOT) == before, "building changed the checkout"
    return index.parent, out


class Page(html.parser.HTMLParser):
    """The links, sources, anchors and images of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors, self.images = [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.links += [named[key] for key in ("href", "src") if named.get(key) and tag != "base"]
        self.anchors |= {named[key] for key in ("id", "name") if named.get(key)}
        if tag == "img":
            self.images.append(named)


def test_every_page_is_there(built):
    folder, _ = built
    for page in PAGES:
        assert (folder / f"{page}.html").exists(), page
    assert "book/index.html" in (folder / "index.html").read_text()


def test_links_images_and_anchors_resolve(built):
    folder, _ = built
    parsed = {path: Page(path) for path in folder.rglob("*.html") if "_static" not in path.parts}
    for path, page in parsed.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.relative_to(folder)} links to {link}"
            if parts.fragment and target in parsed:
                assert unquote(parts.fragment) in parsed[target].anchors | {"top"}, f"{path.name}: {link}"


def test_pictures_have_words_for_those_who_do_not_see_them(built):
    folder, _ = built
    for page in PAGES:
        for image in Page(folder / f"{page}.html").images:
            assert image.get("alt", "").strip() not in ("", "image"), f"{page}: {image}"


def test_pages_show_results_and_no_machinery(built):
    folder, _ = built
    landing = (folder / "book/index.html").read_text(encoding="utf-8")
    assert any(outcome in landing for outcome in ("agrees", "differs", "inconclusive", "not tested at this scale"))
    for page in PAGES:
        text = (folder / f"{page}.html").read_text(encoding="utf-8")
        assert str(ROOT) not in text and "Parameters</span>" not in text and "Traceback" not in text, page


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_colab_opens_the_committed_notebook(built, name):
    folder, _ = built
    repository = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]
    path = f"{repository['url'].removeprefix('https://')}/blob/{repository['branch']}/notebooks/{name}.ipynb"
    links = Page(folder / f"notebooks/{name}.html").links
    assert f"https://colab.research.google.com/{path.replace('.com', '', 1)}" in links


@pytest.fixture(scope="module")
def browser():
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    executable = next(filter(None, found), None)
    if executable is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        yield window
        window.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_open_from_disk_without_network_or_errors(built, browser, theme):
    folder, _ = built
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=theme)
    tab = context.new_page()
    troubles = []
    tab.on("console", lambda message: message.type in ("error", "warning") and troubles.append(message.text))
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.on("requestfailed", lambda request: troubles.append(f"failed: {request.url}"))
    tab.on("request", lambda r: r.url.startswith(("file:", "data:", "blob:")) or troubles.append(f"asks {r.url}"))
    for page in PAGES:
        tab.goto((folder / f"{page}.html").as_uri(), wait_until="load")
        tab.evaluate("() => window.MathJax?.startup?.promise")
        assert troubles == [], page
        width = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, f"{page} is {width} pixels too wide"
    context.close()


def test_mathematics_is_rendered(built, browser):
    folder, _ = built
    tab = browser.new_page()
    tab.goto((folder / "book/methods.html").as_uri())
    tab.wait_for_selector("mjx-container svg", timeout=20_000)
    assert tab.locator(".math").count() == tab.locator(".math mjx-container").count() > 0
    tab.close()


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A checkout with one page and no notebook; the current folder."""
    folder = tmp_path / "checkout"
    (folder / "notebooks").mkdir(parents=True)
    shutil.copyfile(ROOT / "_config.yml", folder / "_config.yml")
    shutil.copytree(ROOT / "book", folder / "book", ignore=shutil.ignore_patterns("*.md", "__pycache__"))
    (folder / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    (folder / "book/index.md").write_text("# A page\n")
    monkeypatch.chdir(folder)
    return folder


def notebook(*sources):
    cells = [
        {"cell_type": "code", "execution_count": None, "id": f"c{i}", "metadata": {}, "outputs": [], "source": source}
        for i, source in enumerate(sources)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})


def test_a_notebook_is_executed_again_only_if_something_changed(small, tmp_path, monkeypatch):
    records = tmp_path / "results/lab/a-model/a-task.jsonl"
    records.parent.mkdir(parents=True)
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    (small / "notebooks/one.ipynb").write_text(notebook("print('here')"))
    executed = book._executed(small, tmp_path / "kept")
    assert "here" in executed["one.ipynb"].read_text()
    monkeypatch.setattr(book, "_execute", lambda *_: "executed")
    assert book._executed(small, tmp_path / "kept") == executed
    records.write_text("a record\n")
    with pytest.raises(InputError, match="executed"):
        book._executed(small, tmp_path / "kept")
    records.unlink()
    (small / "notebooks/one.ipynb").write_text(notebook("print('there')"))
    with pytest.raises(InputError, match="executed"):
        book._executed(small, tmp_path / "kept")


def test_a_broken_notebook_is_one_clear_line(small, tmp_path):
    (small / "notebooks/broken.ipynb").write_text(notebook("1 / 0"))
    with pytest.raises(InputError, match=r"^notebook notebooks/broken\.ipynb fails: ZeroDivisionError.*$") as error:
        book.build(tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out/html").exists() and not list((tmp_path / "out").glob("stage-*"))


def test_a_warning_is_one_clear_line_and_leaves_the_last_book_alone(small, tmp_path):
    out = tmp_path / "out"
    (out / "html").mkdir(parents=True)
    (out / "html/index.html").write_text("the last one")
    (small / "book/index.md").write_text("# A page\n\n[a link](nowhere.md) and {cite:p}`nobody2020`\n")
    with pytest.raises(InputError, match=r"^the book has warnings: .*book/index\.md:3: WARNING.*nobody2020") as error:
        book.build(out)
    assert "nowhere.md" in str(error.value) and "\n" not in str(error.value)
    assert (out / "html/index.html").read_text() == "the last one"


def test_outside_a_checkout_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(book, "__file__", str(tmp_path / "site-packages/essparse_lib/book.py"))
    with pytest.raises(InputError, match="in no checkout of the companion.*clone the repository"):
        book.build(tmp_path / "out")


def test_an_output_folder_that_cannot_be_made_is_one_clear_line(small, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write .*file"):
        book.build(tmp_path / "file" / "out")
