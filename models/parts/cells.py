"""Cells: the rule by which YOLO says who answers for a box, and how an answer is counted from its cell's corner.

The cell that a box's centre lies in owns the box; of the anchors in it, the one of the most similar size answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from models.parts import matching
from models.parts.anchors import Anchors, Size
from models.parts.boxes import LARGEST, centred, corners, overlaps

SMALLEST = 1e-4
"""No side of a box counts as less, of the image: a twentieth of a pixel, so that its logarithm stays finite."""


@dataclass(frozen=True)
class Cells:
    """Of each of A anchors its cell and its size, relative to the image, (height, width): float32 (A, 2) each.

    Args:
        corners: (y, x) of the cell's upper left corner.
        steps: from there to the next cell.
        sizes: of the anchor.
    """

    corners: np.ndarray
    steps: np.ndarray
    sizes: np.ndarray


def cells(layout: Anchors) -> Cells:
    """In the order of `layout.boxes()`."""
    boxes = layout.boxes()
    steps = np.repeat(np.asarray(layout.steps, np.float32), anchors_per_map(layout), axis=0)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return Cells(corners=centres - layout.offset * steps, steps=steps, sizes=boxes[:, 2:] - boxes[:, :2])


def anchors_per_map(layout: Anchors) -> list[int]:
    """How many anchors each map has."""
    each = zip(layout.maps, layout.per_cell, strict=True)
    return [rows * columns * count for (rows, columns), count in each]


def squares(image: tuple[int, int], *, smallest: float, largest: float, count: int) -> tuple[Size, ...]:
    """Sizes in pixels of `count` squares, each larger than the one before by one factor.

    Args:
        image: (H, W), in pixels.
        smallest, largest: sides of the first and the last one, of the image's shorter side, 0 to 1; of one square
            the first.
    """
    sides = np.geomspace(smallest, largest, count) * min(image)
    return tuple((side, side) for side in sides.tolist())


def owned(layout: Anchors, boxes: Any, labels: Any) -> matching.Match:
    """Give each box the anchor of the most similar size, in the cell of that anchor's map that its centre lies in.

    Sizes are compared by their IoU around one centre, over all maps. Where several boxes want one anchor, the last has
    it, and the others have none. A centre on the image's far border belongs to the last cell.

    Args:
        boxes: (B, N, 4).
        labels: (B, N), -1 where there is no box.

    Returns:
        `POSITIVE` anchors and their boxes; all others are `NEGATIVE`.

    Source: Redmon et al., "You only look once", CVPR 2016, section 2; Redmon and Farhadi, "YOLOv3", 2018, section 2.1.
    That the last box has the anchor is Darknet's, for YOLOv2 and YOLOv3.
    """
    places = ops.where(labels >= 0, responsible(layout, boxes), -1)
    total = sum(anchors_per_map(layout))
    numbers = ops.arange(1, boxes.shape[1] + 1, dtype="int32")[:, np.newaxis]
    last = ops.max(ops.one_hot(places, total, dtype="int32") * numbers, axis=1)  # (B, A), 0 where nobody asks
    state = ops.where(last > 0, matching.POSITIVE, matching.NEGATIVE)
    return matching.Match(index=ops.maximum(last - 1, 0), state=ops.cast(state, "int32"))


def responsible(layout: Anchors, boxes: Any) -> Any:
    """Of each box (B, N, 4) the place of its anchor among the A: int32 (B, N)."""
    extents = centred(ops.convert_to_tensor(boxes, dtype="float32"))
    sizes = np.concatenate([np.asarray(one, np.float32) for one in layout.sizes])  # (k, 2)
    nearest = ops.argmax(overlaps(around_zero(extents[..., 2:]), around_zero(sizes)), axis=-1)
    steps, whole = tables(layout)
    start, rows, columns, count, rank = (ops.take(one, nearest, axis=0) for one in whole)
    cell = ops.cast(ops.floor(extents[..., :2] / ops.take(steps, nearest, axis=0)), "int32")
    row = ops.clip(cell[..., 0], 0, rows - 1)
    column = ops.clip(cell[..., 1], 0, columns - 1)
    return start + (row * columns + column) * count + rank


def around_zero(sizes: Any) -> Any:
    """Boxes (..., 4) of sizes (..., 2) around one centre."""
    return ops.concatenate([-sizes / 2, sizes / 2], axis=-1)


def tables(layout: Anchors) -> tuple[np.ndarray, np.ndarray]:
    """Of each size of each map, k in all: its map's step, float32 (k, 2); and whole numbers, int32 (5, k).

    These are: its map's first anchor, rows, columns and anchors in a cell, and its own place in the cell.
    """
    counts = np.array(layout.per_cell)
    starts = np.cumsum([0, *anchors_per_map(layout)[:-1]])
    by_map = np.column_stack([starts, np.array(layout.maps), counts])  # (maps, 4)
    ranks = np.concatenate([np.arange(count) for count in counts])
    whole = np.vstack([np.repeat(by_map, counts, axis=0).T, ranks])
    return np.repeat(np.asarray(layout.steps, np.float32), counts, axis=0), whole.astype(np.int32)


def encode(boxes: Any, at: Cells) -> Any:
    """Where in its cell each box's centre lies, 0 to 1, and the logarithms of its size's ratio to the anchor's.

    Args:
        boxes: (..., A, 4), each for the anchor of its place; no side counts as less than 1e-4.

    Returns:
        (..., A, 4), finite: y, x, height, width.
    """
    extents = centred(ops.convert_to_tensor(boxes, dtype="float32"))
    inside = ops.clip((extents[..., :2] - at.corners) / at.steps, 0.0, 1.0)
    ratios = ops.maximum(extents[..., 2:], SMALLEST) / at.sizes
    return ops.concatenate([inside, ops.log(ratios)], axis=-1)


def decode(given: Any, at: Cells) -> Any:
    """Boxes whose centres never leave their cells: what `encode` did, undone, its first two being logits here.

    Args:
        given: (..., A, 4), any numbers.

    Returns:
        (..., A, 4), not clipped to the image; none more than 62.5 times as high or wide as its anchor.

    Source: Redmon and Farhadi, "YOLO9000", CVPR 2017, section 2, "Direct location prediction". Departure: the limit.
    """
    centres = at.corners + ops.sigmoid(given[..., :2]) * at.steps
    return corners(ops.concatenate([centres, ops.exp(ops.minimum(given[..., 2:], LARGEST)) * at.sizes], axis=-1))


class Overlaps(NamedTuple):
    """How well answers overlap, float32 (B, A).

    Args:
        own: IoU with the box that the answer's anchor owns; of no meaning where it owns none.
        best: the greatest IoU with any box, -1 where there is none.
    """

    own: Any
    best: Any


def judged(found: Any, boxes: Any, labels: Any, match: matching.Match) -> Overlaps:
    """Compare the answers (B, A, 4) with the boxes (B, N, 4); nothing is learnt through it."""
    each = matching.real_overlaps(found, boxes, labels)
    own = ops.take_along_axis(each, match.index[..., np.newaxis], axis=-1)
    return Overlaps(own=own[..., 0], best=ops.max(each, axis=-1))


def small_counts_more(boxes: Any) -> Any:
    """2 less the area of each box (..., 4): what errors of a box count, 1 for the whole image, 2 for a point.

    Source: Darknet, for YOLOv2 and YOLOv3; the papers do not say.
    """
    sizes = boxes[..., 2:] - boxes[..., :2]
    return 2.0 - sizes[..., 0] * sizes[..., 1]


def mean_of_images(values: Any) -> Any:
    """Sums of each image's values (B, A), and the mean of these, as the papers sum them."""
    return ops.mean(ops.sum(values, axis=1))
