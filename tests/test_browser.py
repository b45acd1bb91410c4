"""The built book as a reader has it: in a browser, from a folder or a web server, with no network and no kernel."""

import functools
import http.server
import threading

import pytest

PHONE = 390
DESK = 1280

# Serious or critical violations in markup that no file of this repository writes: rule, selector, reason.
NOT_OURS = {
    "aria-required-children": {
        ".citation-list": "Sphinx gives the items of a bibliography's list the role of entries, which is that of links",
    },
    "definition-list": {
        ".sig dl": "Sphinx writes a signature of several lines as a list of definitions without terms",
    },
    "summary-name": {
        ".bd-docs-nav summary": "the sidebar of the theme unfolds by an arrow without a name, beside a link that has one",
    },
}

SEVERE = """async (notOurs) => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"], elementRef: true });
  const ours = (rule, node) => !Object.keys(notOurs[rule] ?? {}).some((selector) => node.element?.matches(selector));
  return violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .flatMap(({ id, nodes }) => nodes.filter((node) => ours(id, node)).map((n) => `${id}: ${n.target} ${n.html}`));
}"""

# Boxes that a reader of a narrow page could not get at: beyond its edge, and in nothing that scrolls sideways.
BEYOND = """() => {
  const width = document.documentElement.clientWidth;
  const scrolls = (e) => e && (["auto", "scroll"].includes(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  const beyond = [...document.body.querySelectorAll("*")].filter((element) => {
    const { left, right, width: own, height } = element.getBoundingClientRect();
    const shown = own > 1 && height > 1 && element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    return shown && (right > width + 1 || left < -1) && !scrolls(element.parentElement);
  });
  const all = document.documentElement.scrollWidth;
  const page = all > width ? [`the page is ${all} wide`] : [];
  return [...page, ...beyond.map((e) => `${e.tagName} ${e.className}: ${e.textContent.trim().slice(0, 60)}`)];
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server(built):
    """The address of a web server on this machine that has the book."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(built))) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def tab(browser, request):
    """A tab of the size and theme that the test's parameter says; by default a light desk."""
    width, theme = getattr(request, "param", (DESK, "light"))
    size = {"width": width, "height": 900}
    context = browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce")
    yield context.new_page()
    context.close()


def open_page(tab, address):
    """Go to a page, and wait for what its scripts draw."""
    tab.goto(address, wait_until="load")
    tab.evaluate("() => window.MathJax?.startup?.promise")
    tab.wait_for_function("() => !document.querySelector('div.panel:not([data-ready])')")


def axe():
    from axe_playwright_python.base import AXE_SCRIPT

    return AXE_SCRIPT


@pytest.mark.parametrize("place", ["folder", "server"])
def test_pages_open_without_errors_and_ask_no_other_host(built, pages, server, tab, place):
    home = server if place == "server" else built.as_uri()
    troubles = []
    tab.on("console", lambda message: message.type in ("error", "warning") and troubles.append(message.text))
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.on("requestfailed", lambda request: troubles.append(f"failed: {request.url}"))
    tab.on("request", lambda r: r.url.startswith((f"{home}/", "data:", "blob:")) or troubles.append(f"asks {r.url}"))
    for page in [*pages, "index", "search", "genindex"]:
        open_page(tab, f"{home}/{page}.html")
        assert troubles == [], page


def test_mathematics_is_rendered(built, pages, tab):
    formulas = {}
    for page in pages:
        if 'class="math' in (built / f"{page}.html").read_text(encoding="utf-8"):
            open_page(tab, (built / f"{page}.html").as_uri())
            formulas[page] = tab.locator(".math").count()
            assert tab.locator(".math mjx-container svg:visible").count() == formulas[page], page
            assert tab.locator("mjx-merror, [data-mjx-error]").count() == 0, page
    assert formulas.get("book/methods")


@pytest.mark.parametrize("tab", [(w, t) for w in (DESK, PHONE) for t in ("light", "dark")], indirect=True)
def test_axe_finds_nothing_severe(built, pages, tab):
    for page in pages:
        open_page(tab, (built / f"{page}.html").as_uri())
        tab.evaluate(axe())
        assert tab.evaluate(SEVERE, NOT_OURS) == [], page


def test_axe_sees_what_it_is_to_see(built, pages, tab):
    open_page(tab, (built / f"{pages[0]}.html").as_uri())
    tab.evaluate(
        """() => document.querySelector("article").insertAdjacentHTML("beforeend", `
          <p style="color: #999; background: #888">faint</p><img src="data:,">
          <div class="citation-list" role="list"><a href="#">no item</a></div>`)"""
    )
    tab.evaluate(axe())
    assert {line.split(":")[0] for line in tab.evaluate(SEVERE, NOT_OURS)} == {"color-contrast", "image-alt"}
    assert "aria-required-children" in {line.split(":")[0] for line in tab.evaluate(SEVERE, {})}


@pytest.mark.parametrize("tab", [(PHONE, "light"), (DESK, "light")], indirect=True)
def test_nothing_lies_beyond_the_edge(built, pages, tab):
    for page in pages:
        open_page(tab, (built / f"{page}.html").as_uri())
        assert tab.evaluate(BEYOND) == [], page


@pytest.mark.parametrize("tab", [(PHONE, "light")], indirect=True)
def test_what_lies_beyond_the_edge_is_seen(built, tab):
    open_page(tab, (built / "book/methods.html").as_uri())
    tab.evaluate(
        """() => document.querySelector("article").insertAdjacentHTML("beforeend", `
          <div style="overflow-x: auto"><p style="width: 600px">reached</p></div>
          <div style="overflow-x: hidden"><p style="width: 600px">cut off</p></div>`)"""
    )
    assert tab.evaluate(BEYOND) == ["P : cut off"]


def test_the_first_view_is_under_five_megabytes(pages, server, tab):
    done = []
    tab.on("requestfinished", lambda request: done.append(request))
    open_page(tab, f"{server}/{pages[0]}.html")
    tab.wait_for_load_state("networkidle")
    sizes = {
        request.url: sum(request.sizes()[part] for part in ("responseBodySize", "responseHeadersSize"))
        for request in done
    }
    assert 100_000 < sum(sizes.values()) < 5_000_000, sizes


@pytest.mark.parametrize("tab", [(DESK, "light"), (PHONE, "light")], indirect=True)
def test_pictures_are_large_enough_for_their_words(built, pages, tab):
    """Drawn for the column of a desk, a picture may shrink to seven tenths; on a phone it scrolls instead."""
    for page in pages:
        open_page(tab, (built / f"{page}.html").as_uri())
        for shown, drawn, alt in pictures(tab, "clientWidth", "naturalWidth", "alt"):
            assert shown > 0.7 * drawn, f"{page}: {alt}"


@pytest.mark.parametrize("tab", [(DESK, "dark")], indirect=True)
def test_pictures_are_cards_in_the_dark(built, pages, tab):
    for page in pages:
        open_page(tab, (built / f"{page}.html").as_uri())
        assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
        papers = {paper for (paper,) in pictures(tab, "style.backgroundColor")}
        assert papers <= {"rgb(255, 255, 255)"}, page


def pictures(tab, *properties):
    """Of every picture that a notebook of the page drew, the values of some properties (``style.``: as computed)."""
    return tab.locator("article .cell_output figure img").evaluate_all(
        """(all, properties) => all.map((image) => properties.map((name) =>
          name.startsWith("style.") ? getComputedStyle(image)[name.slice(6)] : image[name]))""",
        list(properties),
    )
