"""What a sweep does before its trials: prepare the data, choose the training, check that all goes together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError
from ..specs.tasks import Head
from ..specs.trial import Training, Trial
from .design import COARSE
from .lengths import fitting_window, lengths
from .settings import SweepSettings
from .study import SweepStudy

if TYPE_CHECKING:
    from ..tasks.own import OwnData, Prepared


def prepared_data(model: str, source: OwnData) -> Prepared:
    """Return data that were prepared; a plain text in pieces that the model takes whole.

    Args:
        model: the model's name, its id on the hub, or its local folder.
        source: the data.

    Raises:
        InputError: the model or the data cannot be had, or the data are a plain text and the model writes none.
    """
    from ..models import loading
    from ..tasks import own
    from ..tasks.own_texts import WINDOW

    loading.locate(model)
    prepared = own.prepare(source)
    if prepared.kind is not own.OwnKind.PLAIN_TEXT:
        return prepared
    loading.check_writes(model)
    window = WINDOW
    while (fitting := fitting_window(model, own.test_texts(prepared.name), window)) != window:
        window, prepared = fitting, own.prepare(source, fitting)
    return prepared


def study_of(model: str, prepared: Prepared, settings: SweepSettings) -> tuple[SweepStudy, list[str]]:
    """Return what the trials of a sweep have in common, and what there is to say of the data and the training.

    Args:
        model: the model's name, its id on the hub, or its local folder.
        prepared: the data.
        settings: how is pruned and trained.

    Raises:
        InputError: the model cannot be had, or does not fit the data; or the method does not.
    """
    from ..tasks.own import OwnKind

    settings.check_used(prepared.kind)
    notes, training = list(prepared.notes), None
    if prepared.kind is OwnKind.PLAIN_TEXT:
        if settings.rule.trained:
            raise InputError(f"method {settings.method!r} trains on a task, and a plain text is none: choose another")
        settings.tolerated(fine_tuned=False)
    else:
        if settings.rule.calibrated and prepared.kind is OwnKind.CLASSES_OF_IMAGES:
            raise InputError(f"method {settings.method!r} reads a text, and the data are images: choose another")
        training = _training(model, prepared, settings, notes)
    study = SweepStudy(
        model=model,
        task=prepared.name,
        training=training,
        method=settings.method,
        scope=settings.scope,
        timing=settings.timing,
        windows=settings.windows,
        length=settings.length,
    )
    return study, notes


def check_trials(study: SweepStudy) -> None:
    """Check all that the trials of a sweep need, before anything is written.

    Args:
        study: what they have in common.

    Raises:
        InputError: something cannot be had or does not fit, such as a text that is too short for a calibrated method.
    """
    from ..runner import evaluation, trial

    spec = study.spec(COARSE[0], seed=0)
    if isinstance(spec, Trial):
        trial.prepare(spec)
    else:
        evaluation.prepare(spec)


def _training(model: str, prepared: Prepared, settings: SweepSettings, notes: list[str]) -> Training:
    """Return how a model is fine-tuned on prepared data; what there is to say of it is added to the notes."""
    from .. import tasks
    from ..models import loading

    task = tasks.get(prepared.name)
    usual = 0
    loading.check_fits(model, task.head, max_length=0)
    if task.head is Head.SEQUENCE_CLASSIFICATION:
        examples = task.splits().train
        assert isinstance(examples, tasks.Examples)
        counted = lengths(model, examples)
        usual = counted.usual(loading.longest_input_of(model))
    training = settings.training(prepared.train, usual)
    if usual:
        loading.check_length(model, "max_length", training.max_length)
        notes.append(counted.note(training.max_length))
    trained = prepared.train if training.max_train is None else training.max_train
    steps = training.epochs * -(-trained // training.batch_size)
    drawn = "" if training.max_train is None else f", which each seed draws from {prepared.train:,},"
    passes = f"{training.epochs} epoch{'s' * (training.epochs > 1)}"
    notes.append(
        f"Each model is trained on {trained:,} examples{drawn} for {passes}: {steps:,} steps of "
        f"{training.batch_size} examples at a rate of {training.learning_rate:g}."
    )
    return training
