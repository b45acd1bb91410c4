"""The reference: every public name is on its pages once, with an anchor, and reads as it was written."""

import ast
import importlib
import importlib.util
import inspect
import re
from collections import Counter
from pathlib import Path

import pytest

import essparse_lib

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "essparse_lib"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "book").glob("api-*.md"))}
OVERVIEW = (ROOT / "book/api.md").read_text(encoding="utf-8")
ALONE = re.compile(r"^\.\. (?:auto|py:)(function|class|exception|data):: essparse_lib\.(\w+)$", re.M)
MODULE = re.compile(r"^\.\. automodule:: essparse_lib\.([\w.]+)(?:\n   :exclude-members: (.+))?$", re.M)
MODULES = [found for text in PAGES.values() for found in MODULE.findall(text)]
#: Where each name of the package's face is documented.
PAGE_OF = {name: page for page, text in PAGES.items() for _, name in ALONE.findall(text)}


def public(module):
    """The functions and classes that a module defines for others, read from its source."""
    path = PACKAGE.joinpath(*module.split("."))
    source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name for node in ast.parse(source).body if isinstance(node, kinds) and node.name[0] != "_"}


def test_every_name_of_the_face_is_documented_once_as_what_it_is():
    entries = [entry for text in PAGES.values() for entry in ALONE.findall(text)]
    assert Counter(name for _, name in entries) == Counter(essparse_lib.__all__)
    for kind, name in entries:
        thing = getattr(essparse_lib, name)
        if inspect.isclass(thing):
            expected = "exception" if issubclass(thing, Exception) else "class"
        else:
            expected = "function" if inspect.isfunction(thing) else "data"
        assert kind == expected, name


def test_the_overview_names_each_beside_the_page_that_has_it():
    for page in PAGES:
        row = next(line for line in OVERVIEW.splitlines() if f"]({page}.md)" in line)
        listed = re.findall(r"`~essparse_lib\.(\w+)`", row)
        assert listed == [name for name, place in PAGE_OF.items() if place == page], page


@pytest.mark.parametrize(("module", "excluded"), MODULES, ids=[module for module, _ in MODULES])
def test_a_module_shows_what_is_documented_nowhere_else(module, excluded):
    importlib.import_module(f"essparse_lib.{module}")
    left_out = set(filter(None, excluded.split(", ")))
    on_the_face = {name for name, home in essparse_lib._HOME.items() if home == module}
    parent, _, child = module.rpartition(".")
    exported = getattr(importlib.import_module(f"essparse_lib.{parent}"), "__all__", ()) if parent and child else ()
    assert left_out == on_the_face | (public(module) & set(exported)), module


def test_every_module_of_pruning_specs_and_records_is_there_if_it_has_more_than_the_face():
    there = [module for module, _ in MODULES]
    assert len(there) == len(set(there))
    for path in (path for room in ("pruning", "specs", "records") for path in PACKAGE.glob(f"{room}/*.py")):
        module = f"{path.parent.name}.{path.stem}"
        on_the_face = {name for name, home in essparse_lib._HOME.items() if home == module}
        assert path.stem == "__init__" or module in there or public(module) <= on_the_face, module


def test_every_name_has_an_anchor_in_the_built_book(built):
    overview = (built / "book/api.html").read_text(encoding="utf-8")
    for name, page in PAGE_OF.items():
        text = (built / f"book/{page}.html").read_text(encoding="utf-8")
        assert f'id="essparse_lib.{name}"' in text, name
        assert f'href="{page}.html#essparse_lib.{name}"' in overview, name


def test_signatures_are_readable_in_the_built_book(built):
    for page in PAGES:
        text = (built / f"book/{page}.html").read_text(encoding="utf-8")
        assert "&lt;factory&gt;" not in text and not re.search(r">~[\w.]+", text), page
        assert not re.search(r"<dl>\s*<dd>", text) and 'class="sig-line"' in text, page


@pytest.fixture(scope="module")
def extension():
    """The reference's extension of Sphinx, which lies outside of the package."""
    spec = importlib.util.spec_from_file_location("reference_ext", ROOT / "book/_ext/reference_ext.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("what", "before", "after"),
    [
        ("property", ["The share: 1 for all: yes", "more: of it"], ["The share:", "1 for all: yes", "more: of it"]),
        ("data", ["Inches: of a column"], ["Inches:", "of a column"]),
        ("data", ["no colon"], ["no colon"]),
        ("attribute", [], []),
        ("function", ["Does this: that"], ["Does this: that"]),
    ],
)
def test_a_colon_in_the_words_of_an_attribute_is_no_type(extension, what, before, after):
    lines = list(before)
    extension.keep_colons(None, what, "name", None, None, lines)
    assert lines == after


def test_the_lists_of_signatures_become_lines_and_real_lists_stay(extension):
    real = "<dl><dt>a</dt>\n<dd>b</dd>\n</dl>"
    nested = "<dl>\n<dd><p>text</p><dl><dt>a</dt><dd>b</dd></dl></dd></dl>"
    context = {"body": f"{real}(<dl>\n<dd><em>x</em>,</dd>\n<dd>y</dd>\n</dl>\n){nested}"}
    extension.plain_signatures(None, "page", "", context, None)
    lines = '<span class="sig-line"><em>x</em>,</span>\n<span class="sig-line">y</span>\n'
    assert context["body"] == f'{real}(<span class="sig-lines">{lines}</span>\n){nested}'
    extension.plain_signatures(None, "search", "", {}, None)


def test_what_a_factory_makes_is_written_as_python(extension):
    assert extension.name_factories(*[None] * 5, "(x: dict = <factory>)", "int") == ("(x: dict = ...)", "int")
    assert extension.name_factories(*[None] * 5, None, None) == (None, None)
