"""SMC-Bench's own accuracies on arithmetic word problems, as data, to stand beside ours.

Source: Liu et al. 2023, "Sparsity May Cry", arXiv 2303.02141, and its code, VITA-Group/SMC-Bench at commit 6f2856c.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: The share of weights that is gone at each of SMC-Bench's steps, from the dense model on; the fifth is told of one
#: system alone.
STEPS = (0.0, 0.2, 0.36, 0.488, 0.59)

#: SMC-Bench's first three steps of pruning, each with the nearest sparsity of the blocks in our study.
NEAREST = ((0.2, 0.2), (0.36, 0.4), (0.488, 0.5))

#: How much of the tree decoder is gone where 48.8% of all weights are: one threshold takes the small fresh weights.
DECODER_GONE = 0.9


@dataclass(frozen=True, kw_only=True)
class Published:
    """The accuracies of one system on one data set, pruned by magnitude before it is trained.

    Attributes:
        system: the decoder, on RoBERTa-base.
        data_set: the data set.
        accuracies: the share of right values in percent, by the share of all weights that is gone.
        embeddings: whether the embeddings are pruned with everything else.
    """

    system: str
    data_set: str
    accuracies: Mapping[float, float]
    embeddings: bool = True

    @property
    def name(self) -> str:
        """The system's name, with what is special about its pruning."""
        return self.system if self.embeddings else f"{self.system}, embeddings not pruned"


def _published(system: str, data_set: str, *accuracies: float, embeddings: bool = True) -> Published:
    steps = dict(zip(STEPS, accuracies, strict=False))
    return Published(system=system, data_set=data_set, accuracies=steps, embeddings=embeddings)


PUBLISHED = (
    _published("GTS", "mawps", 88.49, 87.97, 85.83, 2.1),
    _published("GTS", "asdiv-a", 78.64, 78.14, 71.73, 0.82),
    _published("GTS", "svamp", 41.2, 38.5, 29.1, 1.4),
    _published("Graph2Tree", "mawps", 88.23, 87.81, 86.46, 2.08),
    _published("Graph2Tree", "asdiv-a", 80.61, 80.85, 72.14, 21.03),
    _published("Graph2Tree", "svamp", 43.4, 42.7, 40.3, 33.3, 0.0, embeddings=False),
)


def on(data_set: str) -> list[Published]:
    """Return what is published of a data set."""
    return [each for each in PUBLISHED if each.data_set == data_set]
