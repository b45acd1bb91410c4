"""Objectives of vision transformers: the classes of images, DINO, or the pixels of hidden patches (SimMIM)."""

from __future__ import annotations

from collections.abc import Callable
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
from ..specs.pretraining import ObjectiveKind
from ..tasks import Task, fixed_part
from ..tasks.images import Images
from . import device
from .dino import Dino
from .evaluate import classify
from .features import last_states, linear_accuracy, neighbours_accuracy
from .pictures import Preprocessing, encode, normalised
from .views import random_crops, random_shifts

if TYPE_CHECKING:
    from ..specs.pretraining import ImagePretraining
    from .pretrain import TrainingResult

#: Number of test images in the held-out batch, whose loss is in every snapshot.
_HELD_OUT_IMAGES = 256

#: Numbers of training and test images for the accuracy of nearest neighbours at every tenth of the training.
_NEIGHBOUR_TRAIN, _NEIGHBOUR_TEST = 2000, 500

#: Least and largest share of an image's area in DINO's large and small views: the authors' ranges for multi-crop.
_LARGE_SCALE, _SMALL_SCALE = (0.4, 1.0), (0.05, 0.4)

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class ObjectiveParts:
    """The parts in which the objectives differ.

    Attributes:
        build: makes the module to train, with random weights; it maps a batch to an output with a loss.
        encoder: returns the part of the module that is saved: a ViT without a head.
        augmentation: returns the random changes of training images, given the side of the images in pixels.
        make_batch: makes a batch of images in [0, 1] and their classes, given the share of the training that is done
            and a generator of random numbers.
    """

    build: Callable[[ImagePretraining, ViTConfig], nn.Module]
    encoder: Callable[[Any], PreTrainedModel]
    augmentation: Callable[[int], nn.Module]
    make_batch: Callable[[ImageObjective, torch.Tensor, torch.Tensor, float, torch.Generator], Batch]


class ImageObjective:
    """The objective of a vision transformer on a task's training images; an ``Objective`` of ``training.pretrain``."""

    def __init__(self, spec: ImagePretraining, task: Task) -> None:
        """Read the images.

        Args:
            spec: settings of the model and its training.
            task: the task whose images are read.

        Raises:
            InputError: the images are missing, fewer than a batch, or not square with a side that patches divide.
        """
        splits = task.splits()
        if not (isinstance(splits.train, Images) and isinstance(splits.test, Images)):
            raise InputError(f"task {task.name!r} has no images: name one that has, such as cifar10")
        self.spec, self.classes = spec, len(task.classes)
        self.train, self.test, self.origin = splits.train, splits.test, splits.origin
        self.channels, self.side, width = self.train.shape
        if self.side != width or self.side % spec.patch:
            raise InputError(f"patch {spec.patch} is not allowed: it does not divide images of {self.side} × {width}")
        self.examples = len(self.train)
        if self.examples < spec.batch_size:
            raise InputError(f"{task.name} has {self.examples} images, fewer than a batch of {spec.batch_size}")
        self.parts = _PARTS[spec.objective]

    @cached_property
    def mean(self) -> list[float]:
        """Mean of each channel over the training images, in [0, 1]."""
        return [round(float((pixels / 255).mean()), 4) for pixels in self.train.pixels.swapaxes(0, 1)]

    @cached_property
    def std(self) -> list[float]:
        """Standard deviation of each channel over the training images, for pixels in [0, 1]."""
        return [round(float((pixels / 255).std()), 4) for pixels in self.train.pixels.swapaxes(0, 1)]

    @property
    def content(self) -> str:
        """Hashes of the training and the test images with their classes."""
        return f"{self.train.fingerprint()}+{self.test.fingerprint()}"

    @cached_property
    def held_out(self) -> Batch:
        """A batch of test images, always with the same views of them."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            generator = torch.Generator().manual_seed(0)
            images = fixed_part(self.test, _HELD_OUT_IMAGES)
            pixels, labels = (torch.from_numpy(a).to(self._pixels.device) for a in (images.pixels, images.labels))
            return self.parts.make_batch(self, pixels / 255, labels, 1.0, generator)

    def module(self) -> nn.Module:
        """Return the module to train, with random weights; it maps a batch to an output with a loss."""
        spec = self.spec
        config = ViTConfig(
            hidden_size=spec.hidden,
            num_hidden_layers=spec.layers,
            num_attention_heads=spec.heads,
            intermediate_size=4 * spec.hidden,
            hidden_dropout_prob=spec.dropout,
            attention_probs_dropout_prob=spec.dropout,
            initializer_range=spec.initial,
            image_size=self.side,
            patch_size=spec.patch,
            encoder_stride=spec.patch,
            num_channels=self.channels,
            num_labels=self.classes,
        )
        return self.parts.build(spec, config)

    def model(self, module: nn.Module) -> PreTrainedModel:
        """Return the ViT without a head; of DINO, the teacher's."""
        return self.parts.encoder(module)

    def pruned_part(self, module: nn.Module) -> nn.Module:
        """Return the ViT; of DINO, the student's, whose outputs the loss compares with those of the whole teacher."""
        return module.student if isinstance(module, Dino) else self.model(module)

    def batch(self, positions: np.ndarray, step: int, generator: torch.Generator) -> Batch:
        """Return a batch of views of the training images at these positions, made on the device."""
        indices = torch.from_numpy(positions).to(self._pixels.device)
        augment = self.parts.augmentation(self.side)
        images = augment(self._pixels[indices] / 255)
        return self.parts.make_batch(self, images, self._labels[indices], step / self.spec.steps, generator)

    def prepared(self, images: torch.Tensor) -> torch.Tensor:
        """Return images, given in 8 bits or in [0, 1], standardised by the channels of the training images."""
        return normalised(images, self.mean, self.std)

    def probes(self, module: nn.Module, step: int) -> dict[str, float]:
        """Return DINO's entropies, in nats, and at every tenth of the training the k-NN accuracy, in points."""
        measures = {}
        if isinstance(module, Dino):
            teacher_entropy, entropy_of_mean = module.entropies(self.held_out["large"])
            measures["teacher_entropy"] = round(teacher_entropy, 4)
            measures["entropy_of_mean"] = round(entropy_of_mean, 4)
        if step in {round(self.spec.steps * part / 10) for part in range(11)}:
            model, (train, test) = self.model(module), self._neighbour_images
            tokens = (self._states(model, train)[0], self._states(model, test)[0])
            measures["knn"] = round(_accuracy(neighbours_accuracy, tokens, (train, test)), 2)
        return measures

    def described(self) -> dict[str, Any]:
        """Return the numbers of images, their origin and shape, and mean and deviation of each channel."""
        counts = {"train": len(self.train), "test": len(self.test), "from": self.origin}
        return {"images": {**counts, "shape": list(self.train.shape), "mean": self.mean, "std": self.std}}

    def metrics(self, result: TrainingResult) -> dict[str, float]:
        """Return the number of images seen, and accuracies on the test images in points.

        ``knn`` is the accuracy of the 20 nearest neighbours among all training images, by the class token.
        ``linear_probe`` is that of a logistic regression on the class token. ``…_patches`` use the mean over the
        patches instead, ``…_random`` the class token before training, and ``knn_pixels`` the pixels. ``accuracy`` is
        that of the head, for the supervised objective alone. For DINO there is ``student_zeros``: the percentage of the
        student's prunable weights below a hundredth of their matrix's standard deviation. It can differ from that of
        the teacher, which is saved, because the teacher is an average of students.
        """
        torch.manual_seed(self.spec.seed)
        before = self.model(self.module()).to(self._pixels.device)
        after = self.model(result.module)
        both = (self.train, self.test)
        tokens, patches = zip(*(self._states(after, images) for images in both), strict=True)
        random_tokens, _ = zip(*(self._states(before, images) for images in both), strict=True)
        pixels = (self._flat(self.train), self._flat(self.test))
        accuracies = {"knn_pixels": _accuracy(neighbours_accuracy, pixels, both)}
        for suffix, features in {"": tokens, "_patches": patches, "_random": random_tokens}.items():
            for name, measure in (("knn", neighbours_accuracy), ("linear_probe", linear_accuracy)):
                accuracies[name + suffix] = _accuracy(measure, features, both)
        if isinstance(result.module, ViTForImageClassification):
            accuracies["accuracy"] = self._classifier_accuracy(result.module)
        metrics = {"images": self.spec.images, **{name: round(value, 2) for name, value in accuracies.items()}}
        if isinstance(result.module, Dino):
            student = sum(count_zeros(prunable_weights(result.module.student)).values(), NOTHING)
            metrics["student_zeros"] = round(100 * student.below_deviations[0.01] / student.weights, 4)
        return metrics

    def save(self, module: nn.Module, folder: Path) -> None:
        """Save the ViT without a head, in fp16, with its image processor."""
        from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

        trained = self.model(module)
        saved = ViTModel(trained.config, add_pooling_layer=False)
        saved.load_state_dict(trained.state_dict(), strict=False)  # SimMIM's mask token is left out
        saved.to(torch.float16).save_pretrained(folder)  # type: ignore[arg-type]
        processor = ViTImageProcessorPil(size=self.side, image_mean=self.mean, image_std=self.std)
        processor.save_pretrained(folder)

    def _classifier_accuracy(self, model: nn.Module) -> float:
        """Return the accuracy of a classifier on the test images, in points."""
        devices = device.accelerator()
        preprocessing = Preprocessing(
            channels=self.channels,
            size=(self.side, self.side),
            patch=(self.spec.patch, self.spec.patch),
            mean=tuple(self.mean),
            std=tuple(self.std),
        )
        predictions = classify(model, encode(self.test, preprocessing, devices.device), devices)
        return 100 * float((predictions == self.test.labels).mean())

    def _states(self, model: nn.Module, images: Images) -> tuple[np.ndarray, np.ndarray]:
        return last_states(model, torch.from_numpy(images.pixels), self.prepared)

    def _flat(self, images: Images) -> np.ndarray:
        return self.prepared(torch.from_numpy(images.pixels)).flatten(1).numpy()

    @cached_property
    def _neighbour_images(self) -> tuple[Images, Images]:
        """The training and test images of the snapshots' k-NN accuracy."""
        return fixed_part(self.train, _NEIGHBOUR_TRAIN), fixed_part(self.test, _NEIGHBOUR_TEST)

    @cached_property
    def _pixels(self) -> torch.Tensor:
        """The pixels of all training images, on the device."""
        return torch.from_numpy(self.train.pixels).to(device.accelerator().device)

    @cached_property
    def _labels(self) -> torch.Tensor:
        return torch.from_numpy(self.train.labels).to(self._pixels.device)


def _accuracy(measure: Callable[..., float], features: tuple[np.ndarray, ...], images: tuple[Images, Images]) -> float:
    """Return an accuracy, in points, given the features of training and test images and the images themselves."""
    (train_features, test_features), (train, test) = features, images
    return measure(train_features, train.labels, test_features, test.labels)


def _supervised_batch(objective: ImageObjective, images: torch.Tensor, classes: torch.Tensor, *_: Any) -> Batch:
    return {"pixel_values": objective.prepared(images), "labels": classes}


def _masked_batch(
    objective: ImageObjective, images: torch.Tensor, classes: torch.Tensor, progress: float, generator: torch.Generator
) -> Batch:
    """Return images with a mask of hidden patches, the same number in each image."""
    patches = (objective.side // objective.spec.patch) ** 2
    ranks = torch.rand((len(images), patches), generator=generator).argsort(1)
    hidden = ranks < max(1, round(objective.spec.masked * patches))
    return {"pixel_values": objective.prepared(images), "bool_masked_pos": hidden.to(images.device)}


def _dino_batch(
    objective: ImageObjective, images: torch.Tensor, classes: torch.Tensor, progress: float, generator: torch.Generator
) -> Batch:
    """Return two large and several small views of each image."""
    patch, side = objective.spec.patch, objective.side
    half = max(patch, side // 2 // patch * patch)
    shapes = {"large": (side, _LARGE_SCALE, 2), "small": (half, _SMALL_SCALE, objective.spec.small_views)}
    batch = {"progress": torch.full((len(images),), progress, device=images.device)}
    for name, (size, scale, count) in shapes.items():
        views = random_crops(objective.channels, size, scale)(images.repeat_interleave(count, 0))
        batch[name] = objective.prepared(views).unflatten(0, (len(images), count))
    return batch


#: The parts of each objective.
_PARTS: dict[ObjectiveKind, ObjectiveParts] = {
    ObjectiveKind.SUPERVISED: ObjectiveParts(
        build=lambda spec, config: ViTForImageClassification(config),
        encoder=lambda module: module.vit,
        augmentation=random_shifts,
        make_batch=_supervised_batch,
    ),
    ObjectiveKind.MASKED: ObjectiveParts(
        build=lambda spec, config: ViTForMaskedImageModeling(config),
        encoder=lambda module: module.vit,
        augmentation=random_shifts,
        make_batch=_masked_batch,
    ),
    ObjectiveKind.DINO: ObjectiveParts(
        build=lambda spec, config: Dino(ViTModel(config, add_pooling_layer=False), spec.outputs, spec.momentum),
        encoder=lambda module: module.teacher,
        augmentation=lambda side: nn.Identity(),  # the views themselves are random
        make_batch=_dino_batch,
    ),
}
