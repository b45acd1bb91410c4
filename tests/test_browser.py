"""The built book as a reader has it: in a browser, from a folder or a web server, with no network and no kernel."""

import functools
import http.server
import threading

import pytest
from accessibility import severe

PHONE = 390
DESK = 1280

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

# Every picture that a notebook of the page drew: its size as a share of its own, the words, the ground, the theme.
PICTURES = """() => [...document.querySelectorAll("article .cell_output figure img")].map((image) => ({
  shown: image.clientWidth / image.naturalWidth,
  alt: image.alt,
  paper: getComputedStyle(image).backgroundColor,
  theme: document.documentElement.dataset.theme,
}))"""


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


@pytest.fixture(scope="module")
def tabs(browser):
    """``tabs(width, theme)``: a new tab, such as of a phone in the dark."""
    contexts = []

    def new(width=DESK, theme="light"):
        size = {"width": width, "height": 900}
        contexts.append(browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce"))
        return contexts[-1].new_page()

    yield new
    for context in contexts:
        context.close()


@pytest.fixture(scope="module", params=[(DESK, "dark"), (PHONE, "light")], ids=["desk, dark", "phone, light"])
def views(built, pages, tabs, request):
    """What is found on every page, by its name: looked at once for all tests, as axe takes its time."""
    tab = tabs(*request.param)
    found = {}
    for page in pages:
        open_page(tab, (built / f"{page}.html").as_uri())
        assert tab.evaluate("document.documentElement.dataset.theme") == request.param[1]
        found[page] = {"severe": severe(tab), "beyond": tab.evaluate(BEYOND), "pictures": tab.evaluate(PICTURES)}
    return found


def open_page(tab, address):
    """Go to a page, and wait for what its scripts draw."""
    tab.goto(address, wait_until="load")
    tab.evaluate("() => window.MathJax?.startup?.promise")
    tab.wait_for_function("() => !document.querySelector('div.panel:not([data-ready])')")


@pytest.mark.parametrize("place", ["folder", "server"])
def test_pages_open_without_errors_and_ask_no_other_host(built, pages, server, tabs, place):
    home = server if place == "server" else built.as_uri()
    tab, troubles = tabs(), []
    tab.on("console", lambda message: message.type in ("error", "warning") and troubles.append(message.text))
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    aborted = "net::ERR_ABORTED"  # by going on to the next page, while the picture of the tab is on its way
    tab.on("requestfailed", lambda r: r.failure == aborted or troubles.append(f"{r.failure}: {r.url}"))
    tab.on("response", lambda answer: answer.status < 400 or troubles.append(f"{answer.status}: {answer.url}"))
    tab.on("request", lambda r: r.url.startswith((f"{home}/", "data:", "blob:")) or troubles.append(f"asks {r.url}"))
    for page in [*pages, "search", "genindex"]:
        open_page(tab, f"{home}/{page}.html")
        assert troubles == [], page


def test_the_address_of_the_book_leads_to_the_landing_page(pages, server, tabs):
    tab = tabs()
    tab.goto(server)
    tab.wait_for_url(f"{server}/{pages[0]}.html")


def test_mathematics_is_rendered(built, pages, tabs):
    tab, formulas = tabs(), {}
    for page in pages:
        if 'class="math' in (built / f"{page}.html").read_text(encoding="utf-8"):
            open_page(tab, (built / f"{page}.html").as_uri())
            formulas[page] = tab.locator(".math").count()
            assert tab.locator(".math mjx-container svg:visible").count() == formulas[page], page
            assert tab.locator("mjx-merror, [data-mjx-error]").count() == 0, page
    assert formulas.get("book/methods")


def test_axe_finds_nothing_severe(views):
    assert {page: found["severe"] for page, found in views.items() if found["severe"]} == {}


def test_nothing_lies_beyond_the_edge(views):
    assert {page: found["beyond"] for page, found in views.items() if found["beyond"]} == {}


def test_pictures_are_large_enough_for_their_words_and_on_white_in_the_dark(views):
    """Drawn for the column of a desk, they may shrink to seven tenths; on a phone they scroll instead."""
    seen = [(page, picture) for page, found in views.items() for picture in found["pictures"]]
    assert [(page, picture["alt"]) for page, picture in seen if picture["shown"] <= 0.7] == []
    assert {picture["paper"] for _, picture in seen if picture["theme"] == "dark"} <= {"rgb(255, 255, 255)"}
    assert seen


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_sees_what_it_is_to_see(built, tabs, theme):
    tab = tabs(theme=theme)
    open_page(tab, (built / "book/references.html").as_uri())
    tab.evaluate(
        """() => document.querySelector("article").insertAdjacentHTML(
          "beforeend", '<p style="color: #999; background: #888">faint</p><img src="data:,">')"""
    )
    assert {line.split(":")[0] for line in severe(tab)} == {"color-contrast", "image-alt"}
    assert "aria-required-children" in {line.split(":")[0] for line in severe(tab, not_ours={})}


def test_what_lies_beyond_the_edge_is_seen(built, tabs):
    tab = tabs(PHONE)
    open_page(tab, (built / "book/references.html").as_uri())
    tab.evaluate(
        """() => document.querySelector("article").insertAdjacentHTML("beforeend", `
          <div style="overflow-x: auto"><p style="width: 600px">reached</p></div>
          <div style="overflow-x: hidden"><p style="width: 600px">cut off</p></div>`)"""
    )
    assert tab.evaluate(BEYOND) == ["P : cut off"]


def test_the_first_view_is_under_five_megabytes(pages, server, tabs):
    tab, done = tabs(), []
    tab.on("requestfinished", lambda request: done.append(request))
    open_page(tab, f"{server}/{pages[0]}.html")
    tab.wait_for_load_state("networkidle")
    parts = ("responseBodySize", "responseHeadersSize")
    sizes = {request.url: sum(request.sizes()[part] for part in parts) for request in done}
    assert 100_000 < sum(sizes.values()) < 5_000_000, sizes
