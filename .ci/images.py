"""Samples for image models: crops of two photographs that scikit-learn carries, as each model wants its pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["PHOTOGRAPHS", "make_ocr_images", "make_resnet_images", "make_vit_images"]

PHOTOGRAPHS = ("sklearn/datasets/images/china.jpg", "sklearn/datasets/images/flower.jpg")
CROPS = 4
"""Of each photograph, from left to right."""
RGB_MEAN, RGB_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BGR_MEAN = (104, 117, 123)

Pixels = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.floating[Any]]


def make_vit_images(folder: Path, target: Path) -> None:
    """Write input_image [8, 1, 3, 224, 224], each colour by mean and deviation."""

    def prepared(pixels: Pixels) -> Numbers:
        return _channels_first((pixels / 255 - RGB_MEAN) / RGB_DEVIATION)

    _write(folder, target, "input_image", 224, prepared)


def make_resnet_images(folder: Path, target: Path) -> None:
    """Write input_0 [8, 1, 224, 224, 3], blue first, less the mean colour."""
    _write(folder, target, "input_0", 224, lambda pixels: pixels[..., ::-1] - BGR_MEAN)


def make_ocr_images(folder: Path, target: Path) -> None:
    """Write x [8, 1, 3, 320, 320] in -1 .. 1."""
    _write(folder, target, "x", 320, lambda pixels: _channels_first(pixels / 127.5 - 1))


def _channels_first(pixels: Numbers) -> Numbers:
    return pixels.transpose(2, 0, 1)


def _write(folder: Path, target: Path, name: str, side: int, prepared: Callable[[Pixels], Numbers]) -> None:
    # Crops of both photographs take turns, so that the last quarter, which judges, has some of each.
    crops = [each for pair in zip(*(_crops(folder / path, side) for path in PHOTOGRAPHS), strict=True) for each in pair]
    with target.open("wb") as file:
        np.savez_compressed(file, **{name: np.stack([prepared(each)[None] for each in crops]).astype(np.float32)})


def _crops(path: Path, side: int) -> list[Pixels]:
    """Return square crops over the whole height [side, side, 3], RGB in 0 .. 255."""
    with Image.open(path) as image:
        scaled = image.convert("RGB").resize((round(image.width * side / image.height), side))
    pixels = np.asarray(scaled, np.float32)
    starts = np.linspace(0, pixels.shape[1] - side, CROPS).astype(int)
    return [pixels[:, start : start + side] for start in starts.tolist()]
