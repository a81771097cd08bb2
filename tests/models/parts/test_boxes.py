"""Boxes against numbers by hand, plain loops, and what must hold for any of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from keras import ops

from models.parts import boxes
from models.views.gradients import gradient

coordinates = st.floats(0, 1, width=32)
any_boxes = arrays.arrays(np.float32, (5, 4), elements=coordinates)
VARIANCES = (0.1, 0.1, 0.2, 0.2)


def numbers(tensor: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


def sound(drawn: np.ndarray, *, least: float = 0.0) -> np.ndarray:
    """Corners the right way round, each side at least so long."""
    low, high = (np.sort(drawn.reshape(-1, 2, 2), axis=1)[:, side] for side in (0, 1))
    return np.concatenate([low, np.maximum(high, low + np.float32(least))], axis=1).astype(np.float32)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """IoU of two boxes, in plain Python and double precision."""
    one, other = first.astype(float), second.astype(float)
    sides = [min(one[axis + 2], other[axis + 2]) - max(one[axis], other[axis]) for axis in (0, 1)]
    both = max(sides[0], 0) * max(sides[1], 0)
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - both
    return both / union if union > 0 else 0.0


def test_centres_and_sizes() -> None:
    corners = np.array([[0.1, 0.2, 0.5, 0.8], [0, 0, 0, 0]])
    centred = np.array([[0.3, 0.5, 0.4, 0.6], [0, 0, 0, 0]])
    np.testing.assert_allclose(numbers(boxes.centred(corners)), centred, atol=1e-7)
    np.testing.assert_allclose(numbers(boxes.corners(centred)), corners, atol=1e-7)


def test_areas() -> None:
    some = np.array([[[0.1, 0.2, 0.5, 0.8], [0.5, 0, 0.5, 1], [0.6, 0.5, 0.5, 1], [0.6, 0.6, 0.5, 0.5]]])
    np.testing.assert_allclose(numbers(boxes.areas(some)), [[0.24, 0, 0, 0]], atol=1e-7)


def test_clipped_to_the_image() -> None:
    some = np.array([[-0.1, 0.2, 0.5, 1.8], [1.1, 0.2, 1.3, 0.4]])
    np.testing.assert_allclose(numbers(boxes.clipped(some)), [[0, 0.2, 0.5, 1], [1, 0.2, 1, 0.4]])


def test_overlap_of_two_squares() -> None:
    """Two by two, one apart in both directions: 1 of 7; in any unit."""
    pair = np.array([[0, 0, 2, 2], [1, 1, 3, 3]], dtype=np.float32)
    for unit in (1, 100, 0.01, 1e-4):
        found = numbers(boxes.overlaps(unit * pair, unit * pair))
        np.testing.assert_allclose(found, [[1, 1 / 7], [1 / 7, 1]], rtol=1e-5)


@settings(max_examples=50, deadline=None)
@given(any_boxes, any_boxes)
def test_overlaps_by_loops(first: np.ndarray, second: np.ndarray) -> None:
    first, second = sound(first), sound(second)
    found = numbers(boxes.overlaps(first, second))
    expected = [[overlap(one, other) for other in second] for one in first]
    fits = (numbers(boxes.areas(first)) > 1e-30)[:, np.newaxis] & (numbers(boxes.areas(second)) > 1e-30)
    np.testing.assert_allclose(found * fits, expected * fits, atol=1e-5)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(numbers(boxes.overlaps(second, first)), found.T)


def test_empty_boxes_overlap_nothing() -> None:
    some = np.array([[0, 0, 0, 0], [0.5, 0.5, 0.5, 0.9], [0.9, 0.9, 0.1, 0.1], [0, 0, 1, 1]], dtype=np.float32)
    expected = np.zeros((4, 4))
    expected[3, 3] = 1
    np.testing.assert_array_equal(numbers(boxes.overlaps(some, some)), expected)


def test_overlaps_of_a_batch_with_one_set() -> None:
    rng = np.random.default_rng(0)
    alone, batch = sound(rng.random((5, 4))), sound(rng.random((6, 4))).reshape(2, 3, 4)
    found = numbers(boxes.overlaps(alone, batch))
    assert found.shape == (2, 5, 3)
    for one, both in zip(batch, found, strict=True):
        np.testing.assert_array_equal(both, numbers(boxes.overlaps(alone, one)))
    np.testing.assert_array_equal(numbers(boxes.overlaps(batch, alone)), found.transpose(0, 2, 1))


def test_overlaps_have_gradients_even_of_empty_boxes() -> None:
    some = np.array([[0, 0, 0, 0], [0.1, 0.1, 0.5, 0.5]])
    _, slope = gradient(lambda x: ops.sum(boxes.overlaps(x, np.array([[0.1, 0.1, 0.6, 0.6], [0, 0, 0, 0]])), -1), some)
    assert np.isfinite(slope).all()
    assert slope[1, 2] > 0


def test_offsets_by_hand() -> None:
    """Anchor of 0.2 x 0.4 around (0.5, 0.5); the box is twice as high, half as wide, 0.1 lower and further right."""
    anchors = np.array([[0.4, 0.3, 0.6, 0.7]])
    box = np.array([[0.4, 0.5, 0.8, 0.7]])
    plain = np.array([[0.1 / 0.2, 0.1 / 0.4, np.log(2), np.log(0.5)]])
    np.testing.assert_allclose(numbers(boxes.encode(box, anchors)), plain, atol=1e-6)
    np.testing.assert_allclose(
        numbers(boxes.encode(box, anchors, variances=(0.1, 0.2, 0.5, 0.25))), plain / [0.1, 0.2, 0.5, 0.25], atol=1e-5
    )


@settings(max_examples=50, deadline=None)
@given(any_boxes, any_boxes, st.sampled_from([(1.0, 1.0, 1.0, 1.0), VARIANCES]))
def test_decoding_undoes_encoding(first: np.ndarray, second: np.ndarray, variances: boxes.Variances) -> None:
    some, anchors = sound(first, least=0.02), sound(second, least=0.02)
    offsets = boxes.encode(some, anchors, variances=variances)
    np.testing.assert_allclose(numbers(boxes.decode(offsets, anchors, variances=variances)), some, atol=2e-5)


def test_offsets_of_a_batch_from_one_set_or_from_its_own() -> None:
    rng = np.random.default_rng(0)
    anchors, batch = sound(rng.random((3, 4)), least=0.1), sound(rng.random((6, 4)), least=0.1).reshape(2, 3, 4)
    offsets = numbers(boxes.encode(batch, anchors))
    np.testing.assert_allclose(offsets[1], numbers(boxes.encode(batch[1], anchors)), rtol=1e-5)
    np.testing.assert_allclose(numbers(boxes.decode(offsets, anchors)), batch, atol=1e-6)
    own = np.stack([anchors, anchors + np.float32(0.1)])
    offsets = numbers(boxes.encode(batch, own))
    np.testing.assert_allclose(offsets[1], numbers(boxes.encode(batch[1], own[1])), rtol=1e-5)
    np.testing.assert_allclose(numbers(boxes.decode(offsets, own)), batch, atol=1e-6)


def test_padding_is_encoded_as_something_finite() -> None:
    empty = np.zeros((1, 4))
    assert np.isfinite(numbers(boxes.encode(empty, np.array([[0.4, 0.3, 0.6, 0.7]]), variances=VARIANCES))).all()
    assert np.isfinite(numbers(boxes.encode(empty, empty, variances=VARIANCES))).all()


@pytest.mark.parametrize("variances", [(1.0, 1.0, 1.0, 1.0), VARIANCES])
def test_no_offset_gives_an_infinite_box(variances: boxes.Variances) -> None:
    anchors = np.array([[0.4, 0.3, 0.6, 0.7]])
    found = numbers(boxes.centred(boxes.decode(np.full((1, 4), 1e4), anchors, variances=variances)))
    np.testing.assert_allclose(found[0, 2:], 62.5 * np.array([0.2, 0.4]), rtol=1e-3)
    smallest = numbers(boxes.decode(np.full((1, 4), -1e4), anchors, variances=variances))
    assert np.isfinite(smallest).all()
