"""Rosenblatt's rule: it ends on AND and OR, as soon as Novikoff says, and never on XOR."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Perceptron

from models.fundamentals.perceptron import AND, GATES, POINTS, XOR, Neurons, answer, learn

ZERO = Neurons(np.zeros((2, 1)), np.zeros(1))
small = st.floats(-1, 1)


def test_the_courses_and_step_by_step() -> None:
    np.testing.assert_array_equal(AND.sums(POINTS)[:, 0], [-1, 0, 0, 1])
    np.testing.assert_array_equal(answer(POINTS, (AND,)), [0, 0, 0, 1])


def test_xor_by_hand() -> None:
    np.testing.assert_array_equal(XOR[0].answer(POINTS), [[0, 0], [1, 0], [1, 0], [1, 1]])
    np.testing.assert_array_equal(answer(POINTS, XOR), GATES["XOR"])


def test_the_first_changes_by_hand() -> None:
    """AND from zero: nothing fires, so (1, 1) is the first mistake and moves all three by 1."""
    second = learn(POINTS, GATES["AND"], start=ZERO).path[1]
    np.testing.assert_array_equal(second.weights, [[1], [1]])
    np.testing.assert_array_equal(second.biases, [1])


@pytest.mark.parametrize("gate", ["AND", "OR"])
@given(w1=small, w2=small, b=small, rate=st.floats(0.1, 2))
def test_converges_from_anywhere(gate: str, w1: float, w2: float, b: float, rate: float) -> None:
    learnt = learn(POINTS, GATES[gate], start=Neurons(np.array([[w1], [w2]]), np.array([b])), rate=rate, epochs=500)
    assert learnt.converged
    np.testing.assert_array_equal(answer(POINTS, (learnt.neuron,)), GATES[gate])
    np.testing.assert_array_equal(Perceptron().fit(POINTS, GATES[gate]).predict(POINTS), GATES[gate])


@given(w1=small, w2=small, b=small)
def test_never_converges_on_xor(w1: float, w2: float, b: float) -> None:
    learnt = learn(POINTS, GATES["XOR"], start=Neurons(np.array([[w1], [w2]]), np.array([b])), epochs=100)
    assert not learnt.converged
    assert len(learnt.mistakes) == 100
    assert min(learnt.mistakes) >= 1


@given(angle=st.floats(0, 2 * np.pi), offset=st.floats(-0.5, 0.5), seed=st.integers(0, 1000))
def test_makes_no_more_mistakes_than_novikoff_allows(angle: float, offset: float, seed: int) -> None:
    """At most (R / margin)^2 from zero, where R and the margin are those of the samples with a 1 for the bias.

    A sum of exactly 0 answers 0, which Novikoff counts as a mistake and this rule does not: that only lowers it.
    """
    x = np.random.default_rng(seed).uniform(-1, 1, (40, 2))
    line = np.array([np.cos(angle), np.sin(angle), offset])
    with_one = np.hstack([x, np.ones((40, 1))])
    margins = with_one @ line / np.linalg.norm(line)
    kept = np.abs(margins) > 0.1
    if not kept.any():
        return
    learnt = learn(x[kept], (margins[kept] > 0).astype(int), start=ZERO, epochs=2000)
    radius = np.linalg.norm(with_one[kept], axis=1).max()
    assert learnt.converged
    assert sum(learnt.mistakes) == len(learnt.path) - 1 <= (radius / np.abs(margins[kept]).min()) ** 2


def test_stops_when_the_epochs_are_over() -> None:
    assert learn(POINTS, GATES["AND"], start=ZERO, epochs=1).converged is False
    learnt = learn(POINTS, GATES["AND"], start=AND, epochs=1)
    assert (learnt.converged, learnt.mistakes) == (True, (0,))
