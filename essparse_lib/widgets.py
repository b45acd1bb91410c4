"""Widgets for a live notebook: a trial that runs at the press of a button, and the weights of a block.

They need a kernel, and no more of ipywidgets than its version 7.7, which Colab has. Curves are read in the panels of
``figures.panels``, which need no kernel.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from . import figures
from .analysis.curves import Curve
from .analysis.curves import curves as curves_of
from .errors import InputError, one_line
from .figures import curve_plots, fig1, fig5, parameters, points, style
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
    from .pruning.survey import PrunableMatrix

#: What ``prune_live`` offers besides the pruning variants of Figure 2.
N_M = "N:M pattern"

#: Number of weights along each side of the part of a matrix that is drawn weight by weight.
_CORNER = 64


def prune_live(scale: str = "lab") -> ipw.VBox:
    """Return a widget that prunes, fine-tunes and evaluates a model at the press of a button.

    The reader chooses a model, a task, a pruning variant, a sparsity or pattern, and a seed. The result is compared
    with the dense model of the same seed, which is trained first. While it runs a bar moves; then the point appears on
    the curves of the records. A trial that has a record, or ran before, is read back. Errors are shown in one line.

    Args:
        scale: ``lab`` (a point takes some minutes), ``tiny`` or ``paper``.

    Raises:
        InputError: there is no such scale, or a record is damaged.

    Source: §3 of the paper, and its Figures 2 and 5.
    """
    return _LiveRun(figures.study("fig2", scale)).box


class _LiveRun:
    """The controls of ``prune_live``, and the records and points that it has so far."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.records = figures.records(study)
        self.points: dict[str, points.Point] = {}

        self.model = _dropdown("model", list(study.models))
        self.other = ipw.Text(
            description="or another", placeholder="hub id or folder", continuous_update=False, **_layout()
        )
        self.task = _dropdown("task", list(study.tasks))
        self.variant = _dropdown("pruned", [*study.variants, N_M])
        self.sparsity = ipw.FloatSlider(
            description="sparsity", value=0.4, min=0.05, max=0.95, step=0.05, readout_format=".0%", **_layout()
        )
        patterns = [pruning.pattern for name in (fig5.M4, fig5.M8) for pruning in fig5.VARIANTS[name]]
        self.pattern = _dropdown("pattern", patterns)
        self.seed = ipw.BoundedIntText(description="seed", value=0, min=0, max=9999, **_layout())
        self.button = ipw.Button(description="run", button_style="primary")
        self.bar = ipw.FloatProgress(description="progress", value=0.0, min=0.0, max=1.0, **_layout())
        self.status, self.words, self.picture = ipw.HTML(), ipw.HTML(), ipw.HTML()

        self.button.on_click(self._run)
        self.variant.observe(self._show_control_of_variant, "value")
        self._show_control_of_variant()
        chosen = [self.model, self.other, self.task]
        run = [self.variant, self.sparsity, self.pattern, self.seed, self.button, self.bar, self.status]
        self.box = _box(chosen, self._show, [*run, self.words, self.picture])

    def _narrowed(self, *seeds: int) -> Study:
        """Return the study of the chosen model and task, on some seeds or on its own."""
        model = self.other.value.strip() or self.model.value
        return self.study.narrowed([model], [self.task.value], seeds or None)

    def _pruning(self) -> Pruning:
        if self.variant.value == N_M:
            return Pruning(pattern=self.pattern.value)
        return replace(self.study.variants[self.variant.value][0], sparsity=self.sparsity.value)

    def _show_control_of_variant(self, _: object = None) -> None:
        is_pattern = self.variant.value == N_M
        self.sparsity.layout.display = "none" if is_pattern else ""
        self.pattern.layout.display = "" if is_pattern else "none"

    def _show(self, _: object = None) -> None:
        """Show the curves of the chosen model and task with the points that were run, and their sentences."""
        with _errors_in(self.status):
            study = replace(self._narrowed(), any_seed=False)  # the points of this page stand beside the curves
            self.records = figures.records(study) | self.records  # of another model, too
            (model,), (task,) = study.models, study.tasks
            points_shown = {
                name: point for name, point in self.points.items() if (point.model, point.task) == (model, task)
            }
            curves: dict[str, list[Curve]] = {name: curves_of(study, self.records, name) for name in study.variants}
            main = curves.pop(study.main)
            sentences = [f"{name}. {points.sentence(point)}" for name, point in points_shown.items()]
            without_records = [] if main else ["There are no records of it yet: press run."]
            self.words.value = _lines(sentences or without_records)
            draw: Callable[[], Figure] = style.note
            if main or points_shown:
                draw = partial(curve_plots.draw, main, list(points_shown.values()), variants=curves)
            self.picture.value = _picture(draw, " ".join(sentences) or f"Curves of {model} on {task}.")

    def _show_progress(self, share: float, lines: Sequence[str]) -> None:
        self.bar.value, self.status.value = share, _lines(lines)

    def _run(self, _: object) -> None:
        """Run what has no record of the chosen point, and add the point to the curves."""
        with _disabled(self.button), _errors_in(self.status):
            seed, pruning = self.seed.value, self._pruning()
            study = interactive.checked_study(self._narrowed(seed))
            missing = interactive.unrecorded(study, self.records, [pruning], study.tasks)
            new, made = interactive.run_with_progress(missing, self.study, self.records, self._show_progress)
            for point in points.at_pruning(study, {**self.records, **new}, pruning, made):
                self.points[str(study.trial(point.model, point.task, pruning, seed))] = point
            self.records.update(new)
            self._show()


def block(model: str | nn.Module, block: int = 2) -> ipw.VBox:
    """Return a widget that shows a block's weights as magnitude pruning takes more of them.

    One matrix is drawn weight by weight, and a table gives the share of each component that goes.

    Args:
        model: a model that is loaded already; or its name here, its id on the hub or its folder, which is loaded at the
            press of a button.
        block: number of the block, from 1.

    Raises:
        InputError: a loaded model has no such block, or no matrix that can be pruned. Of a named model the widget says
            so itself.

    Source: §3 and Figure 1 of the paper.
    """
    if not isinstance(model, str):
        return _block_of(model, block)
    name = model
    button = ipw.Button(description=f"load {name}", button_style="primary", layout=ipw.Layout(width="auto"))
    status = ipw.HTML()
    box = ipw.VBox([button, status])

    def load(_: object) -> None:
        with _disabled(button), _errors_in(status):
            from .models import loading

            status.value = _lines([f"Loading {name} …"])
            box.children = [_block_of(loading.load_model(name), block)]

    button.on_click(load)
    return box


def _block_of(model: nn.Module, number: int) -> ipw.VBox:
    from .pruning.levels import Levels
    from .pruning.magnitude import magnitude_levels
    from .pruning.prunable import prunable_matrices, prunable_weights

    matrices = prunable_matrices(model)
    depth = parameters.block([{"depth": matrix.depth} for matrix in matrices.values()], number)
    in_block = {name: matrix for name, matrix in matrices.items() if matrix.depth == depth}
    sweep = magnitude_levels(prunable_weights(model), [percent / 100 for percent in range(100)])
    levels = Levels(sweep.sparsities, {name: sweep.level[name] for name in in_block})

    chosen = _dropdown("matrix", [(f"{matrix.component} ({name})", name) for name, matrix in in_block.items()])
    percent = ipw.IntSlider(description="removed, %", value=40, min=0, max=99, **_layout())
    words, picture = ipw.HTML(), ipw.HTML()

    def show(_: object = None) -> None:
        counts = levels.mask(percent.value / 100).count(str)
        rows = [
            {"component": matrix.component, "size": counts[name].size, "pruned": counts[name].pruned}
            for name, matrix in in_block.items()
        ]
        removed = counts[chosen.value].sparsity
        sentence = f"{removed:.1%} of this matrix goes where {percent.value}% of all blocks' weights do."
        words.value = _lines([sentence]) + fig1.table(rows).to_html(index=False)
        picture.value = _picture(lambda: _draw_kept(in_block[chosen.value], levels, percent.value), sentence)

    return _box([chosen, percent], show, [words, picture])


def _draw_kept(matrix: PrunableMatrix, levels: Levels, percent: int) -> Figure:
    """Draw the first weights of a matrix: the colour is the magnitude, weights that go are blank."""
    import matplotlib.pyplot as plt

    keep = levels.mask(percent / 100).keep[matrix.name]
    sizes, keep = matrix.layout.rows(matrix.values.abs()), matrix.layout.rows(keep)
    corner = sizes[:_CORNER, :_CORNER].float().cpu()
    kept = corner.where(keep[:_CORNER, :_CORNER].cpu(), float("nan"))
    figure, ax = plt.subplots(figsize=(5.2, 4.2), layout="constrained")
    brightest = float(corner.quantile(0.99))
    image = ax.imshow(kept.numpy(), cmap="viridis", vmin=0, vmax=brightest, interpolation="nearest")
    ax.grid(visible=False)
    ax.set_title("{} × {} of {} × {} weights".format(*corner.shape, *sizes.shape), fontsize=10)
    ax.set(xlabel="input", ylabel="output")
    figure.colorbar(image, label="magnitude of the weights that stay", extend="max")
    return figure


@contextmanager
def _disabled(button: ipw.Button) -> Iterator[None]:
    """Disable a button while it works."""
    button.disabled = True
    try:
        yield
    finally:
        button.disabled = False


@contextmanager
def _errors_in(line: ipw.HTML) -> Iterator[None]:
    """Show errors in a line. Errors that the reader can mend, and a stop by the reader, end here; others go on."""
    try:
        yield
    except InputError as error:
        line.value = _lines([str(error)])
    except KeyboardInterrupt:
        line.value = _lines(["Stopped. What was done is kept: press again to go on."])
    except Exception as error:
        line.value = _lines([f"{type(error).__name__}: {one_line(error)}"])
        raise


def _box(controls: Sequence[ipw.Widget], show: Callable[..., None], outputs: Sequence[ipw.Widget]) -> ipw.VBox:
    """Return controls above outputs; ``show`` fills the outputs now and whenever a control changes."""
    for control in controls:
        control.observe(show, "value")
    show()
    return ipw.VBox([*controls, *outputs])


def _dropdown(description: str, options: Sequence[Any]) -> ipw.Dropdown:
    return ipw.Dropdown(description=description, options=options, **_layout())


def _layout() -> dict[str, Any]:
    return {"style": {"description_width": "6em"}, "layout": ipw.Layout(width="30em", max_width="100%")}


def _lines(lines: Iterable[str]) -> str:
    return "<br>".join(html.escape(line) for line in lines)


def _picture(draw: Callable[[], Figure], alt: str) -> str:
    """Return a figure as an HTML image, and close the figure."""
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
