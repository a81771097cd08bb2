"""Backpropagation: how much each weight is to blame for the error, found from the last layer back to the first.

Twice, as the course writes it: with a delta for each unit (`backward_by_unit`), and with a matrix for each layer
(`backward`), in which the bias is the last row of the weights and every input ends with a 1. Both give what
`finite_differences` finds by trying, at the price of one pass instead of two for each weight.

Lesson: training a multilayer perceptron; the worked example (`EXAMPLE_INPUT` and what follows it).
Paper: Rumelhart, Hinton, Williams, "Learning representations by back-propagating errors", Nature 1986.
Departures from the lesson, which are its misprints: a first-layer gradient has the output's delta once and not twice;
the slope of the sigmoid is positive; nothing is rounded on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from models.fundamentals.activations import ACTIVATIONS, Activation

Weights = tuple[np.ndarray, ...]
"""One matrix for each layer, (inputs + 1, units), its last row the biases; (inputs, units) for a layer without any."""

SIGMOID = ACTIVATIONS["sigmoid"]

EXAMPLE_INPUT = np.array([[0.05, 0.10]])
EXAMPLE_ANSWER = np.array([[0.01]])
EXAMPLE_WEIGHTS: Weights = (
    np.array([[0.15, 0.25], [0.20, 0.30], [0.35, 0.35]]),
    np.array([[0.40], [0.45], [0.60]]),
)
EXAMPLE_RATE = 0.5


def initial(units: tuple[int, ...], *, seed: int, spread: float = 1.0) -> Weights:
    """Random weights and biases for layers of `units`, inputs first, drawn evenly from -spread to spread.

    Not zero: units that begin alike get the same gradient, and stay alike for ever.
    """
    rng = np.random.default_rng(seed)
    return tuple(rng.uniform(-spread, spread, (inputs + 1, outputs)) for inputs, outputs in pairwise(units))


@dataclass(frozen=True)
class Pass:
    """What went through the network.

    Args:
        inputs: of each layer, A, with the 1 for its bias: (N, inputs + 1).
        sums: of each layer, Z = A W: (N, units).
        output: of the last layer, (N, K).
    """

    inputs: tuple[np.ndarray, ...]
    sums: tuple[np.ndarray, ...]
    output: np.ndarray


def forward(x: np.ndarray, weights: Weights, *, activation: Activation = SIGMOID) -> Pass:
    """Take `x` (N, D) through the layers."""
    inputs, sums, a = [], [], x
    for w in weights:
        a = with_one(a) if len(w) > a.shape[1] else a  # (N, inputs + 1)
        z = a @ w  # (N, units)
        inputs.append(a)
        sums.append(z)
        a = activation.value(z)
    return Pass(tuple(inputs), tuple(sums), a)


def with_one(a: np.ndarray) -> np.ndarray:
    """A = [a 1]: the input of weight b that makes a bias one weight among others."""
    return np.hstack([a, np.ones((len(a), 1))])


def half_squared_error(y: np.ndarray, given: np.ndarray) -> float:
    """E = 1/2 (y - given)^2, summed over outputs, the mean over samples."""
    return float(0.5 * np.sum((y - given) ** 2) / len(y))


def error(x: np.ndarray, y: np.ndarray, weights: Weights, *, activation: Activation = SIGMOID) -> float:
    """Half squared error of the network on `x` (N, D) and `y` (N, K)."""
    return half_squared_error(y, forward(x, weights, activation=activation).output)


def deltas(y: np.ndarray, gone: Pass, weights: Weights, *, activation: Activation = SIGMOID) -> tuple[np.ndarray, ...]:
    """dE/dZ of every layer, (N, units): what the error would gain if a unit's sum grew.

    Delta = (output - y) * f'(Z) for the last layer, and Delta W^T * f'(Z) going back, W without its row of biases.

    Args:
        y: right answers, (N, K).
        gone: what `forward` gave for the same weights and activation.
    """
    found = [(gone.output - y) / len(y) * activation.slope(gone.sums[-1])]
    for w, z in zip(reversed(weights[1:]), reversed(gone.sums[:-1]), strict=True):
        blame = found[0] @ w[: z.shape[1]].T  # (N, units)
        found.insert(0, blame * activation.slope(z))
    return tuple(found)


def backward(y: np.ndarray, gone: Pass, weights: Weights, *, activation: Activation = SIGMOID) -> Weights:
    """dE/dW = A^T Delta of every layer, in the shapes of `weights`."""
    found = deltas(y, gone, weights, activation=activation)
    return tuple(a.T @ delta for a, delta in zip(gone.inputs, found, strict=True))


def backward_by_unit(y: np.ndarray, gone: Pass, weights: Weights, *, activation: Activation = SIGMOID) -> Weights:
    """The same for one sample, weight by weight, as one does it by hand: dE/dw_ij = a_i delta_j.

    Raises:
        ValueError: if there is not exactly one sample.
    """
    if len(y) != 1:
        raise ValueError(f"`y` must have one sample. Received: shape {y.shape}")
    found = [output_deltas(y[0], gone, activation)]
    for layer in reversed(range(1, len(weights))):
        found.insert(0, hidden_deltas(found[0], weights[layer], gone.sums[layer - 1][0], activation))
    return tuple(
        np.array([[a_i * delta_j for delta_j in delta] for a_i in a[0]])
        for a, delta in zip(gone.inputs, found, strict=True)
    )


def output_deltas(y: np.ndarray, gone: Pass, activation: Activation) -> list[float]:
    """delta_k = (a_k - y_k) f'(z_k) of each output."""
    sums = gone.sums[-1][0]
    return [float((a - right) * activation.slope(z)) for a, right, z in zip(gone.output[0], y, sums, strict=True)]


def hidden_deltas(above: list[float], w: np.ndarray, sums: np.ndarray, activation: Activation) -> list[float]:
    """delta_j = (sum over k of delta_k w_jk) f'(z_j): the blame of all units above that unit j feeds."""
    return [
        float(sum(delta_k * w[j, k] for k, delta_k in enumerate(above)) * activation.slope(z))
        for j, z in enumerate(sums)
    ]


def update(weights: Weights, gradients: Weights, *, rate: float) -> Weights:
    """W <- W - rate dE/dW."""
    return tuple(w - rate * gradient for w, gradient in zip(weights, gradients, strict=True))


@dataclass(frozen=True)
class Trained:
    """What training ended with: the weights, the error before each update and at the end, and why it stopped."""

    weights: Weights
    errors: tuple[float, ...]
    converged: bool

    @property
    def epochs(self) -> int:
        return len(self.errors) - 1


def train(
    x: np.ndarray,
    y: np.ndarray,
    weights: Weights,
    *,
    rate: float,
    epochs: int,
    tolerance: float = 0.0,
    activation: Activation = SIGMOID,
) -> Trained:
    """Forward, error, backward, update with all samples at once, until the error is small or the epochs are over.

    Args:
        rate: learning rate, above 0.
        epochs: most updates.
        tolerance: error at which it stops.
    """
    errors: list[float] = []
    while True:
        gone = forward(x, weights, activation=activation)
        errors.append(half_squared_error(y, gone.output))
        converged = errors[-1] <= tolerance
        if converged or len(errors) > epochs:
            return Trained(weights, tuple(errors), converged)
        weights = update(weights, backward(y, gone, weights, activation=activation), rate=rate)


def perturbed(weights: Weights, layer: int, at: tuple[int, int], by: float) -> Weights:
    """The weights with one of them, `at` its row and column of a layer, changed `by` something."""
    changed = weights[layer].copy()
    changed[at] += by
    return (*weights[:layer], changed, *weights[layer + 1 :])


def finite_differences(
    x: np.ndarray, y: np.ndarray, weights: Weights, *, step: float = 1e-5, activation: Activation = SIGMOID
) -> Weights:
    """dE/dW by trying each weight a little above and a little below: two passes for each of them."""

    def slope(layer: int, at: tuple[int, int]) -> float:
        above, below = (error(x, y, perturbed(weights, layer, at, by), activation=activation) for by in (step, -step))
        return (above - below) / (2 * step)

    gradients = tuple(np.zeros_like(w) for w in weights)
    for layer, gradient in enumerate(gradients):
        for at in np.ndindex(*gradient.shape):
            gradient[at] = slope(layer, at)
    return gradients


def naive_update(
    x: np.ndarray, y: np.ndarray, weights: Weights, *, step: float, activation: Activation = SIGMOID
) -> Weights:
    """The course's naive way: move each weight by `step`, one after the other, and keep what lowers the error."""
    best = error(x, y, weights, activation=activation)
    for layer, w in enumerate(weights):
        for at in np.ndindex(*w.shape):
            for by in (step, -step):
                tried = perturbed(weights, layer, at, by)
                if (found := error(x, y, tried, activation=activation)) < best:
                    weights, best = tried, found
                    break
    return weights
