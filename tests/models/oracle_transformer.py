"""The layers of a Transformer against keras-hub's, of the same weights: `make oracle`.

Ordinary runs do not collect it: keras-hub is in an environment of its own. It attends with kernels (D, h, D / h), where
ours are (D, D), and has the layers' names for the parts; what is computed must be equal within 1e-5.
"""

from __future__ import annotations

from typing import Any

import keras
import keras_hub
import numpy as np
import pytest
from keras import ops

from models.parts import positions
from models.parts.attention import MultiHeadAttention
from models.parts.transformer import EPSILON, DecoderLayer, EncoderLayer

WIDTH, HEADS, FEED_FORWARD = 16, 4, 32
TIGHT = {"atol": 1e-5}


def drawn(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


IS_THERE = np.array([[True] * 7, [True] * 4 + [False] * 3])


def settings() -> dict[str, Any]:
    return {"intermediate_dim": FEED_FORWARD, "num_heads": HEADS, "layer_norm_epsilon": EPSILON}


def scattered(layer: keras.Layer) -> None:
    """Random weights, biases too, which layers begin with as zeros and ones."""
    layer.set_weights([drawn(number, *weight.shape) / 4 for number, weight in enumerate(layer.get_weights())])


def carry_attention(ours: MultiHeadAttention, theirs: keras.layers.MultiHeadAttention) -> None:
    weights = []
    for one in (ours.query, ours.key, ours.value):
        kernel, bias = one.get_weights()
        weights += [kernel.reshape(WIDTH, HEADS, -1), bias.reshape(HEADS, -1)]
    kernel, bias = ours.out.get_weights()
    theirs.set_weights([*weights, kernel.reshape(HEADS, -1, WIDTH), bias])


def carry(ours: Any, theirs: Any, attentions: list[str], norms: list[str]) -> None:
    """Give `theirs` the weights of `ours`."""
    for one, name in zip(ours.attentions, attentions, strict=True):
        carry_attention(one, getattr(theirs, name))
    theirs._feedforward_intermediate_dense.set_weights(ours.wide.get_weights())
    theirs._feedforward_output_dense.set_weights(ours.narrow.get_weights())
    for one, name in zip(ours.norms, norms, strict=True):
        getattr(theirs, name).set_weights(one.get_weights())


def test_the_encoders_layer() -> None:
    x = drawn(0, 2, 7, WIDTH)
    ours = EncoderLayer(width=WIDTH, heads=HEADS, feed_forward=FEED_FORWARD)
    theirs = keras_hub.layers.TransformerEncoder(**settings())
    ours(x, IS_THERE), theirs(x, padding_mask=IS_THERE)
    scattered(ours)
    carry(ours, theirs, ["_self_attention_layer"], ["_self_attention_layer_norm", "_feedforward_layer_norm"])
    given, wanted = ours(x, IS_THERE), theirs(x, padding_mask=IS_THERE)
    np.testing.assert_allclose(ops.convert_to_numpy(given), ops.convert_to_numpy(wanted), **TIGHT)


def test_the_decoders_layer() -> None:
    """Of places before it, and of a source of which some is padding."""
    x, memory = drawn(1, 2, 5, WIDTH), drawn(2, 2, 7, WIDTH)
    ours = DecoderLayer(width=WIDTH, heads=HEADS, feed_forward=FEED_FORWARD)
    theirs = keras_hub.layers.TransformerDecoder(**settings())
    ours(x, memory, IS_THERE), theirs(x, memory, encoder_padding_mask=IS_THERE)
    scattered(ours)
    carry(
        ours,
        theirs,
        ["_self_attention_layer", "_cross_attention_layer"],
        ["_self_attention_layer_norm", "_cross_attention_layer_norm", "_feedforward_layer_norm"],
    )
    given, wanted = ours(x, memory, IS_THERE), theirs(x, memory, encoder_padding_mask=IS_THERE)
    np.testing.assert_allclose(ops.convert_to_numpy(given), ops.convert_to_numpy(wanted), **TIGHT)


@pytest.mark.parametrize("length", [1, 2, 50])
def test_the_sines_of_places(length: int) -> None:
    theirs = keras_hub.layers.SinePositionEncoding(max_wavelength=10_000)(np.zeros((1, length, WIDTH), np.float32))
    np.testing.assert_allclose(positions.sinusoids(length, WIDTH), ops.convert_to_numpy(theirs)[0], **TIGHT)


def test_the_published_layers_have_as_many_parameters() -> None:
    x = np.zeros((1, 2, 512), np.float32)
    there = np.ones((1, 2), bool)
    wide = {"intermediate_dim": 2048, "num_heads": 8}
    encoder, decoder = keras_hub.layers.TransformerEncoder(**wide), keras_hub.layers.TransformerDecoder(**wide)
    encoder(x), decoder(x, x)
    ours = [kind(width=512, heads=8, feed_forward=2048) for kind in (EncoderLayer, DecoderLayer)]
    ours[0](x, there), ours[1](x, x, there)
    assert [one.count_params() for one in ours] == [encoder.count_params(), decoder.count_params()]
