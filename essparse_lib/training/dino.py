"""DINO: a student learns without labels to predict the output of a teacher, which is a moving average of the student.

Source: Caron et al. 2021, arXiv 2104.14294, §3.1 and algorithm 1. This version differs from the authors' as follows:
the hidden layers of the head are normalised over the batch, which is an option of their code, because without it models
this small hardly improve in the available time; the last layer of the head is trained from the first step; weight decay
and learning rate follow this project's schedule. The teacher's temperature keeps the authors' initial value.
"""

from __future__ import annotations

import math
from copy import deepcopy

import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

_STUDENT_TEMPERATURE, _TEACHER_TEMPERATURE = 0.1, 0.04
_CENTRE_MOMENTUM = 0.9


class ProjectionHead(nn.Module):
    """DINO's head, which maps class tokens to scores: cosines of a small network's output with learned directions."""

    def __init__(self, width: int, outputs: int) -> None:
        """Make a head with random weights. Its hidden layers are narrower than the authors' 2,048 and 256.

        Args:
            width: width of the tokens.
            outputs: number of directions.
        """
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
        """Return the scores of tokens: cosines in fp32, from shape (tokens, width) to (tokens, outputs)."""
        narrow = F.normalize(self.layers(tokens).float(), dim=-1)
        with torch.autocast(tokens.device.type, enabled=False):  # temperatures enlarge bf16's rounding
            return F.linear(narrow, F.normalize(self.directions.weight.float(), dim=-1))


class Dino(nn.Module):
    """A student that is trained, and the teacher that follows it.

    Attributes:
        student: the model that gradients train.
        teacher: a moving average of the student, with the same shape; it is the model that is saved.
        centre: moving average of the teacher's scores, shape (outputs,). It is subtracted from them, so that no output
            dominates for all images.
    """

    centre: torch.Tensor

    def __init__(self, student: PreTrainedModel, outputs: int, momentum: float) -> None:
        """Make student and teacher with their heads.

        Args:
            student: a ViT of transformers with random weights, without a pooler; the teacher begins as its copy.
            outputs: number of outputs of the heads.
            momentum: weight of the teacher's values in their moving average in the first step; it rises to 1 along a
                cosine.
        """
        super().__init__()
        self.student, self.head = student, ProjectionHead(student.config.hidden_size, outputs)
        self.teacher = deepcopy(student).requires_grad_(False)
        self.teacher_head = deepcopy(self.head).requires_grad_(False)
        self.momentum = momentum
        self.register_buffer("centre", torch.zeros(outputs))

    def forward(self, large: torch.Tensor, small: torch.Tensor, progress: torch.Tensor) -> ModelOutput:
        """Return the mean cross-entropy, in nats, between the student's outputs and the teacher's for another view.

        In training mode the teacher first moves towards the student, and the centre moves last.

        Args:
            large: two views of each image, for both models, shape (images, 2, channels, height, width).
            small: views for the student alone, shape (images, views, channels, height, width).
            progress: share of the training that is done, in [0, 1], repeated for each image, shape (images,).
        """
        with torch.no_grad():
            if self.training:
                self._move_teacher(progress[0])
            scores = self._scores(self.teacher, self.teacher_head, large)
            targets = ((scores - self.centre) / _TEACHER_TEMPERATURE).softmax(-1)
        student_scores = [self._scores(self.student, self.head, views) for views in (large, small) if views.shape[1]]
        log_probabilities = (torch.cat(student_scores, 1) / _STUDENT_TEMPERATURE).log_softmax(-1)
        # a product and a sum instead of a matrix product, which bf16 would round
        pairs = -(targets[:, :, None] * log_probabilities[:, None]).sum(-1).mean(0)
        others = pairs.sum() - pairs.diagonal().sum()  # no view is compared with itself
        if self.training:
            self._move_centre(scores.mean((0, 1)))
        return ModelOutput(loss=others / (pairs.numel() - len(pairs)))

    @torch.no_grad()
    def entropies(self, large: torch.Tensor) -> tuple[float, float]:
        """Return the mean entropy of the teacher's output distributions and the entropy of their mean, in nats.

        Both show a collapse. The first is near the logarithm of the number of outputs if the teacher does not
        distinguish images. The second is near 0 if one output dominates for all images.

        Args:
            large: views of images, shape (images, views, channels, height, width).
        """
        scores = self._scores(self.teacher, self.teacher_head, large).flatten(0, 1)
        probabilities = ((scores - self.centre) / _TEACHER_TEMPERATURE).softmax(-1)
        mean_entropy = torch.special.entr(probabilities).sum(-1).mean()
        entropy_of_mean = torch.special.entr(probabilities.mean(0)).sum(-1)
        return float(mean_entropy), float(entropy_of_mean)

    def _scores(self, model: PreTrainedModel, head: ProjectionHead, views: torch.Tensor) -> torch.Tensor:
        """Return a model's scores of views, shape (images, views, outputs)."""
        images, count = views.shape[:2]
        resized = views.shape[-1] != model.config.image_size
        tokens = model(pixel_values=views.flatten(0, 1), interpolate_pos_encoding=resized).last_hidden_state[:, 0]
        return head(tokens).view(images, count, -1)

    def _move_teacher(self, progress: torch.Tensor) -> None:
        momentum = 1 - (1 - self.momentum) * (torch.cos(math.pi * progress) + 1) / 2
        for teacher, student in ((self.teacher, self.student), (self.teacher_head, self.head)):
            for average, current in zip(teacher.parameters(), student.parameters(), strict=True):
                average.lerp_(current, 1 - momentum)

    def _move_centre(self, mean: torch.Tensor) -> None:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(mean)
            mean /= torch.distributed.get_world_size()
        self.centre.lerp_(mean, 1 - _CENTRE_MOMENTUM)
