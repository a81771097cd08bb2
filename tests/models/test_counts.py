"""Parameter counts that are published, or printed in the course, through the public constructors at its settings."""

from __future__ import annotations

import keras
import pytest
from keras import layers

from models import cnn, deep_cnn, deep_mlp, inception, mlp, mlp_cnn, resnet50, two_heads, vgg16
from models.spec import Input, Spec
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
