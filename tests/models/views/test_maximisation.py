"""Images that a filter or a class answers to most, against noise and against what must be found."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from models.views import activations, maximisation, twins
from tests.models.views import networks

TIMES = 10
"""How much more than to random noise the answer must be."""


def noise(count: int, side: int, channels: int) -> np.ndarray:
    """Grey noise, as a climb begins."""
    drawn = np.random.default_rng(9).normal(127.5, 10, (count, side, side, channels))
    return np.round(np.clip(drawn, 0, 255)).astype(np.uint8)


def edges() -> keras.Model:
    """Filters that look for edges: their weights sum to nothing, so that grey is nothing to them."""
    keras.utils.set_random_seed(3)
    model = networks.plain(side=24)
    kernel, bias = model.get_layer("first").get_weights()
    model.get_layer("first").set_weights([kernel - kernel.mean(axis=(0, 1, 2)), bias])
    return model


@pytest.mark.parametrize("layer", ["first", "second"])
def test_filters_answer_much_more_than_to_noise(layer: str) -> None:
    model = edges()
    numbers = [0, 1, 2, 3]
    found = maximisation.filters(model, layer, numbers)
    assert found.shape == (4, 24, 24, 3)
    assert found.dtype == np.uint8
    high, low = (activations.maps(model, one, layer).mean(axis=(1, 2)).diagonal() for one in (found, noise(4, 24, 3)))
    assert (high >= TIMES * low).all()
    assert (high > 0).all()


def test_classes_answer_much_more_than_to_noise() -> None:
    model = networks.finder()
    found = maximisation.classes(model, [0, 1, 2])
    logits = twins.twin(model)
    high, low = (logits.predict(one, verbose=0).diagonal() for one in (found, noise(3, networks.SIDE, 1)))
    assert (high >= TIMES * np.abs(low)).all()
    assert model.predict(found, verbose=0).argmax(axis=1).tolist() == [0, 1, 2]


def test_the_same_seed_gives_the_same_image() -> None:
    first, again, other = (maximisation.filters(edges(), "first", [0], steps=5, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_restraint_is_the_gradient_of_what_it_holds_down() -> None:
    """Half the sum of squared differences of neighbours, and half the squared distance from grey, by differences."""

    def cost(image: np.ndarray) -> float:
        rough = sum((np.diff(image, axis=axis) ** 2).sum() for axis in (1, 2))
        return float(0.3 * rough / 2 + 0.2 * ((image - maximisation.GREY) ** 2).sum() / 2)

    image = np.random.default_rng(0).uniform(0, 255, (1, 4, 5, 2))
    slope = maximisation.restraint(image, smooth=0.3, grey=0.2)
    for place in np.ndindex(image.shape):
        step = np.zeros_like(image)
        step[place] = 1e-3
        assert slope[place] == pytest.approx((cost(image + step) - cost(image - step)) / 2e-3, rel=1e-4, abs=1e-4)
