"""ResNet50 with its real weights: photographs that it must know, and what the views find in them."""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

from models import resnet50
from models.views import grad_cam, twins
from tasks import bases, catalogue, sources

pytestmark = pytest.mark.slow

BASE = "resnet50_imagenet"
KNOWN = {"coffee": (967, 0.99), "cat": (285, 0.8), "palace": (698, 0.4)}
"""ImageNet's numbers of espresso, Egyptian cat and palace, and how sure the network is at least."""


def square(image: np.ndarray) -> np.ndarray:
    """The middle square of a photograph, 224 x 224."""
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    cut = Image.fromarray(image[top : top + side, left : left + side])
    return np.asarray(cut.resize((224, 224), Image.Resampling.BILINEAR))


@cache
def photographs() -> np.ndarray:
    return np.stack([square(one) for one in (data.coffee(), data.chelsea(), load_sample_image("china.jpg"))])


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The network, made as the step base makes it, of the files that npm has."""
    entry = catalogue.load().base(BASE)
    folder, _ = sources.obtain(BASE, entry.files, entry.origins)
    path = tmp_path_factory.mktemp("base") / "model.keras"
    bases.read(BASE, folder).save(path)
    return keras.models.load_model(path, safe_mode=True)


def test_it_knows_coffee_cat_and_palace(network: Any) -> None:
    given = network.predict(photographs(), verbose=0)
    for row, (name, (number, sure)) in zip(given, KNOWN.items(), strict=True):
        assert row.argmax() == number, name
        assert row[number] >= sure, name


def test_it_is_the_published_network(network: Any) -> None:
    assert network.count_params() == 25_636_712


def test_the_logits_are_those_of_the_probabilities(network: Any) -> None:
    logits = twins.twin(network).predict(photographs().astype(np.float32), verbose=0)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(
        odds / odds.sum(axis=1, keepdims=True), network.predict(photographs(), verbose=0), atol=1e-4
    )


def test_the_evidence_for_coffee_lies_in_the_cup(network: Any) -> None:
    """The cup fills the middle of the photograph."""
    heat = grad_cam.grad_cam(network, photographs()[:1], np.array([967]))[0]
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert 56 <= row <= 168
    assert 56 <= column <= 168


def test_frozen_features_stay_bit_for_bit(network: Any) -> None:
    """What a fit of the classifier alone leaves of the base, carried over by name."""
    model = resnet50.resnet50(classes=3)
    theirs = {layer.name: layer.get_weights() for layer in bases.layers(network)}
    for layer in bases.layers(model):
        if layer.name in theirs:
            layer.set_weights(theirs[layer.name])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    model.fit(photographs(), np.arange(3), epochs=1, verbose=0)
    for layer in bases.layers(model):
        for ours, before in zip(layer.get_weights(), theirs.get(layer.name, []), strict=False):
            np.testing.assert_array_equal(ours, before, err_msg=layer.name)
    assert len(theirs) - 1 == sum(layer.name in theirs for layer in bases.layers(model))
