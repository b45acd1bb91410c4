"""DINO: a model learns without labels to say of one view of an image what a slow copy of itself says of another.

Source: Caron et al. 2021, arXiv 2104.14294, §3.1 and its algorithm 1. Unlike in the authors' recipe, the head's hidden
layers are normalised over the batch (an option of their code: without it, models this small hardly leave their random
start in the time there is), its last layer is not held still at first, and weight decay and rate follow this project's
schedule. The teacher's temperature stays where theirs begins, which they found safe.
"""

from __future__ import annotations

import math
from copy import deepcopy

import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

#: The temperatures of student and teacher; what the centre keeps of itself in a step.
_STUDENT, _TEACHER, _CENTRE = 0.1, 0.04, 0.9


class Head(nn.Module):
    """From a class token to scores: three layers, a narrow normalised one, and directions to compare it with."""

    def __init__(self, width: int, outputs: int) -> None:
        """For tokens of a width; narrower than the authors' 2,048 and 256, as the models are."""
        super().__init__()
        wide, narrow = 4 * width, width
        self.layers = nn.Sequential(
            nn.Linear(width, wide),
            nn.BatchNorm1d(wide),
            nn.GELU(),
            nn.Linear(wide, wide),
            nn.BatchNorm1d(wide),
            nn.GELU(),
            nn.Linear(wide, narrow),
        )
        self.directions = nn.Linear(narrow, outputs, bias=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Cosines, in fp32: shape (tokens, width) to (tokens, outputs)."""
        narrow = F.normalize(self.layers(tokens).float(), dim=-1)
        with torch.autocast(tokens.device.type, enabled=False):  # bf16 would round what the temperatures divide
            return F.linear(narrow, F.normalize(self.directions.weight.float(), dim=-1))


class Dino(nn.Module):
    """A student, and the teacher that follows it.

    Attributes:
        student: what is trained.
        teacher: of the same shape, a moving average of the student; what is kept.
        centre: moving average of the teacher's scores, taken off them so that no output wins everywhere.
    """

    centre: torch.Tensor

    def __init__(self, student: PreTrainedModel, outputs: int, momentum: float) -> None:
        """Around a ViT of transformers, without a pooler.

        Args:
            student: with random weights; the teacher begins as its copy.
            outputs: width of the head.
            momentum: what the teacher keeps of itself in the first step; it rises to 1 by a cosine.
        """
        super().__init__()
        self.student, self.head = student, Head(student.config.hidden_size, outputs)
        self.teacher = deepcopy(student).requires_grad_(False)
        self.teacher_head = deepcopy(self.head).requires_grad_(False)
        self.momentum = momentum
        self.register_buffer("centre", torch.zeros(outputs))

    def forward(self, large: torch.Tensor, small: torch.Tensor, progress: torch.Tensor) -> ModelOutput:
        """The mean cross-entropy, in nats, of the student's outputs against the teacher's of another view.

        While training, first the teacher takes a step towards the student, and last the centre moves.

        Args:
            large: two views of each image, shape (images, 2, channels, height, width); both models see them.
            small: views that the student alone sees, shape (images, views, channels, height, width).
            progress: how much of the training is done, from 0 to 1, the same number for each image: shape (images,).
        """
        with torch.no_grad():
            if self.training:
                self._follow(progress[0])
            scores = self._scores(self.teacher, self.teacher_head, large)
            targets = ((scores - self.centre) / _TEACHER).softmax(-1)
        said = [self._scores(self.student, self.head, views) for views in (large, small) if views.shape[1]]
        logs = (torch.cat(said, 1) / _STUDENT).log_softmax(-1)
        # no matrix product, which bf16 would round
        pairs = -(targets[:, :, None] * logs[:, None]).sum(-1).mean(0)
        others = pairs.sum() - pairs.diagonal().sum()  # no view is compared with itself
        if self.training:
            self._move_centre(scores.mean((0, 1)))
        return ModelOutput(loss=others / (pairs.numel() - len(pairs)))

    @torch.no_grad()
    def entropies(self, large: torch.Tensor) -> tuple[float, float]:
        """Of what the teacher says of each view, the mean entropy, and the entropy of the mean, in nats.

        Neither may end at its extreme: the first near the logarithm of the outputs means that nothing is told apart,
        the second near 0 that one output is said of all.
        """
        scores = self._scores(self.teacher, self.teacher_head, large).flatten(0, 1)
        said = ((scores - self.centre) / _TEACHER).softmax(-1)
        each, mean = (torch.special.entr(p).sum(-1).mean() for p in (said, said.mean(0)))
        return float(each), float(mean)

    def _scores(self, model: PreTrainedModel, head: Head, views: torch.Tensor) -> torch.Tensor:
        images, count = views.shape[:2]
        resized = views.shape[-1] != model.config.image_size
        tokens = model(pixel_values=views.flatten(0, 1), interpolate_pos_encoding=resized).last_hidden_state[:, 0]
        return head(tokens).view(images, count, -1)

    def _follow(self, progress: torch.Tensor) -> None:
        kept = 1 - (1 - self.momentum) * (torch.cos(math.pi * progress) + 1) / 2
        for slow, fast in ((self.teacher, self.student), (self.teacher_head, self.head)):
            for mine, other in zip(slow.parameters(), fast.parameters(), strict=True):
                mine.lerp_(other, 1 - kept)

    def _move_centre(self, mean: torch.Tensor) -> None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(mean)
            mean /= torch.distributed.get_world_size()
        self.centre.lerp_(mean, 1 - _CENTRE)
