"""Regions of interest against plain loops, and on maps whose answer is known."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from models.parts.regions import RoIAlign, RoIPool, roi_align, roi_pool
from models.views.gradients import gradient


def numbers(tensor: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


def drawn(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Boxes of every size, some of them over the edge of the image, the first of each image empty."""
    ends = np.sort(rng.uniform(-0.1, 1.1, (*shape, 2, 2)), axis=-2).reshape(*shape, 4)
    ends[..., 0, :] = 0
    return ends.astype(np.float32)


def pooled_by_loops(maps: np.ndarray, box: np.ndarray, size: int) -> np.ndarray:
    height, width, depth = maps.shape
    found = np.zeros((size, size, depth))
    ranges = []
    for low, high, cells in ((box[0], box[2], height), (box[1], box[3], width)):
        start = min(max(int(np.floor(low * cells + 0.5)), 0), cells - 1)
        stop = max(min(int(np.floor(high * cells + 0.5)), cells), start + 1)
        edges = [start + (stop - start) * number / size for number in range(size + 1)]
        ranges.append([slice(int(np.floor(a)), int(np.ceil(b - 1e-9))) for a, b in pairwise(edges)])
    for row, column in np.ndindex(size, size):
        found[row, column] = maps[ranges[0][row], ranges[1][column]].max(axis=(0, 1))
    return found


def point(maps: np.ndarray, y: float, x: float) -> np.ndarray:
    """The value between the four nearest cells; the nearest edge beyond them, and nothing a cell away."""
    height, width, _ = maps.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return np.zeros(maps.shape[-1])
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    below, right = min(top + 1, height - 1), min(left + 1, width - 1)
    upper = maps[top, left] * (1 - (x - left)) + maps[top, right] * (x - left)
    lower = maps[below, left] * (1 - (x - left)) + maps[below, right] * (x - left)
    return np.asarray(upper * (1 - (y - top)) + lower * (y - top))


def aligned_by_loops(maps: np.ndarray, box: np.ndarray, size: int, samples: int) -> np.ndarray:
    height, width, depth = maps.shape
    found = np.zeros((size, size, depth))
    (y1, x1), (y2, x2) = ((box[side] * [height, width]).tolist() for side in (slice(0, 2), slice(2, 4)))
    shares = (np.arange(samples) + 0.5) / samples
    for row, column in np.ndindex(size, size):
        ys = y1 - 0.5 + (row + shares) * (y2 - y1) / size
        xs = x1 - 0.5 + (column + shares) * (x2 - x1) / size
        found[row, column] = np.mean([point(maps, y, x) for y in ys for x in xs], axis=0)
    return found


@pytest.mark.parametrize(("shape", "size"), [((9, 13), 7), ((4, 5), 7), ((37, 50), 7), ((16, 8), 3), ((1, 6), 2)])
def test_pool_by_loops(shape: tuple[int, int], size: int) -> None:
    rng = np.random.default_rng(0)
    maps, boxes = rng.normal(size=(2, *shape, 3)).astype(np.float32), drawn(rng, 2, 12)
    found = numbers(roi_pool(maps, boxes, size=size))
    expected = [[pooled_by_loops(one, box, size) for box in some] for one, some in zip(maps, boxes, strict=True)]
    np.testing.assert_array_equal(found, np.array(expected, dtype=np.float32))


@pytest.mark.parametrize(("size", "samples"), [(7, 2), (3, 1), (2, 4)])
def test_align_by_loops(size: int, samples: int) -> None:
    rng = np.random.default_rng(0)
    maps, boxes = rng.normal(size=(2, 6, 9, 3)).astype(np.float32), drawn(rng, 2, 12)
    boxes[:, 1] = [-0.4, -0.5, 1.5, 1.4]  # points more than a cell beyond the map
    found = numbers(roi_align(maps, boxes, size=size, samples=samples))
    expected = [
        [aligned_by_loops(one, box, size, samples) for box in some] for one, some in zip(maps, boxes, strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def ramp(height: int, width: int) -> np.ndarray:
    """Each cell holds the relative coordinates of its centre."""
    y, x = (np.indices((height, width)) + 0.5) / np.array([height, width]).reshape(2, 1, 1)
    return np.stack([y, x], axis=-1)[np.newaxis].astype(np.float32)


def test_a_ramp_comes_out_exact_with_align_and_not_with_pool() -> None:
    """The mean of each bin is the ramp at the bin's centre."""
    boxes = np.array([[[0.21, 0.13, 0.58, 0.83], [0.3, 0.3, 0.31, 0.34]]], dtype=np.float32)
    shares = (np.arange(7) + 0.5) / 7
    found = numbers(roi_align(ramp(10, 14), boxes))
    for box, grid in zip(boxes[0], found[0], strict=True):
        np.testing.assert_allclose(grid[..., 0], np.tile(box[0] + shares * (box[2] - box[0]), (7, 1)).T, atol=1e-6)
        np.testing.assert_allclose(grid[..., 1], np.tile(box[1] + shares * (box[3] - box[1]), (7, 1)), atol=1e-6)
    assert np.abs(numbers(roi_pool(ramp(10, 14), boxes)) - found).max() > 0.02


def test_align_of_whole_cells_is_their_mean() -> None:
    """A box of 4 x 6 cells in 2 x 3 bins: four points, each on a centre."""
    maps = np.random.default_rng(0).normal(size=(1, 8, 12, 2)).astype(np.float32)
    box = np.array([[[2 / 8, 3 / 12, 6 / 8, 7 / 12]]], dtype=np.float32)
    means = maps[0, 2:6, 3:7].reshape(2, 2, 2, 2, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(numbers(roi_align(maps, box, size=2))[0, 0], means, atol=1e-6)


@pytest.mark.parametrize("how", [roi_pool, roi_align])
def test_images_do_not_meet(how: Any) -> None:
    rng = np.random.default_rng(0)
    maps, boxes = rng.normal(size=(3, 6, 5, 2)).astype(np.float32), drawn(rng, 3, 4)
    both = numbers(how(maps, boxes, size=3))
    for image in range(3):
        np.testing.assert_allclose(numbers(how(maps[[image]], boxes[[image]], size=3))[0], both[image], atol=1e-6)


@pytest.mark.parametrize("how", [roi_pool, roi_align])
def test_gradient_in_the_maps_by_differences(how: Any) -> None:
    """Values a tenth apart, so that a small step changes no maximum."""
    rng = np.random.default_rng(0)
    maps, boxes = (rng.permutation(40).reshape(1, 4, 5, 2) / 10).astype(np.float32), drawn(rng, 1, 5)
    weights = rng.normal(size=(1, 5, 3, 3, 2)).astype(np.float32)

    def total(x: Any) -> Any:
        return ops.sum(how(x, boxes, size=3) * weights, axis=(1, 2, 3, 4))

    _, slope = gradient(total, maps)
    assert np.abs(slope).max() > 0
    steps = 0.02 * np.eye(maps.size, dtype=np.float32).reshape(maps.size, *maps.shape[1:])
    boxes = np.repeat(boxes, maps.size, axis=0)
    high, low = (numbers(total(maps + sign * steps)) for sign in (1, -1))
    np.testing.assert_allclose(slope.ravel(), (high - low) / 0.04, atol=5e-3)


@pytest.mark.parametrize(("layer", "how"), [(RoIPool(size=3), roi_pool), (RoIAlign(size=3, samples=1), roi_align)])
def test_layers_in_a_model_that_is_saved(layer: Any, how: Any, tmp_path: Path) -> None:
    inputs = [layers.Input((6, 5, 2)), layers.Input((4, 4))]
    answer = layer(*inputs)
    assert answer.shape == (None, 4, 3, 3, 2)
    model = keras.Model(inputs, answer)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    rng = np.random.default_rng(0)
    maps, boxes = rng.normal(size=(3, 6, 5, 2)).astype(np.float32), drawn(rng, 3, 4)
    expected = how(maps, boxes, **{name: getattr(layer, name) for name in ("size", "samples") if hasattr(layer, name)})
    np.testing.assert_allclose(again.predict([maps, boxes], verbose=0), numbers(expected), atol=1e-5)
