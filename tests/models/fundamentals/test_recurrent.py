"""Recurrent cells against Keras's layers, their gradients against TensorFlow's, and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from models.fundamentals import recurrent
from models.fundamentals.recurrent import CELLS, Weights

LAYERS: dict[str, Any] = {"simple RNN": layers.SimpleRNN, "LSTM": layers.LSTM, "GRU": layers.GRU}
SEQUENCES, INPUTS, UNITS = np.random.default_rng(0).normal(size=(3, 7, 5)), 5, 4


def layer_of(kind: Any, **options: Any) -> tuple[Any, Weights]:
    """Keras's layer, its biases random too, and its weights."""
    layer = kind(UNITS, return_sequences=True, **options)
    layer.build((None, None, INPUTS))
    drawn = [np.random.default_rng(number).normal(size=one.shape) for number, one in enumerate(layer.get_weights())]
    layer.set_weights(drawn)
    return layer, Weights(*drawn)


@pytest.mark.parametrize("name", CELLS)
def test_a_sequence_goes_through_as_in_keras(name: str) -> None:
    layer, weights = layer_of(LAYERS[name])
    outputs, _ = recurrent.forward(CELLS[name].step, SEQUENCES, weights, states=CELLS[name].states)
    np.testing.assert_allclose(outputs, layer(SEQUENCES), atol=1e-5)


def test_the_gru_of_the_paper_is_keras_s_other_form() -> None:
    layer, weights = layer_of(layers.GRU, reset_after=False)
    outputs, _ = recurrent.forward(recurrent.gru_as_published, SEQUENCES, weights)
    np.testing.assert_allclose(outputs, layer(SEQUENCES), atol=1e-5)


@pytest.mark.parametrize("name", CELLS)
def test_what_comes_back_through_time_is_tensorflows_gradient(name: str) -> None:
    layer, weights = layer_of(LAYERS[name])
    last = np.random.default_rng(9).normal(size=(len(SEQUENCES), UNITS))
    with tf.GradientTape() as tape:
        error = tf.reduce_sum(layer(SEQUENCES)[:, -1] * last.astype("float32"))
    wanted = tape.gradient(error, [one.value for one in layer.trainable_variables])
    _, kept = recurrent.forward(CELLS[name].step, SEQUENCES, weights, states=CELLS[name].states)
    found = recurrent.backward(CELLS[name], last, kept, weights)
    for ours, theirs in zip(found.weights, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", CELLS)
def test_the_blame_of_a_state_is_what_changing_it_does(name: str) -> None:
    """The states before the fourth step, moved a little: by finite differences, through the steps that follow."""
    cell, rng = CELLS[name], np.random.default_rng(1)
    weights = layer_of(LAYERS[name])[1]
    last = rng.normal(size=(len(SEQUENCES), UNITS))
    _, kept = recurrent.forward(cell.step, SEQUENCES, weights, states=cell.states)
    before = np.stack(kept[3][1 : 1 + cell.states])
    blame = recurrent.backward(cell, last, kept, weights).states[3]
    assert blame.shape == before.shape
    for place in [(0, 0, 0), (cell.states - 1, 2, 3)]:
        moved = []
        for by in (1e-6, -1e-6):
            state = before.copy()
            state[place] += by
            for now in SEQUENCES.swapaxes(0, 1)[3:]:
                state, _ = cell.step(now, state, weights)
            moved.append((state[0] * last).sum())
        assert blame[place] == pytest.approx((moved[0] - moved[1]) / 2e-6, rel=1e-4, abs=1e-7)


def test_an_lstm_of_one_unit_by_hand() -> None:
    """All sums are 0 but the new memory's, whose tanh is 0.5: c = 0.5 c + 0.25, and half of tanh c is shown."""
    weights = Weights(np.array([[0.0, 0.0, np.arctanh(0.5), 0.0]]), np.zeros((1, 4)), np.zeros(4))
    outputs, kept = recurrent.forward(recurrent.lstm_step, np.ones((1, 3, 1)), weights, states=2)
    assert [float(one[-1].squeeze()) for one in kept] == pytest.approx([0.25, 0.375, 0.4375])
    np.testing.assert_allclose(outputs.squeeze(), 0.5 * np.tanh([0.25, 0.375, 0.4375]))


@pytest.mark.parametrize(("name", "parameters"), [("simple RNN", 2_080), ("LSTM", 131_584), ("GRU", 99_072)])
def test_parameters_are_those_of_the_course_and_of_keras(name: str, parameters: int) -> None:
    """u (u + d) + u of 32 units on 32 numbers; 4 (u (u + d) + u) and 3 (u (u + d) + 2 u) of 128 on 128."""
    width = 32 if name == "simple RNN" else 128
    cell = CELLS[name]
    assert recurrent.parameters(cell, inputs=width, units=width) == parameters
    weights = recurrent.initial(cell, inputs=width, units=width, rng=np.random.default_rng(0))
    assert sum(one.size for one in weights) == parameters
    layer = LAYERS[name](width)
    layer.build((None, None, width))
    assert layer.count_params() == parameters


@pytest.mark.parametrize("name", CELLS)
def test_weights_begin_as_keras_s_do(name: str) -> None:
    """U keeps lengths, W lies within Glorot's edge, and the forget gate alone has a bias, of 1."""
    weights = recurrent.initial(CELLS[name], inputs=INPUTS, units=UNITS, rng=np.random.default_rng(0))
    np.testing.assert_allclose(weights.recurrent @ weights.recurrent.T, np.eye(UNITS), atol=1e-12)
    layer = LAYERS[name](UNITS)
    layer.build((None, None, INPUTS))
    keras_s = layer.get_weights()
    assert [one.shape for one in weights] == [one.shape for one in keras_s]
    np.testing.assert_array_equal(weights.bias, keras_s[2])
    assert weights.bias.sum() == (UNITS if name == "LSTM" else 0)
    assert np.abs(weights.kernel).max() <= np.sqrt(6 / (INPUTS + CELLS[name].gates * UNITS))
