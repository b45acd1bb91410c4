"""Builders that several test files share: made-up records, a run of a notebook, a small checkout, several processes."""

import html
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from simulated_studies import digits

from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.zero_shares import ABSOLUTE, RELATIVE
from essparse_lib.records.store import Record
from essparse_lib.specs.pretraining import TextPretraining
from essparse_lib.specs.study import Study, at_sparsities
from essparse_lib.specs.trial import Pruning, Training

ROOT = Path(__file__).parents[1]
#: How many test examples a made-up record has.
EXAMPLES = 4000
SETTINGS = {"*": Training(epochs=1, batch_size=8, learning_rate=1e-3, max_length=16)}


def answered(trial, percent, examples=EXAMPLES):
    """Return the record of a trial on two balanced classes in which ``percent`` of the answers are right.

    The examples that go wrong first are the same in all trials of a seed, as trials of one seed are paired.
    """
    labels = np.arange(examples) % 2
    right = np.random.default_rng([trial.seed, 7]).permutation(examples) < examples * percent / 100
    return Record(
        spec=trial,
        status="ok",
        metrics={"accuracy": 100 * float(right.mean()), "steps": 100},
        predictions=digits(np.where(right, labels, 1 - labels)),
        labels=digits(labels),
    )


# One curve: a model, a task, ten sparsities

CURVE_STUDY = Study(figure="fig2", scale="lab", models=("m",), tasks=("t",), training=SETTINGS)


def curve_records(accuracy, seeds=CURVE_STUDY.seeds, study=CURVE_STUDY, noise=0.0):
    """Return records of a curve, ``accuracy(sparsity)`` percent, which ``noise`` shifts by seed and sparsity."""
    records = {}
    for seed in seeds:
        generator = np.random.default_rng([seed, 7])
        generator.permutation(EXAMPLES)  # which examples go wrong first: the shifts are what is drawn after it
        for level in study.sparsities:
            shift = generator.normal(0, noise)
            trial = study.trial("m", "t", Pruning(sparsity=level), seed)
            records[trial.id] = answered(trial, accuracy(level) + shift)
    return records


def knee_at(knee, slope=60.0, top=90.0):
    """Return a curve's accuracy in percent by sparsity: level up to the knee, then a straight fall."""
    return lambda sparsity: top - slope * max(0.0, sparsity - knee)


def curve(accuracy, **options):
    """Return the curve of ``curve_records``."""
    return curves(CURVE_STUDY, curve_records(accuracy, **options))[0]


# Ways to prune held against each other: lottery tickets and one-shot pruning

TICKETS = tuple(Pruning(sparsity=sparsity, method="lottery") for sparsity in (0.3, 0.6))
TICKET_STUDY = Study(
    figure="fig9",
    scale="lab",
    models=("m",),
    tasks=("t",),
    training=SETTINGS,
    variants={"lottery": TICKETS, "one-shot": at_sparsities((0.3, 0.6))},
)


def variant_records(accuracy, study=TICKET_STUDY, missing=()):
    """Return records of a study, ``accuracy(task, pruning, seed)`` percent, less the ``missing`` (pruning, seed)."""
    return {
        trial.id: answered(trial, accuracy(trial.task, trial.pruning, trial.seed))
        for trial in study.trials()
        if (trial.pruning, trial.seed) not in missing
    }


def ticket_better_by(points):
    """Return an accuracy for ``variant_records``: lottery tickets are so many points better than one-shot pruning."""
    return lambda task, pruning, seed: 80 - 20 * pruning.sparsity + points * (pruning.method == "lottery")


def similar_masks(study, cosine):
    """Return records of mask similarities: any two masks of a sparsity have the cosine ``cosine(sparsity)``."""
    records = {}
    for measurement in study.measurements():
        sparsity = measurement.sparsity
        value = cosine(sparsity)
        table = [[1.0 if i == j else value for j in range(3)] for i in range(3)]
        values = {
            "names": ["t", "u", "one-shot"],
            "cosine": table,
            "jaccard_removed": table,
            "independent": {"cosine": 1 - sparsity, "jaccard_removed": sparsity / (2 - sparsity)},
        }
        records[measurement.id] = Record(spec=measurement, status="ok", values=values)
    return records


# Pre-trainings whose weights are looked at on the way

#: The weights of each block's components, and the steps at which they are looked at.
SIZES = {(0, "query"): 4_000, (0, "output"): 16_000, (1, "query"): 4_000, (1, "output"): 16_000}
WEIGHTS = sum(SIZES.values())
AT = [0, 1, 2, 5, 10, 20, 50, *range(80, 8001, 80)]
READINGS = ("exact", "fp16", ABSOLUTE, RELATIVE)


def pretraining(fraction, seed):
    """Return the spec of a pre-training on that fraction of a text."""
    return TextPretraining(
        model=f"m-{100 * fraction:.0f}-{seed}",
        architecture="bert",
        layers=2,
        hidden=16,
        heads=2,
        corpus="words",
        vocabulary=40,
        length=16,
        batch_size=8,
        steps=8000,
        learning_rate=1e-3,
        seed=seed,
        fraction=fraction,
    )


def pretraining_study(*places, **options):
    """Return a study of pre-trainings, each given as (fraction, seed)."""
    models = {spec.model: spec for spec in (pretraining(*place) for place in places)}
    options = {"seeds": (0, 1, 2), **options}
    return Study(
        figure="fig8",
        scale="lab",
        models=tuple(models),
        tasks=("t",),
        training=SETTINGS,
        variants={"one-shot": at_sparsities((0.3, 0.6))},
        pretrained=models,
        **options,
    )


PRETRAINING_STUDY = pretraining_study((1.0, 0), (0.8, 0), (0.6, 0), (1.0, 1), (0.6, 1))


def smooth(step):
    """Return the zeros at a step of a pre-training in which nothing jumps."""
    return 2_000 + 1_000 * (1 - math.exp(-step / 2_000))


def jumping(at, size=3_000):
    """Return the zeros by step of a pre-training in which they jump after step ``at``."""
    return lambda step: smooth(step) + size * (step > at)


def watched(spec, zeros=None, status="ok", snapshots=None):
    """Return the record of a pre-training with its first snapshots, all if None.

    ``zeros`` gives the number of zeros of the whole model by reading, each as a function of the step.
    """
    snapshots = len(AT) if snapshots is None else snapshots
    none = dict.fromkeys(READINGS, lambda _: 0)
    every = none | {ABSOLUTE: smooth, RELATIVE: smooth} | (zeros or {})
    shares = [size / WEIGHTS for size in SIZES.values()]
    steps = AT[:snapshots]
    counts = {name: [[round(of(step) * share) for share in shares] for step in steps] for name, of in every.items()}
    dynamics = {
        "places": [[block, component, size] for (block, component), size in SIZES.items()],
        "at": steps,
        "zeros": counts,
        "norms": [[3.0, 4.0, 0.0, 12.0]] * snapshots,
        "effective": [0.1 + step / 80_000 for step in steps],
        "loss": [None, *([5.0] * (snapshots - 1))],
        "held_out": [6.0] * snapshots,
        "seconds": 1.0,
    }
    metrics = {"held_out_loss": 6.0, "unigram_entropy": 6.5} if status == "ok" else {}
    values = {"dynamics": dynamics, "text": {"tokens": 1_000_000}}
    provenance = {"seconds": 600.0, "device": "cpu"}
    return Record(spec=spec, status=status, metrics=metrics, values=values, provenance=provenance)


def runs_of(study=PRETRAINING_STUDY, zeros=None, **by_model):
    """Return records of all pre-trainings of a study with these ``zeros``, or those that a model's name gives."""
    return {p.id: watched(p, by_model.get(p.model.replace("-", "_"), zeros)) for p in study.pretrainings()}


def tunings(accuracy, study=PRETRAINING_STUDY):
    """Return records of 1,000 examples, ``accuracy(model, sparsity)`` percent and 0.2 points more for each seed."""
    return {
        trial.id: answered(trial, accuracy(trial.model, trial.pruning.sparsity) + 0.2 * trial.seed, examples=1000)
        for trial in study.trials()
    }


def more_of(study, model):
    """Return the place of a model's fraction from 0 (60%) to 1 (100%), and a little for its seed."""
    spec = study.pretrained[model]
    return (spec.fraction - 0.6) / 0.4 + 0.05 * spec.seed


def everything(zeros=1_000.0, score=5.0, pruned=None, study=PRETRAINING_STUDY):
    """Return records in which models of all text have so many more zeros and points than those of 60% of it.

    ``pruned(sparsity)`` is the gain in points of the pruned models, ``score`` if None.
    """
    pruned = (lambda _: score) if pruned is None else pruned
    runs = {
        p.id: watched(p, {RELATIVE: lambda step, p=p: 3_000 + zeros * more_of(study, p.model) * step / 8_000})
        for p in study.pretrainings()
    }

    def accuracy(model, sparsity):
        return 75 - 20 * sparsity + (pruned(sparsity) if sparsity else score) * more_of(study, model)

    return runs | tunings(accuracy, study)


def checkpoints(*thousands, seed=0, count=None):
    """Return a study of a model's published checkpoints, by thousands of steps, and records of their zeros.

    ``count(thousands)`` is the number of zeros, the thousands themselves if None.
    """
    study = Study(
        figure="fig8",
        scale="paper",
        models=tuple(f"google/multiberts-seed_{seed}-step_{at}k" for at in thousands),
        tasks=(),
        training={},
        variants={"one-shot": ()},
        seeds=(0,),
        measured={"zeros": (0.0,)},
    )
    records = {}
    for at, measurement in zip(thousands, study.measurements(), strict=True):
        zeros = count(at) if count else at
        record = watched(PRETRAINING_STUDY.pretrainings()[0], {RELATIVE: lambda _, zeros=zeros: zeros})
        dynamics = record.values["dynamics"]
        values = {name: dynamics[name][0] for name in ("norms", "effective")} | {"places": dynamics["places"]}
        values["zeros"] = {reading: counts[0] for reading, counts in dynamics["zeros"].items()}
        records[measurement.id] = Record(spec=measurement, status="ok", values=values)
    return study, records


# Notebooks


def run_cells(monkeypatch, notebook, **parameters):
    """Run a notebook's code cells in this process, without a kernel, up to the first error: it takes a second, not ten.

    The parameters follow the cell that declares them, as papermill has it.
    """
    import matplotlib as mpl

    monkeypatch.chdir(ROOT)
    names = {"__name__": "__main__"}
    with mpl.rc_context():
        for cell in json.loads((ROOT / f"notebooks/{notebook}.ipynb").read_text())["cells"]:
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), notebook, "exec"), names)
            if "parameters" in cell["metadata"].get("tags", []):
                names.update(parameters)


def run_notebook(tmp_path, monkeypatch, notebook="fig2", **parameters):
    """Execute a notebook with parameters into ``tmp_path/out.ipynb``; return its text outputs and its pictures."""
    import papermill

    monkeypatch.chdir(ROOT)
    out = tmp_path / "out.ipynb"
    papermill.execute_notebook(ROOT / f"notebooks/{notebook}.ipynb", out, parameters, progress_bar=False)
    return notebook_outputs(out)


def notebook_in_book(built, notebook):
    """Return the text outputs and pictures of a notebook as it was executed, without parameters, for the built book."""
    (path,) = (built.parent / "notebooks").glob(f"{notebook}-*.ipynb")
    return notebook_outputs(path)


def notebook_outputs(path):
    """Return the text outputs of an executed notebook, joined, and its pictures."""
    cells = json.loads(path.read_text())["cells"]
    outputs = [o for cell in cells for o in cell.get("outputs", [])]
    text = "".join(_output_text(output) for output in outputs)
    images = [o["data"]["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    return text, images


def _output_text(output):
    """Return what an output says in words: what is printed, Markdown, a finding, or a table, with bars in its rows."""
    data = output.get("data", {})
    table = "".join(data.get("text/html", []))
    if 'class="results"' in table or 'class="finding"' in table:
        return html.unescape(re.sub("<[^>]+>", "", table.replace("</td><td", "</td> | <td").replace("</tr>", "\n")))
    return "".join(output.get("text", data.get("text/markdown", [])))


def write_checkout(folder):
    """Write a checkout with one page and no notebook into a folder that is not there yet, and return it."""
    (folder / "notebooks").mkdir(parents=True)
    for name in ("_config.yml", "CITATION.cff"):
        shutil.copyfile(ROOT / name, folder / name)
    shutil.copytree(ROOT / "book", folder / "book", ignore=shutil.ignore_patterns("*.md", "__pycache__"))
    (folder / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    (folder / "book/index.md").write_text("# A page\n")
    return folder


# Several processes

#: Joins the processes over a file: the store of ``torchrun``, which ``accelerate launch`` calls, listens everywhere.
JOIN = """
import os, torch.distributed
if "STORE" in os.environ:
    torch.distributed.init_process_group("gloo", f"file://{os.environ['STORE']}", rank=int(os.environ["RANK"]),
                                         world_size=int(os.environ["WORLD_SIZE"]))
"""


def launch(tmp_path, script, processes):
    """Run a script in so many processes on this machine, with the variables of ``torchrun``; what they print."""
    file, store = tmp_path / "script.py", tmp_path / f"store-{processes}"
    file.write_text(JOIN + script)
    store.unlink(missing_ok=True)
    cpu = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "ACCELERATE_USE_CPU": "true", "GLOO_SOCKET_IFNAME": "lo"}
    together = {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes), "STORE": str(store),
                "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}  # fmt: skip
    running = []
    for rank in map(str, range(processes)):
        numbered = {**together, "RANK": rank, "LOCAL_RANK": rank} if processes > 1 else {}
        command, environment = [sys.executable, str(file), str(tmp_path)], {**os.environ, **cpu, **numbered}
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        running.append(subprocess.Popen(command, env=environment, **output))
    printed = [process.communicate(timeout=240)[0] for process in running]
    assert not any(process.returncode for process in running), printed
    return "".join(printed)
