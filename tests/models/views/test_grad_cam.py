"""Class activation maps: their identity, their range, their colours, and whether they point at planted objects."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from keras import layers

from models.views import grad_cam, saliency, twins
from tests.models.views import networks

CLASSES = np.array([0, 3, 1])


@pytest.fixture(scope="module")
def finder() -> keras.Model:
    return networks.finder()


def test_by_hand() -> None:
    """Two maps that are the image's channels, weighed with 2 and -1; the sum is 2 a - b, below 0 is nothing."""
    inputs = layers.Input((1, 3, 2), dtype="uint8")
    x = layers.Conv2D(2, 1, use_bias=False, name="maps")(layers.Rescaling(1.0)(inputs))
    model = keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling2D()(x)))
    model.set_weights([np.eye(2).reshape(1, 1, 2, 2), np.array([[2.0], [-1]]), np.zeros(1)])
    samples = np.array([[4, 0], [1, 4], [3, 2]], dtype=np.uint8).reshape(1, 1, 3, 2)  # 8, -2, 4
    for view in (grad_cam.cam, grad_cam.grad_cam):
        np.testing.assert_allclose(view(model, samples, np.array([0])), [[[1, 0, 0.5]]], atol=1e-6)


def test_the_weights_are_those_of_the_dense_layer_over_the_area() -> None:
    """The identity before anything is stretched."""
    model, samples = networks.pooled(), networks.images()
    copy = twins.twin(model)
    tensor = copy.get_layer("last_relu").output
    behind = keras.Model(tensor, copy.output)
    maps = keras.Model(copy.inputs, tensor).predict(samples.astype(np.float32), verbose=0)
    slope = saliency.slope(behind, maps, CLASSES)
    kernel = model.get_layer("answer").get_weights()[0]
    np.testing.assert_allclose(slope.mean(axis=(1, 2)) * 12 * 12, kernel[:, CLASSES].T, atol=1e-5)


@pytest.mark.parametrize("layer", ["first", "first_relu", "inner", "inner_relu", "last", "last_relu", None])
@pytest.mark.parametrize("make", [networks.pooled, lambda: networks.nested(networks.pooled())])
def test_any_layer_can_be_asked(layer: str | None, make: Any) -> None:
    """Also one that another branch goes around, and one of a network inside."""
    heat = grad_cam.grad_cam(make(), networks.images(), CLASSES, layer=layer)
    assert heat.shape == (3, 12, 12)
    assert heat.min() >= 0
    assert heat.max() <= 1 + 1e-6


def test_without_pooling_too() -> None:
    heat = grad_cam.grad_cam(networks.plain(), networks.images(), CLASSES)
    assert heat.shape == (3, 12, 12)
    with pytest.raises(ValueError, match="global average pooling"):
        grad_cam.cam(networks.plain(), networks.images(), CLASSES)


def test_the_planted_object_is_found(finder: keras.Model) -> None:
    samples, classes, objects = networks.planted(300, seed=2)
    assert finder.evaluate(samples, classes, verbose=0, return_dict=True)["accuracy"] >= 0.98
    chance = objects.mean()
    assert chance < 0.12
    for view in (grad_cam.grad_cam, grad_cam.cam):
        assert grad_cam.pointing_game(view(finder, samples, classes), objects) >= 0.9, view.__name__


def test_saliency_finds_it_in_a_network_that_looks_at_one_place() -> None:
    """All pixels of a mean have much the same slope, so this is asked of a network that pools the highest."""
    looking = networks.finder(layers.GlobalMaxPooling2D())
    samples, classes, objects = networks.planted(300, seed=2)
    for view in (saliency.plain, saliency.guided):
        assert grad_cam.pointing_game(view(looking, samples, classes), objects) >= 0.9, view.__name__


def test_the_evidence_for_another_class_lies_elsewhere(finder: keras.Model) -> None:
    """Two patches in one image: each class points at its own."""
    samples, classes, objects = networks.planted(300, seed=3)
    left, right = samples[classes == 0][:90], samples[classes == 1][:90]
    where = objects[classes == 0][:90], objects[classes == 1][:90]
    both = np.concatenate([left, right], axis=2)
    dark = np.zeros_like(where[0])
    wide = keras.Sequential([layers.Input((networks.SIDE, 2 * networks.SIDE, 1), dtype="uint8"), *copies(finder)])
    wide.set_weights(finder.get_weights())
    for number, there in enumerate((np.concatenate([where[0], dark], 2), np.concatenate([dark, where[1]], 2))):
        heat = grad_cam.grad_cam(wide, both, np.full(len(both), number))
        assert grad_cam.pointing_game(heat, there) >= 0.9


def copies(model: keras.Model) -> list[Any]:
    return [layer.__class__.from_config(layer.get_config()) for layer in model.layers]


def test_pointing_game_by_hand() -> None:
    heat = np.array([[[0, 9], [1, 2]], [[5, 1], [1, 1]], [[0, 0], [0, 1]], [[0, 3], [0, 0]]], dtype=float)
    objects = np.zeros((4, 2, 2), dtype=bool)
    objects[:3, 0] = True
    assert grad_cam.pointing_game(heat, objects) == 0.5


def test_jet_is_that_of_matplotlib() -> None:
    cm = pytest.importorskip("matplotlib.cm")
    heat = np.linspace(0, 1, 256)
    np.testing.assert_allclose(grad_cam.jet(heat), cm.jet(heat)[:, :3], atol=0.15)


def test_overlay_by_hand() -> None:
    """Half of 100 and half of dark blue, (0, 0, 127.5)."""
    samples = np.full((1, 1, 1, 1), 100, dtype=np.uint8)
    found = grad_cam.overlay(samples, np.zeros((1, 1, 1)), share=0.5)
    assert found.dtype == np.uint8
    assert found.tolist() == [[[[50, 50, 114]]]]


@given(
    arrays.arrays(np.float32, (1, 2, 3), elements=st.floats(0, 1, width=32)), st.floats(0, 1), st.sampled_from([1, 3])
)
def test_overlay_is_between_the_image_and_the_colours(heat: np.ndarray, share: float, channels: int) -> None:
    samples = networks.images(1)[:, :2, :3, :channels]
    found = grad_cam.overlay(samples, heat, share=share).astype(float)
    image, colours = np.broadcast_to(samples, found.shape).astype(float), 255 * grad_cam.jet(heat)
    assert (found >= np.minimum(image, colours) - 1).all()
    assert (found <= np.maximum(image, colours) + 1).all()
