"""Random views of images, made in batches where the images lie."""

from __future__ import annotations

from functools import cache

from torch import nn


@cache
def cropped(channels: int, side: int, scale: tuple[float, float]) -> nn.Module:
    """Random parts of images, stretched to a size, mirrored and recoloured, as DINO's but for blur and solarisation.

    Those are for larger images.

    Args:
        channels: grey images are made brighter and darker, coloured ones recoloured too.
        side: of the views, in pixels.
        scale: which part of the area of an image a view has, at least and at most.
    """
    import kornia.augmentation as K

    coloured = (K.ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8), K.RandomGrayscale(p=0.2))
    grey = (K.RandomBrightness((0.6, 1.4), p=0.8), K.RandomContrast((0.6, 1.4), p=0.8))
    colours = coloured if channels == 3 else grey
    return K.ImageSequential(K.RandomResizedCrop((side, side), scale=scale), K.RandomHorizontalFlip(), *colours)


@cache
def shifted(side: int) -> nn.Module:
    """Images moved by up to an eighth and mirrored at random."""
    import kornia.augmentation as K

    return K.ImageSequential(K.RandomCrop((side, side), padding=max(1, side // 8)), K.RandomHorizontalFlip())
