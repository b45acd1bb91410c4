"""What tasks are called in tables and plots: their name and, in a word or two, what is asked."""

from __future__ import annotations

from ..specs.tasks import fold_of, source_of

#: By the name of a task, or of the data set that it is a fold of.
TITLES = {
    "movie-reviews": "movie-reviews (sentiment)",
    "bbc-news": "bbc-news (topic)",
    "wiki-topics": "wiki-topics (topic)",
    "vitaminc": "VitaminC (fact checking)",
    "squad": "SQuAD (questions)",
    "squad-v1.1": "SQuAD 1.1 (questions)",
    "rte": "RTE (entailment)",
    "sst2": "SST-2 (sentiment)",
    "cola": "CoLA (grammar)",
    "mnli": "MNLI (entailment)",
    "qnli": "QNLI (answers)",
    "qqp": "QQP (same question)",
    "mawps": "MAWPS (arithmetic)",
    "asdiv-a": "ASDiv-A (arithmetic)",
    "svamp": "SVAMP (arithmetic)",
    "cifar10": "CIFAR-10 (objects)",
    "cifar100": "CIFAR-100 (objects)",
    "tiny-imagenet": "Tiny-ImageNet (objects)",
    "fashion-mnist": "Fashion-MNIST (clothes)",
    "elpv": "ELPV (solar cells)",
}


def task_title(task: str) -> str:
    """Return what a task or data set is called in a table or above a panel; its own name if it has no title.

    >>> task_title("sst2"), task_title("asdiv-a-1"), task_title("my-task")
    ('SST-2 (sentiment)', 'ASDiv-A (arithmetic), fold 1', 'my-task')
    """
    if task in TITLES:
        return TITLES[task]
    source = source_of(task)
    if source in TITLES and task.startswith(f"{source}-"):
        return f"{TITLES[source]}, fold {fold_of(task)}"
    return task
