"""The command line ``essparse``."""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from . import cluster_commands, environment, model_commands, options, plan_commands, record_commands
from .errors import InputError, printable
from .options import say
from .stopping import stoppable

app = typer.Typer(
    help="Companion to 'The Emergence of Essential Sparsity': run its figures, prune models, build its book.",
    cls=options.OneLineGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_Jobs = Annotated[int, options.JOBS.option("Trials at a time, sharing the cores and GPUs.")]
_Budget = Annotated[float | None, options.DURATION.option("Stop in time: seconds, or such as 90m or 8h.")]
_Cluster = Annotated[str | None, options.CLUSTER]
_Checkpoints = Annotated[
    str, options.text("checkpoints").option("Of fig8: trained here, at the scale, or multiberts, which are on the hub.")
]

for _command in (
    model_commands.prune,
    model_commands.decompress,
    model_commands.stats,
    model_commands.evaluate,
    model_commands.sweep,
):
    app.command()(_command)
app.command()(plan_commands.plan)

app.add_typer(cluster_commands.app, name="cluster")


@app.callback()
def _before_any_command() -> None:
    environment.check()


@app.command()
def run(
    names: Annotated[list[str], options.text("figure").argument("FIGURE...", "Such as fig2, or several, or all.")],
    scale: options.Scale = "lab",
    jobs: _Jobs = 1,
    cluster: _Cluster = None,
    budget: _Budget = None,
    retry: Annotated[bool, typer.Option("--retry", help="Run failed trials again.")] = False,
    checkpoints: _Checkpoints = "trained",
) -> None:
    """Run what figures miss. Stopped at any moment, it goes on where it was.

    What has no record yet is run in the order that `essparse status` shows: what a claim rests on; then curves that
    have begun; then every curve's first seed, then its second, and so on; then what feeds more claims; then what takes
    less time. Within a curve: the dense model, the levels at which the paper states its claims, the other levels.
    What needs a model that is yet to be trained from scratch comes last.

    What cannot be had, such as a model of the hub without a network, is left out and counted; exit code 1 says so.
    """
    from . import figures
    from .records.store import results
    from .runner import progress, queue, scheduler

    studies = figures.studies(names, scale, checkpoints)
    specs = list({spec.id: spec for study in studies for spec in study.specs()}.values())
    at_scale = studies[0].scale
    store = results(at_scale)
    title = f"{', '.join(names)}, {at_scale} scale"
    with (
        scheduler.workers_at(cluster, jobs, say=say) as workers,
        progress.bar(title, specs, store, workers) as report,
    ):
        rest = queue.run(studies, store, workers, budget, retry, report, progress.refusals())
    if rest.left:
        typer.echo(f"{len(rest.left)} of {len(specs)} trials have no record yet: run the same command to go on")
    if rest.with_pretraining:
        typer.echo(f"{len(rest.with_pretraining)} of {len(specs)} are measured only while a model is pre-trained anew")
    if rest.refused:
        typer.echo(f"{len(rest.refused)} of {len(specs)} were left out, since something that they need cannot be had")
        raise typer.Exit(1)


@app.command()
def pack(
    names: Annotated[list[str], options.text("figure").argument("FIGURE...", "Such as fig2, or several, or all.")],
    out: Annotated[Path, options.path("out").option("A new folder.")],
    scale: options.Scale = "lab",
    checkpoints: _Checkpoints = "trained",
) -> None:
    """Gather all that figures need in a folder, for a machine with PyTorch and transformers and no network.

    The folder holds this package with the records that there are, the libraries that it needs, a cache with models,
    data, texts and vocabularies as a run here would read them, hashes of all files, and a README.txt with the commands.

    What cannot be had is left out and counted; exit code 1 says so.
    """
    from .packs.pack import pack

    if pack(names, scale, out, checkpoints, say):
        raise typer.Exit(1)


@app.command("check-pack")
def check_pack(
    folder: Annotated[Path, options.folder("folder", "a pack").argument("FOLDER", "What `essparse pack` wrote.")],
) -> None:
    """Check every file of a pack against its hash, and name the first that is damaged or missing."""
    from .files import sha256
    from .packs.sums import SUMS, check_sums

    say(f"{check_sums(folder):,} files are as they were packed; sha256 of {SUMS}: {sha256(folder / SUMS)}")


@app.command()
def pretrain(
    model: Annotated[
        str, options.text("model").argument("MODEL", "Such as bert-2x128-100-0: one that figures train from scratch.")
    ],
    budget: _Budget = None,
) -> None:
    """Train a model from random weights. Stopped at any moment, it goes on where it was a minute before."""
    from .runner import pretraining

    say(pretraining.build(model, budget))


@app.command()
def status(
    scale: options.Scale = "lab",
    every: Annotated[bool, typer.Option("--all", help="Show every missing block.")] = False,
) -> None:
    """Say how far all figures have come at each scale, and what each missing block at one scale would decide.

    A block is what one model misses on one task with one seed. Blocks are shown in the order in which
    `essparse run all` runs them.
    """
    from .book import status
    from .specs.study import check_scale

    check_scale(scale)
    status.print_table()
    status.print_blocks(scale, None if every else status.SHOWN)


@app.command()
def claims(
    scale: options.Scale = "lab",
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects, for programs.")] = False,
) -> None:
    """Print the paper's twelve claims, each with what the paper says, what the records say, and the outcome."""
    from .book import claims

    (claims.print_json if as_json else claims.print_table)(scale)


@app.command()
def verify(
    figure: Annotated[
        str | None,
        options.text("figure").argument("[FIGURE]", "Draw from this figure's records, such as fig2; else all."),
    ] = None,
    sample: Annotated[int, options.SAMPLE.option("Records to run again.")] = 3,
    scale: options.Scale = "lab",
    seed: Annotated[int | None, options.SEED.option("Of the draw; else another one each time.")] = None,
    with_pretraining: Annotated[
        bool, typer.Option("--with-pretraining", help="Train models whose weights are not there, which takes hours.")
    ] = False,
    against: record_commands.Against = None,
    within: Annotated[
        float | None, options.DURATION.option("Draw only what should take so long at most here, such as 30m.")
    ] = None,
) -> None:
    """Run records again, drawn at random, and say of each whether it holds; nothing is written.

    A trial holds if its score is repeated within 3 standard deviations of the training noise at its sparsity, which is
    taken as 0.2 points at least; on the same device and packages no prediction should differ. A measurement holds if no
    number differs by more than 0.1%. Exit code 1 says that a record does not hold, or is damaged.
    """
    from .records.store import DamagedRecord
    from .runner import verify

    try:
        repetitions = verify.verify(figure, scale, sample, seed, with_pretraining, against, within, say)
    except DamagedRecord as error:
        typer.echo(f"essparse: {error}", err=True)
        raise typer.Exit(1) from error
    if not all(repetition.holds for repetition in repetitions):
        raise typer.Exit(1)


app.command()(record_commands.mend)
app.command()(record_commands.merge)
app.command("check-records")(record_commands.check_records)


@app.command()
def book(
    out: Annotated[Path, options.path("out").option("A new folder, or one built in before.")] = Path("_build"),
) -> None:
    """Execute the notebooks and build the book; prints where to open it."""
    from .book.build import build

    say(f"open {build(out)}")


def main() -> None:
    """Run the command line; an input error ends it with one line and exit code 2, a stop as ``stoppable`` says.

    Signs that the output cannot take, as a minus on many a Windows, are written as their code. A warning is one line.
    """
    warnings.showwarning = lambda message, *_, **__: typer.echo(f"essparse: {printable(str(message))}", err=True)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    again = "go on" if {*sys.argv[1:2]} & {"run", "pretrain", "merge", "book", "sweep"} else "begin again"
    try:
        with stoppable(f"essparse: stopped; run the same command to {again}"), options.printing():
            app()
    except InputError as error:
        typer.echo(f"essparse: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
