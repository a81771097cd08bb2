"""Which parts of an image an answer needs: the image is covered in many ways, and the answer looked for in each.

It asks the network and nothing of its inside, so it holds for every detector alike.

Lesson: looking inside; detection.
Paper: Petsiuk et al., "Black-box explanation of object detectors via saliency maps" (D-RISE), CVPR 2021, section 3.
Departures: fewer masks; what is covered becomes the image's mean, where the paper makes it black.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from keras import ops

from models.parts import boxes

CELLS, MASKS, OPEN = 10, 400, 0.5
"""Cells of a mask along each side, how many masks, and the share of cells that are open."""


def of_box(
    ask: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    image: np.ndarray,
    box: np.ndarray,
    label: int,
    *,
    seed: int = 0,
) -> np.ndarray:
    """How much each pixel has to do with one answer: float32 (H, W), 0 to 1.

    Args:
        ask: gives a detector's answers to images uint8 (N, H, W, C).
        image: uint8 (H, W, C).
        box: of the answer, (y1, x1, y2, x2), relative.
        label: of the answer.
        seed: of the masks.
    """
    covers = masks(image.shape[:2], np.random.default_rng(seed))
    plain = image.mean(axis=(0, 1), keepdims=True)
    covered = (covers[..., np.newaxis] * (image - plain) + plain).astype(np.uint8)
    weights = likeness(ask(covered), box, label)
    heat = np.tensordot(weights - weights.mean(), covers, axes=1)
    heat -= heat.min()
    return np.asarray(heat / max(float(heat.max()), 1e-12), np.float32)


def masks(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Smooth masks, 0 where an image is covered and 1 where it is open: float32 (MASKS, H, W)."""
    cells = (rng.random((MASKS, CELLS + 1, CELLS + 1, 1)) < OPEN).astype(np.float32)
    height, width = (-(-side // CELLS) for side in shape)
    large = ops.image.resize(cells, ((CELLS + 1) * height, (CELLS + 1) * width), interpolation="bilinear")
    pixels = np.asarray(ops.convert_to_numpy(large))[..., 0]
    starts = rng.integers(0, (height, width), (MASKS, 2))
    rows = starts[:, :1] + np.arange(shape[0])
    columns = starts[:, 1:] + np.arange(shape[1])
    return np.asarray(
        pixels[np.arange(MASKS)[:, np.newaxis, np.newaxis], rows[:, :, np.newaxis], columns[:, np.newaxis]]
    )


def likeness(given: Mapping[str, np.ndarray], box: np.ndarray, label: int) -> np.ndarray:
    """How much of the answer is left in each of N answers: the greatest product of its IoU and its score, (N,)."""
    overlaps = ops.convert_to_numpy(boxes.overlaps(given["boxes"], box[np.newaxis, np.newaxis]))[..., 0]
    return np.asarray((overlaps * given["scores"] * (given["labels"] == label)).max(axis=1))
