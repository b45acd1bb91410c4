"""Make small random models and small made-up data in the hub's formats, so that every path runs without a network.

They are saved once into the cache as the hub would hold them: models by ``save_pretrained``, data as parquet in the
layout of GLUE, SQuAD, Wikipedia and CIFAR, and of each likelihood task. So they are loaded by the same code as
``bert-base-uncased`` and MNLI, or a ViT and CIFAR.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import unknown
from ..files import cache_folder
from . import tiny_arithmetic, tiny_data, tiny_likelihood, tiny_models
from .sealed import sealed

OWNER = "essparse"
DATASET = f"{OWNER}/tiny-glue"
QUESTIONS = f"{OWNER}/tiny-questions"
CORPUS = f"{OWNER}/tiny-corpus"
IMAGES = f"{OWNER}/tiny-images"
ARITHMETIC = f"{OWNER}/tiny-arithmetic"
REVISION = "2"  # raised when these models or data change
#: The classes of the made-up images.
SHAPES = tiny_data.SHAPES

_MAKERS: dict[str, Callable[[Path], None]] = {
    DATASET: tiny_data.write_glue,
    QUESTIONS: tiny_data.write_questions,
    CORPUS: tiny_data.write_corpus,
    IMAGES: tiny_data.write_images,
    ARITHMETIC: tiny_arithmetic.write_arithmetic,
    f"{OWNER}/tiny-blimp": tiny_likelihood.write_blimp,
    f"{OWNER}/tiny-arc": tiny_likelihood.write_arc,
    f"{OWNER}/tiny-openbookqa": tiny_likelihood.write_openbookqa,
    f"{OWNER}/tiny-mmlu": tiny_likelihood.write_mmlu,
    f"{OWNER}/tiny-piqa": tiny_likelihood.write_piqa,
    f"{OWNER}/tiny-hellaswag": tiny_likelihood.write_hellaswag,
    f"{OWNER}/tiny-copa": tiny_likelihood.write_copa,
    f"{OWNER}/tiny-sciq": tiny_likelihood.write_sciq,
    f"{OWNER}/tiny-lambada": tiny_likelihood.write_lambada,
    f"{OWNER}/tiny-bert": tiny_models.write_bert,
    f"{OWNER}/tiny-mpnet": tiny_models.write_mpnet,
    f"{OWNER}/tiny-opt": tiny_models.write_opt,
    f"{OWNER}/tiny-opt-lm": tiny_models.write_opt_lm,
    f"{OWNER}/tiny-llama": tiny_models.write_llama,
    f"{OWNER}/tiny-vit": tiny_models.write_vit,
    f"{OWNER}/tiny-dino": tiny_models.write_dino,
}


def folder(repository: str) -> Path:
    """Return the local folder of one of this module's repositories, made if it is not in the cache.

    Args:
        repository: name of the repository, such as ``essparse/tiny-bert``.

    Raises:
        InputError: the repository does not exist, or the cache cannot be written.
    """
    if repository not in _MAKERS:
        raise unknown("tiny repository", repository, _MAKERS)
    target = cache_folder() / f"tiny-{REVISION}" / repository
    return sealed(target, _MAKERS[repository])
