"""The copy that views ask: its logits, its gradients, and networks inside networks."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from models.views import gradients, twins
from tests.models.views import networks


def softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("make", [networks.plain, networks.pooled, lambda: networks.nested(networks.pooled())])
def test_its_softmax_is_the_networks_answer(make: object) -> None:
    model = make()  # type: ignore[operator]
    copy = twins.twin(model)
    samples = networks.images()
    np.testing.assert_allclose(softmax(copy.predict(samples, verbose=0)), model.predict(samples, verbose=0), atol=1e-6)
    assert copy.inputs[0].dtype == "float32"


def test_a_softmax_layer_is_taken_off_too() -> None:
    inputs = layers.Input((4, 4, 1), dtype="uint8")
    x = layers.Dense(3, name="logits")(layers.Flatten()(layers.Rescaling(1 / 255)(inputs)))
    for last in (layers.Softmax(), layers.Activation("softmax")):
        model = keras.Model(inputs, last(x))
        given = twins.twin(model).predict(networks.images(side=4, channels=1), verbose=0)
        asked = keras.Model(inputs, x).predict(networks.images(side=4, channels=1), verbose=0)
        np.testing.assert_allclose(given, asked, atol=1e-6)


def test_the_network_stays_as_it_is() -> None:
    model = networks.nested(networks.pooled())
    before = [weight.copy() for weight in model.get_weights()]
    names, nodes = [layer.name for layer in model.layers], count_nodes(model)
    answer = model.predict(networks.images(), verbose=0)
    copy = twins.twin(model, guided=True)
    copy.set_weights([0 * weight for weight in copy.get_weights()])
    assert [layer.name for layer in model.layers] == names
    assert count_nodes(model) == nodes
    np.testing.assert_array_equal(model.predict(networks.images(), verbose=0), answer)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def count_nodes(model: keras.Model) -> list[int]:
    return [len(layer._inbound_nodes) for layer in twins.leaves(model)]


def test_layers_of_networks_inside_can_be_asked() -> None:
    whole = networks.pooled()
    model = networks.nested(whole)
    assert twins.map_layers(model)[-1] == twins.last_maps(model) == "last_relu"
    assert twins.rectified(model) == twins.rectified(whole) == ["first_relu", "inner_relu", "last_relu"]
    samples = networks.images().astype(np.float32)
    for name in ("first", "inner_relu", "last_relu"):
        theirs, ours = (keras.Model(one.inputs, one.get_layer(name).output) for one in map(twins.twin, (whole, model)))
        np.testing.assert_allclose(ours.predict(samples, verbose=0), theirs.predict(samples, verbose=0), atol=1e-6)


def test_a_trunk_of_keras_applications_inside() -> None:
    keras.utils.set_random_seed(0)
    trunk = keras.applications.MobileNet(weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.25)
    head = [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
    model = keras.Sequential([layers.Input((32, 32, 3), dtype="uint8"), layers.Rescaling(1 / 127.5, -1), trunk, *head])
    copy = twins.twin(model, guided=True)
    samples = networks.images(side=32)
    np.testing.assert_allclose(softmax(copy.predict(samples, verbose=0)), model.predict(samples, verbose=0), atol=1e-5)
    assert twins.last_maps(model) == trunk.layers[-1].name
    assert not any(isinstance(layer, keras.Model) for layer in copy.layers)


def test_guided_relu_by_hand() -> None:
    """Passes 3 back, where x is positive and what comes from above is too; the 0 of x counts as not positive."""
    x = np.array([[-1.0, 2.0, 0.0, 4.0, 5.0]])
    above = np.array([[7.0, 3.0, 2.0, -6.0, 0.0]])
    relu = twins.guided_by(keras.activations.relu)
    given, slope = gradients.gradient(lambda at: ops.sum(relu(at) * above.astype(np.float32), axis=-1), x)
    np.testing.assert_array_equal(slope, [[0, 3, 0, 0, 0]])
    np.testing.assert_array_equal(given, [2 * 3 + 4 * -6 + 5 * 0])


def test_every_kind_of_relu_is_guided() -> None:
    """Each passes nothing of a negative gradient, and answers as before: an argument, and two sorts of layers."""
    for last in (layers.Dense(1, activation="relu"), layers.Activation("relu"), layers.ReLU(max_value=6)):
        model = keras.Sequential([layers.Input((1, 1, 1), dtype="uint8"), last, layers.Flatten(), layers.Dense(1)])
        down = -np.ones((1, 1), dtype=np.float32)
        weights = [np.ones((1, 1)), np.zeros(1)] if isinstance(last, layers.Dense) else []
        model.set_weights([*weights, down, np.zeros(1)])
        at = np.full((1, 1, 1, 1), 9)
        for guided, slope in ((True, 0), (False, 0 if isinstance(last, layers.ReLU) else -1)):
            copy = twins.twin(model, guided=guided)
            given, found = gradients.gradient(lambda x, copy=copy: copy(x, training=False)[:, 0], at)
            assert given == (-6 if isinstance(last, layers.ReLU) else -9)
            assert found.item() == slope


def test_it_says_what_it_cannot_look_into() -> None:
    several = keras.Model([layers.Input((4, 4, 1)), other := layers.Input((2,))], layers.Dense(1)(other))
    for model in (several, keras.Sequential([layers.Input((4,)), layers.Dense(1)])):
        with pytest.raises(ValueError, match="one image"):
            twins.twin(model)
    blind = keras.Sequential([layers.Input((4, 4, 1)), layers.Flatten(), layers.Dense(1)])
    with pytest.raises(ValueError, match="convolution"):
        twins.last_maps(blind)
