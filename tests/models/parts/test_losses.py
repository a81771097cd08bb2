"""Losses by hand, and no gradient from what does not count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import ops

from models.parts import losses
from models.views.gradients import gradient


def numbers(tensor: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        (1.0, [0.5 * 0.25 + 0 + 1.5 + (0.5 * 0.01), 2.5]),  # errors -0.5, 0, 2, 0.1; then 3
        (1 / 9, [(0.5 - 1 / 18) + 0 + (2 - 1 / 18) + 4.5 * 0.01, 3 - 1 / 18]),
    ],
)
def test_smooth_l1_by_hand(beta: float, expected: list[float]) -> None:
    wanted = np.array([[0.5, 1, 0, 0], [3, 0, 0, 0]], dtype=np.float32)
    given = np.array([[0, 1, 2, 0.1], [0, 0, 0, 0]], dtype=np.float32)
    np.testing.assert_allclose(numbers(losses.smooth_l1(wanted, given, beta=beta)), expected, rtol=1e-5)


def test_smooth_l1_has_a_slope_of_one_and_none_where_all_is_right() -> None:
    wanted = np.zeros((3, 2), dtype=np.float32)
    at = np.array([[5, -5], [0, 0.01], [0, 0]])
    for beta in (1.0, 0.1):
        _, slope = gradient(lambda x, beta=beta: losses.smooth_l1(wanted, x, beta=beta), at)
        np.testing.assert_allclose(slope, [[1, -1], [0, 0.01 / beta], [0, 0]], atol=1e-6)


def test_masked_mean() -> None:
    values = np.array([[1.0, 2], [np.inf, 6]])
    assert numbers(losses.masked_mean(values, np.array([[True, False], [False, True]]))) == 3.5
    assert numbers(losses.masked_mean(values, np.zeros((2, 2), dtype=bool))) == 0


def test_multibox_by_hand() -> None:
    """Two positive anchors and one chosen negative one: (1 + 2 + 4 + 10 + 20) / 2."""
    class_losses = np.array([[1.0, 4, 8], [2, 16, 32]])
    offset_losses = np.array([[10.0, 40, 80], [20, 160, 320]])
    positive = np.array([[True, False, False], [True, False, False]])
    negative = np.array([[False, True, False], [False, False, False]])
    found = losses.multibox(class_losses, offset_losses, positive=positive, negative=negative)
    assert numbers(found) == 18.5
    nothing = np.zeros((2, 3), dtype=bool)
    assert numbers(losses.multibox(class_losses, offset_losses, positive=nothing, negative=nothing)) == 0


def test_what_does_not_count_has_no_gradient() -> None:
    mask = np.array([True, False, True])
    _, slope = gradient(lambda x: ops.reshape(losses.masked_mean(x, mask), (1,)), np.array([1.0, 2, 3]))
    np.testing.assert_allclose(slope, [0.5, 0, 0.5])
