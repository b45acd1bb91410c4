"""What a vision transformer is trained for on images: their classes, DINO, or the pixels of hidden patches (SimMIM)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel, ViTConfig, ViTForImageClassification, ViTForMaskedImageModeling, ViTModel

from ..errors import InputError
from ..pruning.prunable import prunable_weights
from ..pruning.zeros import NOTHING, count_zeros
from ..tasks import Task, fixed_part
from ..tasks.images import Images
from . import device
from .dino import Dino
from .evaluate import classify
from .features import last_states, linear_accuracy, neighbours_accuracy
from .pictures import Preprocessing, encode, normalised
from .views import cropped, shifted

if TYPE_CHECKING:
    from ..specs.pretraining import ImagePretraining
    from .pretrain import Trained

#: Test images in the batch of every look; training and test images that nearest neighbours are looked up in, which is
#: done at every tenth part of the training.
_HELD_OUT, _KNOWN, _TOLD = 256, 2000, 500

#: Which part of an image's area DINO's large and small views have: the authors' ranges for several small views.
_LARGE, _SMALL = (0.4, 1.0), (0.05, 0.4)

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How a model is asked by an objective.

    Attributes:
        module: random weights, for so many classes; maps a batch to an output with a loss.
        model: the part of the module that is kept: a ViT without a head.
        moved: by the side of the images, what changes them at random while training.
        batch: what is asked about images in [0, 1], with their classes, at a share of the training.
    """

    module: Callable[[ImagePretraining, ViTConfig], nn.Module]
    model: Callable[[Any], PreTrainedModel]
    moved: Callable[[int], nn.Module]
    batch: Callable[[ImageObjective, torch.Tensor, torch.Tensor, float, torch.Generator], Batch]


class ImageObjective:
    """A vision transformer on the training images of a task: an ``Objective`` as ``scratch`` takes it."""

    def __init__(self, asked: ImagePretraining, task: Task) -> None:
        """Reads the images.

        Raises:
            InputError: they cannot be had, are fewer than a batch, or are not square with a side that patches divide.
        """
        splits = task.splits()
        if not (isinstance(splits.train, Images) and isinstance(splits.test, Images)):
            raise InputError(f"task {task.name!r} has no images: name one that has, such as cifar10")
        self.asked, self.classes, self.train, self.test = asked, len(task.classes), splits.train, splits.test
        self.origin = splits.origin
        self.channels, self.side, width = self.train.shape
        if self.side != width or self.side % asked.patch:
            raise InputError(f"patch {asked.patch} is not allowed: it does not divide images of {self.side} × {width}")
        self.examples = len(self.train)
        if self.examples < asked.batch_size:
            raise InputError(f"{task.name} has {self.examples} images, fewer than a batch of {asked.batch_size}")
        self.kind = _KINDS[asked.objective]

    @cached_property
    def mean(self) -> list[float]:
        """Of each channel over the training images, in [0, 1]."""
        return [round(float((pixels / 255).mean()), 4) for pixels in self.train.pixels.swapaxes(0, 1)]

    @cached_property
    def std(self) -> list[float]:
        """The standard deviation, likewise."""
        return [round(float((pixels / 255).std()), 4) for pixels in self.train.pixels.swapaxes(0, 1)]

    @property
    def content(self) -> str:
        """The hashes of the images and their classes."""
        return f"{self.train.fingerprint()}+{self.test.fingerprint()}"

    @cached_property
    def held_out(self) -> Batch:
        """Test images, always the same views of them."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            chosen, chance = fixed_part(self.test, _HELD_OUT), torch.Generator().manual_seed(0)
            images, labels = (torch.from_numpy(a).to(self._pixels.device) for a in (chosen.pixels, chosen.labels))
            return self.kind.batch(self, images / 255, labels, 1.0, chance)

    def module(self) -> nn.Module:
        """What is trained, with random weights."""
        asked = self.asked
        config = ViTConfig(
            hidden_size=asked.hidden,
            num_hidden_layers=asked.layers,
            num_attention_heads=asked.heads,
            intermediate_size=4 * asked.hidden,
            hidden_dropout_prob=asked.dropout,
            attention_probs_dropout_prob=asked.dropout,
            initializer_range=asked.initial,
            image_size=self.side,
            patch_size=asked.patch,
            encoder_stride=asked.patch,
            num_channels=self.channels,
            num_labels=self.classes,
        )
        return self.kind.module(asked, config)

    def model(self, module: nn.Module) -> PreTrainedModel:
        """The ViT without a head: DINO's teacher."""
        return self.kind.model(module)

    def batch(self, positions: np.ndarray, step: int, chance: torch.Generator) -> Batch:
        """Views of the training images at these positions, made on the device."""
        at = torch.from_numpy(positions).to(self._pixels.device)
        images = self.kind.moved(self.side)(self._pixels[at] / 255)
        return self.kind.batch(self, images, self._labels[at], step / self.asked.steps, chance)

    def _own_accuracy(self, model: nn.Module) -> float:
        """Of a classifier on the test images, in points."""
        devices = device.accelerator()
        wishes = Preprocessing(
            channels=self.channels,
            size=(self.side, self.side),
            patch=(self.asked.patch, self.asked.patch),
            mean=tuple(self.mean),
            std=tuple(self.std),
        )
        said = classify(model, encode(self.test, wishes, devices.device), devices)
        return 100 * float((said == self.test.labels).mean())

    def prepared(self, images: torch.Tensor) -> torch.Tensor:
        """Images, in 8 bits or in [0, 1], with each channel of mean 0 and deviation 1 over the training images."""
        return normalised(images, self.mean, self.std)

    def probes(self, module: nn.Module, step: int) -> dict[str, float]:
        """Of DINO the teacher's entropies, in nats; at every tenth part nearest neighbours' accuracy, in points."""
        found = {}
        if isinstance(module, Dino):
            each, mean = module.entropies(self.held_out["large"])
            found = {"teacher_entropy": round(each, 4), "entropy_of_mean": round(mean, 4)}
        if step in {round(self.asked.steps * part / 10) for part in range(11)}:
            known, told = self._looked_up
            features = (self._states(self.model(module), images)[0] for images in (known, told))
            found["knn"] = round(_judged(neighbours_accuracy, features, known, told), 2)
        return found

    def described(self) -> dict[str, Any]:
        """How many images, of what shape and where from, with each channel's mean and standard deviation in [0, 1]."""
        counts = {"train": len(self.train), "test": len(self.test), "from": self.origin}
        return {"images": {**counts, "shape": list(self.train.shape), "mean": self.mean, "std": self.std}}

    def metrics(self, trained: Trained) -> dict[str, float]:
        """Images seen, and in points how much of the test images' classes the model tells.

        ``knn``: 20 nearest of all training images, by the class token; ``linear_probe``: a logistic regression on it;
        both also ``…_patches``, by the mean over the patches, and ``…_random``, by the class token before training;
        ``knn_pixels``: by the pixels themselves; ``accuracy``: of its own head, if supervised. And of DINO
        ``student_zeros``, the percentage of the student's prunable weights that lie below a hundredth of their
        matrix's standard deviation: the teacher, which is kept, is a mean of students, and another distribution.
        """
        torch.manual_seed(self.asked.seed)
        before = self.model(self.module()).to(self._pixels.device)
        after = self.model(trained.module)
        both = self.train, self.test
        (own, patches), (random, _) = (
            zip(*(self._states(model, images) for images in both), strict=True) for model in (after, before)
        )
        points = {"knn_pixels": _judged(neighbours_accuracy, map(self._flat, both), *both)}
        for what, features in {"": own, "_patches": patches, "_random": random}.items():
            for name, judge in (("knn", neighbours_accuracy), ("linear_probe", linear_accuracy)):
                points[name + what] = _judged(judge, features, *both)
        if isinstance(trained.module, ViTForImageClassification):
            points["accuracy"] = self._own_accuracy(trained.module)
        found = {"images": self.asked.images, **{name: round(value, 2) for name, value in points.items()}}
        if isinstance(trained.module, Dino):
            student = sum(count_zeros(prunable_weights(trained.module.student)).values(), NOTHING)
            found["student_zeros"] = round(100 * student.below_deviations[0.01] / student.weights, 4)
        return found

    def save(self, module: nn.Module, folder: Path) -> None:
        """Save the ViT without a head, in fp16, and what it wants of its pixels."""
        from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

        trained = self.model(module)
        saved = ViTModel(trained.config, add_pooling_layer=False)
        saved.load_state_dict(trained.state_dict(), strict=False)  # but for SimMIM's mask token
        saved.to(torch.float16).save_pretrained(folder)  # type: ignore[arg-type]
        wishes = ViTImageProcessorPil(size=self.side, image_mean=self.mean, image_std=self.std)
        wishes.save_pretrained(folder)

    def _states(self, model: nn.Module, images: Images) -> tuple[np.ndarray, np.ndarray]:
        return last_states(model, torch.from_numpy(images.pixels), self.prepared)

    def _flat(self, images: Images) -> np.ndarray:
        return self.prepared(torch.from_numpy(images.pixels)).flatten(1).numpy()

    @cached_property
    def _looked_up(self) -> tuple[Images, Images]:
        """The training and test images of every look's nearest neighbours."""
        return fixed_part(self.train, _KNOWN), fixed_part(self.test, _TOLD)

    @cached_property
    def _pixels(self) -> torch.Tensor:
        """All training images, on the device once and for all."""
        return torch.from_numpy(self.train.pixels).to(device.accelerator().device)

    @cached_property
    def _labels(self) -> torch.Tensor:
        return torch.from_numpy(self.train.labels).to(self._pixels.device)


def _judged(judge: Callable[..., float], features: Iterable[np.ndarray], known: Images, told: Images) -> float:
    """How well features of some images, the first ones, tell the classes of others."""
    of_known, of_told = features
    return judge(of_known, known.labels, of_told, told.labels)


def _labelled(objective: ImageObjective, images: torch.Tensor, classes: torch.Tensor, *_: Any) -> Batch:
    return {"pixel_values": objective.prepared(images), "labels": classes}


def _hidden(
    objective: ImageObjective, images: torch.Tensor, classes: torch.Tensor, progress: float, chance: torch.Generator
) -> Batch:
    """Images of which the same number of patches is hidden in each."""
    patches = (objective.side // objective.asked.patch) ** 2
    drawn = torch.rand((len(images), patches), generator=chance).argsort(1)
    hidden = drawn < max(1, round(objective.asked.masked * patches))
    return {"pixel_values": objective.prepared(images), "bool_masked_pos": hidden.to(images.device)}


def _views(
    objective: ImageObjective, images: torch.Tensor, classes: torch.Tensor, progress: float, chance: torch.Generator
) -> Batch:
    """Two large and several small views of each image."""
    patch, side = objective.asked.patch, objective.side
    half = max(patch, side // 2 // patch * patch)
    shapes = {"large": (side, _LARGE, 2), "small": (half, _SMALL, objective.asked.small_views)}
    batch = {"progress": torch.full((len(images),), progress, device=images.device)}
    for name, (size, scale, count) in shapes.items():
        seen = cropped(objective.channels, size, scale)(images.repeat_interleave(count, 0))
        batch[name] = objective.prepared(seen).unflatten(0, (len(images), count))
    return batch


_KINDS = {
    "supervised": Kind(
        module=lambda asked, config: ViTForImageClassification(config),
        model=lambda module: module.vit,
        moved=shifted,
        batch=_labelled,
    ),
    "masked": Kind(
        module=lambda asked, config: ViTForMaskedImageModeling(config),
        model=lambda module: module.vit,
        moved=shifted,
        batch=_hidden,
    ),
    "dino": Kind(
        module=lambda asked, config: Dino(ViTModel(config, add_pooling_layer=False), asked.outputs, asked.momentum),
        model=lambda module: module.teacher,
        moved=lambda side: nn.Identity(),  # its views are moved already
        batch=_views,
    ),
}
