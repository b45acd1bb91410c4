"""The commands that take a model of one's own: ``prune``, ``decompress``, ``stats``, ``evaluate`` and ``sweep``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import say
from .specs.evaluation import USUAL_QUESTIONS, USUAL_TASKS
from .specs.methods import METHODS, Scope, methods_text, one_shot_methods

Model = Annotated[
    str, options.text("model").argument("MODEL", "A model's name, its id on the hub, or its local folder.")
]

_ONE_SHOT = one_shot_methods()
_METHOD_HELP = "; ".join(f"{method.name} removes {method.summary}" for method in _ONE_SHOT.values()) + "."
_SWEEP_METHOD_HELP = "; ".join(f"{method.name} removes {method.summary}" for method in METHODS.values()) + "."
_PATTERN_HELP = (
    f"Instead: N:M, such as 2:4, keeps 2 of every 4 inputs ({methods_text(_ONE_SHOT, lambda m: m.patterns)})."
)
_SCOPE_HELP = (
    f"Rank weights over all matrices ({Scope.GLOBAL}, the default) or in each ({', '.join(list(Scope)[1:])}); "
    f"for {methods_text(_ONE_SHOT, lambda m: m.scopes)}."
)
_SPARSITIES_HELP = (
    'Instead: a JSON file such as {"*.mlp.*": 0.6, "*": 0.3}; the first pattern that fits a name decides, and '
    "what fits none stays dense."
)
_TEXT_HELP = f"A text file, which {methods_text(_ONE_SHOT, lambda m: m.calibrated)} calibrate on."
_SEED_HELP = f"Of what {methods_text(_ONE_SHOT, lambda m: m.seeded)} draw, and of recover."


def prune(
    model: Model,
    out: Annotated[Path, options.path("out").option("Folder to save to; it must not exist yet, or be empty.")],
    sparsity: Annotated[
        str | None, options.text("sparsity").option("Fraction of the block matrices to remove, from 0 to below 1.")
    ] = None,
    sparsities: Annotated[Path | None, options.path("sparsities").option(_SPARSITIES_HELP)] = None,
    pattern: Annotated[str | None, options.text("pattern").option(_PATTERN_HELP)] = None,
    method: Annotated[str, options.text("method").option(_METHOD_HELP)] = "magnitude",
    scope: Annotated[str | None, options.text("scope").option(_SCOPE_HELP)] = None,
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
    recover: Annotated[
        Path | None,
        options.path("recover").option("A text on which a language model is trained afterwards, zeros held."),
    ] = None,
    recover_steps: Annotated[
        int | None, options.STEPS.option("Steps of that training (200), of 8 windows each.")
    ] = None,
    recover_rate: Annotated[
        str | None, options.text("recover-rate").option("Peak learning rate of that training (1e-4).")
    ] = None,
    compressed: Annotated[
        bool, typer.Option("--compressed", help="Store a mask of bits and the weights that stay; see decompress.")
    ] = False,
    seed: Annotated[int, options.SEED.option(_SEED_HELP)] = 0,
) -> None:
    """Remove a model's least important weights at once and save it as from_pretrained loads it."""
    from . import sparsify
    from .training.recovery import recovery_of

    recipe = sparsify.Recipe(
        sparsity=sparsity,
        sparsities=sparsities,
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
    recovery = recovery_of(recover, recover_steps, recover_rate, seed)
    say(sparsify.save_pruned(model, recipe, out, recovery, compressed))


def decompress(
    folder: Annotated[
        Path, options.folder("folder", "a compressed model").argument("FOLDER", "What prune --compressed wrote.")
    ],
    out: Annotated[Path, options.path("out").option("Folder to save to; it must not exist yet, or be empty.")],
) -> None:
    """Make the ordinary checkpoint of a compressed one, bit for bit, as from_pretrained loads it."""
    from .models import compressed

    say(compressed.decompress(folder, out))


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


def sweep(
    model: Model,
    data: Annotated[
        str,
        options.text("data").option(
            "CSV, TSV, JSON lines, parquet or plain text (.txt), a folder of images by class, a folder that `datasets` "
            "saved, or an id on the hub, such as owner/name:config."
        ),
    ],
    out: Annotated[Path, options.path("out").option("A new folder, or one in which the same sweep was begun.")],
    test: Annotated[str | None, options.text("test").option("A file to evaluate on; else a part of the data.")] = None,
    text: Annotated[str | None, options.text("text").option("The column of the text.")] = None,
    text2: Annotated[str | None, options.text("text2").option("The column of a pair's second text.")] = None,
    image: Annotated[str | None, options.text("image").option("The column of the image.")] = None,
    label: Annotated[str | None, options.text("label").option("The column of the class.")] = None,
    method: Annotated[str, options.text("method").option(_SWEEP_METHOD_HELP)] = "magnitude",
    scope: Annotated[str, options.text("scope").option(_SCOPE_HELP)] = Scope.GLOBAL.value,
    timing: Annotated[str, options.text("timing").option("Prune before the fine-tuning, or after it.")] = "before",
    epsilon: Annotated[
        str | None,
        options.text("epsilon").option(
            "The tolerated loss: points, such as 1, or percent, such as 1% (1; perplexity 1%)."
        ),
    ] = None,
    precision: Annotated[
        float, options.number("precision").option("The widest interval of the answer, in percent of the weights.")
    ] = 20.0,
    seeds: Annotated[int, options.SEEDS.option("Trainings at every sparsity.")] = 3,
    most_seeds: Annotated[int, options.MOST_SEEDS.option("Trainings around the answer, at most.")] = 10,
    epochs: Annotated[int | None, options.EPOCHS.option("Passes over the training examples (3 to 10).")] = None,
    batch_size: Annotated[int, options.BATCH_SIZE.option("Examples a step.")] = 16,
    learning_rate: Annotated[float, options.number("learning_rate").option("AdamW's peak rate.")] = 5e-5,
    max_length: Annotated[int | None, options.MAX_LENGTH.option("Tokens kept of a text (95% are kept whole).")] = None,
    max_train: Annotated[int | None, options.MAX_TRAIN.option("Training examples of each seed (20,000).")] = None,
    windows: Annotated[int, options.WINDOWS.option("Pieces of the texts that wanda and sparsegpt read.")] = 128,
    length: Annotated[int, options.LENGTH.option("Tokens of each piece.")] = 128,
    jobs: Annotated[int, options.JOBS.option("Trials at a time, sharing the cores and GPUs.")] = 1,
    cluster: Annotated[str | None, options.CLUSTER] = None,
    budget: Annotated[float | None, options.DURATION.option("Stop in time: seconds, or such as 90m or 8h.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Run failed trials again.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Save the model, pruned as far as is safe and trained.")] = False,
) -> None:
    """Find how much of a model can go before your own data suffer, with an interval. Stopped, it goes on where it was.

    The model is pruned to several sparsities and fine-tuned on the data with several seeds: coarse levels first, then
    levels and seeds where the loss is reached. A language model on a plain text is not trained.
    """
    from . import sweeps
    from .tasks.own import OwnData

    source = OwnData(data=data, test=test, text=text, text2=text2, image=image, label=label)
    settings = sweeps.SweepSettings(
        method=method,
        scope=scope,
        timing=timing,
        tolerance=epsilon,
        precision=precision,
        seeds=seeds,
        most_seeds=most_seeds,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        max_length=max_length,
        max_train=max_train,
        windows=windows,
        length=length,
    )
    sweeps.sweep(
        model, source, out, settings, jobs=jobs, cluster=cluster, budget=budget, retry=retry, save=save, say=say
    )
