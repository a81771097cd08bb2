"""Small generated datasets of every kind that a network may be asked about, each easy to learn by heart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import keras_tuner
import numpy as np

import models
from models.spec import Input, Number, Spec
from tasks import records

COUNT = 32
CLASSES = tuple("abcd")


@dataclass(frozen=True)
class Example:
    spec: Spec
    samples: records.Fed
    answers: records.Fed


def textures(rng: np.random.Generator, answers: np.ndarray, size: int, channels: int) -> np.ndarray:
    """Square images under noise: dark, lying stripes, standing stripes, a chequerboard."""
    images = rng.integers(0, 60, (COUNT, size, size, channels), dtype=np.uint8)
    rows, columns = np.indices((size, size)) // 2 % 2
    masks = np.stack([np.zeros_like(rows), rows, columns, rows ^ columns])
    return images + (150 * masks[answers][..., np.newaxis]).astype(np.uint8)


def examples() -> dict[str, Example]:
    """By name, what networks take: images of two sizes, numbers, words, several of them, and with two answers."""
    rng = np.random.default_rng(0)
    answers = np.arange(COUNT, dtype=np.int32) % 4
    colour = textures(rng, answers, 20, 3)
    corners = np.stack([answers % 2, answers // 2], axis=1).astype(np.float32) * 4 + rng.random((COUNT, 2), np.float32)
    words = np.zeros((COUNT, 6), np.int32)
    words[:, :4] = np.stack([answers + 2, *rng.integers(6, 20, (3, COUNT))], axis=1)
    brands = answers[:, np.newaxis] % 3
    price = (20 + 10 * answers + corners[:, 0]).astype(np.float32)
    seen = {"image": Input((20, 20, 3), "uint8")}
    known = {
        "numbers": Input((2,), "float32", lowest=(0.0, 0.0), highest=(5.0, 5.0)),
        "categories": Input((1,), "int32", sizes=(3,)),
    }
    told = {"words": Input((6,), "int32", sizes=(20,))}
    facts = {"image": colour, "numbers": corners, "categories": brands}
    number = Number("price", float(price.min()), float(price.mean()), float(price.max()))
    return {
        "image": Example(Spec({"image": Input((20, 20, 1), "uint8")}, CLASSES), textures(rng, answers, 20, 1), answers),
        "large image": Example(
            Spec({"image": Input((32, 32, 3), "uint8")}, CLASSES), textures(rng, answers, 32, 3), answers
        ),
        "numbers": Example(Spec({"numbers": known["numbers"]}, CLASSES), corners, answers),
        "words": Example(Spec(told, CLASSES), words, answers),
        "image and attributes": Example(Spec({**seen, **known}, number=number), facts, price),
        "image, attributes and words": Example(
            Spec({**seen, **known, **told}, number=number), {**facts, "words": words}, price
        ),
        "two answers": Example(Spec(seen, CLASSES, number), colour, {"label": answers, "price": price}),
    }


EXAMPLES = examples()


def build(name: str, spec: Spec, **values: Any) -> tuple[keras.Model, keras_tuner.HyperParameters]:
    """The architecture's network for `spec`, with `values` and all else at its defaults."""
    keras.utils.set_random_seed(0)
    hp = keras_tuner.HyperParameters()
    hp.values.update(values)
    return models.load(name).build(spec, hp), hp


def accepts(name: str, spec: Spec) -> bool:
    try:
        models.load(name).build(spec, keras_tuner.HyperParameters())
    except ValueError:
        return False
    return True
