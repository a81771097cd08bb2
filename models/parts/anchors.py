"""Anchors: the boxes of fixed sizes, around the cells of a detector's maps, that its answers are offsets from.

They are constants: NumPy, float32, computed once and kept by the model.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Size = tuple[float, float]
"""(height, width)."""


@dataclass(frozen=True)
class Anchors:
    """Which anchors a detector has: several in each cell of each of its maps.

    Args:
        maps: (rows, columns) of each map.
        steps: (height, width) from a cell to the next, of each map, relative to the image.
        sizes: of the anchors in every cell, for each map, relative to the image.
        offset: where in its cell an anchor's centre lies, 0 to 1.
    """

    maps: tuple[tuple[int, int], ...]
    steps: tuple[Size, ...]
    sizes: tuple[tuple[Size, ...], ...]
    offset: float = 0.5

    def boxes(self) -> np.ndarray:
        """All of them, (A, 4), relative, not clipped: map by map, row by row, cell by cell, size by size.

        So a map's predictions (B, h, w, k * D), as (B, h * w * k, D), are in the order of its anchors.
        """
        each = zip(self.maps, self.steps, self.sizes, strict=True)
        return np.concatenate([tiled(*one, offset=self.offset) for one in each]).astype(np.float32)

    @property
    def per_cell(self) -> tuple[int, ...]:
        """How many anchors a cell of each map has."""
        return tuple(len(sizes) for sizes in self.sizes)


def tiled(shape: tuple[int, int], step: Size, sizes: Sequence[Size], *, offset: float) -> np.ndarray:
    """The anchors of one map, (h * w * k, 4)."""
    centres = (np.moveaxis(np.indices(shape), 0, -1) + offset) * step  # (h, w, 2)
    halves = np.asarray(sizes, dtype=float) / 2  # (k, 2)
    places = centres[:, :, np.newaxis]
    return np.concatenate([places - halves, places + halves], axis=-1).reshape(-1, 4)


def of_pixels(
    image: tuple[int, int],
    *,
    maps: Sequence[tuple[int, int]],
    steps: Sequence[float],
    sizes: Sequence[Sequence[Size]],
    offset: float = 0.5,
) -> Anchors:
    """Anchors of an image of (H, W) pixels, their steps and sizes being given in pixels."""
    height, width = image
    return Anchors(
        maps=tuple(maps),
        steps=tuple((step / height, step / width) for step in steps),
        sizes=tuple(tuple((high / height, wide / width) for high, wide in one) for one in sizes),
        offset=offset,
    )


def ssd_sizes(smallest: float, largest: float, ratios: Sequence[float]) -> tuple[Size, ...]:
    """A square, the square between this map's and the next one's, and for each ratio a lying and a standing box.

    Args:
        smallest: side of the square.
        largest: side of the next map's square; the one between is their geometric mean.
        ratios: of width to height; the standing box has the inverse.

    Source: Liu et al., "SSD", ECCV 2016, section 2.2; the order is that of their Caffe layer.
    """
    between = (smallest * largest) ** 0.5
    pairs = [(smallest / ratio**0.5, smallest * ratio**0.5) for ratio in ratios]
    return (smallest, smallest), (between, between), *(one for pair in pairs for one in (pair, pair[::-1]))


def ssd(
    image: tuple[int, int], *, maps: int, smallest: float, largest: float, ratios: Sequence[float] = (2,), step: int = 8
) -> Anchors:
    """Anchors for images of any size: four in each cell of maps whose steps double.

    Args:
        image: (H, W), in pixels.
        maps: how many, 2 or more.
        smallest, largest: sides of the first and the last map's square, of the image's shorter side, 0 to 1.
        ratios: of width to height, besides the squares.
        step: of the first map, in pixels; maps have -(-H // step) rows.

    Source: Liu et al., "SSD", ECCV 2016, equation 4.
    """
    steps = [step * 2**number for number in range(maps)]
    growth = (largest - smallest) / (maps - 1)
    sides = [min(image) * (smallest + growth * number) for number in range(maps + 1)]
    return of_pixels(
        image,
        maps=[(-(-image[0] // one), -(-image[1] // one)) for one in steps],
        steps=steps,
        sizes=[ssd_sizes(*pair, ratios) for pair in itertools.pairwise(sides)],
    )


def ssd300() -> Anchors:
    """8,732 anchors, on conv4_3, fc7, conv6_2, conv7_2, conv8_2, conv9_2: 4, 6, 6, 6, 4, 4 in a cell.

    Source: as `ssd_sizes`; the sizes, for VOC, are those of its configuration. Anchors reach out of the image.
    """
    sides = (30, 60, 111, 162, 213, 264, 315)
    ratios = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
    return of_pixels(
        (300, 300),
        maps=[(side, side) for side in (38, 19, 10, 5, 3, 1)],
        steps=(8, 16, 32, 64, 100, 300),
        sizes=[ssd_sizes(*one) for one in zip(sides[:-1], sides[1:], ratios, strict=True)],
    )


def ssd512() -> Anchors:
    """24,564 anchors, on conv4_3, fc7 and conv6_2 to conv10_2: 4, 6, 6, 6, 6, 4, 4 in a cell.

    Source: as `ssd300`.
    """
    sides = (35.84, 76.8, 153.6, 230.4, 307.2, 384.0, 460.8, 537.6)
    ratios = ((2,), (2, 3), (2, 3), (2, 3), (2, 3), (2,), (2,))
    steps = (8, 16, 32, 64, 128, 256, 512)
    return of_pixels(
        (512, 512),
        maps=[(512 // step, 512 // step) for step in steps],
        steps=steps,
        sizes=[ssd_sizes(*one) for one in zip(sides[:-1], sides[1:], ratios, strict=True)],
    )


def rpn_sizes(
    *, base: int = 16, ratios: Sequence[float] = (0.5, 1, 2), scales: Sequence[float] = (8, 16, 32)
) -> tuple[Size, ...]:
    """Heights and widths in pixels: for each ratio a box of `base` squared pixels, at each scale.

    Args:
        base: side of the square, in pixels.
        ratios: of height to width.
        scales: how many times as large the boxes are.

    Source: Ren et al., "Faster R-CNN", NeurIPS 2015, section 3.1.1; rounded as py-faster-rcnn rounds: the width to
    whole pixels, then the height that goes with it, both before the scale.
    """
    widths = [round(base / ratio**0.5) for ratio in ratios]
    flat = [(round(width * ratio), width) for width, ratio in zip(widths, ratios, strict=True)]
    return tuple((scale * height, scale * width) for height, width in flat for scale in scales)


def rpn(image: tuple[int, int], shape: tuple[int, int], *, step: int = 16) -> Anchors:
    """Nine anchors in each cell of one map.

    Args:
        image: (H, W), in pixels.
        shape: (rows, columns) of the map.
        step: from a cell to the next, in pixels.

    Source: as `rpn_sizes`.
    """
    return of_pixels(image, maps=[shape], steps=[step], sizes=[rpn_sizes()])


YOLO_V2_VOC: tuple[Size, ...] = (
    (1.73145, 1.3221),
    (4.00944, 3.19275),
    (8.09892, 5.05587),
    (4.84053, 9.47112),
    (10.0071, 11.2364),
)
"""In cells of 32 pixels, from Darknet's yolov2-voc.cfg, height first."""

YOLO_V3_COCO: tuple[tuple[Size, ...], ...] = (
    ((13, 10), (30, 16), (23, 33)),
    ((61, 30), (45, 62), (119, 59)),
    ((90, 116), (198, 156), (326, 373)),
)
"""In pixels, from Darknet's yolov3.cfg, height first: of the maps of steps 8, 16 and 32."""


def yolo_v2(image: tuple[int, int] = (416, 416), *, sizes: Sequence[Size] = YOLO_V2_VOC) -> Anchors:
    """Five anchors in each cell of one map, 13x13 for 416x416 pixels: 845.

    Args:
        image: (H, W), in pixels, multiples of 32.
        sizes: in cells.

    Source: Redmon and Farhadi, "YOLO9000", CVPR 2017, section 2. There an answer's centre is counted from its cell's
    corner; half a step before an anchor's centre.
    """
    pixels = [(32 * height, 32 * width) for height, width in sizes]
    return of_pixels(image, maps=[cells(image, 32)], steps=[32], sizes=[pixels])


def yolo_v3(
    image: tuple[int, int] = (416, 416), *, sizes: Sequence[Sequence[Size]] = YOLO_V3_COCO, finest: int = 8
) -> Anchors:
    """Three anchors in each cell of three maps, the finest first: 10,647 for 416x416 pixels.

    Args:
        image: (H, W), in pixels, multiples of the coarsest step.
        sizes: in pixels, for each map; each map's step is twice the one before's.
        finest: step of the first map, in pixels.

    Source: Redmon and Farhadi, "YOLOv3: An incremental improvement", 2018, section 2.3. Centres as for `yolo_v2`.
    Darknet predicts on the coarsest map first.
    """
    steps = [finest * 2**number for number in range(len(sizes))]
    return of_pixels(image, maps=[cells(image, step) for step in steps], steps=steps, sizes=sizes)


def cells(image: tuple[int, int], step: int) -> tuple[int, int]:
    """Rows and columns of a map of that step.

    Raises:
        ValueError: unless the image has whole cells.
    """
    if image[0] % step or image[1] % step:
        raise ValueError(f"`image` must be a multiple of {step} pixels high and wide. Received: {image}")
    return image[0] // step, image[1] // step


def k_means(sizes: np.ndarray, count: int, *, seed: int, rounds: int = 100) -> tuple[np.ndarray, float]:
    """The `count` sizes that are nearest to those of a data set's boxes, by 1 - IoU.

    Args:
        sizes: heights and widths of N boxes, positive, (N, 2), in any unit.
        count: how many sizes there shall be.
        seed: of the start.
        rounds: at most so many; it ends when no box changes its size.

    Returns:
        The sizes, (count, 2), sorted by area, and the mean over all boxes of the IoU with the best of them.

    Raises:
        ValueError: if there are fewer than `count` different sizes, or some are not positive.

    Source: Redmon and Farhadi, "YOLO9000", CVPR 2017, section 2, "Dimension clusters"; the start is k-means++ (Arthur
    and Vassilvitskii, SODA 2007), of which the paper says nothing.
    """
    if not (sizes > 0).all() or len(np.unique(sizes, axis=0)) < count:
        raise ValueError(
            f"`sizes` must be positive, and at least {count} different. Received: {np.unique(sizes, axis=0)}"
        )
    means = spread(sizes, count, np.random.default_rng(seed))
    nearest = size_overlaps(sizes, means).argmax(axis=1)
    for _ in range(rounds):
        means = means_of(sizes, nearest, means)
        before, nearest = nearest, size_overlaps(sizes, means).argmax(axis=1)
        if (before == nearest).all():
            break
    means = means[np.argsort(means.prod(axis=1))]
    return means, float(size_overlaps(sizes, means).max(axis=1).mean())


def spread(sizes: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` of the sizes (N, 2), drawn one after the other with odds of the squared distance to those before."""
    chosen = sizes[[rng.integers(len(sizes))]]
    while len(chosen) < count:
        distances = 1 - size_overlaps(sizes, chosen).max(axis=1)
        odds = distances**2
        chosen = np.concatenate([chosen, sizes[[rng.choice(len(sizes), p=odds / odds.sum())]]])
    return chosen


def means_of(sizes: np.ndarray, nearest: np.ndarray, means: np.ndarray) -> np.ndarray:
    """The mean of the sizes that are nearest to each of the means (k, 2), which stays where none is."""
    members = np.eye(len(means))[nearest]  # (N, k)
    counts = members.sum(axis=0)[:, np.newaxis]
    return np.where(counts > 0, members.T @ sizes / np.maximum(counts, 1), means)


def size_overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU of boxes of sizes (N, 2) and (k, 2) around one centre, (N, k)."""
    shared = np.minimum(first[:, np.newaxis], second).prod(axis=-1)
    return np.asarray(shared / (first.prod(axis=1)[:, np.newaxis] + second.prod(axis=1) - shared))
