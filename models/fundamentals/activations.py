"""What a neuron does with its weighted sum: threshold, linear, sigmoid, tanh, ReLU and softmax, with their slopes.

Without a nonlinearity depth is worth nothing: `merge_linear` makes one layer of two.

Lesson: activation functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Elementwise = Callable[[np.ndarray], np.ndarray]


def threshold(z: np.ndarray) -> np.ndarray:
    """1 where `z` is above 0, else 0: a neuron that fires or does not. 0 itself does not fire."""
    return np.where(np.asarray(z) > 0, 1.0, 0.0)


def threshold_slope(z: np.ndarray) -> np.ndarray:
    """0 everywhere; at 0, where there is none, 0 too. No gradient ever comes back through a threshold."""
    return np.zeros_like(z, dtype=float)


def linear(z: np.ndarray) -> np.ndarray:
    """`z` itself: the output of a regression."""
    return np.asarray(z, dtype=float)


def linear_slope(z: np.ndarray) -> np.ndarray:
    """1 everywhere."""
    return np.ones_like(z, dtype=float)


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-z), between 0 and 1, written so that no exponential overflows."""
    small = np.exp(-np.abs(z))  # 0..1
    return np.asarray(np.where(np.asarray(z) >= 0, 1.0, small) / (1.0 + small))


def sigmoid_slope(z: np.ndarray) -> np.ndarray:
    """a (1 - a), at most 1/4: every sigmoid layer shrinks the gradient fourfold or more.

    The course has -e^-z / (1 + e^-z)^2; the minus is wrong, as a sigmoid rises everywhere.
    """
    a = sigmoid(z)
    return a * (1.0 - a)


def tanh(z: np.ndarray) -> np.ndarray:
    """Between -1 and 1, and centred on 0: 2 sigmoid(2z) - 1."""
    return np.asarray(np.tanh(z))


def tanh_slope(z: np.ndarray) -> np.ndarray:
    """1 - a^2, at most 1."""
    return np.asarray(1.0 - np.tanh(z) ** 2)


def relu(z: np.ndarray) -> np.ndarray:
    """`z` where it is positive, else 0."""
    return np.asarray(np.maximum(z, 0.0))


def relu_slope(z: np.ndarray) -> np.ndarray:
    """1 where `z` is positive, else 0; at 0, where there is none, 0 as in Keras."""
    return threshold(z)


@dataclass(frozen=True)
class Activation:
    """A function of each sum by itself, its derivative, and the least and the greatest value that it can give."""

    value: Elementwise
    slope: Elementwise
    range: tuple[float, float]


ACTIVATIONS = {
    "threshold": Activation(threshold, threshold_slope, (0.0, 1.0)),
    "linear": Activation(linear, linear_slope, (-np.inf, np.inf)),
    "sigmoid": Activation(sigmoid, sigmoid_slope, (0.0, 1.0)),
    "tanh": Activation(tanh, tanh_slope, (-1.0, 1.0)),
    "relu": Activation(relu, relu_slope, (0.0, np.inf)),
}


def softmax(z: np.ndarray) -> np.ndarray:
    """Probabilities of K classes: e^z over its sum along the last axis.

    A constant added to every z changes nothing, so the greatest is taken off first and no exponential overflows.
    """
    powers = np.exp(z - np.max(z, axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def softmax_jacobian(z: np.ndarray) -> np.ndarray:
    """How each probability answers to each sum: diag(p) - p p^T. Unlike the others, every output hears every sum.

    Input shape: (K,).
    Output shape: (K, K), row i the slopes of probability i.
    """
    p = softmax(z)
    return np.diag(p) - np.outer(p, p)


def merge_linear(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The one layer that does what two linear layers do: (x W + b) V + c = x (W V) + (b V + c).

    Args:
        first: weights (D, M) and biases (M,) of the layer that sees the input.
        second: weights (M, K) and biases (K,) of the layer that sees its output.
    """
    (w, b), (v, c) = first, second
    return w @ v, b @ v + c
