"""Selective search: its parts by hand and by what must hold of any regions, and whether it finds planted digits."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_digits

from tasks import proposals
from tasks.proposals import Regions, Settings, selective_search

SIDE = 128
ALL: tuple[proposals.Measure, ...] = ("colour", "texture", "size", "fill")


def described(labels: np.ndarray, image: np.ndarray) -> Regions:
    """The regions of a picture, uint8 (H, W, C)."""
    channels = image.astype(np.float32) / 255
    return proposals.described(labels, channels, proposals.directed(channels))


def drawn(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def halves() -> tuple[np.ndarray, np.ndarray]:
    """A corner of one pixel, the region of three that goes around it, and a column that touches that alone.

    Returns the labels (2, 3) and the picture (2, 3, 1).
    """
    labels = np.array([[0, 1, 2], [1, 1, 2]])
    return labels, np.array([[[0], [255], [0]], [[0], [255], [128]]], dtype=np.uint8)


def test_similarities_by_hand() -> None:
    """Region 0 is one black pixel; 1 has one black and two white ones; 2 one black and one grey."""
    labels, image = halves()
    regions = described(labels, image)
    assert regions.sizes.tolist() == [1, 3, 2]
    assert regions.boxes.tolist() == [[0, 0, 1, 1], [0, 0, 2, 2], [0, 2, 2, 3]]
    assert np.flatnonzero(regions.colours[1]).tolist() == [0, 24]
    first, second = regions.at(np.array([0, 0, 1])), regions.at(np.array([1, 2, 2]))
    np.testing.assert_allclose(proposals.colour(first, second), [1 / 3, 1 / 2, 1 / 3])
    np.testing.assert_allclose(proposals.size(first, second), [1 - 4 / 6, 1 - 3 / 6, 1 - 5 / 6])
    np.testing.assert_allclose(proposals.fill(first, second), [1, 1 - 3 / 6, 1 - 1 / 6])
    total = proposals.similarity(first, second, ("colour", "size", "fill"))
    np.testing.assert_allclose(total, [1 / 3 + 2 / 6 + 1, 1 / 2 + 3 / 6 + 3 / 6, 1 / 3 + 1 / 6 + 5 / 6])


def test_texture_by_hand() -> None:
    """Half of a ramp to the right and half of one downward: opposite bins but for the four directions both fall in."""
    ramp = np.tile(np.arange(24, dtype=np.float32) / 48, (24, 1))
    channels = np.stack([ramp, ramp.T], axis=-1)
    slopes = proposals.directed(channels)[12, 12].reshape(2, 8)
    turned = np.cos(2 * np.pi * np.arange(8) / 8).clip(0)
    np.testing.assert_allclose(slopes / slopes.max(), [turned, np.roll(turned, 2)], atol=1e-6)
    labels = (np.arange(24) >= 12).astype(int) * np.ones((24, 1), dtype=int)
    values = np.where(labels[..., np.newaxis] == 0, slopes[0], slopes[1])
    found = proposals.histograms(labels, values, bins=10)
    regions = Regions(sizes=np.ones(2), boxes=np.zeros((2, 4)), colours=found, textures=found, picture=2)
    alike = np.isclose(turned, np.roll(turned, 2), atol=1e-6).mean()
    np.testing.assert_allclose(proposals.texture(regions.at(0), regions.at(1)), alike)


def test_histograms_by_loops() -> None:
    labels, values = drawn(0, 7, 9) % 4, np.random.default_rng(1).random((7, 9, 3))
    values[0, 0], values[0, 1] = 1, 0
    expected = np.zeros((4, 3, 5))
    for (row, column, channel), value in np.ndenumerate(values):
        expected[labels[row, column], channel, min(int(value * 5), 4)] += 1
    expected = expected.reshape(4, -1) / expected.sum(axis=(1, 2)).reshape(4, 1)
    np.testing.assert_allclose(proposals.histograms(labels.astype(int), values, bins=5), expected)


regions_of_any_picture = st.tuples(
    arrays(np.int64, (5, 6), elements=st.integers(0, 3)), st.integers(0, 2**32 - 1), st.sampled_from([1, 3])
)


def as_regions(case: tuple[np.ndarray, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels without gaps, at least two, and a picture."""
    labels, seed, depth = case
    labels[0, 0], labels[-1, -1] = 0, 1
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape), drawn(seed, *labels.shape, depth)


@given(case=regions_of_any_picture)
@settings(max_examples=60, deadline=None)
def test_similarities_are_from_0_to_1(case: Any) -> None:
    labels, image = as_regions(case)
    regions = described(labels, image)
    one, other = np.triu_indices(len(regions.sizes), k=1)
    for name, measure in proposals.SIMILARITIES.items():
        found = measure(regions.at(one), regions.at(other))
        assert ((found >= -1e-9) & (found <= 1 + 1e-9)).all(), name
        np.testing.assert_allclose(found, measure(regions.at(other), regions.at(one)), err_msg=name)


@given(case=regions_of_any_picture)
@settings(max_examples=60, deadline=None)
def test_a_merged_region_is_that_of_the_union(case: Any) -> None:
    labels, image = as_regions(case)
    parts = described(labels, image)
    union = described(np.maximum(labels - 1, 0), image)
    for found, expected in zip(proposals.merged(parts.at(0), parts.at(1)).arrays, union.at(0).arrays, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def hierarchy_by_search(labels: np.ndarray, image: np.ndarray) -> list[list[int]]:
    """Boxes in the order of merging, all pairs being looked at afresh, and regions described by their pixels."""
    labels, count = labels.copy(), labels.max() + 1
    numbers = list(range(count))
    boxes = described(labels, image).boxes.tolist()
    for new in range(count, 2 * count - 1):
        places = {number: place for place, number in enumerate(numbers)}
        regions = described(np.vectorize(places.get)(labels), image)
        beside = {tuple(sorted(pair)) for pair in zip(labels[:, :-1].flat, labels[:, 1:].flat, strict=True)}
        beside |= {tuple(sorted(pair)) for pair in zip(labels[:-1].flat, labels[1:].flat, strict=True)}
        scores = {
            pair: float(proposals.similarity(regions.at(places[pair[0]]), regions.at(places[pair[1]]), ALL))
            for pair in beside
            if pair[0] != pair[1]
        }
        best = max(scores, key=lambda pair: scores[pair])
        labels[np.isin(labels, best)] = new
        numbers = [number for number in numbers if number not in best] + [new]
        rows, columns = np.nonzero(labels == new)
        boxes.append([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1])
    return boxes


@pytest.mark.parametrize("seed", range(4))
def test_hierarchy_by_search(seed: int) -> None:
    """Twenty regions of a noisy picture, as wide as they are different."""
    labels = np.kron(np.arange(20).reshape(4, 5), np.ones((3, 4), dtype=int))
    labels = np.where(drawn(seed, *labels.shape) < 60, np.roll(labels, 1, axis=1), labels)
    image = drawn(seed + 10, *labels.shape, 3)
    regions = described(labels, image)
    found = proposals.hierarchy(regions, proposals.neighbours(labels), mix=ALL)
    assert found.boxes.tolist() == hierarchy_by_search(labels, image)


@given(case=regions_of_any_picture)
@settings(max_examples=60, deadline=None)
def test_hierarchies_end_in_the_whole_picture(case: Any) -> None:
    labels, image = as_regions(case)
    regions = described(labels, image)
    found = proposals.hierarchy(regions, proposals.neighbours(labels), mix=ALL)
    assert len(found.sizes) == 2 * len(regions.sizes) - 1
    assert found.boxes[-1].tolist() == [0, 0, *labels.shape]
    assert found.sizes[-1] == labels.size
    np.testing.assert_allclose(found.colours[-1], described(0 * labels, image).colours[0], atol=1e-12)


def test_neighbours_by_hand() -> None:
    assert proposals.neighbours(halves()[0]).tolist() == [[0, 1], [1, 2]]
    assert proposals.neighbours(np.zeros((1, 1), dtype=int)).shape == (0, 2)


def test_order() -> None:
    """Random numbers, each by its box's rank: the whole picture is early, the first regions are late, on average."""
    found = [np.arange(40).reshape(10, 4) + 100 * number for number in range(300)]
    boxes = proposals.in_order(found, seed=0)
    place = {tuple(box): number for number, box in enumerate(boxes.tolist())}
    means = [np.mean([place[tuple(one[row])] for one in found]) for row in range(10)]
    assert means == sorted(means, reverse=True)
    again = proposals.in_order(found, seed=1)
    assert boxes.tolist() != again.tolist()
    assert sorted(boxes.tolist()) == sorted(again.tolist())


def test_of_boxes_that_are_alike_the_first_stays() -> None:
    box, other = [0, 0, 1, 1], [0, 0, 2, 2]
    found = proposals.in_order([np.array([box] * 200 + [other])], seed=0)
    assert sorted(found.tolist()) == [box, other]
    alone = proposals.in_order([np.array([box, other])] * 50, seed=0)  # of fifty lots the least counts
    assert alone.tolist() == [other, box]


@functools.cache
def digits() -> np.ndarray:
    """8x8, 0 to 1."""
    return np.asarray(load_digits().images / 16)


def scene(seed: int, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """One to three bright digits of 18 to 56 pixels, apart, on noise; and the boxes around their pixels, relative."""
    rng = np.random.default_rng(seed)
    image, boxes = rng.normal(60, 20, (SIDE, SIDE, depth)), np.empty((0, 4))
    for _ in range(rng.integers(1, 4)):
        side = rng.integers(18, 57)
        y, x = rng.integers(0, SIDE - side, 2)
        cells = np.arange(side) * 8 // side
        digit = digits()[rng.integers(len(digits()))][np.ix_(cells, cells)]
        rows, columns = np.nonzero(digit > 0.4)
        box = np.array([y + rows.min(), x + columns.min(), y + rows.max() + 1, x + columns.max() + 1])
        if ((box[:2] >= boxes[:, 2:]) | (box[2:] <= boxes[:, :2])).any(axis=1).all():
            image[y : y + side, x : x + side] += np.where(digit > 0.4, digit * 150, 0)[..., np.newaxis]
            boxes = np.concatenate([boxes, box[np.newaxis]])
    return image.clip(0, 255).astype(np.uint8), boxes / SIDE


def best_overlaps(boxes: np.ndarray, found: np.ndarray) -> np.ndarray:
    low = np.maximum(boxes[:, np.newaxis, :2], found[:, :2])
    high = np.minimum(boxes[:, np.newaxis, 2:], found[:, 2:])
    both = (high - low).clip(0).prod(axis=-1)
    one, other = ((some[:, 2:] - some[:, :2]).prod(axis=1) for some in (boxes, found))
    return np.asarray((both / (one[:, np.newaxis] + other - both)).max(axis=1))


@pytest.mark.parametrize(("depth", "count"), [(1, 100), (3, 30)])
def test_planted_digits_are_found(depth: int, count: int) -> None:
    best = []
    for seed in range(count):
        image, boxes = scene(seed, depth)
        found = selective_search(image)
        assert len(found) <= 2000
        best.extend(best_overlaps(boxes, found))
    assert np.mean(np.array(best) >= 0.5) >= 0.9
    assert np.mean(best) >= 0.8


def test_form_of_the_answer() -> None:
    image = scene(0, 3)[0][:100]
    found = selective_search(image, Settings(smallest_box=10))
    assert found.dtype == np.float32
    assert found.shape[1:] == (4,)
    assert ((found >= 0) & (found <= 1)).all()
    sides = (found[:, 2:] - found[:, :2]) * [100, SIDE]
    assert sides.min() >= 10 - 1e-3
    assert len(np.unique(found, axis=0)) == len(found)
    assert [0, 0, 1, 1] in found.tolist()
    np.testing.assert_array_equal(found, selective_search(image, Settings(smallest_box=10)))
    some = selective_search(image, Settings(smallest_box=10, most=7))
    np.testing.assert_array_equal(some, found[:7])


def test_images_have_their_first_proposals_and_zeros_where_there_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposals, "TOLD", 2)
    images = np.stack([scene(0, 1)[0], np.full((SIDE, SIDE, 1), 7, dtype=np.uint8), scene(1, 1)[0]])
    told: list[tuple[int, int]] = []
    found = proposals.of_images(images, most=5, say=lambda done, total: told.append((done, total)))
    assert (found.dtype, found.shape) == (np.float32, (3, 5, 4))
    assert found[1].tolist() == [[0, 0, 1, 1], *[[0, 0, 0, 0]] * 4]
    for row in (0, 2):
        np.testing.assert_array_equal(found[row], selective_search(images[row])[:5])
    assert told == [(2, 3), (3, 3)]


def test_every_space_scale_and_mix_is_looked_at() -> None:
    image = scene(3, 3)[0]
    for name, choices in (("spaces", ("rgb", "hsv", "lab")), ("scales", (50, 100)), ("mixes", (ALL, ("size",)))):
        each = [{tuple(box) for box in selective_search(image, Settings(**{name: (one,)})).tolist()} for one in choices]
        together = {tuple(box) for box in selective_search(image, Settings(**{name: choices})).tolist()}
        assert together == set.union(*each), name
        assert all(len(one) < len(together) for one in each), name


def test_grey_is_looked_at_once() -> None:
    image = scene(3, 1)[0]
    one, other = (selective_search(image, Settings(spaces=spaces)) for spaces in (("hsv",), ("lab", "rgb", "hsv")))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("depth", [1, 3])
def test_a_constant_picture_is_one_region(depth: int) -> None:
    assert selective_search(np.full((40, 30, depth), 7, dtype=np.uint8)).tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 3), (1, 7, 3), (5, 1, 1)])
def test_tiny_pictures(shape: tuple[int, ...]) -> None:
    image = drawn(0, *shape)
    assert [0, 0, 1, 1] in selective_search(image, Settings(smallest_box=1)).tolist()
    assert selective_search(image).shape == (0, 4)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8, 3), dtype=np.float32),
        np.zeros((8, 8), dtype=np.uint8),
        np.zeros((8, 8, 4), dtype=np.uint8),
        np.zeros((2, 8, 8, 3), dtype=np.uint8),
        np.zeros((0, 8, 3), dtype=np.uint8),
    ],
)
def test_what_is_no_picture(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"`image` must be uint8 \(H, W, 1\) or \(H, W, 3\)"):
        selective_search(image)


@pytest.mark.parametrize(
    "wrong", [{"most": 0}, {"smallest_box": 0}, {"smallest_region": -1}, {"spaces": ()}, {"mixes": ((),)}]
)
def test_settings_that_mean_nothing(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        Settings(**wrong)
