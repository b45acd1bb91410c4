"""Made-up sweeps, one for each state that a report draws."""

from dataclasses import replace

import numpy as np
from helpers import SETTINGS, answered
from simulated_evaluations import record as evaluated

from essparse_lib.analysis.curves import curves
from essparse_lib.analysis.scoring import LOG_PROBABILITY
from essparse_lib.records.store import Record
from essparse_lib.specs.evaluation import Prompting
from essparse_lib.specs.evaluation_study import EvaluationStudy
from essparse_lib.specs.study import Study, at_sparsities
from essparse_lib.sweeps.answer import answer
from essparse_lib.sweeps.result import SweepResult
from essparse_lib.sweeps.tolerance import Tolerance

LEVELS = (0.2, 0.4, 0.45, 0.5, 0.5625, 0.6, 0.8)
PROVENANCE = {
    "code": "0123456789ab",
    "device": "cpu (a processor)",
    "versions": {"python": "3.12.1", "torch": "2.13.0", "transformers": "5.1.0"},
    "threads": 1,
    "precision": "fp32",
    "seconds": 312.5,
    "finished": "2026-01-02T03:04:05Z",
    "weights": "f" * 64,
}
#: Names that would do harm in a page that does not escape them; with Hebrew and Arabic, and a sign that turns texts.
HOSTILE = "<script>alert('x')</script>\"&amp; $x$ שלום مرحبا 模型 🙂 \u202e\x1b[2J\udcff"


def knee(sparsity, at=0.42, slope=90.0, top=88.0):
    """Return an accuracy in percent: level up to the knee, then a fall down to guessing."""
    return max(50.0, top - slope * max(0.0, sparsity - at))


def made(
    accuracy=knee,
    seeds=3,
    noise=0.3,
    examples=1000,
    tolerance="1",
    precision=0.05,
    failing=(),
    levels=LEVELS,
    **fields,
):
    """Return a sweep of a classification whose true accuracy by sparsity is given.

    ``failing`` gives the status and the reason of a trial by its sparsity and seed.
    """
    study = Study(
        figure="fig2",
        scale="lab",
        models=("m",),
        tasks=("t",),
        training=SETTINGS,
        seeds=tuple(range(seeds)),
        variants={"one-shot": at_sparsities(levels)},
    )
    records = {}
    failing = dict(failing)
    for trial in study.trials():
        place = trial.pruning.sparsity, trial.seed
        shift = np.random.default_rng([trial.seed, round(1000 * trial.pruning.sparsity)]).normal(0, noise)
        record = replace(answered(trial, accuracy(place[0]) + shift, examples), provenance=PROVENANCE)
        if place in failing:
            status, reason = failing[place]
            record = Record(spec=trial, status=status, reason=reason, provenance=PROVENANCE)
        records[trial.id] = record
    return result_of(curves(study, records), records, Tolerance.read(tolerance), precision, **fields)


def read(rise=lambda sparsity: 4 * max(0.0, sparsity - 0.3) ** 2, levels=LEVELS, tolerance=5, **fields):
    """Return a sweep of a plain text, whose perplexity rises by so many nats at a sparsity."""
    task = "text-of-mine"
    study = EvaluationStudy(
        figure="fig11",
        scale="lab",
        models=("m",),
        tasks=(task,),
        prompting={"*": Prompting()},
        variants={"magnitude": at_sparsities(levels)},
        seeds=(0,),
    )
    records = {}
    generator = np.random.default_rng(1)
    ease = generator.normal(0, 8, 300)
    for evaluation in study.trials():
        nats = -60 + ease - 20 * rise(evaluation.pruning.sparsity) + generator.normal(0, 1, 300)
        values = evaluated(evaluation, np.ones(300, dtype=bool), nats, np.zeros(300, dtype=int)).values
        values = {"log_probabilities": values["log_probabilities"], "tokens": 6000, "lengths": [20] * 300}
        records[evaluation.id] = Record(
            spec=evaluation,
            status="ok",
            metrics={LOG_PROBABILITY: float(nats.mean()) / 20},
            values=values,
            provenance=PROVENANCE,
        )
    found = curves(study, records, metric=LOG_PROBABILITY)
    return result_of(found, records, Tolerance.read(tolerance), 0.05, data="book.txt", **fields)


def result_of(found, records, tolerance, precision, **fields):
    """Return the sweep of a curve, or of none, with its answer."""
    curve = found[0] if found else None
    said = answer(curve, tolerance, precision)
    sentence = f"About {said.essential.text(0, 100)}% can go." if said.essential.known else "Nothing can be said yet."
    usual = {
        "model": "minilm-l6",
        "data": "reviews.csv",
        "sentence": sentence,
        "settings": {"method": "magnitude, global", "training": "3 epochs, batches of 16, learning rate 2e-05"},
        "notes": ["1,600 examples for training and 400 for the test.", "3 texts stood in both and were left out."],
        "command": "essparse sweep minilm-l6 --data reviews.csv --out sweep",
        "reason": "the interval, which is as narrow as was asked",
    }
    return SweepResult(
        answer=said,
        tolerance=tolerance,
        precision=precision,
        curve=curve,
        records=list(records.values()),
        **{**usual, **fields},
    )


def hostile():
    """Return a sweep whose every text does harm in a page that does not escape it."""
    texts = dict.fromkeys(("model", "data", "sentence", "command", "reason"), HOSTILE)
    settings = {HOSTILE: HOSTILE, "a long value": "x" * 400}
    failing = {(0.5, 1): ("failed", HOSTILE)}
    return made(failing=failing, settings=settings, notes=[HOSTILE, HOSTILE], saved=HOSTILE, **texts)


#: A sweep for each state, made when it is asked for.
STATES = {
    "resolved": lambda: made(noise=0.1, examples=4000, precision=0.1),
    "wide": lambda: made(examples=300, precision=0.3, noise=3.0, reason="the budget"),
    "relative": lambda: made(tolerance="2%", precision=0.1),
    "never": lambda: made(lambda sparsity: 88.0, levels=(0.3, 0.6, 0.9)),
    "not learned": lambda: made(lambda sparsity: 50.0),
    "nothing measured": lambda: result_of([], {}, Tolerance(1.0), 0.05, notes=[]),
    "dense alone": lambda: made(levels=()),
    "dense failed": lambda: made(levels=(), seeds=1, failing={(0.0, 0): ("failed", "OutOfMemoryError: no memory")}),
    "failures": lambda: made(
        failing={
            (0.5, 0): ("diverged", "the loss became nan at step 31"),
            (0.6, 1): ("failed", "OutOfMemoryError: no memory"),
            **{(0.8, seed): ("failed", "OutOfMemoryError: no memory") for seed in range(3)},
        }
    ),
    "one seed": lambda: made(seeds=1),
    "perplexity": read,
    "perplexity, vast": lambda: read(lambda sparsity: 60 * max(0.0, sparsity - 0.45)),
    "perplexity, infinite": lambda: read(lambda sparsity: 5000 * max(0.0, sparsity - 0.55)),
    "hostile": hostile,
}
