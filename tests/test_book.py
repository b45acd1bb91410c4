"""How the book is built, and what its files hold; test_browser.py opens them."""

import html.parser
import json
import os
import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from helpers import write_checkout

from essparse_lib import figures
from essparse_lib.book import build
from essparse_lib.claims.verdict import Outcome
from essparse_lib.errors import InputError

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(p.stem for p in (ROOT / "notebooks").glob("*.ipynb"))


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


def test_every_page_is_there(built, pages):
    made = {
        str(path.relative_to(built).with_suffix(""))
        for name in ("book", "notebooks")
        for path in (built / name).rglob("*.html")
    }
    assert made == set(pages)
    assert {f"notebooks/{name}" for name in NOTEBOOKS} <= set(pages), "a notebook is not in _toc.yml"
    assert "book/index.html" in (built / "index.html").read_text()


def test_pages_take_nothing_from_other_hosts(built):
    loaded = re.compile(
        r"""<(?:script|img|iframe|source|video|audio|embed|object|input)\b[^>]*?\s(?:src|srcset|data|poster)\s*=\s*["']?\s*(?:https?:)?//"""
        r"""|<link\b(?=[^>]*\brel\s*=\s*["']?(?:stylesheet|preload|prefetch|preconnect|dns-prefetch|icon|modulepreload|manifest))"""
        r"""[^>]*?\shref\s*=\s*["']?\s*(?:https?:)?//"""
        r"""|<(?:form|base)\b[^>]*?\s(?:action|href)\s*=\s*["']?\s*(?:https?:)?//"""
        r"""|(?:url\(|@import)\s*["']?\s*(?:https?:)?//""",
        re.IGNORECASE,
    )
    found = {}
    for path in (path for ending in ("html", "css") for path in built.rglob(f"*.{ending}")):
        hits = loaded.findall(path.read_text(encoding="utf-8"))
        if hits:
            found[str(path.relative_to(built))] = hits
    assert not found
    assert loaded.search("<script async src=https://cdn.example/x.js>") and loaded.search("url(//example.org/x.woff)")


def test_links_images_and_anchors_resolve(built):
    parsed = {path: Page(path) for path in built.rglob("*.html") if "_static" not in path.parts}
    for path, page in parsed.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.relative_to(built)} links to {link}"
            if parts.fragment and target in parsed:
                assert unquote(parts.fragment) in parsed[target].anchors | {"top"}, f"{path.name}: {link}"


def test_pictures_have_words_for_those_who_do_not_see_them(built, pages):
    for page in pages:
        for image in Page(built / f"{page}.html").images:
            assert image.get("alt", "").strip() not in ("", "image"), f"{page}: {image}"


def test_pages_show_results_and_no_machinery(built, pages):
    landing = (built / "book/index.html").read_text(encoding="utf-8")
    assert any(outcome in landing for outcome in Outcome)
    for page in pages:
        text = (built / f"{page}.html").read_text(encoding="utf-8")
        assert str(ROOT) not in text and "Parameters</span>" not in text and "output traceback" not in text, page


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_colab_opens_the_committed_notebook(built, name):
    repository = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]
    path = f"{repository['url'].removeprefix('https://')}/blob/{repository['branch']}/notebooks/{name}.ipynb"
    links = Page(built / f"notebooks/{name}.html").links
    assert f"https://colab.research.google.com/{path.replace('.com', '', 1)}" in links


def test_the_whole_book_is_small_enough_for_a_slow_line(built):
    assert sum(path.stat().st_size for path in built.rglob("*") if path.is_file()) <= 25_000_000


def shown(notebook):
    """What an executed notebook shows: its pictures, all of its text, and what other pages quote of it, by name."""
    outputs = [out for cell in json.loads(notebook.read_text())["cells"] for out in cell.get("outputs", [])]
    assert not [out for out in outputs if out["output_type"] == "error"]
    pictures = [out["data"]["image/png"] for out in outputs if "image/png" in out.get("data", {})]
    text = "".join(str(content) for out in outputs for kind, content in out.get("data", {}).items() if "text" in kind)
    glued = [out for out in outputs if "scrapbook" in out.get("metadata", {})]
    return pictures, text, {out["metadata"]["scrapbook"]["name"]: "".join(*out["data"].values()) for out in glued}


def test_without_a_record_the_figure_the_numbers_and_the_verdict_change(built, tmp_path, monkeypatch):
    kept = tmp_path / "results"
    shutil.copytree(ROOT / "results", kept, ignore=shutil.ignore_patterns("model", ".locks"))
    study = figures.study("fig10", "lab")
    gone = [*{m.model: m for m in reversed(study.measurements())}.values(), study.controls[0].measurements()[0]]
    for one in gone:
        (similarity,) = kept.glob(f"lab/{one.model}/mask-similarity.jsonl")
        lines = similarity.read_text().splitlines(keepends=True)
        similarity.write_text("".join(line for line in lines if one.id not in line))
    monkeypatch.setenv("ESSPARSE_RESULTS", str(kept))
    assert build._execute(ROOT / "notebooks/fig10.ipynb", tmp_path / "fig10.ipynb", ROOT, tmp_path / "executed") == ""
    (whole,) = (built.parent / "notebooks").glob("fig10-*.ipynb")
    pictures, text, quoted = shown(whole)
    pictures_without, text_without, quoted_without = shown(tmp_path / "fig10.ipynb")
    assert all(old != new for old, new in zip(pictures, pictures_without, strict=True)) and pictures
    counts = (int(re.search(r"(\d+) of \d+ pre-trainings", t)[1]) for t in (text, text_without))
    count, count_without = counts
    assert count_without == count - len(gone)
    assert "**C11: not run yet.** Records are missing." in text_without
    assert "Records are missing" not in text
    assert quoted["c11_verdict"] != quoted_without["c11_verdict"]  # as the landing page has it


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A checkout with one page and no notebook; the current folder."""
    folder = write_checkout(tmp_path / "checkout")
    monkeypatch.chdir(folder)
    return folder


def notebook(*sources):
    cells = [
        {"cell_type": "code", "execution_count": None, "id": f"c{i}", "metadata": {}, "outputs": [], "source": source}
        for i, source in enumerate(sources)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})


@pytest.mark.notebook
def test_a_notebook_is_executed_again_only_if_something_changed(small, tmp_path, monkeypatch):
    records = tmp_path / "results/lab/a-model/a-task.jsonl"
    records.parent.mkdir(parents=True)
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path / "results"))
    (small / "notebooks/one.ipynb").write_text(notebook("print('here')"))
    executed = build._executed(small, tmp_path / "kept")
    assert "here" in executed["one.ipynb"].read_text()
    monkeypatch.setattr(build, "_execute", lambda *_: "executed")
    assert build._executed(small, tmp_path / "kept") == executed
    records.write_text("a record\n")
    with pytest.raises(InputError, match="executed"):
        build._executed(small, tmp_path / "kept")
    records.unlink()
    (small / "notebooks/one.ipynb").write_text(notebook("print('there')"))
    with pytest.raises(InputError, match="executed"):
        build._executed(small, tmp_path / "kept")


@pytest.mark.notebook
def test_kernels_talk_over_files_as_ports_may_be_given_twice(small, tmp_path):
    (small / "notebooks/one.ipynb").write_text(notebook("print(get_ipython().kernel.parent.transport)"))
    executed = build._executed(small, tmp_path / "kept")
    assert "ipc" in executed["one.ipynb"].read_text()


@pytest.mark.notebook
def test_a_broken_notebook_is_one_clear_line(small, tmp_path):
    (small / "notebooks/broken.ipynb").write_text(notebook("1 / 0"))
    with pytest.raises(InputError, match=r"^notebook notebooks/broken\.ipynb fails: ZeroDivisionError.*$") as error:
        build.build(tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out/html").exists() and not list((tmp_path / "out").glob("stage-*"))


@pytest.mark.notebook
def test_what_a_kernel_itself_says_is_told_only_if_it_dies(small, tmp_path, capfd):
    say = "import os; os.write(2, b'so much\\nout of memory\\n')"
    (small / "notebooks/one.ipynb").write_text(notebook(say))
    build._executed(small, tmp_path / "kept")
    assert "memory" not in "".join(capfd.readouterr())
    (small / "notebooks/one.ipynb").write_text(notebook(say, "os._exit(1)"))
    with pytest.raises(InputError, match=r"^notebook notebooks/one\.ipynb fails: .*died.*: out of memory$") as error:
        build._executed(small, tmp_path / "kept")
    assert "\n" not in str(error.value)
    assert "memory" not in "".join(capfd.readouterr())


@pytest.mark.slow
def test_a_warning_is_one_clear_line_and_leaves_the_last_book_alone(small, tmp_path):
    out = tmp_path / "out"
    assert build.build(out) == out / "html/index.html"
    (out / "html/index.html").unlink()
    with pytest.raises(InputError, match=r"html was made: move it away|whole"):
        (out / "html/mine").write_text("mine")
        build.build(out)
    (out / "html/mine").unlink()
    (small / "book/index.md").write_text("# A page\n\n[a link](nowhere.md) and {cite:p}`nobody2020`\n")
    before = tree(out)
    with pytest.raises(InputError, match=r"^the book has warnings: .*book/index\.md:3: WARNING.*nobody2020") as error:
        build.build(out)
    assert "nowhere.md" in str(error.value) and "\n" not in str(error.value)
    assert tree(out) == before
    (small / "book/index.md").write_text("# Another page\n")
    (out / "mine").write_text("mine")
    build.build(out)
    assert "Another page" in (out / "html/book/index.html").read_text()
    assert set(tree(out)) >= set(before) | {"mine"} and {path.name for path in out.iterdir()} == {
        *(".essparse-book", ".locks", "html", "mine", "notebooks")
    }


def tree(folder):
    """Every path in a folder, with the bytes of files and the targets of links."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes()
        for path in folder.rglob("*")
    }


@pytest.fixture
def in_clone(small, monkeypatch):
    """A clone with a notebook; nothing is executed in this test, and nothing may be."""
    (small / "notebooks/mine.ipynb").write_text(notebook("1 / 0"))
    (small / "full").mkdir()
    (small / "full/mine").write_text("mine")
    (small / "file").write_text("mine")
    (small / "link").symlink_to("full")
    (small / "nowhere").symlink_to("missing")
    (small / "of-an-earlier-version/html").mkdir(parents=True)
    (small / "of-an-earlier-version/notebooks").mkdir()
    for name in ("html", "notebooks", ".locks", "html-file", "html-others"):
        folder = small / f"marked-{name}"
        folder.mkdir()
        (folder / build.MARK).write_text("")
        if name == "html-others":
            (folder / "html").mkdir()
            (folder / "html/mine").write_text("mine")
        elif name == "html-file":
            (folder / "html").write_text("mine")
        else:
            (folder / name).symlink_to(small / "full")
    monkeypatch.setattr(build, "_executed", lambda *_: pytest.fail("a notebook was to be executed"))
    return small


NOT_EMPTY = "is not empty and not a book's: name a new folder"
OUTS = {
    ".": NOT_EMPTY,
    "": NOT_EMPTY,
    "..": NOT_EMPTY,
    "full": NOT_EMPTY,
    "of-an-earlier-version": f"{NOT_EMPTY}; if an earlier version of the book made it, delete it",
    "file": "is there already and no folder",
    "file/new": "Not a directory",
    "link": "is a link",
    "nowhere": "is a link",
    "notebooks": "among its sources: name a folder elsewhere",
    "book/new": "among its sources",
    "full/../book/new/deep": "among its sources",
    "results/lab": "among its sources",
    "x" * 300: "File name too long",
    "marked-html": "is a link",
    "marked-html-file": "is there already and no folder",
    "marked-html-others": "was not made by this version of essparse: move it away",
    "marked-notebooks": "is no folder of the book; move it away",
    "marked-.locks": "is no folder of the book; move it away",
}


@pytest.mark.parametrize("out", OUTS)
def test_no_folder_but_a_new_one_or_the_books_own_is_built_in(in_clone, out):
    before = tree(in_clone)
    with pytest.raises(InputError, match=re.escape(OUTS[out])) as error:
        build.build(Path(out))
    assert "\n" not in str(error.value)
    assert tree(in_clone) == before


def test_the_current_folder_is_not_built_in_even_if_it_is_empty(in_clone, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    monkeypatch.setattr(build, "checkout", lambda: in_clone)
    with pytest.raises(InputError, match="is the current folder"):
        build.build(Path(""))
    assert not list((tmp_path / "empty").iterdir())


@pytest.mark.parametrize("before", ["nothing", "an empty folder", "what a killed build left", "a book"])
def test_a_folder_that_may_be_built_in_is_marked(in_clone, tmp_path, monkeypatch, before):
    out = tmp_path / "out"
    if before != "nothing":
        out.mkdir()
    if before == "what a killed build left":
        (out / ".essparse-tmp-00000000-1.tmp").write_text("")
    if before == "a book":
        (out / build.MARK).write_text("")
    monkeypatch.setattr(build, "_executed", lambda *_: (_ for _ in ()).throw(InputError("so far")))
    with pytest.raises(InputError, match="so far"):
        build.build(out)
    assert {path.name for path in out.iterdir()} - {".essparse-tmp-00000000-1.tmp"} == {build.MARK, ".locks"}


@pytest.mark.notebook
def test_only_notebooks_that_were_executed_for_the_book_are_deleted(small, tmp_path):
    kept = tmp_path / "kept"
    (small / "notebooks/one.ipynb").write_text(notebook("print('here')"))
    (first,) = build._executed(small, kept).values()
    data = first.read_bytes()
    foreign = {
        "mine.ipynb": notebook("print('mine')").encode(),
        first.name.replace("one-", "two-"): data,  # a copy under another name is somebody's
        "one-0123456789abcdef.ipynb": notebook().encode(),
        "nested.ipynb": b"[" * 100_000,
        "list.ipynb": b"[]",
        "garbage.ipynb": b"\xff",
        "other.txt": b"x",
    }
    for name, content in foreign.items():
        (kept / name).write_bytes(content)
    (kept / "link.ipynb").symlink_to(first.name)
    (kept / "folder.ipynb").mkdir()
    (small / "notebooks/one.ipynb").write_text(notebook("print('there')"))
    (second,) = build._executed(small, kept).values()
    assert second != first and not first.exists()
    assert {name: (kept / name).read_bytes() for name in foreign} == foreign
    assert (kept / "link.ipynb").is_symlink() and (kept / "folder.ipynb").is_dir()
    second.write_text(second.read_text().replace("there", "changed by hand"))
    (small / "notebooks/one.ipynb").unlink()
    assert build._executed(small, kept) == {}
    assert "changed by hand" in second.read_text()


def test_outside_a_checkout_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(build, "__file__", str(tmp_path / "site-packages/essparse_lib/build.py"))
    with pytest.raises(InputError, match="in no checkout of the companion.*clone the repository"):
        build.build(tmp_path / "out")


def test_an_output_folder_that_cannot_be_made_is_one_clear_line(small, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write .*file"):
        build.build(tmp_path / "file" / "out")
