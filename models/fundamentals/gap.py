"""Recall over a gap: which symbol came first, asked after many steps of others that mean nothing.

The least task that needs a memory: by chance one answer of `SYMBOLS` is right, and a network that keeps what it has
read is right always, however long the gap.

Lesson: the problem of long-term dependencies.
Papers: Bengio, Simard, Frasconi, "Learning long-term dependencies with gradient descent is difficult", IEEE
Transactions on Neural Networks 1994; Hochreiter, Schmidhuber 1997, section 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.fundamentals import optimisers, recurrent
from models.fundamentals.recurrent import Blame, Cell, Weights

SYMBOLS = 4
"""That can come first; as many others fill the gap."""

LARGEST = 1.0
"""Length of a gradient, all weights together, beyond which it is shortened."""

WINDOW, TOLERANCE = 20, 0.05
"""Training ends after as many batches in a row with a smaller error, in nats."""


def sequences(gap: int, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Generated sequences of one symbol and `gap` others, one-hot (count, gap + 1, 2 SYMBOLS), and which it was."""
    first = rng.integers(SYMBOLS, size=count)
    others = rng.integers(SYMBOLS, 2 * SYMBOLS, size=(count, gap))
    return np.eye(2 * SYMBOLS)[np.column_stack([first, others])], first


@dataclass(frozen=True)
class Network:
    """A cell, and a softmax layer (u, SYMBOLS) on its last output."""

    cell: Cell
    weights: Weights
    last: np.ndarray


def initial(cell: Cell, units: int, rng: np.random.Generator) -> Network:
    """An untrained network."""
    edge = np.sqrt(6 / (units + SYMBOLS))
    weights = recurrent.initial(cell, inputs=2 * SYMBOLS, units=units, rng=rng)
    return Network(cell, weights, rng.uniform(-edge, edge, (units, SYMBOLS)))


def softmax(z: np.ndarray) -> np.ndarray:
    shares = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def accuracy(network: Network, x: np.ndarray, first: np.ndarray) -> float:
    """Share of right answers."""
    outputs, _ = recurrent.forward(network.cell.step, x, network.weights, states=network.cell.states)
    return float(((outputs[:, -1] @ network.last).argmax(axis=1) == first).mean())


@dataclass(frozen=True)
class Gradients:
    """Of the error, the mean cross-entropy in nats: back through time, and of the softmax layer."""

    error: float
    blame: Blame
    last: np.ndarray


def gradients(network: Network, x: np.ndarray, first: np.ndarray) -> Gradients:
    """Forward, and back through time."""
    outputs, kept = recurrent.forward(network.cell.step, x, network.weights, states=network.cell.states)
    given = softmax(outputs[:, -1] @ network.last)
    wrong = (given - np.eye(SYMBOLS)[first]) / len(x)
    blame = recurrent.backward(network.cell, wrong @ network.last.T, kept, network.weights)
    error = -np.log(np.maximum(given[np.arange(len(x)), first], 1e-12)).mean()
    return Gradients(float(error), blame, outputs[:, -1].T @ wrong)


def by_step(network: Network, x: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Length of the gradient of the states before each step, the last step first: (T,)."""
    states = gradients(network, x, first).blame.states
    return np.asarray(np.sqrt((states**2).sum(axis=(1, 2, 3)))[::-1])


@dataclass(frozen=True)
class Trained:
    """A network, and the error of each batch that it learnt from."""

    network: Network
    errors: tuple[float, ...]


def train(
    network: Network, *, longest: int, updates: int, batch: int, rate: float, rng: np.random.Generator
) -> Trained:
    """Adam on new sequences each time, until the error is small or the updates are over.

    Each batch has a gap of its own, from 1 to `longest`: what short ones teach leads to the long ones. Of gaps of 30
    alone, an LSTM too stays at chance in 400 updates.
    """
    values = [*network.weights, network.last]
    states: list[optimisers.State] = [{} for _ in values]
    errors: list[float] = []
    while len(errors) < updates and not is_small(errors):
        x, first = sequences(int(rng.integers(1, longest + 1)), batch, rng)
        found = gradients(rebuilt(network, values), x, first)
        errors.append(found.error)
        for place, slope in enumerate(shortened([*found.blame.weights, found.last])):
            values[place], states[place] = optimisers.adam(values[place], slope, states[place], learning_rate=rate)
    return Trained(rebuilt(network, values), tuple(errors))


def is_small(errors: list[float]) -> bool:
    """Whether the last batches, as many as WINDOW, all had an error below TOLERANCE."""
    return len(errors) >= WINDOW and max(errors[-WINDOW:]) < TOLERANCE


def rebuilt(network: Network, values: list[np.ndarray]) -> Network:
    return Network(network.cell, Weights(*values[:-1]), values[-1])


def shortened(slopes: list[np.ndarray]) -> list[np.ndarray]:
    """Gradients as they are, or all made smaller so that together they have the length LARGEST."""
    length = np.sqrt(sum(float((one**2).sum()) for one in slopes))
    return [one * min(1.0, LARGEST / max(length, 1e-12)) for one in slopes]
