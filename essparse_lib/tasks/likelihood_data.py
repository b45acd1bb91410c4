"""Read the data sets of likelihood tasks from the hub, or from folders laid out like it.

Questions are those that lm-evaluation-harness evaluates on, but for SciQ's: it takes the test split, and here the
validation split is read, which is as large. Solved examples are the first ones of a split: of MMLU those of the
subject, as there; of ARC the same ones for every question, where that library draws others for each.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from ..errors import InputError
from ..sources import tiny
from ..sources.hub import Repository, parquet_files, repository_folder
from ..sources.parquet import read_columns
from . import prompts
from .likelihood import LikelihoodQuestion, LikelihoodQuestions, LikelihoodTask
from .prompts import Layout

_BLIMP = Repository("nyu-mll/blimp", "877fba0801ffb7cbd8c39c1ff314a46f053f6036", "dataset")
_ARC = Repository("allenai/ai2_arc", "210d026faf9955653af8916fad021475a3f00453", "dataset")
_OPENBOOKQA = Repository("allenai/openbookqa", "388097ea7776314e93a529163e0fea805b8a6454", "dataset")
_MMLU = Repository("cais/mmlu", "c30699e8356da336a370243923dbaf21066bb9fe", "dataset")
_PIQA = Repository("baber/piqa", "142f6d7367fd9877f0fb3b5734ea6a545f54cdd1", "dataset")
_HELLASWAG = Repository("Rowan/hellaswag", "218ec52e09a7e7462a5400043bb9a69a41d06b76", "dataset")
_COPA = Repository("aps/super_glue", "3de24cf8022e94f4ee4b9d55a6f539891524d646", "dataset")
_SCIQ = Repository("allenai/sciq", "2c94ad3e1aafab77146f384e23536f97a4849815", "dataset")
_LAMBADA = Repository("EleutherAI/lambada_openai", "900124bf3b8235c6daf21033af9948b3f07346c4", "dataset")
#: The most solved examples before a question of ARC; MMLU has five for each subject.
_MOST_OF_ARC, _MOST_OF_MMLU = 25, 5
#: The questions of HellaSwag that a smaller copy has, a random sample that others use too (OLMES).
_PART_OF_HELLASWAG = 1000


def read_questions(
    repository: Repository, config: str, split: str, layout: Layout, elsewhere: str = ""
) -> LikelihoodQuestions:
    """Return the questions of one split of a data set.

    Args:
        repository: the data set's repository.
        config: name of a configuration: a folder of the repository.
        split: name of a split.
        layout: how its rows become questions.
        elsewhere: pattern of the split's files where no folder of the configuration has them.

    Raises:
        InputError: the data set cannot be had or read, or a row is no question.
    """
    table, origin = read_columns(repository, config, split, layout.columns, elsewhere)
    files, _ = parquet_files(repository, config, split, elsewhere)
    source = files[0] if len(files) == 1 else files[0].parent
    columns = [table[name] for name in layout.columns]
    items = []
    for number, values in enumerate(zip(*columns, strict=True)):
        items.append(_question(dict(zip(layout.columns, values, strict=True)), layout, f"row {number} of {source}"))
    return LikelihoodQuestions(items, origin)


def _question(row: prompts.Row, layout: Layout, name: str) -> LikelihoodQuestion:
    """Return the question that a row becomes; messages have the row's name."""
    try:
        question = layout.question(row)
    except ValueError as error:
        raise InputError(f"{name} has {error}: fetch it anew") from error
    if fault := question.fault():
        raise InputError(f"{name} has {fault}: fetch it anew")
    return question


def _read_paradigms(repository: Repository) -> LikelihoodQuestions:
    """Return the questions of all paradigms of BLiMP, each a configuration of its own, in the order of their names."""
    folder, origin = repository_folder(repository, ("README.md", "*/train-*.parquet"))
    paradigms = sorted({path.parent.name for path in folder.glob("*/train-*.parquet")})
    items: list[LikelihoodQuestion] = []
    for paradigm in paradigms:
        items += read_questions(repository, paradigm, "train", prompts.BLIMP).items
    return LikelihoodQuestions(items, origin)


def _task(
    name: str,
    repository: Repository,
    config: str,
    split: str,
    layout: Layout,
    source: str,
    elsewhere: str = "",
    examples: str = "",
    **parts: Any,
) -> LikelihoodTask:
    """Return a task of one split of a data set.

    Args:
        name: name of the task.
        repository: the data set's repository.
        config: name of a configuration.
        split: name of the split to evaluate on.
        layout: how rows become questions.
        source: who made the data, and their licence.
        elsewhere: pattern of the split's files where no folder of the configuration has them.
        examples: name of the split whose questions are shown as solved examples; empty where there is none.
        parts: further attributes of the task.
    """
    return LikelihoodTask.named(
        name,
        load=partial(read_questions, repository, config, split, layout, elsewhere),
        load_examples=partial(read_questions, repository, config, examples, layout) if examples else None,
        source=f"{repository.id} ({config}), evaluated on {split}; {source}",
        **parts,
    )


def _tiny(name: str, config: str, split: str, layout: Layout, examples: str = "", **parts: Any) -> LikelihoodTask:
    """Return a task of a data set that this package makes up; arguments as of ``_task``."""
    repository = Repository(f"{tiny.OWNER}/{name}", tiny.REVISION, "dataset")
    return _task(name, repository, config, split, layout, "made by this package", examples=examples, **parts)


def _paradigms(name: str, repository: Repository, source: str) -> LikelihoodTask:
    """Return a task of all paradigms of a data set in the layout of BLiMP."""
    return LikelihoodTask.named(
        name, load=partial(_read_paradigms, repository), source=f"{repository.id}, all paradigms; {source}"
    )


_ARC_SOURCE = "Clark et al. 2018, CC BY-SA 4.0"
_ARC_EXAMPLES: dict[str, Any] = dict(examples="train", most_shots=_MOST_OF_ARC)
_MMLU_EXAMPLES: dict[str, Any] = dict(examples="dev", most_shots=_MOST_OF_MMLU, introduction=prompts.mmlu_introduction)

TASKS = (
    _paradigms("blimp", _BLIMP, "Warstadt et al. 2020, CC BY 4.0"),
    _task("arc-easy", _ARC, "ARC-Easy", "test", prompts.ARC, _ARC_SOURCE, **_ARC_EXAMPLES),
    _task("arc-challenge", _ARC, "ARC-Challenge", "test", prompts.ARC, _ARC_SOURCE, **_ARC_EXAMPLES),
    _task(
        "openbookqa",
        _OPENBOOKQA,
        "main",
        "test",
        prompts.OPENBOOKQA,
        "Mihaylov et al. 2018, no licence stated",
    ),
    _task("mmlu", _MMLU, "all", "test", prompts.MMLU, "Hendrycks et al. 2021, MIT", **_MMLU_EXAMPLES),
    _task(
        "piqa",
        _PIQA,
        "default",
        "validation",
        prompts.PIQA,
        "Bisk et al. 2020, Academic Free License 3.0",
        elsewhere="piqa_validation.parquet",
    ),
    _task(
        "hellaswag",
        _HELLASWAG,
        "default",
        "validation",
        prompts.HELLASWAG,
        "Zellers et al. 2019, MIT",
        elsewhere="data/validation-*.parquet",
        partial=_PART_OF_HELLASWAG,
    ),
    _task("copa", _COPA, "copa", "validation", prompts.COPA, "Roemmele et al. 2011, BSD 2-clause"),
    _task(
        "sciq",
        _SCIQ,
        "default",
        "validation",
        prompts.SCIQ,
        "Welbl et al. 2017, CC BY-NC 3.0",
        elsewhere="data/validation-*.parquet",
    ),
    _task(
        "lambada",
        _LAMBADA,
        "default",
        "test",
        prompts.LAMBADA,
        "Paperno et al. 2016 as OpenAI prepared it, MIT; the texts CC BY 4.0",
        elsewhere="default/test/default.parquet",
    ),
    _paradigms("tiny-blimp", Repository(f"{tiny.OWNER}/tiny-blimp", tiny.REVISION, "dataset"), "made by this package"),
    _tiny("tiny-arc", "ARC-Easy", "test", prompts.ARC, **_ARC_EXAMPLES),
    _tiny("tiny-openbookqa", "main", "test", prompts.OPENBOOKQA),
    _tiny("tiny-mmlu", "all", "test", prompts.MMLU, **_MMLU_EXAMPLES),
    _tiny("tiny-piqa", "default", "validation", prompts.PIQA),
    _tiny("tiny-hellaswag", "default", "validation", prompts.HELLASWAG),
    _tiny("tiny-copa", "copa", "validation", prompts.COPA),
    _tiny("tiny-sciq", "default", "validation", prompts.SCIQ),
    _tiny("tiny-lambada", "default", "test", prompts.LAMBADA),
)
