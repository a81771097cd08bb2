"""Networks that read texts: parameters by hand, and that what stands behind a text's end is nothing to them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from models import averaging, cnn_1d, gru, lstm, simple_rnn
from models.parts import texts
from models.spec import Input, Spec
from tests.models.examples import build

READERS = ["simple_rnn", "lstm", "gru", "cnn_1d", "averaging"]
RECURRENT = READERS[:3]
TEXT = [7, 3, 11, 2, 9, 5, 5, 8, 4, 6, 1, 10, 3]


def spec(length: int, classes: int = 2) -> Spec:
    return Spec({"words": Input((length,), "int32", sizes=(12,))}, tuple("abcd"[:classes]))


def filled(text: list[int], length: int) -> np.ndarray:
    return np.array([text + [0] * (length - len(text))], np.int32)


def again(name: str, network: keras.Model, length: int, **values: Any) -> keras.Model:
    """The same network for texts of another length."""
    other, _ = build(name, spec(length), **values)
    other.set_weights(network.get_weights())
    return other


@pytest.mark.parametrize("name", READERS)
def test_the_answer_does_not_depend_on_how_much_nothing_follows(name: str) -> None:
    values = {"bidirectional": True} if name in RECURRENT else {}
    network, _ = build(name, spec(13), **values)
    lengths = (1, 4, 12, 13)
    wanted = network(np.concatenate([filled(TEXT[:words], 13) for words in lengths]))
    longer = again(name, network, 21, **values)(np.concatenate([filled(TEXT[:words], 21) for words in lengths]))
    np.testing.assert_allclose(longer, wanted, atol=1e-6)


@pytest.mark.parametrize("name", READERS)
def test_the_vector_of_nothing_is_never_looked_at(name: str) -> None:
    network, _ = build(name, spec(16))
    text = filled(TEXT[:9], 16)
    before = network(text)
    table = network.get_layer(texts.EMBEDDING)
    (vectors,) = table.get_weights()
    vectors[0] = 100
    table.set_weights([vectors])
    np.testing.assert_array_equal(network(text), before)
    vectors[3] = 100
    table.set_weights([vectors])
    assert not np.allclose(network(text), before)


@pytest.mark.parametrize("name", READERS)
def test_a_text_without_a_word_is_answered(name: str) -> None:
    network, _ = build(name, spec(6))
    assert np.isfinite(network(filled([], 6))).all()


@pytest.mark.parametrize("name", READERS)
def test_the_order_of_words_counts_but_for_a_mean(name: str) -> None:
    network, _ = build(name, spec(6))
    there, back = (network(filled(text, 6)) for text in ([5, 6, 7, 8], [8, 7, 6, 5]))
    assert np.allclose(there, back, atol=1e-4) == (name == "averaging")


@pytest.mark.parametrize("name", ["simple_rnn", "lstm", "gru"])
def test_read_from_both_ends_the_last_word_counts_as_the_first(name: str) -> None:
    """A network that reads backwards has the same answer to the text turned round, with its halves exchanged."""
    network, _ = build(name, spec(4), bidirectional=True, units=8)
    both = next(layer for layer in network.layers if isinstance(layer, layers.Bidirectional))
    states = keras.Model(network.inputs, both.output)
    weights = both.get_weights()
    half = len(weights) // 2
    both.set_weights(weights[:half] * 2)
    there = states(filled([5, 6, 7], 4))
    back = states(filled([7, 6, 5], 4))
    np.testing.assert_allclose(there[:, :8], back[:, 8:], atol=1e-6)
    np.testing.assert_allclose(there[:, 8:], back[:, :8], atol=1e-6)


def test_of_two_classes_one_unit_decides() -> None:
    """sigmoid(1.5 * 2 + 0.5) = 0.97069 for the second, the rest for the first."""
    x = layers.Input((1,))
    network = keras.Model(x, texts.probabilities(x, 2))
    network.set_weights([np.array([[1.5]]), np.array([0.5])])
    np.testing.assert_allclose(network(np.array([[2.0]])), [[0.029312, 0.970688]], atol=1e-6)
    assert keras.Model(x, texts.probabilities(x, 3)).count_params() == 2 * 3


def test_pooling_keeps_the_last_places() -> None:
    x = layers.Input((7, 1))
    pooled = keras.Model(x, cnn_1d.pooled(x, 5))(np.arange(7.0).reshape(1, 7, 1))
    np.testing.assert_array_equal(np.squeeze(pooled), [4, 6])


def test_a_forget_gate_begins_open() -> None:
    layer = next(layer for layer in lstm.lstm(units=8).layers if isinstance(layer, layers.LSTM))
    bias = layer.get_weights()[2]
    np.testing.assert_array_equal(bias, [0] * 8 + [1] * 8 + [0] * 16)


@pytest.mark.parametrize("network", [simple_rnn.simple_rnn, lstm.lstm, gru.gru, cnn_1d.cnn_1d])
def test_only_words_and_classes_are_taken(network: Any) -> None:
    with pytest.raises(ValueError, match=r"takes words\. Received: image"):
        network(spec=Spec({"image": Input((8, 8, 1), "uint8")}, tuple("ab")))
    with pytest.raises(ValueError, match="asks for"):
        network(spec=Spec({"words": Input((8,), "int32", sizes=(12,))}, boxes=2))


def test_the_mean_of_two_words_by_hand() -> None:
    """Words 3 and 5 of vectors (n, -n): the mean is (4, -4), whatever stands behind; of no word it is 0."""
    network = averaging.averaging(spec=spec(4), embedding=2)
    vectors = np.stack([np.arange(12), -np.arange(12)], axis=1).astype(np.float32)
    network.get_layer(texts.EMBEDDING).set_weights([vectors])
    network.layers[-3].set_weights([np.array([[0.5], [0.25]], np.float32), np.array([0.1], np.float32)])
    given = np.asarray(network(np.array([[3, 5, 0, 0], [0, 0, 0, 0]], np.int32)))
    second = 1 / (1 + np.exp(-np.array([4 * 0.5 - 4 * 0.25 + 0.1, 0.1])))
    np.testing.assert_allclose(given, np.stack([1 - second, second], axis=1), atol=1e-6)
    assert network.count_params() == 12 * 2 + 3


def test_frozen_vectors_stay() -> None:
    network, _ = build("averaging", spec(4), frozen=True)
    before = network.get_layer(texts.EMBEDDING).get_weights()[0]
    network.fit(np.array([[3, 5, 0, 0], [2, 4, 0, 0]], np.int32), np.array([0, 1]), epochs=2, verbose=0)
    np.testing.assert_array_equal(network.get_layer(texts.EMBEDDING).get_weights()[0], before)
