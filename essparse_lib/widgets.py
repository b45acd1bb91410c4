"""Panels for a live notebook: curves read at a slider, a trial run at the press of a button, a block's weights.

They need a kernel, and no more of ipywidgets than its version 7.7, which Colab has. In the built book the panels of
``figures.panels`` stand in for them.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from . import figures
from .analysis import curves as measured
from .analysis.essential import EPSILON, essential_sparsity
from .errors import InputError, one_line
from .figures import curve_plots as drawing
from .figures import fig1, fig5, parameters, style
from .records.store import Record, results
from .runner import interactive
from .specs.study import Study
from .specs.trial import Pruning

try:
    import ipywidgets as ipw
except ImportError as error:
    raise InputError("widgets need ipywidgets, which is missing: pip install ipywidgets") from error

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

    from .pruning.levels import Levels
    from .pruning.prunable import PrunableMatrix

#: What ``prune_live`` offers beside the ways of Figure 2.
N_M = "N:M pattern"

#: Weights along each side of the part of a matrix that is shown one by one.
_CORNER = 64


def curves(study: Study, records: Mapping[str, Record], epsilon: float = EPSILON) -> ipw.VBox:
    """The study's curves with their bands and essential sparsities, and in words what they are at the slider.

    To be chosen: model, tasks, way to prune, the drop in points or in percent of the dense score, and the sparsity, at
    which the slider stops where something was measured: nothing is read between.

    Args:
        epsilon: tolerance of the essential sparsity, in the unit that is chosen.

    Raises:
        InputError: records of one curve were not made alike.

    Source: Figure 2 of the paper, and its kin.
    """
    found = cache(lambda way: [c for c in measured.curves(study, records, way) if len(c.levels) > 1])
    main = found(study.main)
    if not main:
        return ipw.VBox([ipw.HTML(_lines([f"There are no records yet: run `essparse run {study.figure}`."]))])
    models, tasks = (list(dict.fromkeys(getattr(c, name) for c in main)) for name in ("model", "task"))
    levels = sorted({how.sparsity for way in study.variants.values() for how in way})

    model = _choice("model", [*models, *([("all", "")] if len(models) > 1 else [])])
    chosen = ipw.SelectMultiple(options=tasks, value=tasks, rows=min(6, len(tasks)), description="tasks", **_look())
    way = _choice("pruned", list(study.variants))
    unit = _choice("drop in", [("points", False), ("% of the dense score", True)])
    sparsity = ipw.SelectionSlider(
        options=[(f"{100 * level:g}%", level) for level in levels],
        value=min(levels, key=lambda level: abs(level - 0.4)),
        description="sparsity",
        continuous_update=False,  # a drawing takes part of a second
        **_look(),
    )
    words, picture = ipw.HTML(), ipw.HTML()

    def show(_: object = None) -> None:
        own = [c for c in found(way.value) if c.model in (model.value or models) and c.task in chosen.value]
        at = [(c, point) for c in own if (point := drawing.measured_point(c, sparsity.value, unit.value))]
        told = [f"{drawing.sentence(point)} {_essential(c, epsilon, unit.value)}" for c, point in at]
        words.value = _lines(told or ["Nothing is measured there: choose another task, model, way or sparsity."])
        asked = [point for _, point in at]
        draw = partial(drawing.draw, own, asked, epsilon, relative=unit.value) if own else style.note
        picture.value = _picture(draw, " ".join(told))

    return _panel([model, chosen, way, unit, sparsity], show, [words, picture])


def prune_live(scale: str = "lab") -> ipw.VBox:
    """A model that is pruned, fine-tuned and evaluated at the press of a button, beside the dense one of its seed.

    To be chosen: model, task, way to prune, sparsity or pattern, and seed. While it runs a bar moves; then the point
    appears on the curves of the records. What has a record or was run before is read back. What cannot be done is
    said in a line.

    Args:
        scale: whose models, tasks, training and records: ``lab`` (some minutes a point), ``tiny`` or ``paper``.

    Raises:
        InputError: there is no such scale, or a record is damaged.

    Source: §3 of the paper, and its Figures 2 and 5.
    """
    study = figures.study("fig2", scale)
    records = results(scale).records_of_studies(study)
    points: dict[str, drawing.Point] = {}

    model = _choice("model", list(study.models))
    other = ipw.Text(description="or another", placeholder="hub id or folder", continuous_update=False, **_look())
    task = _choice("task", list(study.tasks))
    way = _choice("pruned", [*study.variants, N_M])
    look = {"readout_format": ".0%", **_look()}
    sparsity = ipw.FloatSlider(description="sparsity", value=0.4, min=0.05, max=0.95, step=0.05, **look)
    pattern = _choice("pattern", [how.pattern for name in (fig5.M4, fig5.M8) for how in fig5.WAYS[name]])
    seed = ipw.BoundedIntText(description="seed", value=0, min=0, max=9999, **_look())
    button = ipw.Button(description="run", button_style="primary")
    bar = ipw.FloatProgress(description="progress", value=0.0, min=0.0, max=1.0, **_look())
    status, words, picture = ipw.HTML(), ipw.HTML(), ipw.HTML()

    def here(*seeds: int) -> Study:
        return study.narrowed([other.value.strip() or model.value], [task.value], seeds or None)

    def arrange(_: object = None) -> None:
        sparsity.layout.display, pattern.layout.display = ("none", "") if way.value == N_M else ("", "none")

    def show(_: object = None) -> None:
        with _told_in(status):
            asked = here()
            records.update(results(scale).records_of_studies(asked) | records)  # of another model, too
            own = {name: p for name, p in points.items() if (p.model, p.task) == (*asked.models, *asked.tasks)}
            told = [f"{name}. {drawing.sentence(point)}" for name, point in own.items()]
            found = {name: measured.curves(asked, records, name) for name in study.variants}
            main = found.pop(study.main)
            words.value = _lines(told or ([] if main else ["There are no records of it yet: press run."]))
            draw = partial(drawing.draw, main, list(own.values()), beside=found) if main or own else style.note
            picture.value = _picture(draw, " ".join(told) or f"Curves of {asked.models[0]} on {asked.tasks[0]}.")

    def tell(share: float, lines: Sequence[str]) -> None:
        bar.value, status.value = share, _lines(lines)

    def press(_: object) -> None:
        with _pressed(button), _told_in(status):
            asked = interactive.checked(here(seed.value))
            swept = study.variants.get(way.value)
            how = replace(swept[0], sparsity=sparsity.value) if swept else Pruning(pattern=pattern.value)
            fresh, made = interactive.watched(
                interactive.wanted(asked, records, [how], asked.tasks), study, records, tell
            )
            found = drawing.pruned_points(asked, {**records, **fresh}, how, made)
            points.update({str(asked.trial(point.model, point.task, how, seed.value)): point for point in found})
            records.update(fresh)
            show()

    button.on_click(press)
    way.observe(arrange, "value")
    arrange()
    return _panel([model, other, task], show, [way, sparsity, pattern, seed, button, bar, status, words, picture])


def block(model: str | nn.Module, block: int = 2) -> ipw.VBox:
    """A block's weights as magnitude pruning takes more: one matrix seen, and the share of each component that goes.

    Args:
        model: loaded already; or its name here, its id on the hub or its folder, to be loaded at the press of a button.
        block: its number, from 1.

    Raises:
        InputError: a model that is loaded already has no such block, or none that can be pruned. Of a name the panel
            says so.

    Source: §3 and Figure 1 of the paper.
    """
    if not isinstance(model, str):
        return _weights(model, block)
    name = model
    button = ipw.Button(description=f"load {name}", button_style="primary", layout=ipw.Layout(width="auto"))
    status = ipw.HTML()
    panel = ipw.VBox([button, status])

    def press(_: object) -> None:
        with _pressed(button), _told_in(status):
            from .models import loading

            status.value = _lines([f"Loading {name} …"])
            panel.children = [_weights(loading.complete(name), block)]

    button.on_click(press)
    return panel


def _weights(model: nn.Module, number: int) -> ipw.VBox:
    from .pruning.levels import Levels
    from .pruning.magnitude import magnitude_levels
    from .pruning.prunable import prunable_matrices, prunable_weights

    matrices = prunable_matrices(model)
    depth = parameters.block([{"depth": matrix.depth} for matrix in matrices.values()], number)
    own = {name: matrix for name, matrix in matrices.items() if matrix.depth == depth}
    sweep = magnitude_levels(prunable_weights(model), [percent / 100 for percent in range(100)])
    levels = Levels(sweep.sparsities, {name: sweep.level[name] for name in own})

    matrix = _choice("matrix", [(f"{m.component} ({name})", name) for name, m in own.items()])
    percent = ipw.IntSlider(description="removed, %", value=40, min=0, max=99, **_look())
    words, picture = ipw.HTML(), ipw.HTML()

    def show(_: object = None) -> None:
        mask = levels.mask(percent.value / 100)
        counts = mask.count(str)
        sizes = {name: {"size": count.size, "pruned": count.pruned} for name, count in counts.items()}
        rows = [{"component": m.component, **sizes[name]} for name, m in own.items()]
        gone = counts[matrix.value].sparsity
        told = f"{gone:.1%} of this matrix goes where {percent.value}% of all blocks' weights do."
        words.value = _lines([told]) + fig1.table(rows).style.hide(axis="index").to_html()
        picture.value = _picture(lambda: _draw_kept(own[matrix.value], levels, percent.value), told)

    return _panel([matrix, percent], show, [words, picture])


def _draw_kept(matrix: PrunableMatrix, levels: Levels, percent: int) -> Figure:
    """The first weights of a matrix: colours for how large they are, blank where they go."""
    import matplotlib.pyplot as plt

    keep = levels.mask(percent / 100).keep[matrix.name]
    sizes, keep = (t.detach().T if matrix.transposed else t.detach() for t in (matrix.weight.abs(), keep))
    corner = sizes[:_CORNER, :_CORNER].float().cpu()
    figure, ax = plt.subplots(figsize=(5.2, 4.2), layout="constrained")
    kept, most = corner.where(keep[:_CORNER, :_CORNER].cpu(), float("nan")), float(corner.quantile(0.99))
    image = ax.imshow(kept.numpy(), cmap="viridis", vmin=0, vmax=most, interpolation="nearest")
    ax.grid(visible=False)
    ax.set_title("{} × {} of {} × {} weights".format(*corner.shape, *sizes.shape), fontsize=10)
    ax.set(xlabel="input", ylabel="output")
    figure.colorbar(image, label="magnitude of the weights that stay", extend="max")
    return figure


@contextmanager
def _pressed(button: ipw.Button) -> Iterator[None]:
    """What a button does, which cannot be pressed meanwhile."""
    button.disabled = True
    try:
        yield
    finally:
        button.disabled = False


@contextmanager
def _told_in(line: ipw.HTML) -> Iterator[None]:
    """What goes wrong within is told in a line; a stop by the reader and what they can mend end there."""
    try:
        yield
    except InputError as error:
        line.value = _lines([str(error)])
    except KeyboardInterrupt:
        line.value = _lines(["Stopped. What was done is kept: press again to go on."])
    except Exception as error:
        line.value = _lines([f"{type(error).__name__}: {one_line(error)}"])
        raise


def _panel(controls: Sequence[ipw.Widget], show: Callable[..., None], rest: Sequence[ipw.Widget]) -> ipw.VBox:
    """The controls above the rest, which ``show`` fills now and whenever one of them is moved."""
    for control in controls:
        control.observe(show, "value")
    show()
    return ipw.VBox([*controls, *rest])


def _choice(description: str, options: Sequence[Any]) -> ipw.Dropdown:
    return ipw.Dropdown(description=description, options=options, **_look())


def _look() -> dict[str, Any]:
    return {"style": {"description_width": "6em"}, "layout": ipw.Layout(width="30em", max_width="100%")}


def _essential(curve: measured.Curve, epsilon: float, relative: bool) -> str:
    text = drawing.sparsity_text(curve, essential_sparsity(curve, epsilon, relative), curve.learned())
    return f"Essential sparsity in percent: {text}."


def _lines(lines: Iterable[str]) -> str:
    return "<br>".join(html.escape(line) for line in lines)


def _picture(draw: Callable[[], Figure], alt: str) -> str:
    """A figure as an element of HTML; what it was drawn on is given back."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    file = io.BytesIO()
    with mpl.rc_context():
        style.apply()
        figure = draw()
        try:
            figure.savefig(file, format="png")
        finally:
            plt.close(figure)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img style="max-width: 100%" alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'
