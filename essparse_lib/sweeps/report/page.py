"""The page of a report: one file, with its style, its script and its numbers in it."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from importlib import resources
from xml.etree.ElementTree import Element

from .chart import add_chart, x_of, y_of
from .elements import add, add_pairs, add_paragraphs, add_section, add_table, html_of
from .facts import Facts
from .frames import Frame, frames
from .loading import loading_code


def page(facts: Facts, pictures: Sequence[str] = ()) -> str:
    """Return the page of a report as HTML, which asks for nothing else.

    Args:
        facts: what it states.
        pictures: names of the files beside it that show the curve.
    """
    style, script = (
        resources.files(__package__).joinpath(f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js")
    )
    root = Element("html", lang="en")
    _add_head(root, facts, style, script)
    body = add(root, "body")
    header = add(body, "header")
    title = add(header, "h1", "How much of ")
    add(title, "bdi", facts.model).tail = " can go?"
    data = add(header, "p", "Measured on ", class_="data")
    add(data, "bdi", facts.data).tail = "."
    main = add(body, "main")
    _add_answer(main, facts)
    views = frames(facts)
    _add_curve(main, facts, views)
    _add_levels(main, facts)
    _add_failures(main, facts)
    add_paragraphs(add_section(main, "noise", "How far chance moves these numbers"), facts.noise.sentences)
    if facts.settings:
        add_pairs(add_section(main, "settings", "What was done"), facts.settings.items())
    if facts.notes:
        add_paragraphs(add_section(main, "notes", "The data"), facts.notes)
    _add_code(main, facts)
    _add_provenance(main, facts)
    _add_footer(body, pictures)
    if views:
        add(body, "script", _places(facts, views), type="application/json", id="places")
        add(body, "script", script)
    return html_of(root)


def _add_head(root: Element, facts: Facts, style: str, script: str) -> None:
    """Add the head of the page. Its policy lets nothing run but this script, and nothing be fetched."""
    head = add(root, "head")
    add(head, "meta", charset="utf-8")
    policy = f"default-src 'none'; img-src data:; style-src {_source(style)}; script-src {_source(script)}"
    policy += "; base-uri 'none'; form-action 'none'"
    add(head, "meta", http_equiv="Content-Security-Policy", content=policy)
    add(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    add(head, "meta", name="color-scheme", content="light dark")
    add(head, "link", rel="icon", href="data:,")
    add(head, "title", f"Essential sparsity of {facts.model} on {facts.data}")
    add(head, "style", style)


def _source(code: str) -> str:
    """Return a style or a script as a content security policy names it, by its hash."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"


def _add_answer(main: Element, facts: Facts) -> None:
    box = add(main, "section", id="answer", aria_labelledby="answer-title")
    add(box, "h2", facts.heading, id="answer-title")
    add(box, "p", facts.sentence, class_="sentence", dir="auto")
    add_paragraphs(box, facts.limit)
    unit = "" if math.isnan(facts.essential.value) else "% of the weights"
    pairs = [("essential sparsity, with its 95% interval", f"{facts.essential.text}{unit}")]
    pairs.append(("tolerated loss", facts.tolerance_text))
    if facts.reason:
        pairs.append(("why the sweep ended", facts.reason))
    add_pairs(box, pairs)


def _add_curve(main: Element, facts: Facts, views: Sequence[Frame]) -> None:
    section = add_section(main, "curve", "What is lost at each sparsity")
    if not views:
        add(section, "p", "There is no curve yet: that takes losses at two levels.")
        return
    _add_legend(section, facts, views)
    charts = add(section, "div", class_="charts")
    for number, frame in enumerate(views):
        figure = add(charts, "figure")
        if frame.title:
            add(figure, "figcaption", frame.title)
        add_chart(figure, facts, frame, number)
    place = facts.places[facts.start]
    control = add(section, "div", class_="slider")
    add(control, "label", "Weights removed", for_="slider")
    add(
        control,
        "input",
        id="slider",
        type="range",
        min=0,
        max=len(facts.places) - 1,
        step=1,
        value=facts.start,
        aria_valuetext=place.spoken,
    )
    readout = add(section, "dl", class_="readout")
    fields = {
        "name": ("weights removed", place.name),
        "loss": (facts.unit.axis, place.loss.text),
        "verdict": (f"against {facts.tolerance_text}", place.verdict),
        "source": ("how it is known", place.source),
    }
    for field, (name, text) in fields.items():
        row = add(readout, "div")
        add(row, "dt", name)
        add(row, "dd", text, data_field=field)
    explained = (
        "In brackets stands the 95% interval, over seeds and test examples. Where it holds the tolerance, it is "
    )
    explained += "undecided whether more is lost. "
    explained += "Between measured levels, loss and interval lie on straight lines"
    explained += " in the logarithm of the perplexity. " if facts.unit.perplexity else ". "
    explained += "Neither the verdict between levels nor the interval of the essential sparsity rests on these lines. "
    explained += "The verdict is that of both levels. The interval begins at the largest level that is within the "
    explained += "tolerance, and ends at the smallest that is beyond it, or at 100% where none is."
    add(section, "p", explained, class_="small")
    still = "The slider needs JavaScript, which does not run here. The table below has the measured numbers."
    add(section, "p", still, class_="still")


def _add_legend(section: Element, facts: Facts, views: Sequence[Frame]) -> None:
    """Add the names of what is drawn, each beside a sample of it."""
    names = {"mean": "mean", "band": "95% interval"}
    if len(facts.seeds) > 1:
        names["seed"] = "one seed"
    names["tolerance"] = f"tolerance: {facts.tolerance_text}"
    if any(frame.holds(facts.floor) for frame in views):
        names["floor"] = "a model that learned nothing"
    if not math.isnan(facts.essential.value):
        names["essential"] = "essential sparsity with its interval"
    if facts.failures:
        names["failure"] = "a trial diverged or failed"
    legend = add(section, "ul", class_="legend")
    for name, text in names.items():
        entry = add(legend, "li")
        sample = add(entry, "svg", viewBox="0 0 28 14", width=28, height=14, aria_hidden="true")
        if name == "band":
            add(sample, "rect", class_=name, x=0, y=1, width=28, height=12)
        elif name == "failure":
            add(sample, "path", class_=name, d="M9 2l10 10m0 -10l-10 10")
        elif name == "essential":
            mark = add(sample, "g", class_=name)
            add(mark, "line", class_="interval", x1=1, x2=27, y1=7, y2=7)
            add(mark, "line", class_="value", x1=14, x2=14, y1=1, y2=13)
        else:
            add(sample, "line", class_=name, x1=0, x2=28, y1=7, y2=7)
        add(entry, "span", text)


def _add_levels(main: Element, facts: Facts) -> None:
    section = add_section(main, "levels", "The measured levels")
    if not facts.levels:
        add(section, "p", "No level is measured yet.")
        return
    columns = [
        "removed",
        "seeds",
        facts.unit.score,
        facts.unit.axis,
        "against the tolerance",
        "sd of one run",
        "failed",
    ]
    rows = []
    for level in facts.levels:
        seeds = str(level.seeds) if level.drawn else "none drawn"
        cells = [level.name, seeds, level.score.text, level.loss.text, level.verdict, level.training_sd.text]
        rows.append([*cells, str(level.failures)])
    add_table(section, "The measured levels", columns, rows)
    add(
        section,
        "p",
        "Scores are means over the seeds, with their 95% intervals. A loss compares each seed with that seed of the "
        "dense model. The last but one column is how much one run differs from the next at random, in the unit of the "
        "loss.",
        class_="small",
    )


def _add_failures(main: Element, facts: Facts) -> None:
    if not facts.failures:
        return
    count = len(facts.failures)
    title = f"{count} trial{'' if count == 1 else 's'} diverged or failed"
    section = add_section(main, "failures", title)
    add(
        section,
        "p",
        "They are left out of every mean."
        if facts.unit.perplexity
        else "A trial that diverged counts as a model that learned nothing. One that failed is left out of every mean.",
    )
    rows = [[failure.name, str(failure.seed), failure.status, failure.reason or "–"] for failure in facts.failures]
    add_table(section, title, ["removed", "seed", "what came of it", "why"], rows)


def _add_code(main: Element, facts: Facts) -> None:
    """Add the code that loads the saved model, and the command that goes on."""
    if facts.saved:
        section = add_section(main, "load", "Load the saved model")
        add(section, "p", "It loads like any other model. The weights that were removed are zeros.")
        add(add(section, "pre"), "code", loading_code(facts.saved))
    if facts.command:
        section = add_section(main, "go-on", "Go on")
        add(section, "p", "This command goes on where the sweep ended. What is measured is not measured again.")
        add(add(section, "pre"), "code", facts.command)


def _add_provenance(main: Element, facts: Facts) -> None:
    section = add_section(main, "provenance", "Where these numbers come from")
    if not facts.records:
        add(section, "p", "There are no records yet.")
        return
    add_pairs(section, facts.provenance.items())


def _add_footer(body: Element, pictures: Sequence[str]) -> None:
    footer = add(add(body, "footer"), "p", "Beside this page lie ")
    names = ["summary.json", *pictures]
    for number, name in enumerate(names):
        link = add(footer, "a", name, href=name)
        link.tail = ", " if number < len(names) - 1 else "."
    if not pictures:
        link.tail = ". The pictures of the curve are left out: they need matplotlib (pip install 'essparse[draw]')."


def _places(facts: Facts, views: Sequence[Frame]) -> str:
    """Return as JSON what the script shows at each place: texts, and where the place lies in each drawing."""
    places = [
        {
            "name": place.name,
            "loss": place.loss.text,
            "verdict": place.verdict,
            "source": place.source,
            "spoken": place.spoken,
            "x": [x_of(frame, place.sparsity) for frame in views],
            "y": [y_of(frame, place.loss.value) for frame in views],
        }
        for place in facts.places
    ]
    return json.dumps(places, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
