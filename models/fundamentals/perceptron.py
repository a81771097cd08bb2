"""Rosenblatt's perceptron: one neuron that learns to draw a straight line between two classes, and what it cannot do.

The rule changes something only after a mistake. Where a line separates the classes, it makes a limited number of
mistakes and then none (Novikoff 1962); XOR has no such line, so it never ends. Two layers can do XOR.

Lesson: the simple perceptron; the networks AND and XOR.
Paper: Rosenblatt, "The perceptron: a probabilistic model for information storage and organization in the brain",
Psychological Review 1958.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.fundamentals.activations import threshold

POINTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
"""All inputs of a gate of two bits, in the order in which a truth table has them."""

GATES = {
    "AND": np.array([0, 0, 0, 1]),
    "OR": np.array([0, 1, 1, 1]),
    "XOR": np.array([0, 1, 1, 0]),
}
"""What each gate answers to POINTS."""


@dataclass(frozen=True)
class Neurons:
    """A layer of neurons that fire or do not: `weights` (inputs, units) and one bias for each unit."""

    weights: np.ndarray
    biases: np.ndarray

    def sums(self, x: np.ndarray) -> np.ndarray:
        """x W + b, shape (N, units)."""
        return np.asarray(x @ self.weights + self.biases)

    def answer(self, x: np.ndarray) -> np.ndarray:
        """1 for each unit whose sum is above 0, else 0."""
        return threshold(self.sums(x))


AND = Neurons(np.array([[1.0], [1.0]]), np.array([-1.0]))
"""The course's: W1 = W2 = 1, b = -1. Only 1 + 1 - 1 is above 0."""

XOR = (
    Neurons(np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([0.0, -1.0])),  # h1 = x1 or x2, h2 = x1 and x2
    Neurons(np.array([[1.0], [-2.0]]), np.array([0.0])),  # h1 and not h2
)
"""One solution of the course's exercise, layer by layer."""


def answer(x: np.ndarray, layers: tuple[Neurons, ...]) -> np.ndarray:
    """What the last of `layers` answers, each of which sees the answers of the one before; (N,) for one unit."""
    for layer in layers:
        x = layer.answer(x)
    return x.squeeze(axis=-1)


@dataclass(frozen=True)
class Learnt:
    """How the rule went.

    Args:
        path: the neuron before the first change and after each one.
        mistakes: how many there were in each epoch; the last is 0 if the rule has converged.
    """

    path: tuple[Neurons, ...]
    mistakes: tuple[int, ...]

    @property
    def neuron(self) -> Neurons:
        return self.path[-1]

    @property
    def converged(self) -> bool:
        return self.mistakes[-1] == 0


def learn(x: np.ndarray, y: np.ndarray, *, start: Neurons, rate: float = 1.0, epochs: int = 100) -> Learnt:
    """Show the samples one by one, and after every mistake move the line towards the sample that was wrong.

    w <- w + rate (y - answer) x and b <- b + rate (y - answer), until an epoch has no mistake or `epochs` are over.

    Args:
        x: inputs, (N, D).
        y: right answers, 0 or 1, (N,).
        start: one neuron of D inputs.
        rate: size of a change, above 0.
        epochs: most times that all samples are shown, at least 1.
    """
    path, mistakes = [start], [len(x)]
    while mistakes[-1] > 0 and len(mistakes) <= epochs:
        before = len(path)
        for sample, right in zip(x, y, strict=True):
            error = right - path[-1].answer(sample)
            if error.any():
                path.append(corrected(path[-1], sample, rate * error))
        mistakes.append(len(path) - before)
    return Learnt(tuple(path), tuple(mistakes[1:]))


def corrected(neuron: Neurons, sample: np.ndarray, change: np.ndarray) -> Neurons:
    """The neuron after a mistake: its sum for `sample` has grown by `change` times (1 + |sample|^2)."""
    return Neurons(neuron.weights + np.outer(sample, change), neuron.biases + change)
