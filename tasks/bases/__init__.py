"""Where a network's weights start: those of a base, of another recipe, or of nothing.

Each other file here offers `network(folder) -> keras.Model`, made of the files of the base of that name, and raises
BadData that names the file, what must hold and what came.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

import models
from models.parts import texts
from tasks import catalogue, places
from tasks.catalogue import SCRATCH
from tasks.errors import BadData, BadRequest
from tasks.receipts import Based, Trained


class Stored(NamedTuple):
    """What a base has.

    Args:
        weights: by layer, its weights in their order.
        words: of the rows of its one layer, if it is a table of word vectors; else empty.
    """

    weights: dict[str, list[np.ndarray]]
    words: tuple[str, ...]


LEAST = 0.5
"""Share of its parameters that a base must give, or of a dataset's words that it must know, else it does not fit."""


def read(name: str, folder: Path) -> keras.Model:
    """The network of the base called `name`, of its files in `folder`."""
    made: keras.Model = importlib.import_module(f"tasks.bases.{name}").network(folder)
    return made


def start(model: keras.Model, base: str, vocabulary: Sequence[str] = ()) -> int:
    """Let the weights of `model` start from those of `base`; returns how many parameters do.

    A network of the same form takes them all, in order. Another one takes those of each layer whose name and shapes
    are the same, such as all but the classifier's; what the base has not, stays as it is. Of a table of word vectors,
    each word takes its own.

    Args:
        vocabulary: the words of the dataset, in the order of their numbers.

    Raises:
        BadRequest: if less than half of the base's parameters have a place, or the base knows less than half of the
            words.
    """
    if base == SCRATCH:
        return 0
    theirs = stored(base)
    if theirs.words:
        return start_words(model, base, vocabulary)
    ours = {layer.name: layer for layer in layers(model)}
    if [shapes(layer.get_weights()) for layer in ours.values()] == [shapes(one) for one in theirs.weights.values()]:
        pairs = list(zip(ours.values(), theirs.weights.values(), strict=True))
    else:
        known = {name: one for name, one in theirs.weights.items() if name in ours}
        pairs = [(ours[name], one) for name, one in known.items() if shapes(ours[name].get_weights()) == shapes(one)]
    for layer, one in pairs:
        layer.set_weights(one)
    carried, there = counted(one for _, one in pairs), counted(theirs.weights.values())
    if carried < LEAST * there:
        raise BadRequest(f"`base` must fit the network. Received: {base!r}, {carried:,} of its {there:,} weights fit")
    print(f"{carried:,} of {model.count_params():,} parameters start from {base}", flush=True)
    return carried


def start_words(model: keras.Model, base: str, vocabulary: Sequence[str]) -> int:
    """Give each word of `vocabulary` its vector of `base`; those that the base has not stay as they are."""
    theirs = stored(base)
    ((vectors,),) = theirs.weights.values()
    layer = next((one for one in layers(model) if one.name == texts.EMBEDDING), None)
    if layer is None or layer.output_dim != vectors.shape[1]:
        received = "a network without word vectors" if layer is None else f"`embedding` of {layer.output_dim}"
        raise BadRequest(
            f"`base` {base!r} has vectors of {vectors.shape[1]} numbers for `embedding`. Received: {received}"
        )
    rows = {word: row for row, word in enumerate(theirs.words)}
    shared = {number: rows[word] for number, word in enumerate(vocabulary, start=texts.FIRST) if word in rows}
    if len(shared) < LEAST * max(1, len(vocabulary)):
        received = f"{base!r}, which knows {len(shared):,} of {len(vocabulary):,}"
        raise BadRequest(f"`base` must know half of the dataset's words. Received: {received}")
    (table,) = layer.get_weights()
    table[list(shared)] = vectors[list(shared.values())]
    layer.set_weights([table])
    print(f"{len(shared):,} of {len(vocabulary):,} words start from {base}", flush=True)
    return len(shared) * int(vectors.shape[1])


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
def stored(base: str) -> Stored:
    """What `base` has, read once."""
    found = network(base)
    if digest_weights(found) != digest(base):
        raise BadData(f"`{places.trained(base)}` must have the weights that its receipt tells. Received: others")
    known = list(layers(found))
    words = known[0].words if isinstance(known[0], texts.NamedVectors) else ()
    return Stored({layer.name: layer.get_weights() for layer in known}, words)


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
    """sha256 over the weights in their order, and their words; the states of random generators are no weights."""
    total = hashlib.sha256()
    for weight in model.weights:
        total.update(np.ascontiguousarray(weight.numpy()).tobytes())
    for layer in layers(model):
        if isinstance(layer, texts.NamedVectors):
            total.update("\n".join(layer.words).encode())
    return total.hexdigest()
