"""Save the model that a sweep recommends: pruned to the lower end of the interval, trained with the mask."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import sparsify
from ..files import check_new_folder, writing_folder
from ..specs.evaluation import Evaluation
from ..specs.methods import METHODS
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
            _save_untrained(spec, target)
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
        add_section(made, folder.name, _card(trial, result))


def _card(trial: Trial, result: SweepResult) -> list[str]:
    """Return what the model card says."""
    return [
        f"`{short_name(trial.model)}` was pruned by {trial.pruning.method} to {trial.pruning.sparsity:.0%} of the "
        f"weights in its blocks and fine-tuned on {result.data}; the weights that are gone stayed zero.",
        result.sentence,
    ]


def _save_untrained(evaluation: Evaluation, folder: Path) -> None:
    """Prune a language model as a sweep did, and save it with all that lies beside its weights."""
    from .. import corpora

    pruning = evaluation.pruning
    settings: dict[str, Any] = {"sparsity": pruning.sparsity, "method": pruning.method, "scope": pruning.scope}
    if not METHODS[pruning.method].calibrated:
        sparsify.save_pruned(evaluation.model, sparsify.Recipe(**settings), folder)
        return
    with tempfile.TemporaryDirectory() as place:
        text = Path(place) / "text.txt"
        text.write_text("\n\n".join(corpora.get(pruning.calibration).load()), encoding="utf-8")
        recipe = sparsify.Recipe(**settings, text=text, windows=pruning.windows, length=pruning.length)
        sparsify.save_pruned(evaluation.model, recipe, folder)
