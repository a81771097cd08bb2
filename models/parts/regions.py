"""Regions of interest: what of a map lies under a box, as a grid of one size, whatever the box's."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from models.parts.boxes import gathered


def roi_pool(maps: Any, boxes: Any, *, size: int = 7) -> Any:
    """The greatest value of each feature in each of size x size bins, whose edges are whole cells.

    Args:
        maps: (B, h, w, D).
        boxes: (B, N, 4); they get no gradient.
        size: bins in each direction, s.

    Returns:
        (B, N, s, s, D).

    No box has a copy of the map. Memory: four times the answer, and the map once for each pair of powers of two that
    are no larger than a bin can be: twelve times for a map of 37 x 50 and 7 x 7 bins, however many boxes.

    Source: Girshick, "Fast R-CNN", ICCV 2015, section 2.1; bins share a cell where the edge between them falls into it,
    as in its Caffe layer. Departures from that: corners are edges of pixels, so that no 1 is added; and a box off the
    map has its nearest cells, so that no bin is empty.
    """
    height, width, depth = maps.shape[1:]
    top, rows = bins(boxes[..., 0], boxes[..., 2], cells=height, size=size)
    left, columns = bins(boxes[..., 1], boxes[..., 3], cells=width, size=size)
    tall, wide = powers(height, size), powers(width, size)
    table = ops.reshape(maxima(maps, tall, wide), (-1, tall * wide * height * width, depth))
    tallest, widest = largest_power(rows, tall), largest_power(columns, wide)

    def corner(row: Any, column: Any) -> Any:
        """The maxima of the windows that begin at these rows and columns (B, N, s)."""
        level = ops.expand_dims(tallest * wide, 3) + ops.expand_dims(widest, 2)  # (B, N, s, s)
        return gathered(table, (level * height + ops.expand_dims(row, 3)) * width + ops.expand_dims(column, 2))

    # Two windows of a power of two cover any length; what they share does no harm to a maximum.
    low, right = top + rows - 2**tallest, left + columns - 2**widest
    upper, lower = (ops.maximum(corner(row, left), corner(row, right)) for row in (top, low))
    return ops.maximum(upper, lower)


def bins(low: Any, high: Any, *, cells: int, size: int) -> tuple[Any, Any]:
    """First cell and number of cells of each bin between edges (B, N), relative: int32 (B, N, s), both."""
    start, stop = (ops.cast(ops.floor(edge * cells + 0.5), "int32") for edge in (low, high))
    start = ops.clip(start, 0, cells - 1)
    extent = ops.expand_dims(ops.maximum(ops.minimum(stop, cells), start + 1) - start, -1)
    number = ops.arange(size, dtype="int32")
    first = number * extent // size
    past = ((number + 1) * extent + size - 1) // size
    return ops.expand_dims(start, -1) + first, past - first


def powers(cells: int, size: int) -> int:
    """How many of 1, 2, 4 ... are no larger than the largest bin."""
    return min(cells // size + 2, cells).bit_length()


def largest_power(lengths: Any, count: int) -> Any:
    """The greatest exponent below `count` whose power of two is no larger than each length."""
    return sum(ops.cast(lengths >= 2**exponent, "int32") for exponent in range(1, count)) + ops.zeros_like(lengths)


def maxima(maps: Any, tall: int, wide: int) -> Any:
    """The maxima of windows of 1, 2, 4 ... rows by 1, 2, 4 ... columns from each cell on: (B, tall * wide, h, w, D)."""
    by_rows = doubled(maps, axis=1, count=tall)
    return ops.stack([one for rows in by_rows for one in doubled(rows, axis=2, count=wide)], axis=1)


def doubled(maps: Any, *, axis: int, count: int) -> list[Any]:
    """The maxima of 1, 2, 4 ... cells along `axis`; those that reach over the end have no meaning."""
    found = [maps]
    for exponent in range(count - 1):
        found.append(ops.maximum(found[-1], ops.roll(found[-1], -(2**exponent), axis=axis)))
    return found


def roi_align(maps: Any, boxes: Any, *, size: int = 7, samples: int = 2) -> Any:
    """The mean of samples x samples bilinear points of each feature in each of size x size bins; nothing is rounded.

    Args:
        maps: (B, h, w, D); the value of a cell is that of its centre.
        boxes: (B, N, 4); they get no gradient.
        size: bins in each direction, s.
        samples: points in each direction of a bin.

    Returns:
        (B, N, s, s, D). Beyond the outermost centres the map goes on as it ends; a point a cell or more away from them
        counts as 0.

    Memory: the answer, and s rows of w cells for each box.

    Source: He et al., "Mask R-CNN", ICCV 2017, section 3; edges are half a cell before centres, as in torchvision's
    `aligned=True`. Bilinear points and their mean are products with one matrix for each direction, which are quick
    and whose gradient needs no scattering.
    """
    height, width = maps.shape[1:3]
    rows = interpolation(boxes[..., 0], boxes[..., 2], cells=height, size=size, samples=samples)
    columns = interpolation(boxes[..., 1], boxes[..., 3], cells=width, size=size, samples=samples)
    lines = ops.einsum("bnsh,bhwd->bnswd", ops.cast(rows, maps.dtype), maps)
    return ops.matmul(ops.cast(ops.expand_dims(columns, 2), maps.dtype), lines)


def interpolation(low: Any, high: Any, *, cells: int, size: int, samples: int) -> Any:
    """How much each cell weighs in each bin between edges (B, N), relative: (B, N, s, cells)."""
    low, high = (ops.expand_dims(ops.stop_gradient(edge), -1) * cells for edge in (low, high))
    shares = (np.arange(size * samples, dtype=np.float32) + 0.5) / (size * samples)
    points = low + (high - low) * shares - 0.5  # (B, N, s * samples)
    inside = ops.cast(ops.logical_and(points >= -1, points <= cells), "float32")
    distances = ops.expand_dims(ops.clip(points, 0, cells - 1), -1) - np.arange(cells, dtype=np.float32)
    weights = ops.maximum(1 - ops.abs(distances), 0) * ops.expand_dims(inside, -1)
    return ops.mean(ops.reshape(weights, (-1, low.shape[1], size, samples, cells)), axis=3)


@keras.saving.register_keras_serializable(package="miar")
class RoIPool(layers.Layer):
    """`roi_pool` of maps and boxes, as a layer.

    Args:
        size: bins in each direction.
    """

    def __init__(self, *, size: int = 7, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, maps: Any, boxes: Any) -> Any:
        return roi_pool(maps, boxes, size=self.size)

    def compute_output_shape(self, maps_shape: tuple[int, ...], boxes_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*boxes_shape[:2], self.size, self.size, maps_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="miar")
class RoIAlign(layers.Layer):
    """`roi_align` of maps and boxes, as a layer.

    Args:
        size: bins in each direction.
        samples: points in each direction of a bin.
    """

    def __init__(self, *, size: int = 7, samples: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        self.samples = samples

    def call(self, maps: Any, boxes: Any) -> Any:
        return roi_align(maps, boxes, size=self.size, samples=self.samples)

    def compute_output_shape(self, maps_shape: tuple[int, ...], boxes_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*boxes_shape[:2], self.size, self.size, maps_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "samples": self.samples}
