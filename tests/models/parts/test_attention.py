"""Attention, positions and the Transformer's layers: published numbers, Keras's own layer, and who sees whom."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from models import transformer
from models.parts import attention
from models.parts.attention import MultiHeadAttention
from models.parts.positions import Embedded, sinusoids
from models.parts.transformer import DecoderLayer, EncoderLayer, Noam

BASE = {"width": 512, "heads": 8, "feed_forward": 2048}
SMALL: dict[str, Any] = {"width": 8, "heads": 2, "feed_forward": 16}


def numbers(tensor: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def count(layer: keras.layers.Layer) -> int:
    return sum(int(ops.size(weight)) for weight in layer.trainable_weights)


def test_weights_by_hand() -> None:
    """Scores 4 / sqrt(4) = 2 and 0: e^2 / (e^2 + 1) = 0.880797; what is hidden has none."""
    query, keys = np.array([[2, 0, 0, 0]], np.float32), np.array([[2, 0, 0, 0], [0, 1, 0, 0]], np.float32)
    query, keys = map(ops.convert_to_tensor, (query, keys))
    np.testing.assert_allclose(numbers(attention.weights(query, keys)), [[0.880797, 0.119203]], atol=1e-6)
    hidden = attention.weights(query, keys, np.array([[False, True]]))
    np.testing.assert_array_equal(numbers(hidden), [[0, 1]])
    nothing = attention.weights(query, keys, np.array([[False, False]]))
    np.testing.assert_array_equal(numbers(nothing), [[0.5, 0.5]])


def test_keras_has_the_same_attention() -> None:
    """The weights copied: Keras keeps the heads' apart, (D, h, D / h)."""
    x, source = drawn(3, 5, 12), drawn(3, 7, 12, seed=1)
    mask = np.random.default_rng(2).random((3, 5, 7)) < 0.6
    mask[..., 0] = True
    ours, theirs = MultiHeadAttention(width=12, heads=3), keras.layers.MultiHeadAttention(3, 4)
    ours(x, source)
    theirs(x, source)
    for weight, shape in zip(ours.weights, [one.shape for one in theirs.weights], strict=True):
        weight.assign(drawn(*weight.shape, seed=len(shape)))
    theirs.set_weights(
        [np.reshape(one, like.shape) for one, like in zip(ours.get_weights(), theirs.weights, strict=True)]
    )
    wanted = theirs(x, source, attention_mask=mask)
    np.testing.assert_allclose(numbers(ours(x, source, mask[:, np.newaxis])), numbers(wanted), atol=1e-5)


def test_parameters_are_the_published_ones() -> None:
    x, there = keras.KerasTensor((None, 4, 512)), keras.KerasTensor((None, 4), "bool")
    layer, encoder, decoder = MultiHeadAttention(width=512, heads=8), EncoderLayer(**BASE), DecoderLayer(**BASE)
    layer(x, x)
    encoder(x, there)
    decoder(x, x, there)
    assert [count(one) for one in (layer, encoder, decoder)] == [1_050_624, 3_152_384, 4_204_032]
    assert count(encoder.wide) + count(encoder.narrow) == 2_099_712


def test_the_base_has_44_million_parameters() -> None:
    """Those of the layers; torch.nn.Transformer's 44,140,544 have two normalisations more, of 1,024 each."""
    model = transformer.transformer()
    encoders = [layer for layer in model.layers if isinstance(layer, EncoderLayer)]
    assert sum(map(count, [*encoders, *model.get_layer("head").pile])) == 44_138_496


def test_heads_divide_the_width() -> None:
    with pytest.raises(ValueError, match=r"`heads` must divide `width`. Received: heads=3, width=8"):
        MultiHeadAttention(width=8, heads=3)


def test_sinusoids_are_the_published_ones() -> None:
    table = sinusoids(3, 512)
    np.testing.assert_allclose(table[1, :4], [0.8414710, 0.5403023, 0.8218562, 0.5696951], atol=1e-6)
    np.testing.assert_array_equal(table[0], np.tile([0, 1], 256))


def test_noam_is_the_published_rate() -> None:
    """Keras counts steps from 0."""
    rate = Noam(512, 4000)
    found = [float(rate(step - 1)) for step in (1, 4000, 100_000)]
    np.testing.assert_allclose(found, [1.746928e-7, 6.987712e-4, 1.397542e-4], rtol=1e-6)
    assert float(Noam(**{**rate.get_config(), "factor": 2.0})(3999)) == pytest.approx(2 * 6.987712e-4)


def test_a_symbol_is_embedded_at_its_place() -> None:
    layer, symbols = Embedded(size=5, width=8, length=6), np.array([[1, 4, 0], [2, 2, 3]], np.int32)
    placed = numbers(layer(symbols))
    vectors = numbers(layer.vectors.embeddings)
    np.testing.assert_allclose(placed[0, 1], vectors[4] * 8**0.5 + sinusoids(6, 8)[1], atol=1e-6)
    for place in range(3):
        np.testing.assert_allclose(numbers(layer.at(symbols[:, place], place))[:, 0], placed[:, place], atol=1e-6)


def test_nothing_sees_what_comes_later() -> None:
    layer, memory, there = DecoderLayer(**SMALL), drawn(1, 4, 8), np.ones((1, 4), bool)
    x = drawn(1, 6, 8, seed=1)
    before = numbers(layer(x, memory, there))
    changed = x.copy()
    changed[0, 3] += 1
    after = numbers(layer(changed, memory, there))
    np.testing.assert_array_equal(after[0, :3], before[0, :3])
    assert (np.abs(after[0, 3:] - before[0, 3:]).max(axis=-1) > 1e-3).all()


def test_padding_changes_nothing() -> None:
    x, there = drawn(2, 5, 8), np.array([[True] * 3 + [False] * 2, [True] * 5])
    encoder, decoder, asked = EncoderLayer(**SMALL), DecoderLayer(**SMALL), drawn(2, 4, 8, seed=1)
    other = np.where(there[..., np.newaxis], x, 100).astype(np.float32)
    np.testing.assert_allclose(numbers(encoder(other, there))[there], numbers(encoder(x, there))[there], atol=1e-6)
    np.testing.assert_allclose(numbers(decoder(asked, other, there)), numbers(decoder(asked, x, there)), atol=1e-6)
    assert np.abs(numbers(decoder(asked, other, ~there)) - numbers(decoder(asked, x, ~there))).max() > 0.01


def test_step_by_step_is_all_at_once() -> None:
    layer, memory, there = DecoderLayer(**SMALL), drawn(2, 5, 8), np.array([[True] * 3 + [False] * 2, [True] * 5])
    x = drawn(2, 4, 8, seed=1)
    whole = numbers(layer(x, memory, there))
    cache = (np.full((2, 2, 4, 4), 9, np.float32),) * 2
    source = layer.attentions[1].remember(memory)
    for place in range(4):
        given, cache = layer.step(x[:, place : place + 1], place, cache, source, there)
        np.testing.assert_allclose(numbers(given)[:, 0], whole[:, place], atol=1e-5)
