"""Figure 4: arithmetic word problems, and whether pre-training is used for them at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..analysis.advantages import without_pretraining
from ..specs.methods import Extent
from ..specs.study import TENTHS, Study, at_sparsities
from ..specs.trial import Decoder, Pruning, Training

#: The data sets of SMC-Bench's arithmetic reasoning, from the easiest to the hardest by its own account.
MAWPS, ASDIV, SVAMP = "mawps", "asdiv-a", "svamp"

#: The share of all weights that is gone where SMC-Bench's models collapse (48.8%), for controls.
COLLAPSE = 0.49

#: What may be pruned besides the blocks, in the controls.
EXTENTS = (Extent.EMBEDDINGS, Extent.HEAD, Extent.ALL)

#: At lab scale each data set has about as many steps as lets the dense model learn it in the time that there is.
_LAB_EPOCHS = {MAWPS: 6, ASDIV: 10, SVAMP: 3}
_LAB = Training(epochs=1, batch_size=16, learning_rate=1e-4, max_length=96, head_rate=1e-3)

#: SMC-Bench's settings of GTS, as far as they can be had here: its rate is halved every 20 epochs and its decay is
#: Adam's, where here the rate falls linearly and decay is decoupled; and its encoder has a recurrent network above it.
_PAPER = Training(
    epochs=50,
    batch_size=4,
    learning_rate=8e-6,
    max_length=128,
    weight_decay=1e-5,
    head_rate=1e-3,
    decoder=Decoder.TREE,
    beam=5,
)


def folds(data_set: str, count: int) -> tuple[str, ...]:
    """Return the names of the tasks that are the first folds of a data set.

    >>> folds("mawps", 2)
    ('mawps-0', 'mawps-1')
    """
    return tuple(f"{data_set}-{fold}" for fold in range(count))


def _trainings(by_data_set: Mapping[str, Training], count: int) -> dict[str, Training]:
    """Return the training of each task, given that of each data set and the number of folds."""
    trainings: dict[str, Training] = {}
    for data_set, training in by_data_set.items():
        tasks = (SVAMP,) if data_set == SVAMP else folds(data_set, count)
        trainings |= dict.fromkeys(tasks, training)
    return trainings


def with_controls(study: Study, beyond_blocks: tuple[str, ...]) -> Study:
    """Return a study with its controls: random weights on every task, and pruning beyond the blocks at ``COLLAPSE``.

    Args:
        study: the study, without controls.
        beyond_blocks: the tasks on which embeddings and decoder are pruned as well.
    """
    variants = {str(extent): (Pruning(sparsity=COLLAPSE, extent=extent),) for extent in EXTENTS}
    extents = replace(study, tasks=beyond_blocks, variants=variants)
    return replace(study, controls=(without_pretraining(study), extents))


_FIRST_FOLDS = (*folds(MAWPS, 1), *folds(ASDIV, 1), SVAMP)

STUDIES = {
    "tiny": with_controls(
        Study(
            figure="fig4",
            scale="tiny",
            models=("tiny-bert",),
            tasks=("tiny-arithmetic",),
            training={"*": Training(epochs=4, batch_size=16, learning_rate=5e-3, max_length=32)},
            variants={"one-shot": at_sparsities((0.3, 0.6))},
            seeds=(0, 1),
        ),
        ("tiny-arithmetic",),
    ),
    "lab": with_controls(
        Study(
            figure="fig4",
            scale="lab",
            models=("minilm-l6",),
            tasks=(*folds(MAWPS, 2), *folds(ASDIV, 2), SVAMP),
            training=_trainings({name: replace(_LAB, epochs=epochs) for name, epochs in _LAB_EPOCHS.items()}, 2),
            variants={"one-shot": at_sparsities(TENTHS[:7])},
        ),
        _FIRST_FOLDS,
    ),
    "paper": with_controls(
        Study(
            figure="fig4",
            scale="paper",
            models=("bert-base-uncased", "roberta-base"),
            tasks=(*folds(MAWPS, 5), *folds(ASDIV, 5), SVAMP),
            training=_trainings({MAWPS: _PAPER, ASDIV: _PAPER, SVAMP: replace(_PAPER, batch_size=8)}, 5),
            variants={"one-shot": at_sparsities(TENTHS)},
        ),
        _FIRST_FOLDS,
    ),
}


def extents_of(study: Study) -> Study | None:
    """Return the control of a study in which more than the blocks is pruned; None if it has none."""
    names = {str(extent) for extent in EXTENTS}
    return next((control for control in study.controls if names <= set(control.variants)), None)
