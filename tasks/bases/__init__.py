"""Where a network's weights start: those of a base, of another recipe, or of nothing.

Each other file here offers `network(folder) -> keras.Model`, made of the files of the base of that name, and raises
BadData that names the file, what must hold and what came.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import keras
import numpy as np

import models
from tasks import catalogue, places
from tasks.catalogue import SCRATCH
from tasks.errors import BadData, BadRequest
from tasks.receipts import Based, Trained

Weights = dict[str, list[np.ndarray]]
"""By layer, its weights in their order."""

LEAST = 0.5
"""Share of its parameters that a base must give, else it is not one for the network."""


def read(name: str, folder: Path) -> keras.Model:
    """The network of the base called `name`, of its files in `folder`."""
    made: keras.Model = importlib.import_module(f"tasks.bases.{name}").network(folder)
    return made


def start(model: keras.Model, base: str) -> int:
    """Let the weights of `model` start from those of `base`; returns how many parameters do.

    A network of the same form takes them all, in order. Another one takes those of each layer whose name and shapes
    are the same, such as all but the classifier's; what the base has not, stays as it is.

    Raises:
        BadRequest: if less than half of the base's parameters have a place.
    """
    if base == SCRATCH:
        return 0
    theirs = weights(base)
    ours = {layer.name: layer for layer in layers(model)}
    if [shapes(layer.get_weights()) for layer in ours.values()] == [shapes(one) for one in theirs.values()]:
        pairs = list(zip(ours.values(), theirs.values(), strict=True))
    else:
        known = {name: one for name, one in theirs.items() if name in ours}
        pairs = [(ours[name], one) for name, one in known.items() if shapes(ours[name].get_weights()) == shapes(one)]
    for layer, one in pairs:
        layer.set_weights(one)
    carried, there = counted(one for _, one in pairs), counted(theirs.values())
    if carried < LEAST * there:
        raise BadRequest(f"`base` must fit the network. Received: {base!r}, {carried:,} of its {there:,} weights fit")
    print(f"{carried:,} of {model.count_params():,} parameters start from {base}", flush=True)
    return carried


def layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Every layer that has weights, also those of models inside; each once."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers(layer)
        elif layer.weights:
            yield layer


def counted(weights_of_layers: Iterable[list[np.ndarray]]) -> int:
    return sum(array.size for arrays in weights_of_layers for array in arrays)


def shapes(arrays: list[np.ndarray]) -> list[tuple[int, ...]]:
    return [array.shape for array in arrays]


@lru_cache(maxsize=1)
def weights(base: str) -> Weights:
    """The weights of `base`, read once."""
    found = network(base)
    if digest_weights(found) != digest(base):
        raise BadData(f"`{places.trained(base)}` must have the weights that its receipt tells. Received: others")
    return {layer.name: layer.get_weights() for layer in layers(found)}


def network(name: str) -> keras.Model:
    """The network of the base or recipe called `name`.

    Raises:
        BadData: if there is none that can be read.
    """
    known = catalogue.load()
    entry = known.bases[name] if name in known.bases else known.recipe(name)
    models.load(entry.model)  # a file may register classes of its own
    path = places.trained(name) / "model.keras"
    try:
        return keras.models.load_model(path)
    except (OSError, ValueError) as error:
        raise BadData(f"`{path}` must be a Keras model. Received: {str(error).splitlines()[0]}") from error


def digest(base: str) -> str:
    """Digest of the weights of `base`; empty for scratch."""
    if base == SCRATCH:
        return ""
    kind = Based if base in catalogue.load().bases else Trained
    return kind.read(places.trained(base)).digest


def digest_weights(model: keras.Model) -> str:
    """sha256 over the weights in their order; the states of random generators are no weights."""
    total = hashlib.sha256()
    for weight in model.weights:
        total.update(np.ascontiguousarray(weight.numpy()).tobytes())
    return total.hexdigest()
