"""The commands that take a model of one's own: ``prune``, ``stats`` and ``evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from . import options
from .options import say
from .specs.evaluation import USUAL_QUESTIONS, USUAL_TASKS
from .specs.methods import Scope, methods_text, one_shot_methods

Model = Annotated[
    str, options.text("model").argument("MODEL", "A model's name, its id on the hub, or its local folder.")
]

_ONE_SHOT = one_shot_methods()
_METHOD_HELP = "; ".join(f"{method.name} removes {method.summary}" for method in _ONE_SHOT.values()) + "."
_PATTERN_HELP = (
    f"Instead: N:M, such as 2:4, keeps 2 of every 4 inputs ({methods_text(_ONE_SHOT, lambda m: m.patterns)})."
)
_SCOPE_HELP = (
    f"Rank weights over all matrices ({Scope.GLOBAL}) or in each ({', '.join(list(Scope)[1:])}); "
    f"for {methods_text(_ONE_SHOT, lambda m: m.scopes)}."
)
_TEXT_HELP = f"A text file, which {methods_text(_ONE_SHOT, lambda m: m.calibrated)} calibrate on."
_SEED_HELP = f"Of what {methods_text(_ONE_SHOT, lambda m: m.seeded)} draw."


def prune(
    model: Model,
    out: Annotated[Path, options.path("out").option("Folder to save to; it must not exist yet, or be empty.")],
    sparsity: Annotated[
        str | None, options.text("sparsity").option("Fraction of the block matrices to remove, from 0 to below 1.")
    ] = None,
    pattern: Annotated[str | None, options.text("pattern").option(_PATTERN_HELP)] = None,
    method: Annotated[str, options.text("method").option(_METHOD_HELP)] = "magnitude",
    scope: Annotated[str, options.text("scope").option(_SCOPE_HELP)] = Scope.GLOBAL.value,
    text: Annotated[Path | None, options.path("text").option(_TEXT_HELP)] = None,
    images: Annotated[
        Path | None, options.path("images").option("Instead: a folder of images, for models that read these.")
    ] = None,
    windows: Annotated[
        int | None, options.WINDOWS.option("Windows of the text, or images, to calibrate on (128).")
    ] = None,
    length: Annotated[
        int | None, options.LENGTH.option("Tokens in a window (256, or as many as the model takes).")
    ] = None,
    include: Annotated[
        list[str] | None,
        options.text("include").option("Prune only the parameters of such names, as '*.mlp.*'; may be repeated."),
    ] = None,
    exclude: Annotated[
        list[str] | None, options.text("exclude").option("Leave the parameters of such names dense; may be repeated.")
    ] = None,
    seed: Annotated[int, options.SEED.option(_SEED_HELP)] = 0,
) -> None:
    """Remove a model's least important weights at once and save it as from_pretrained loads it."""
    from . import sparsify

    recipe = sparsify.Recipe(
        sparsity=sparsity,
        method=method,
        scope=scope,
        pattern=pattern,
        text=text,
        images=images,
        windows=windows,
        length=length,
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        seed=seed,
    )
    say(sparsify.save_pruned(model, recipe, out))


def stats(
    model: Model,
    exclude: Annotated[
        list[str] | None, options.text("exclude").option("Leave the parameters of such names out; may be repeated.")
    ] = None,
) -> None:
    """Show a model's zeros and magnitudes per component and block."""
    from . import model_statistics

    model_statistics.print_statistics(model, tuple(exclude or ()))


def evaluate(
    model: Model,
    tasks: Annotated[
        str, options.text("tasks").option("Likelihood tasks, with commas between them, such as blimp,arc-easy.")
    ] = ",".join(USUAL_TASKS),
    against: Annotated[
        str | None, options.text("against").option("Another model, such as the one before pruning, to compare with.")
    ] = None,
    questions: Annotated[
        int | None, options.QUESTIONS.option(f"Questions of each topic (about {USUAL_QUESTIONS:,} a task).")
    ] = None,
    shots: Annotated[int, options.SHOTS.option("Solved examples before each question.")] = 0,
    prefix: Annotated[
        str | None,
        options.text("prefix").option("The token before a text that begins with its choices (the tokenizer's first)."),
    ] = None,
) -> None:
    """Ask a language model the questions of likelihood tasks, as it is, and say how much it lost against another."""
    from . import language_evaluation

    names = [name.strip() for name in tasks.split(",")]
    language_evaluation.print_evaluation(model, names, against, questions, shots, prefix or "", say)
