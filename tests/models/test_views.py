"""Looking inside networks: parts against hand-computed truth, and views that must find what was planted."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from models.views import activations, filters, grad_cam, maximisation, saliency, twins
from models.views.gradients import gradient

SIZE, PATCH = 16, 4


def planted(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise with a chequered or a plain bright patch somewhere: images, which of the two, and the patch's corner."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 80, (count, SIZE, SIZE, 1), dtype=np.uint8)
    answers, corners = np.arange(count, dtype=np.int32) % 2, rng.integers(1, SIZE - PATCH - 1, (count, 2))
    chequered = (np.indices((PATCH, PATCH)).sum(axis=0) % 2 * 255).astype(np.uint8)
    for image, answer, (row, column) in zip(images, answers, corners, strict=True):
        patch = chequered if answer else np.full((PATCH, PATCH), 160, np.uint8)
        image[row : row + PATCH, column : column + PATCH, 0] = patch
    return images, answers, corners


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """Two convolutions, global average pooling and one dense layer, which know the two patches apart."""
    return trained(layers.GlobalAveragePooling2D())


def trained(pooling: layers.Layer) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            layers.Input((SIZE, SIZE, 1), dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="first"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="second"),
            pooling,
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    images, answers, _ = planted(256, 0)
    model.fit(images, answers, epochs=60, batch_size=32, verbose=0)
    assert model.evaluate(images, answers, verbose=0, return_dict=True)["accuracy"] > 0.97
    return model


def hits(heat: np.ndarray, corners: np.ndarray) -> float:
    """How often the hottest pixel lies in the patch or touches it: the pointing game of Zhang et al., 2016."""
    hottest = np.stack(np.unravel_index(heat.reshape(len(heat), -1).argmax(axis=1), heat.shape[1:]), axis=1)
    return float(((hottest >= corners - 1) & (hottest <= corners + PATCH)).all(axis=1).mean())


def test_heat_points_at_what_was_planted(network: keras.Model) -> None:
    """Saliency is asked of a network that looks at one place, as all pixels of a mean have much the same gradient."""
    images, answers, corners = (part[1::2] for part in planted(60, 1))  # the chequered ones
    assert hits(grad_cam.grad_cam(network, images, answers), corners) >= 0.9
    looking = trained(layers.GlobalMaxPooling2D())
    assert hits(saliency.plain(looking, images, answers), corners) >= 0.9
    assert hits(saliency.guided(looking, images, answers), corners) >= 0.9


def test_grad_cam_is_cam_where_both_can_be_had(network: keras.Model) -> None:
    """The gradient of a mean is constant, so that each map's weight is the dense layer's, over the map's size."""
    images, answers, _ = planted(8, 2)
    np.testing.assert_allclose(
        grad_cam.grad_cam(network, images, answers), grad_cam.cam(network, images, answers), atol=1e-5
    )


def test_cam_needs_pooling_before_the_classifier() -> None:
    flat = keras.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2)])
    with pytest.raises(ValueError, match="global average pooling"):
        grad_cam.cam(flat, np.zeros((1, 8, 8, 1), np.uint8), np.array([0]))


def test_heat_and_overlay_are_in_range(network: keras.Model) -> None:
    images, answers, _ = planted(4, 3)
    heat = grad_cam.grad_cam(network, images, answers)
    assert heat.shape == (4, SIZE, SIZE)
    assert 0 <= heat.min() <= heat.max() <= 1
    drawn = grad_cam.overlay(images, heat)
    assert (drawn.shape, drawn.dtype) == ((4, SIZE, SIZE, 3), np.uint8)


def test_jet_goes_from_blue_to_red() -> None:
    colours = grad_cam.jet(np.array([0, 0.25, 0.5, 0.75, 1]))
    np.testing.assert_allclose(colours, [[0, 0, 0.5], [0, 0.5, 1], [0.5, 1, 0.5], [1, 0.5, 0], [0.5, 0, 0]])


def test_saliency_is_the_gradient_of_the_logit() -> None:
    """Of a network of one dense layer, it is the layer's weights, whatever the image and however sure the softmax."""
    model = keras.Sequential([layers.Input((2, 2, 1), dtype="uint8"), layers.Flatten(), layers.Dense(2, "softmax")])
    model.layers[-1].set_weights([np.array([[1, 0], [-2, 0], [3, 0], [-4, 0]], np.float32), np.zeros(2, np.float32)])
    found = saliency.plain(model, np.full((1, 2, 2, 1), 200, np.uint8), np.array([0]))
    np.testing.assert_allclose(found[0], np.array([[1, 2], [3, 4]]) / 4)


def test_a_guided_relu_passes_only_what_is_positive_on_both_sides() -> None:
    x = np.array([[-1.0, 2.0, 3.0, -4.0]], np.float32)
    above = np.array([[5.0, 6.0, -7.0, -8.0]], np.float32)
    relu = twins.guided_by(keras.activations.relu)
    values, found = gradient(lambda tensor: ops.sum(relu(tensor) * above, axis=-1), x)
    np.testing.assert_allclose(values, [2 * 6 + 3 * -7])
    np.testing.assert_allclose(found, [[0, 6, 0, 0]])


def test_a_network_stays_as_it_is(network: keras.Model) -> None:
    images, answers, _ = planted(4, 4)
    before, given = network.get_weights(), network.predict(images, verbose=0)
    saliency.guided(network, images, answers)
    maximisation.classes(network, [0], steps=2)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(network.predict(images, verbose=0), given)


def test_a_dead_filter_is_found(network: keras.Model) -> None:
    images, _, _ = planted(64, 5)
    wounded = keras.models.clone_model(network)
    wounded.set_weights(network.get_weights())
    before = activations.dead(wounded, images)["first"]
    alive = int(np.flatnonzero(~before)[0])
    kernel, bias = wounded.get_layer("first").get_weights()
    kernel[..., alive], bias[alive] = 0, -1
    wounded.get_layer("first").set_weights([kernel, bias])
    after = activations.dead(wounded, images)["first"]
    assert after[alive]
    np.testing.assert_array_equal(np.delete(after, alive), np.delete(before, alive))


def test_maps_are_what_the_layer_gives(network: keras.Model) -> None:
    images, _, _ = planted(2, 6)
    kernel, bias = network.get_layer("first").get_weights()
    padded = np.pad(images / 255, ((0, 0), (1, 1), (1, 1), (0, 0)))
    window = padded[:, 4:7, 5:8, :]  # around the pixel (4, 5)
    wanted = np.maximum(np.einsum("bijc,ijcf->bf", window, kernel) + bias, 0)
    np.testing.assert_allclose(activations.maps(network, images, "first")[:, 4, 5], wanted, atol=1e-4)


def test_first_filters_are_pictures(network: keras.Model) -> None:
    shown = filters.first(network)
    assert (shown.shape, shown.dtype) == ((8, 3, 3, 1), np.uint8)
    assert (shown.min(axis=(1, 2, 3)) == 0).all()
    assert (shown.max(axis=(1, 2, 3)) == 255).all()


def test_noise_tells_smooth_filters_from_rough_ones() -> None:
    model = keras.Sequential([layers.Input((16, 16, 1)), layers.Conv2D(3, 9)])
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 1, 9)[:, None] * np.ones((9, 9))
    kernels = np.stack([np.ones((9, 9)), ramp, rng.normal(size=(9, 9))], axis=-1)[:, :, None]
    model.layers[0].set_weights([kernels.astype(np.float32), np.zeros(3, np.float32)])
    constant, smooth, rough = filters.noise(model)
    assert constant == 0
    assert smooth < 0.2
    assert 1.5 < rough < 2.5


def test_climbing_finds_what_a_filter_and_a_class_like(network: keras.Model) -> None:
    logits, noise = twins.twin(network), np.random.default_rng(0).uniform(0, 255, (64, SIZE, SIZE, 1))
    highest = logits.predict(noise.astype(np.float32), verbose=0).max(axis=0)
    best = logits.predict(maximisation.classes(network, [0, 1]).astype(np.float32), verbose=0)
    assert (np.diag(best) > highest + 1).all()
    alive = np.flatnonzero(~activations.dead(network, planted(64, 7)[0])["first"])[:3]
    found = activations.maps(network, maximisation.filters(network, "first", list(alive)), "first").mean(axis=(1, 2))
    at_random = activations.maps(network, noise.astype(np.uint8), "first").mean(axis=(0, 1, 2))
    assert (found[np.arange(len(alive)), alive] > at_random[alive]).all()


def test_views_say_what_they_cannot_look_into() -> None:
    dense = keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2)])
    with pytest.raises(ValueError, match="with a convolution"):
        filters.first(dense)
    with pytest.raises(ValueError, match="with a convolution"):
        grad_cam.grad_cam(dense, np.zeros((1, 8, 8, 1), np.uint8), np.array([0]))
    numbers = keras.Sequential([layers.Input((3,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="one image"):
        twins.twin(numbers)
