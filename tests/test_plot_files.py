"""The numbers of a plot, as files: they are what is drawn, everything drawn is named, and the pages link to them."""

import io
import json
import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from helpers import CURVE_STUDY as STUDY
from helpers import ROOT, curve_records, knee_at, run_cells

from essparse_lib import figures
from essparse_lib.analysis.curves import curves
from essparse_lib.errors import InputError
from essparse_lib.figures import curve_plots, plot_files, plotted, points, style
from essparse_lib.figures.plotted import COLUMNS

mpl.use("agg")

NOTEBOOKS = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
FIGURES = [name for name in NOTEBOOKS if name in figures.STUDIES]
ENDINGS = (".csv", ".json", ".svg", ".png")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def read_csv(text):
    """Read the CSV of a plot as its header says."""
    return pd.read_csv(io.StringIO(text), comment="#", keep_default_na=False, na_values=[""])


def drawn_curve():
    records = curve_records(knee_at(0.5), noise=2.0)
    asked = points.at_sparsity(STUDY, records, 0.7, live=())
    return curves(STUDY, records), curve_plots.draw(curves(STUDY, records), asked)


def test_the_csv_holds_what_the_analysis_says():
    (curve,), figure = drawn_curve()
    rows = read_csv(plot_files.csv_text(plotted.panels(figure), {}))
    assert list(rows.columns) == list(COLUMNS) and set(rows.panel) == {"t"}
    main = rows[rows.series == "m"]
    drop, resampled = curve.drops()
    low, high = np.quantile(resampled, (0.025, 0.975), axis=0)
    for column, values in {"x": 100 * curve.levels, "y": -drop, "y_low": -high, "y_high": -low}.items():
        assert main[column].to_numpy() == pytest.approx(values, abs=1e-9), column
    assert set(rows.series) == {
        *("m", "m, seed 0", "m, seed 1", "m, seed 2", "m, essential sparsity"),
        *("dense − 1 point", "commonest class", f"m, {curve_plots.ASKED}"),
    }
    (essential,) = rows[rows.series == "m, essential sparsity"].to_dict("records")
    assert essential["x_low"] <= essential["x"] <= essential["x_high"] and np.isnan(essential["y"])


def test_csv_and_json_say_what_they_hold_and_hold_the_same():
    panels, notes = plotted.panels(drawn_curve()[1]), {"licence": "CC BY 4.0", "caption": "Two\nlines."}
    text = plot_files.csv_text(panels, notes)
    header = [line for line in text.splitlines() if line.startswith("#")]
    assert header[:2] == ["# licence: CC BY 4.0", "# caption: Two lines."]
    assert f"# axes: x is {style.SPARSITY}, y is change (points)" in header
    assert all(f"# column {name}: {note}" in header for name, note in COLUMNS.items())
    plain = json.loads(plot_files.json_text(panels, notes))
    assert plain["licence"] == "CC BY 4.0" and plain["columns"]["x_low"] == COLUMNS["x_low"]
    from_json = pd.DataFrame(plotted.rows_of(plain["panels"]), columns=list(COLUMNS))
    pd.testing.assert_frame_equal(read_csv(text), from_json, check_dtype=False, rtol=0, atol=1e-9)


def test_four_files_are_written_and_no_other(tmp_path):
    paths = plot_files.write(drawn_curve()[1], tmp_path / "mine.v2", {"licence": "none"})
    assert [path.name for path in paths] == [f"mine.v2{ending}" for ending in ENDINGS]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert (tmp_path / "mine.v2.svg").read_text().count("<svg") == 1
    with pytest.raises(InputError, match="missing"):
        plot_files.write(drawn_curve()[1], tmp_path / "mine.v2.csv" / "missing" / "plot")


def test_a_figure_without_data_has_no_numbers():
    assert plotted.panels(style.note()) == []


def test_what_has_no_name_is_found():
    figure, ax = plt.subplots()
    ax.plot([0, 1], [0, 1])
    ax.plot([0, 1], [1, 0], label=style.NO_DATA)
    ax.set_title("a panel")
    assert plotted.unnamed(figure) == ["Line2D in 'a panel'"] and plotted.panels(figure) == []


def drawn_points(ax):
    """Every point that a panel draws of something named, by series, from matplotlib's own objects."""
    shown = {}
    bars = {id(bar.lines[0]): bar.get_label() for bar in ax.containers if type(bar).__name__ == "ErrorbarContainer"}
    for line in ax.lines:
        name, both = bars.get(id(line), line.get_label()), line.get_transform().contains_branch_seperately(ax.transData)
        if not name.startswith("_") and all(both):
            shown.setdefault(name, []).append(line.get_xydata())
    return {name: np.concatenate(parts) for name, parts in shown.items()}


@pytest.mark.notebook
@pytest.mark.parametrize("name", FIGURES)
def test_the_csv_of_each_figure_redraws_its_lines_and_a_run_writes_no_file(name, monkeypatch):
    before = sorted((ROOT / "notebooks").iterdir())
    declared = (ROOT / f"notebooks/{name}.py").read_text()
    run_cells(monkeypatch, name, **({"live_tasks": "none"} if "live_tasks: str" in declared else {}))
    assert sorted((ROOT / "notebooks").iterdir()) == before
    pictures = [plt.figure(number) for number in plt.get_fignums()]
    assert pictures and not [offender for figure in pictures for offender in plotted.unnamed(figure)]
    redrawn = 0
    for figure in pictures:
        rows = read_csv(plot_files.csv_text(plotted.panels(figure), {}))
        assert not rows.series.str.contains("#").any() and not rows.panel.str.contains("#").any()
        panels = [ax for ax in figure.axes if ax.axison and ax.get_visible()]
        names = [plotted.panel_name(ax) for ax in panels]
        assert len(set(names)) == len(names), "two panels have one name"
        for ax, panel in zip(panels, names, strict=True):
            for series, expected in drawn_points(ax).items():
                found = rows[(rows.panel == panel) & (rows.series == series)].dropna(subset=["x"])
                (line,) = plt.figure().subplots().plot(found.x, found.y)
                expected = expected[~np.isnan(expected[:, 0])]
                assert line.get_xydata() == pytest.approx(expected, abs=1e-9, rel=1e-9, nan_ok=True), (panel, series)
                redrawn += 1
                plt.close(line.figure)
    assert redrawn or name == "fig1"  # whose first plot is a map


@pytest.mark.parametrize("name", FIGURES)
def test_each_plot_of_a_page_can_be_downloaded(built, name):
    cells = json.loads((ROOT / f"notebooks/{name}.ipynb").read_text())["cells"]
    plots = [cell["metadata"]["mystnb"]["figure"]["name"] for cell in cells if "mystnb" in cell["metadata"]]
    page = (built / f"notebooks/{name}.html").read_text(encoding="utf-8")
    links = re.findall(r'download="([^"]*)" href="(\.\./[^"]+)"', page)
    files = {name or link.rsplit("/", 1)[1]: built / "notebooks" / link for name, link in links}
    offered = {file.removesuffix(".csv") for file in files if file.endswith(".csv")}
    assert offered <= set(plots) and offered and files.keys() == {f"{plot}{end}" for plot in offered for end in ENDINGS}
    for plot in offered:
        text = files[f"{plot}.csv"].read_text(encoding="utf-8")
        plain = json.loads(files[f"{plot}.json"].read_text(encoding="utf-8"))
        assert len(read_csv(text)) == len(list(plotted.rows_of(plain["panels"]))) > 0
        assert plain["plot"].startswith(f"{plot} of Figure") and plain["caption"] and "CC BY 4.0" in plain["licence"]
        assert re.fullmatch("[0-9a-f]{16}", plain["fingerprint of the records"]) and "arxiv.org" in plain["cite"]
        assert files[f"{plot}.png"].read_bytes().startswith(b"\x89PNG") and "<svg" in files[f"{plot}.svg"].read_text()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_notebook_that_a_page_offers_is_the_committed_one(built, name):
    assert (built / f"_sources/notebooks/{name}.ipynb").read_bytes() == (ROOT / f"notebooks/{name}.ipynb").read_bytes()
