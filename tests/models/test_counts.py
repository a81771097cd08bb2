"""Parameter counts that are published, or printed in the course, through the public constructors at its settings."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from models import (
    alexnet,
    cnn,
    cnn_1d,
    darknet19,
    darknet53,
    deep_cnn,
    deep_mlp,
    gru,
    inception,
    lstm,
    mlp,
    mlp_cnn,
    resnet50,
    simple_rnn,
    two_heads,
    vgg16,
)
from models.parts import alexnet as layers_of_alexnet
from models.parts import darknet
from models.spec import Input, Spec
from models.views import operations
from tests.models.examples import build

DIGITS = Spec({"image": Input((28, 28, 1), "uint8")}, tuple("0123456789"))
CIFAR = Spec({"image": Input((32, 32, 3), "uint8")}, tuple("0123456789"))
REUTERS = Spec({"words": Input((500,), "int32", sizes=(10_000,))}, tuple(f"topic {number}" for number in range(46)))


def trainable(model: keras.Model) -> int:
    return sum(int(keras.ops.size(weight)) for weight in model.trainable_weights)


@pytest.mark.parametrize(
    ("name", "spec", "values", "parameters"),
    [
        ("cnn", DIGITS, {}, 93_322),
        ("mlp", DIGITS, {}, 407_050),
        ("mlp", REUTERS, {"units": 64, "layers": 2}, 647_214),
        ("deep_mlp", CIFAR, {}, 8_986_602),
        ("deep_cnn", CIFAR, {}, 2_911_018),
    ],
)
def test_the_course_s_networks(name: str, spec: Spec, values: dict[str, int], parameters: int) -> None:
    assert build(name, spec, **values)[0].count_params() == parameters


def test_constructors_have_the_course_s_settings() -> None:
    assert [cnn.cnn().count_params(), mlp.mlp().count_params()] == [93_322, 407_050]
    assert deep_mlp.deep_mlp().count_params() == 8_986_602
    assert (deep_cnn.deep_cnn().count_params(), trainable(deep_cnn.deep_cnn())) == (2_911_018, 2_908_586)


def test_readers_of_reviews() -> None:
    """Of 10,000 words; each ends in one unit."""
    assert cnn_1d.cnn_1d().count_params() == 1_315_937
    assert lstm.lstm().count_params() == 1_411_713
    assert gru.gru().count_params() == 1_379_201
    assert simple_rnn.simple_rnn().count_params() == 322_113


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (cnn_1d.cnn_1d(), [1_280_000, (7 * 128 + 1) * 32, (7 * 32 + 1) * 32, 33]),
        (lstm.lstm(), [1_280_000, 4 * (128 * (128 + 128) + 128), 129]),
        (gru.gru(), [1_280_000, 3 * (128 * (128 + 128) + 2 * 128), 129]),
        (simple_rnn.simple_rnn(), [320_000, 32 * (32 + 32) + 32, 33]),
    ],
    ids=["cnn_1d", "lstm", "gru", "simple_rnn"],
)
def test_readers_layer_by_layer(network: keras.Model, parameters: list[int]) -> None:
    assert [layer.count_params() for layer in network.layers if layer.count_params()] == parameters


def test_cnn_layer_by_layer() -> None:
    """The course's table: 320, 18,496, 36,928, then 576 features, 36,928 and 650."""
    model = cnn.cnn()
    assert [layer.count_params() for layer in model.layers if layer.count_params()] == [320, 18496, 36928, 36928, 650]
    flat = next(layer for layer in model.layers if isinstance(layer, layers.Flatten))
    assert flat.output.shape == (None, 576)


def test_cnn_says_what_is_too_small() -> None:
    with pytest.raises(ValueError, match=r"18x18.*padding='same'.*\(8, 8, 1\)"):
        cnn.cnn(input_shape=(8, 8, 1))


def test_two_dense_layers() -> None:
    """Dense 64 and 32 on 256 features: 16,448 and 2,080."""
    model = keras.Sequential([layers.Input((256,)), layers.Dense(64), layers.Dense(32)])
    assert [layer.count_params() for layer in model.layers] == [16_448, 2_080]
    assert model.count_params() == 18_528


def test_resnet50() -> None:
    assert resnet50.imagenet().count_params() == 25_636_712
    whole = resnet50.resnet50(input_shape=(64, 64, 3), classes=3)
    assert whole.count_params() == 23_587_712 + 2048 * 3 + 3
    assert trainable(whole) == 2048 * 3 + 3


def test_vgg16() -> None:
    """Table 1, column D: five blocks, each half as wide, and three dense layers."""
    whole = vgg16.imagenet()
    assert whole.count_params() == 138_357_544
    pools = [layer.output.shape[1:] for layer in whole.layers if isinstance(layer, layers.MaxPooling2D)]
    assert pools == [(112, 112, 64), (56, 56, 128), (28, 28, 256), (14, 14, 512), (7, 7, 512)]
    trunk = vgg16.vgg16(classes=3)
    assert trunk.count_params() == 14_714_688 + 512 * 3 + 3


def rows(model: keras.Model) -> list[tuple[int, ...]]:
    """Of each layer that multiplies: the shape that it gives, and its parameters."""
    return [(*cost.output, cost.parameters) for cost in operations.costs(model) if cost.multiply_adds]


def test_alexnet_layer_by_layer() -> None:
    """Figure 2: 96, 256, 384, 384 and 256 maps, of which the second, fourth and fifth in two groups."""
    second, fourth, fifth = ((25 * 48 + 1) * 128, (9 * 192 + 1) * 192, (9 * 192 + 1) * 128)
    model = alexnet.alexnet()
    assert rows(model) == [
        (55, 55, 96, 34_944),
        *[(27, 27, 128, second)] * 2,
        (13, 13, 384, 885_120),
        *[(13, 13, 192, fourth)] * 2,
        *[(13, 13, 128, fifth)] * 2,
        (4096, 37_752_832),
        (4096, 16_781_312),
        (1000, 4_097_000),
    ]
    assert model.count_params() == 60_965_224
    maps = layers_of_alexnet.trunk(layers.Input((227, 227, 3)))
    assert {stride: one.shape[1:] for stride, one in maps.items()} == {
        8: (27, 27, 256),
        16: (13, 13, 256),
        32: (6, 6, 256),
    }


def test_alexnet_normalises_the_first_two_convolutions_before_pooling() -> None:
    """Section 3.5; the power belongs to the normalisation."""
    steps = {"Conv2D": "c", "Power": "n", "MaxPooling2D": "p"}
    found = [steps.get(cost.kind, "") for cost in operations.costs(alexnet.alexnet())]
    assert "".join(found) == "cnp" + "ccnp" + "c" + "cc" + "ccp"


def test_alexnet_s_groups_meet_only_in_the_third_convolution() -> None:
    """Filters of the second half of conv2 do not see the first half of what conv1 found."""
    model = alexnet.alexnet(input_shape=(25, 25, 1), classes=2, width=2, stride=1)
    first, above, below = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)][:3]
    both = keras.Model(model.inputs, [above.output, below.output])
    samples = np.random.default_rng(0).integers(0, 256, (2, 25, 25, 1), dtype=np.uint8)
    before = both.predict(samples, verbose=0)
    kernel, bias = first.get_weights()
    bias[0] += 50
    kernel[..., 0] *= 2
    first.set_weights([kernel, bias])
    after = both.predict(samples, verbose=0)
    assert not np.allclose(before[0], after[0])
    # The normalisation reaches two maps over the border of the halves, and map 0 lies three before it.
    np.testing.assert_array_equal(before[1], after[1])


def test_local_response_normalisation_by_loops() -> None:
    """Section 3.3, map by map."""
    maps = np.random.default_rng(0).normal(scale=100, size=(2, 3, 4, 7)).astype(np.float32)
    inputs = layers.Input(maps.shape[1:])
    given = keras.Model(inputs, layers_of_alexnet.normalised(inputs)).predict(maps, verbose=0)
    for one in range(7):
        near = maps[..., max(0, one - 2) : one + 3].astype(np.float64)
        wanted = maps[..., one] / (2 + 1e-4 * (near**2).sum(axis=-1)) ** 0.75
        np.testing.assert_allclose(given[..., one], wanted, rtol=1e-4)


def test_alexnet_of_one_tower_layer_by_layer() -> None:
    model = alexnet.alexnet_one_tower()
    assert rows(model) == [
        (55, 55, 64, 23_296),
        (27, 27, 192, 307_392),
        (13, 13, 384, 663_936),
        (13, 13, 256, 884_992),
        (13, 13, 256, 590_080),
        (4096, 37_752_832),
        (4096, 16_781_312),
        (1000, 4_097_000),
    ]
    assert model.count_params() == 61_100_840


@pytest.mark.parametrize(("side", "stride"), [(67, 4), (39, 2), (25, 1)])
def test_alexnet_says_what_is_too_small(side: int, stride: int) -> None:
    image = layers.Input((side, side, 3))
    assert layers_of_alexnet.trunk(image, width=2, stride=stride)[8 * stride].shape[1:3] == (1, 1)
    with pytest.raises(ValueError, match=rf"{side}x{side}.*stride {stride}.*\({side - 1}, {side}, 3\)"):
        alexnet.alexnet(input_shape=(side - 1, side, 3), stride=stride)


@pytest.mark.parametrize(("side", "stride"), [(25, 1), (38, 1), (39, 2), (66, 3), (67, 4), (227, 4)])
def test_alexnet_takes_the_widest_stride_that_the_image_allows(side: int, stride: int) -> None:
    model, _ = build("alexnet", Spec({"image": Input((side, side, 1), "uint8")}, ("a", "b")), width=2)
    first = next(layer for layer in model.layers if isinstance(layer, layers.Conv2D))
    assert first.strides == (stride, stride)


def test_darknet19_layer_by_layer() -> None:
    """Table 6 at 224x224: size and maps of each convolution."""
    model = darknet19.darknet19()
    assert (model.count_params(), trainable(model)) == (20_856_776, 20_842_376)
    assert [(row[0], row[2]) for row in rows(model)] == [
        *[(224, 32), (112, 64)],
        *[(56, 128), (56, 64), (56, 128)],
        *[(28, 256), (28, 128), (28, 256)],
        *[(14, 512), (14, 256), (14, 512), (14, 256), (14, 512)],
        *[(7, 1024), (7, 512), (7, 1024), (7, 512), (7, 1024)],
        (7, 1000),
    ]
    windows = [layer.kernel_size[0] for layer in model.layers if isinstance(layer, layers.Conv2D)]
    assert windows == [3, 3, 3, 1, 3, 3, 1, 3, *[3, 1, 3, 1, 3] * 2, 1]


def test_darknet53_layer_by_layer() -> None:
    """Table 1 at 256x256: size and maps of each convolution, and the dense layer."""
    model = darknet53.darknet53()
    assert (model.count_params(), trainable(model)) == (41_645_640, 41_609_928)
    wanted = [(256, 32)]
    for side, maps, blocks in [(128, 64, 1), (64, 128, 2), (32, 256, 8), (16, 512, 8), (8, 1024, 4)]:
        wanted += [(side, maps), *[(side, maps // 2), (side, maps)] * blocks]
    assert [(row[0], row[2]) for row in rows(model)[:-1]] == wanted
    assert len(wanted) == 52
    assert rows(model)[-1] == (1000, 1024 * 1000 + 1000)
    assert sum(isinstance(layer, layers.Add) for layer in model.layers) == 23


@pytest.mark.parametrize(
    ("trunk", "convolutions", "parameters"), [(darknet.darknet19, 18, 19_831_776), (darknet.darknet53, 52, 40_620_640)]
)
def test_trunks_of_darknet(trunk: Any, convolutions: int, parameters: int) -> None:
    """At 416x416 YOLO reads 52, 26 and 13 cells."""
    image = layers.Input((416, 416, 3))
    maps = trunk(image)
    assert {stride: maps[stride].shape[1:] for stride in (8, 16, 32)} == {
        8: (52, 52, 256),
        16: (26, 26, 512),
        32: (13, 13, 1024),
    }
    whole = keras.Model(image, maps[32])
    assert whole.count_params() == parameters
    assert sum(isinstance(layer, layers.Conv2D) for layer in whole.layers) == convolutions


@pytest.mark.parametrize("network", [darknet19.darknet19, darknet53.darknet53])
def test_darknet_says_what_is_too_small(network: Any) -> None:
    assert network(input_shape=(32, 33, 1), classes=3, width=2).outputs[0].shape == (None, 3)
    with pytest.raises(ValueError, match=r"32x32.*\(33, 31, 3\)"):
        network(input_shape=(33, 31, 3))


def test_the_whole_space_reaches_the_published_networks() -> None:
    """At the paper's width, with 1000 classes."""
    spec = Spec({"image": Input((256, 256, 3), "uint8")}, tuple(str(number) for number in range(1000)))
    assert build("darknet53", spec, width=32, blocks=8)[0].count_params() == 41_645_640
    assert build("darknet19", spec, width=32)[0].count_params() == 20_856_776


@pytest.mark.parametrize(
    ("network", "side", "billions"),
    [(darknet19.darknet19, 224, 5.58), (darknet19.darknet19, 256, 7.29), (darknet53.darknet53, 256, 18.57)],
)
def test_operations_of_darknet(network: Any, side: int, billions: float) -> None:
    """YOLO9000's 5.58, and the course's 7.29; its 18.7 is 0.7 % more than the network of its own table needs."""
    assert round(operations.operations(network(input_shape=(side, side, 3))) / 1e9, 2) == billions


def test_an_inception_module_is_module_3a_at_width_32() -> None:
    inputs = layers.Input((28, 28, 192))
    model = keras.Model(inputs, inception.module(inputs, 32))
    assert model.output.shape == (None, 28, 28, 256)
    widths = sorted(layer.filters for layer in model.layers if isinstance(layer, layers.Conv2D))
    assert widths == sorted([64, 96, 128, 16, 32, 32])
    assert model.count_params() == 163_696


def counted(sizes: list[tuple[int, int]]) -> int:
    """Weights and biases of dense layers, or of convolutions of `inputs` values for each filter."""
    return sum(inputs * units + units for inputs, units in sizes)


@pytest.mark.parametrize(("head", "dense"), [((16,), [(4096, 16)]), ((16, 8), [(4096, 16), (16, 8)])])
def test_mlp_cnn_by_hand(head: tuple[int, ...], dense: list[tuple[int, int]]) -> None:
    """64x64x3 and 11 attributes; each batch normalisation has four values for each map."""
    branches = [(11, 8), (8, 4), (27, 16), (144, 32), (288, 64), *dense, (head[-1], 4), (8, 4), (4, 1)]
    normalised = 4 * (16 + 32 + 64 + head[-1])
    assert mlp_cnn.mlp_cnn(head=head).count_params() == counted(branches) + normalised


def test_one_network_costs_less_than_two() -> None:
    both = two_heads.two_heads().count_params()
    apart = [two_heads.two_heads(heads=(head,)).count_params() for head in ("label", "year")]
    assert both < 0.51 * sum(apart)
