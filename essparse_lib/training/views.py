"""Random views of images, made in batches on the device of the images."""

from __future__ import annotations

from functools import cache

from torch import nn


@cache
def random_crops(channels: int, side: int, scale: tuple[float, float]) -> nn.Module:
    """Return DINO's augmentation without blur and solarisation, which are for larger images.

    It crops images at random, resizes the crops, mirrors them and changes their colours.

    Args:
        channels: 1 for grey images, whose brightness and contrast change, or 3 for colour images.
        side: height and width of the views, in pixels.
        scale: least and largest share of an image's area that a view has.
    """
    import kornia.augmentation as K

    coloured = (K.ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8), K.RandomGrayscale(p=0.2))
    grey = (K.RandomBrightness((0.6, 1.4), p=0.8), K.RandomContrast((0.6, 1.4), p=0.8))
    colours = coloured if channels == 3 else grey
    return K.ImageSequential(K.RandomResizedCrop((side, side), scale=scale), K.RandomHorizontalFlip(), *colours)


@cache
def random_shifts(side: int) -> nn.Module:
    """Return an augmentation that shifts images by up to an eighth of their side and mirrors them at random.

    Args:
        side: height and width of the images, in pixels.
    """
    import kornia.augmentation as K

    return K.ImageSequential(K.RandomCrop((side, side), padding=max(1, side // 8)), K.RandomHorizontalFlip())
