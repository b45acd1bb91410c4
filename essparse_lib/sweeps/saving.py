"""Save the model that a sweep recommends: pruned to the lower end of the interval, trained with the mask."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import check_new_folder, writing_folder
from ..specs.evaluation import Evaluation
from ..specs.trial import Trial
from .result import SweepResult
from .study import SweepStudy
from .words import short_name

if TYPE_CHECKING:
    from ..tasks.own import Prepared

#: What goes with a model wherever it goes, and what it needs besides its weights and its tokenizer.
_COMPANIONS = ("LICENSE*", "LICENCE*", "NOTICE*", "preprocessor_config.json")


def save_swept(
    result: SweepResult, study: SweepStudy, prepared: Prepared, folder: Path, say: Callable[[str], None]
) -> SweepResult:
    """Save a pruned model beside a folder's name, such as ``model-0.4``, and return the result that names it.

    Its sparsity is the lower end of the interval, a level at which surely no more was lost than is tolerated. A model
    that is fine-tuned is trained as in the sweep, with the first seed. A folder that is there already is taken to hold
    it.

    Args:
        result: the answer, which has an interval.
        study: what the trials have in common.
        prepared: the data.
        folder: where to save it; its name is followed by the sparsity.
        say: called with a line that says what was saved, or why nothing was.

    Raises:
        InputError: the model cannot be saved, or its training diverges.
    """
    sparsity = result.answer.essential.low  # one of the levels
    if sparsity <= 0:
        say("no model is saved: the interval begins at 0")
        return result
    target = folder.with_name(f"{folder.name}-{sparsity:g}")
    if not (target / "config.json").is_file():
        check_new_folder(target)
        spec = study.spec(sparsity, seed=0)
        if isinstance(spec, Trial):
            _save_trained(spec, result, prepared, target)
        else:
            _save_untrained(spec, result, target)
    part = f"{short_name(result.model)} without {sparsity:.0%} of its blocks' weights"
    say(f"{target}: {part}, as from_pretrained loads it")
    return replace(result, saved=str(target))


def _save_trained(trial: Trial, result: SweepResult, prepared: Prepared, folder: Path) -> None:
    """Run a trial once more, this time for its model, and save that with its classes' names."""
    from ..models import loading
    from ..models.model_card import add_section
    from ..models.quiet import quiet
    from ..runner import trial as trials

    model: Any = trials.trained(trial)
    model.config.id2label = dict(enumerate(prepared.classes))
    model.config.label2id = {name: number for number, name in enumerate(prepared.classes)}
    source = loading.locate(trial.model)
    with writing_folder(folder) as made:
        with quiet():
            model.save_pretrained(made)
            if trial.training.max_length:
                loading.tokenizer_of(trial.model).save_pretrained(made)
        for pattern in _COMPANIONS:
            for path in source.folder.glob(pattern):
                shutil.copyfile(path, made / path.name)
        after = f"fine-tuned on {result.data}; the weights that are gone stayed zero"
        add_section(made, folder.name, _card(trial, result, after))


def _save_untrained(evaluation: Evaluation, result: SweepResult, folder: Path) -> None:
    """Save a language model as an evaluation of the sweep had it pruned, with all that lies beside its weights."""
    from ..models import loading
    from ..models.companions import copy_companions
    from ..models.model_card import add_section
    from ..models.saving import save_model
    from ..runner import evaluation as evaluations
    from ..runner import workbench

    source = loading.locate(evaluation.model)
    loaded = loading.load_and_report(evaluation.model)
    pruned = evaluations.pruned_model(evaluation, workbench.current())
    loaded.model.load_state_dict(pruned.state_dict())  # in the precision that it was saved with
    with writing_folder(folder) as made:
        save_model(loaded, source, made)
        copy_companions(source.folder, made)
        if source.gguf:  # the tokenizer is in the file of the weights
            loading.tokenizer_of(evaluation.model).save_pretrained(made)
        add_section(made, folder.name, _card(evaluation, result, "not trained afterwards"))


def _card(spec: Trial | Evaluation, result: SweepResult, after: str) -> list[str]:
    """Return what the model card says."""
    pruning = spec.pruning
    return [
        f"`{short_name(spec.model)}` was pruned by {pruning.method} to {pruning.sparsity:.0%} of the weights in its "
        f"blocks and {after}.",
        result.sentence,
    ]
