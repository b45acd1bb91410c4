"""The book can be read at first sight: no sentence or caption over 40 words, no table of more than six columns.

One analysis serves both tests. The fast one reads the sources, rendered to HTML, so that a writer sees a long sentence
at once. The other reads the built pages, and with them what the notebooks and the generated tables say.
"""

import json
import re
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

from essparse_lib.claims.verdict import Outcome
from essparse_lib.specs.likelihood import LIKELIHOOD_TASKS
from essparse_lib.specs.tasks import TASKS

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "book"

#: The notebooks, whose words are held to the rules, besides all pages of book/.
PAGES = tuple(sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")))

MOST_WORDS, MOST_COLUMNS = 40, 6

#: Tables that may be wider, by page and a head of the table, with the reason.
WIDE_TABLES = {
    ("book/architectures", "SparseGPT"): "a cell is yes or no, and a reader compares what one architecture can do",
}

#: What holds running text; a block within another is read by itself.
_BLOCKS = ("p", "li", "dd", "dt", "figcaption", "caption", "td", "th", "summary")
#: What is no running text: code, data, headings, the list of works cited, and formulas on lines of their own.
_NO_PROSE = (
    "pre, script, style, svg, h1, h2, h3, h4, h5, h6, .panel, .headerlink, .caption-number, .label, "
    "[role=doc-biblioentry], .cell_input, div.math, div.myst-target"
)
#: What stands before a piece of code, with which a sentence may begin in lower case.
_CODE = "\1"
#: Points after which a sentence goes on.
_ABBREVIATIONS = re.compile(r"\b(e\.g|i\.e|et al|vs|cf|approx|ca|resp|Fig|Eq)\.")
_SENTENCE_END = re.compile(rf"""(?<=\S[.!?…])[)\]"'”’]*\s+(?=[("'“‘\[−±≥]*[A-Z0-9Δδετ{_CODE}])""")
#: An interval in brackets, which is read as one thing with the number before it; and a citation.
_INTERVAL = re.compile(r"\s*\[[−≥≤\d][^\[\]]*\]")


def sentences(text):
    """Return the sentences of a text, without its intervals."""
    text = re.sub(r"\s+([.,;:])", r"\1", " ".join(_INTERVAL.sub("", text).split()))
    text = _ABBREVIATIONS.sub(lambda match: match[0].replace(".", "\0"), text)
    return [part.replace("\0", ".").replace(_CODE, "") for part in _SENTENCE_END.split(text) if part]


def word_count(sentence):
    """Return the number of words; a sign by itself, such as a dash or ×, is none."""
    return sum(any(character.isalnum() for character in word) for word in sentence.split())


def offences(html, page):
    """Return what breaks a rule on a page, a line each.

    Args:
        html: the page, or its running text, as HTML.
        page: name of the page, such as ``book/methods``.
    """
    body = BeautifulSoup(html, "html.parser")
    body = body.find("article") or body
    tables, lines = _wide_tables(body, page), []
    for element in body.select(_NO_PROSE):
        element.decompose()
    _shorten(body)
    # Inner blocks first: each is taken out once it is read, so that an outer one is read without it.
    for block in reversed(body.find_all(_BLOCKS)):
        caption = block.name in ("figcaption", "caption") or block.find_parent("figcaption") is not None
        text = block.extract().get_text()
        parts = [" ".join(text.replace(_CODE, "").split())] if caption else sentences(text)
        for part in reversed(parts):
            words = word_count(part)
            if words > MOST_WORDS:
                lines.append(f"a {'caption' if caption else 'sentence'} of {words} words: {part}")
    return [f"{page}: {line}" for line in (*tables, *reversed(lines))]


def _shorten(body):
    """Let a piece of code, a formula and a citation that is part of the sentence count as one word each.

    A citation in brackets counts as none. MyST's roles, such as ``{cite:p}``, are code in a page that is not built.
    """
    for element in body.select("code, .math, .bibtex-citation"):
        text, role = element.get_text(), "role" in element.get("class", ())
        cited = "bibtex-citation" in element.get("class", ()) or role
        bracketed = cited and text.startswith(("[", "{cite:p}"))
        element.replace_with("" if bracketed else _CODE + "_".join(text.split()))


def _wide_tables(body, page):
    """Return what tables have too many columns, in words."""
    lines = []
    for table in body.find_all("table"):
        rows = [row.find_all(["td", "th"], recursive=False) for row in table.find_all("tr")]
        columns = max((sum(int(cell.get("colspan", 1)) for cell in row) for row in rows), default=0)
        heads = [cell.get_text(strip=True) for cell in rows[0]] if rows else []
        allowed = any(name == page and head in heads for name, head in WIDE_TABLES)
        if columns > MOST_COLUMNS and not allowed:
            lines.append(f"a table of {columns} columns: {', '.join(heads)}")
    return lines


# The sources


def rendered(markdown):
    """Return MyST Markdown as HTML; what stands in a container directive is read as well."""
    from markdown_it.renderer import RendererHTML
    from myst_parser.config.main import MdParserConfig
    from myst_parser.parsers.mdit import create_md_parser

    markdown = re.sub(r"^(`{4,}|:{3,})\{container\}.*\n(.*?)^\1$", r"\2", markdown, flags=re.MULTILINE | re.DOTALL)
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["parse"]
    config = MdParserConfig(enable_extensions=set(settings["myst_enable_extensions"]))
    return create_md_parser(config, RendererHTML).render(markdown)


def notebook_html(path):
    """Return the words of a notebook's source as HTML: its Markdown cells and the captions of its figures."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            parts.append(rendered("".join(cell["source"])))
        caption = cell["metadata"].get("mystnb", {}).get("figure", {}).get("caption")
        if caption:
            parts.append(f"<figure><figcaption>{rendered(caption)}</figcaption></figure>")
    return "".join(parts)


def test_sources_have_short_sentences_and_narrow_tables():
    lines = []
    for path in sorted(BOOK.glob("*.md")):
        lines += offences(rendered(path.read_text(encoding="utf-8")), f"book/{path.stem}")
    for name in PAGES:
        lines += offences(notebook_html(ROOT / f"notebooks/{name}.ipynb"), f"notebooks/{name}")
    assert not lines, "\n".join(lines)


# The built pages


@pytest.mark.slow
def test_built_pages_have_short_sentences_and_narrow_tables(built, pages):
    """The reference is left out: it is made of docstrings."""
    lines = []
    for page in pages:
        held = page.removeprefix("notebooks/") in PAGES or page.startswith("book/")
        if held and not page.startswith("book/api"):
            lines += offences((built / f"{page}.html").read_text(encoding="utf-8"), page)
    assert not lines, "\n".join(lines)


# The analysis itself


@pytest.mark.parametrize(
    ("html", "lines"),
    [
        (f"<p>{'word ' * 40}.</p>", 0),
        (f"<p>{'word ' * 41}.</p>", 1),
        (f"<p>{'word ' * 21}. {'Word ' * 21}.</p>", 0),
        (f"<p>{'word ' * 21} e.g. {'Word ' * 21}.</p>", 1),
        (f"<p>{'word ' * 21} 0.5 {'word ' * 21}.</p>", 1),
        (f"<p>{'word ' * 30}<code>{'word ' * 30}</code> {'word ' * 9}.</p>", 0),
        (f"<p>{'word ' * 30}. <code>{'word ' * 30}</code> {'word ' * 30}.</p>", 0),
        (f"<ul><li>{'word ' * 30}<ul><li>{'word ' * 30}</li></ul></li></ul>", 0),
        (f"<figure><figcaption><p>{'word ' * 21}. {'Word ' * 21}.</p></figcaption></figure>", 1),
        (f"<pre>{'word ' * 50}</pre>", 0),
        ("<p>" + "0.5 [0.1, 0.9] " * 40 + "</p>", 0),
        (f"<table><tr>{'<td>1</td>' * 6}</tr></table>", 0),
        (f"<table><tr>{'<td>1</td>' * 7}</tr></table>", 1),
        ('<table><tr><td colspan="7">1</td></tr></table>', 1),
        (f"<table><tr><td>{'word ' * 41}</td></tr></table>", 1),
    ],
)
def test_what_breaks_a_rule_is_found(html, lines):
    assert len(offences(f"<article>{html}</article>", "a page")) == lines


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It loses 0.5 points. See Fig. 2! And now?", ["It loses 0.5 points.", "See Fig. 2!", "And now?"]),
        ("A loss, e.g. On RTE, of 2.0 [1.0, 3.0]. No more.", ["A loss, e.g. On RTE, of 2.0.", "No more."]),
        ("Jaiswal et al. Report it.", ["Jaiswal et al. Report it."]),
        ('At 0, 5, … 95%. (It is so.) "Yes." 3 do.', ["At 0, 5, … 95%", "(It is so", '"Yes', "3 do."]),
    ],
)
def test_sentences_end_where_they_do(text, parts):
    assert [part.rstrip('.)"') for part in sentences(text)] == [part.rstrip('.)"') for part in parts]


# The page on reading


READING = (BOOK / "how-to-read.md").read_text(encoding="utf-8")


def test_the_page_on_reading_explains_every_outcome():
    explained = re.findall(r"^\| \*([\w ]+)\* \|", READING, re.MULTILINE)
    assert explained == [outcome.value for outcome in Outcome]


def test_the_glossary_is_in_alphabetical_order_and_every_term_has_an_anchor():
    glossary = READING[READING.index("## Glossary") : READING.index("### Tasks")]
    terms = re.findall(r"^\((term-[a-z-]+)\)=\n\S.*\n: ", glossary, re.MULTILINE)
    assert terms == sorted(terms) and len(terms) == glossary.count("\n: ") > 15


def test_the_glossary_has_every_task_in_words():
    first_cells = re.findall(r"^\| (`[^|]*`) \|", READING[READING.index("### Tasks") :], re.MULTILINE)
    in_words = [name for cell in first_cells for name in re.findall(r"`([\w.-]+)`", cell)]
    named = [name for name, task in TASKS.items() if task.counts]  # made-up tasks have no counts
    named += [name for name in LIKELIHOOD_TASKS if not name.startswith("tiny-")]
    assert {re.sub(r"-\d$", "", name) for name in named} == set(in_words)
    assert first_cells == sorted(first_cells)
