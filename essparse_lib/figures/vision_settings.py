"""Vision models and tasks at each scale, and how they are trained: shared by Figures 3, 6, 7, 9 and 10."""

from __future__ import annotations

from dataclasses import dataclass

from ..records.pretrained import reads
from ..specs.models import Reads
from ..specs.study import Study
from ..specs.tasks import TASKS
from ..specs.trial import Training

#: The paper's Table 1. It trains on 45,000 of CIFAR's 50,000 images, on 55,000 of Fashion-MNIST's 60,000 and on 90,000
#: of Tiny-ImageNet's 100,000.
TABLE_1 = {
    **{
        task: Training(epochs=8, batch_size=64, learning_rate=2e-5, max_train=examples)
        for task, examples in {"cifar10": 45_000, "cifar100": 45_000, "fashion-mnist": 55_000, "*": None}.items()
    },
    "tiny-imagenet": Training(epochs=5, batch_size=64, learning_rate=2e-5, max_train=90_000),
}

#: Table 1 shrunk to what two cores do in a few hours, alike for every task. The rate is the one of 1e-4, 2e-4, 5e-4 and
#: 1e-3 with which a supervised and a DINO model did best without pruning, on a seed that is not in the study and on
#: training images that were set aside.
_LAB = Training(epochs=3, batch_size=32, learning_rate=5e-4, max_train=2000, max_test=2000)

PAPER_TASKS = ("cifar10", "cifar100", "tiny-imagenet")
LAB_TASKS = ("cifar10", "fashion-mnist", "elpv")
TINY_TASKS = ("tiny-shapes", "tiny-grey")

#: The tasks of Figures 9 and 10.
PAPER_FEW, LAB_FEW = PAPER_TASKS[:2], LAB_TASKS[:2]

LAB = dict.fromkeys((*LAB_TASKS, "*"), _LAB)
TINY = dict.fromkeys(
    (*TINY_TASKS, "*"), Training(epochs=2, batch_size=16, learning_rate=2e-3, max_train=128, max_test=128)
)

#: Names of the objectives of pre-training that Figures 6 and 7 compare.
SUPERVISED, DINO, LONGER, MASKED = "supervised", "DINO", "supervised for as long", "masked images"

#: By scale, the models that were pre-trained with each objective, in the order of their seeds.
BY_OBJECTIVE: dict[str, dict[str, tuple[str, ...]]] = {
    "tiny": {
        SUPERVISED: ("tiny-scratch-supervised-0", "tiny-scratch-supervised-1"),
        DINO: ("tiny-scratch-dino-0", "tiny-scratch-dino-1"),
    },
    "lab": {
        SUPERVISED: ("vit-4x192-supervised-0", "vit-4x192-supervised-1"),
        DINO: ("vit-4x192-dino-0", "vit-4x192-dino-1"),
        LONGER: ("vit-4x192-long-0", "vit-4x192-long-1"),
        MASKED: ("vit-4x192-masked-0", "vit-4x192-masked-1"),
    },
    "paper": {SUPERVISED: ("vit-base-patch16-224",), DINO: ("dino-vitb16",)},
}

#: By scale, the same model with random weights: what a task gives without any pre-training.
FRESH = {"tiny": "tiny-scratch-fresh-0", "lab": "vit-4x192-fresh-0"}

#: All objectives, in the order of their colours, which are the same at every scale.
OBJECTIVES = tuple(BY_OBJECTIVE["lab"])

#: What the models of each objective are called in tables, legends and sentences.
_MODEL_TITLES = {
    SUPERVISED: "supervised ViT",
    DINO: "DINO ViT",
    LONGER: "ViT supervised for as long",
    MASKED: "ViT of masked images",
}


def model_title(model: str) -> str:
    """Return what a model is called in words; its own name if its objective is not known.

    >>> model_title("vit-4x192-supervised-1"), model_title("minilm-l6")
    ('supervised ViT, pre-training 2', 'minilm-l6')
    """
    for groups in BY_OBJECTIVE.values():
        for objective, models in groups.items():
            if model in models:
                number = f", pre-training {models.index(model) + 1}" if len(models) > 1 else ""
                return f"{_MODEL_TITLES[objective]}{number}"
    return model


TINY_MODELS = ("tiny-vit", "tiny-dino")
LAB_MODELS = BY_OBJECTIVE["lab"][SUPERVISED]
PAPER_MODELS = ("vit-base-patch16-224", "vit-large-patch16-224")


def objectives(study: Study) -> dict[str, tuple[str, ...]]:
    """Return the study's models by the objective of their pre-training, as far as it is known."""
    groups = {}
    for objective, models in BY_OBJECTIVE[study.scale].items():
        if in_study := tuple(model for model in models if model in study.models):
            groups[objective] = in_study
    return groups


def objective_of(study: Study) -> dict[str, str]:
    """Return the objective of the pre-training of each of the study's models, as far as it is known."""
    return {model: objective for objective, models in objectives(study).items() for model in models}


@dataclass(frozen=True, kw_only=True)
class Rows(Study):
    """A study of language and of vision together.

    A model is tried only on the tasks whose examples it reads, whatever the study is narrowed to. A model of the hub or
    in a folder, of which nothing is known, is tried on all tasks.
    """

    def tasks_of(self, model: str) -> tuple[str, ...]:
        """Return the tasks that a model is tried on: tasks of images if it reads images, else tasks of text."""
        tasks = super().tasks_of(model)
        modality = reads(model)
        if modality is None:
            return tasks
        return tuple(task for task in tasks if _reads_of(task) is modality)


def _reads_of(task: str) -> Reads:
    """Return what a task's examples are made of; texts for a task without a row in ``specs.tasks``."""
    return TASKS[task].reads if task in TASKS else Reads.TEXTS
