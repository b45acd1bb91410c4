"""The models that are trained from scratch here: how, by scale and name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .study.pretraining import Pretraining
from .study.store import Store, results

#: Figure 8's parts of the corpus, and which of them are trained with a second seed.
VOLUMES = (1.0, 0.9, 0.8, 0.7, 0.6)
TWICE = (1.0, 0.6)


def _family(largest: Pretraining, volumes: tuple[float, ...] = VOLUMES) -> dict[str, Pretraining]:
    """A model on each part of the corpus, with the same number of steps; on some of them with two seeds."""
    found = {}
    for seed in (0, 1):
        for fraction in volumes:
            if seed == 0 or fraction in TWICE:
                name = f"{largest.model}-{100 * fraction:.0f}-{seed}"
                found[name] = replace(largest, model=name, fraction=fraction, seed=seed)
    return found


_TINY = Pretraining("tiny-scratch", "bert", 2, 32, 2, "tiny-corpus", 128, 32, 32, 120, 1e-2)

#: BERT's proportions at a size that two cores train in less than an hour; as with BERT-tiny (Turc et al. 2019,
#: arXiv 1908.08962) two blocks of width 128, with a vocabulary that suits the corpus and blocks as long as the texts of
#: the tasks. The initial weights are as large, for the width, as BERT-base's: 0.02 · √(768/128). With BERT's 0.02, and
#: with longer blocks, the model long learns no more than which words go together.
_LAB = Pretraining(
    "bert-2x128", "bert", 2, 128, 2, "packaged-english", 4096, 64, 64, 16_000, 1e-3, warmup=0.02, initial=0.05
)
_LAB_OPT = replace(_LAB, model="opt-2x128", architecture="opt")

#: bert-base on bookcorpus for 50,000 steps is all that the paper says. The rest is BERT's own (Devlin et al. 2019),
#: with the shorter of its two lengths.
_PAPER = Pretraining(
    "bert-12x768", "bert", 12, 768, 12, "bookcorpus", 30522, 128, 256, 50_000, 1e-4, warmup=0.02, dropout=0.1
)

PRETRAINED: dict[str, dict[str, Pretraining]] = {
    "tiny": _family(_TINY, TWICE),
    "lab": {**_family(_LAB), _LAB_OPT.model: _LAB_OPT},
    "paper": _family(_PAPER),
}


#: The scale that a model of each name belongs to.
SCALES = {name: scale for scale, models in PRETRAINED.items() for name in models}


def store_of(name: str) -> Store:
    """Where the records, and the weights, of a model that is trained here belong."""
    return results(SCALES[name])


def folder_of(name: str) -> Path | None:
    """The folder of a model that is trained here, as ``from_pretrained`` loads it; None if it is not there yet."""
    store = store_of(name)
    places = [store.pretrained(name), *([Store(store.installed).pretrained(name)] if store.installed else [])]
    return next((place for place in places if place.is_dir()), None)
