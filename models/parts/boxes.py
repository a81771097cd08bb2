"""Boxes: corners and centres, overlaps, and offsets from anchors.

A box is (y1, x1, y2, x2), relative to the image, 0 to 1, unless something else is said. Empty boxes are welcome
everywhere: batches are padded with them.

keras.utils.bounding_boxes does what it does well. Its `compute_iou` adds 1e-7 to every union, which is a tenth of the
union of relative boxes of 0.001, and gives boxes of negative size an overlap; its `clip_to_image_size` knows no
(y1, x1, y2, x2); its `decode_deltas_to_boxes` lets sizes become infinite. So these are here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from keras import ops
from keras.utils import bounding_boxes

Variances = tuple[float, float, float, float]

LARGEST = math.log(1000 / 16)
"""Of the logarithm by which a box may be larger than its anchor: a box of 1000 pixels from an anchor of 16."""


def centred(boxes: Any) -> Any:
    """Boxes (..., 4) by corners as (centre y, centre x, height, width)."""
    return bounding_boxes.convert_format(boxes, source="yxyx", target="center_yxhw")


def corners(boxes: Any) -> Any:
    """Boxes (..., 4) by (centre y, centre x, height, width) as corners."""
    return bounding_boxes.convert_format(boxes, source="center_yxhw", target="yxyx")


def clipped(boxes: Any) -> Any:
    """The part of boxes (..., 4) that lies in the image; empty for those outside."""
    return ops.clip(boxes, 0.0, 1.0)


def areas(boxes: Any) -> Any:
    """Of boxes (..., 4), (...): 0 for those whose corners are the wrong way round."""
    sizes = ops.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return sizes[..., 0] * sizes[..., 1]


def overlaps(first: Any, second: Any) -> Any:
    """Intersection over union of each of A boxes with each of N, 0 to 1; 0 where either is empty.

    Args:
        first: (..., A, 4).
        second: (..., N, 4); the axes before may be missing, or 1, in either.

    Returns:
        (..., A, N).
    """
    first, second = (ops.convert_to_tensor(boxes, dtype="float32") for boxes in (first, second))
    height, width = (shared(first, second, axis) for axis in (0, 1))
    intersection = height * width
    union = ops.expand_dims(areas(first), -1) + ops.expand_dims(areas(second), -2) - intersection
    return intersection / ops.where(union > 0, union, 1.0)


def shared(first: Any, second: Any, axis: int) -> Any:
    """How much boxes (..., A, 4) and (..., N, 4) have in common along one axis, 0 for height and 1 for width."""
    # One coordinate at a time: arrays of pairs of corners would be twice as large, and these are the largest there are.
    start = ops.maximum(first[..., :, np.newaxis, axis], second[..., np.newaxis, :, axis])
    stop = ops.minimum(first[..., :, np.newaxis, axis + 2], second[..., np.newaxis, :, axis + 2])
    return ops.maximum(stop - start, 0.0)


def gathered(values: Any, index: Any) -> Any:
    """Of each image's N values (B, N, ...) those at the places (B, ...), which may repeat: (B, ..., ...)."""
    count, inner = values.shape[1], values.shape[2:]
    index = ops.cast(index, "int32")
    starts = count * ops.arange(ops.shape(values)[0], dtype="int32")
    starts = ops.reshape(starts, (-1, *[1] * (len(index.shape) - 1)))
    return ops.take(ops.reshape(values, (-1, *inner)), starts + index, axis=0)


def encode(boxes: Any, anchors: Any, *, variances: Variances = (1.0, 1.0, 1.0, 1.0)) -> Any:
    """Offsets of boxes from anchors: of the centre, in the anchor's sizes, and the logarithms of the sizes' ratios.

    Args:
        boxes: (..., A, 4), each for the anchor of its place; no size counts as less than 1e-7.
        anchors: (A, 4) or (..., A, 4).
        variances: what offsets are divided by, so that networks learn numbers of one magnitude: of (centre y,
            centre x, height, width); SSD has 0.1, 0.1, 0.2, 0.2.

    Returns:
        (..., A, 4), finite.

    Source: Girshick et al., "Rich feature hierarchies", CVPR 2014, appendix C, equations 6 to 9; here y comes first.
    """
    return bounding_boxes.encode_box_to_deltas(
        anchors, boxes, anchor_format="yxyx", box_format="yxyx", variance=variances
    )


def decode(offsets: Any, anchors: Any, *, variances: Variances = (1.0, 1.0, 1.0, 1.0)) -> Any:
    """Boxes from offsets: what `encode` did, undone.

    Args:
        offsets: (..., A, 4).
        anchors: (A, 4) or (..., A, 4).
        variances: those that `encode` had.

    Returns:
        (..., A, 4), not clipped to the image. No box is more than 62.5 times as high or wide as its anchor, so that an
        untrained network gives none of infinite size.

    Source: as `encode`, equations 1 to 4. Departure: the limit, which is Detectron's.
    """
    limits = np.array([np.inf, np.inf, LARGEST, LARGEST]) / variances
    offsets = ops.minimum(ops.cast(offsets, "float32"), ops.convert_to_tensor(limits, dtype="float32"))
    return bounding_boxes.decode_deltas_to_boxes(
        anchors, offsets, anchor_format="yxyx", box_format="yxyx", variance=variances
    )
