"""The cost of a network: each kind of layer against a count by hand, loops that count, and TensorFlow's profiler."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

from models import vgg16
from models.views import operations
from models.views.operations import Cost
from tests.models.views import networks


def alone(layer: Any, shape: tuple[int, ...]) -> Cost:
    """What a layer costs in a network of its own."""
    (cost,) = operations.costs(keras.Sequential([layers.Input(shape), layer]))
    return cost


BY_HAND = {
    "dense": (layers.Dense(5), (7,), 7 * 5),
    "dense on every step": (layers.Dense(5), (3, 7), 3 * 7 * 5),
    "convolution": (layers.Conv2D(8, 3), (6, 5, 4), 4 * 3 * 8 * 9 * 4),
    "without bias": (layers.Conv2D(8, 3, use_bias=False), (6, 5, 4), 4 * 3 * 8 * 9 * 4),
    "padded": (layers.Conv2D(8, 3, padding="same"), (6, 5, 4), 6 * 5 * 8 * 9 * 4),
    "with strides": (layers.Conv2D(8, 3, strides=2, padding="same"), (6, 5, 4), 3 * 3 * 8 * 9 * 4),
    "dilated": (layers.Conv2D(8, 3, dilation_rate=2), (6, 7, 4), 2 * 3 * 8 * 9 * 4),
    "flat window": (layers.Conv2D(8, (1, 3)), (6, 5, 4), 6 * 3 * 8 * 3 * 4),
    "in groups": (layers.Conv2D(8, 3, groups=4), (6, 5, 4), 4 * 3 * 8 * 9 * 1),
    "of a line": (layers.Conv1D(8, 3), (6, 4), 4 * 8 * 3 * 4),
    "of a space": (layers.Conv3D(8, 2), (3, 4, 5, 2), 2 * 3 * 4 * 8 * 8 * 2),
    "by depth": (layers.DepthwiseConv2D(3, depth_multiplier=2), (6, 5, 4), 4 * 3 * (4 * 2) * 9),
    "separable": (
        layers.SeparableConv2D(8, 3, depth_multiplier=2),
        (6, 5, 4),
        4 * 3 * (4 * 2) * 9 + 4 * 3 * (4 * 2) * 8,
    ),
    "transposed": (layers.Conv2DTranspose(8, 3, strides=2), (6, 5, 4), 6 * 5 * 4 * 9 * 8),
    "pooling": (layers.MaxPooling2D(2), (6, 5, 4), 0),
    "mean": (layers.GlobalAveragePooling2D(), (6, 5, 4), 0),
    "normalisation": (layers.BatchNormalization(), (6, 5, 4), 0),
    "of layers": (layers.LayerNormalization(), (6, 5, 4), 0),
    "activation": (layers.Activation("relu"), (6, 5, 4), 0),
    "words": (layers.Embedding(9, 3), (6,), 0),
}


@pytest.mark.parametrize("kind", BY_HAND)
def test_each_kind_by_hand(kind: str) -> None:
    layer, shape, wanted = BY_HAND[kind]
    cost = alone(layer, shape)
    assert (cost.multiply_adds, cost.operations) == (wanted, 2 * wanted)
    assert cost.parameters == layer.count_params()
    assert cost.output == layer.output.shape[1:]
    assert (cost.layer, cost.kind) == (layer.name, type(layer).__name__)


@st.composite
def windows(draw: st.DrawFn) -> dict[str, int]:
    """Sizes of a convolution of squares without padding."""
    groups = draw(st.integers(1, 3))
    size = draw(st.integers(1, 3))
    return {
        "side": draw(st.integers(size, 6)),
        "size": size,
        "strides": draw(st.integers(1, 3)),
        "groups": groups,
        "channels": groups * draw(st.integers(1, 2)),
        "filters": groups * draw(st.integers(1, 2)),
    }


def places(side: int, size: int, strides: int) -> range:
    """Where a window begins along a side, without padding."""
    return range(0, side - size + 1, strides)


@settings(max_examples=15, deadline=None)
@given(windows())
def test_convolutions_by_loops(one: dict[str, int]) -> None:
    """One multiply-add for each filter at each place with each cell of the window and each map of the group."""
    begins = places(one["side"], one["size"], one["strides"])
    cells = list(itertools.product(range(one["size"]), repeat=2))
    counted = 0
    for _ in itertools.product(begins, begins, range(one["filters"])):
        counted += sum(1 for _ in cells for _ in range(one["channels"] // one["groups"]))
    layer = layers.Conv2D(one["filters"], one["size"], strides=one["strides"], groups=one["groups"])
    assert alone(layer, (one["side"], one["side"], one["channels"])).multiply_adds == counted


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_transposed_convolutions_by_loops(side: int, size: int, strides: int, channels: int, filters: int) -> None:
    """Each value of the input is spread over a window of each filter; what falls beside a `same` map counts too."""
    counted = 0
    for _ in itertools.product(range(side), range(side), range(channels)):
        counted += sum(1 for _ in itertools.product(range(size), range(size), range(filters)))
    for padding in ("valid", "same"):
        layer = layers.Conv2DTranspose(filters, size, strides=strides, padding=padding)
        assert alone(layer, (side, side, channels)).multiply_adds == counted


def small() -> keras.Model:
    """One of each kind that TensorFlow knows on a CPU."""
    inputs = layers.Input((12, 10, 4))
    x = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(inputs)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.SeparableConv2D(8, 3, use_bias=False)(x)
    x = layers.Dense(5, use_bias=False)(layers.Flatten()(x))
    return keras.Model(inputs, x)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the profiler is TensorFlow's")
def test_tensorflow_s_profiler_finds_as_many() -> None:
    import tensorflow as tf

    model = small()
    graph = tf.function(model).get_concrete_function(tf.TensorSpec((1, 12, 10, 4))).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    found = tf.compat.v1.profiler.profile(graph, options=options).total_float_ops
    assert found == operations.operations(model) > 0


def test_networks_inside_count_like_their_layers() -> None:
    whole = networks.pooled()
    costs = operations.costs(networks.nested(whole))
    assert sum(cost.multiply_adds for cost in costs) == operations.multiply_adds(whole) > 0
    assert sum(cost.parameters for cost in costs) == whole.count_params()
    assert {"body/trunk/first", "body/trunk/last", "head/answer"} <= {cost.layer for cost in costs}


def test_a_network_inside_of_any_size_has_the_size_that_it_is_given() -> None:
    trunk = keras.Sequential([layers.Input((None, None, 3)), layers.Conv2D(4, 3)], name="trunk")
    inputs = layers.Input((8, 9, 3))
    costs = operations.costs(keras.Model(inputs, trunk(inputs)))
    assert [(cost.layer, cost.output) for cost in costs] == [(f"trunk/{trunk.layers[0].name}", (6, 7, 4))]
    assert costs[0].multiply_adds == 6 * 7 * 4 * 9 * 3


@pytest.mark.parametrize("nested", [False, True])
def test_a_layer_called_twice_works_twice_and_weighs_once(*, nested: bool) -> None:
    shared = layers.Dense(3)
    one, two = layers.Input((5,)), layers.Input((5,))
    asked = keras.Sequential([layers.Input((5,)), shared]) if nested else shared
    model = keras.Model([one, two], layers.Add()([asked(one), asked(two)]))
    costs = [cost for cost in operations.costs(model) if cost.kind == "Dense"]
    assert [cost.multiply_adds for cost in costs] == [15, 15]
    assert [cost.parameters for cost in costs] == [18, 0]
    assert operations.parameters(model) == model.count_params()


def test_sums_and_slices_are_free() -> None:
    inputs = layers.Input((4, 4, 6))
    first, second = ops.split(inputs, 2, axis=-1)
    model = keras.Model(inputs, layers.Concatenate()([first + second, ops.square(first)[..., :2]]))
    assert operations.operations(model) == 0


def test_a_network_is_left_as_it_is() -> None:
    model = networks.pooled()
    before, shape = [weight.copy() for weight in model.get_weights()], model.get_layer("inner").output.shape
    operations.costs(model)
    assert model.get_layer("inner").output.shape == shape
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_what_cannot_be_counted_is_said() -> None:
    steps = layers.Input((4, 3))
    for layer in (layers.LSTM(2), layers.TimeDistributed(layers.Dense(2))):
        with pytest.raises(ValueError, match=f"counted here. Received: {type(layer).__name__}"):
            alone(layer, (4, 3))
    with pytest.raises(ValueError, match="Received: Dot"):
        operations.costs(keras.Model(steps, layers.Dot(axes=-1)([steps, steps])))
    with pytest.raises(ValueError, match="Received: Matmul"):
        operations.costs(keras.Model(steps, steps @ ops.transpose(steps, (0, 2, 1))))
    with pytest.raises(ValueError, match=r"sizes that are known.*None"):
        alone(layers.Conv2D(2, 3), (None, None, 3))
    with pytest.raises(ValueError, match="graph of layers"):
        operations.costs(keras.Model())


def test_vgg16_is_what_is_published() -> None:
    costs = operations.costs(vgg16.imagenet())
    convolutions = [cost.multiply_adds for cost in costs if cost.kind == "Conv2D"]
    assert (len(convolutions), sum(convolutions)) == (13, 15_346_630_656)
    assert sum(cost.multiply_adds for cost in costs) == 15_470_264_320
