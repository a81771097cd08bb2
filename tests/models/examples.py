"""Small generated datasets of every kind that a network may be asked about, each easy to learn by heart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import keras_tuner
import numpy as np

import models
from models.parts import boxes
from models.spec import Input, Naive, Number, Spec
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


def scenes(
    rng: np.random.Generator, size: int, most: int, count: int = COUNT
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """None, one or two squares on black, one in each half of the image: grey ones are of class 0, white ones of 1."""
    images, labels = np.zeros((count, size, size, 1), np.uint8), rng.integers(-1, 2, (count, most), np.int32)
    labels[:, 2:] = -1
    boxes = np.zeros((count, most, 4), np.float32)
    for image, half in zip(*np.nonzero(labels >= 0), strict=True):
        side = rng.integers(size // 4, size // 2 - 2)
        top, left = rng.integers(0, size - side), rng.integers(0, size // 2 - side) + size // 2 * half
        images[image, top : top + side, left : left + side] = 120 + 120 * labels[image, half]
        boxes[image, half] = np.array([top, left, top + side, left + side]) / size
    return images, {"boxes": boxes, "labels": labels}


def reversed_rows(rng: np.random.Generator, length: int, known: int) -> tuple[np.ndarray, np.ndarray]:
    """One to `length` symbols of `known`, and their classes backwards: samples and answers (COUNT, length)."""
    samples = np.zeros((COUNT, length), np.int32)
    answers = np.full((COUNT, length), -1, np.int32)
    for row, size in enumerate(1 + np.arange(COUNT) % length):
        classes = rng.integers(0, known, size)
        samples[row, :size], answers[row, :size] = classes + 2, classes[::-1]
    return samples, answers


def proposals(rng: np.random.Generator, boxes: np.ndarray, count: int) -> np.ndarray:
    """The boxes (N, M, 4) a little off, and others anywhere: (N, count, 4)."""
    corners = np.sort(rng.random((len(boxes), count, 2, 2)), axis=2)
    anywhere = np.stack([corners[:, :, 0, 0], corners[:, :, 0, 1], corners[:, :, 1, 0], corners[:, :, 1, 1]], axis=-1)
    anywhere[:, : boxes.shape[1]] = np.clip(boxes + rng.uniform(-0.03, 0.03, boxes.shape), 0, 1)
    return anywhere.astype(np.float32)


def hits(found: dict[str, np.ndarray], truth: dict[str, np.ndarray]) -> float:
    """The share of boxes that a sure answer of their class overlaps by half."""
    overlaps = np.asarray(keras.ops.convert_to_numpy(boxes.overlaps(truth["boxes"], found["boxes"])))
    alike = truth["labels"][:, :, np.newaxis] == found["labels"][:, np.newaxis]
    sure = found["scores"][:, np.newaxis] >= 0.3
    return float(((overlaps >= 0.5) & alike & sure).any(axis=-1)[truth["labels"] >= 0].mean())


def waves(rng: np.random.Generator) -> Example:
    """Windows of a sine, and noise that says nothing besides; three more of its values are asked for."""
    times = rng.integers(0, 8, (COUNT, 1)) + np.arange(11)
    values = (20 + 5 * np.sin(times * np.pi / 4)).astype(np.float32)
    samples = np.stack([values[:, :8], rng.random((COUNT, 8), np.float32)], axis=-1)
    seen = Input((8, 2), "float32", lowest=(15.0, 0.0), highest=(25.0, 1.0))
    number, naive = Number("heat", 15.0, 20.0, 25.0), Naive((2.5, 4.5, 6.0))
    return Example(Spec({"series": seen}, number=number, steps=3, naive=naive), samples, values[:, 8:])


def companies(rng: np.random.Generator) -> Example:
    """Runs of four words, the last not full, and two more on each side, all of them of one of two companies of five."""
    of = rng.integers(0, 2, (COUNT, 1))
    answers = (5 * of + rng.integers(0, 5, (COUNT, 8))).astype(np.int32)
    answers[-1, 5:] = -1
    counts = tuple(np.bincount(answers[answers >= 0], minlength=10).tolist())
    spec = Spec({"words": Input((4,), "int32", sizes=(12,), counts=counts)}, tuple("abcdefghij"), neighbours=2)
    inside = answers[:, 2:-2]
    return Example(spec, np.where(inside < 0, 0, inside + 2).astype(np.int32), answers)


def together(vectors: np.ndarray, example: Example) -> tuple[float, float]:
    """The least cosine between words of one company, and the greatest between words of two."""
    samples = np.asarray(example.samples)
    words = np.stack([vectors[samples == word][0] for word in range(2, 12)])
    unit = words / np.linalg.norm(words, axis=1, keepdims=True)
    company = np.arange(10) // 5
    alike = company[:, np.newaxis] == company
    return float((unit @ unit.T)[alike].min()), float((unit @ unit.T)[~alike].max())


def examples() -> dict[str, Example]:
    """By name, what networks take: images of two sizes, numbers, words, several of them, and with two answers."""
    rng, of_characters, of_symbols, of_series, of_words = map(np.random.default_rng, range(5))  # none changes another
    answers = np.arange(COUNT, dtype=np.int32) % 4
    colour = textures(rng, answers, 20, 3)
    corners = np.stack([answers % 2, answers // 2], axis=1).astype(np.float32) * 4 + rng.random((COUNT, 2), np.float32)
    words = np.zeros((COUNT, 6), np.int32)
    words[:, :4] = np.stack([answers + 2, *rng.integers(6, 20, (3, COUNT))], axis=1)
    characters = of_characters.integers(0, 4, (COUNT, 6), dtype=np.uint8)
    characters[:, 3] = answers
    brands = answers[:, np.newaxis] % 3
    price = (20 + 10 * answers + corners[:, 0]).astype(np.float32)
    seen = {"image": Input((20, 20, 3), "uint8")}
    known = {
        "numbers": Input((2,), "float32", lowest=(0.0, 0.0), highest=(5.0, 5.0)),
        "categories": Input((1,), "int32", sizes=(3,)),
    }
    told = {"words": Input((6,), "int32", sizes=(20,))}
    facts = {"image": colour, "numbers": corners, "categories": brands}
    scene, marked = scenes(rng, 64, 3)
    proposed = proposals(rng, marked["boxes"], 16)
    picture = Input((64, 64, 1), "uint8")
    symbols, backwards = reversed_rows(of_symbols, 5, 6)
    number = Number("price", float(price.min()), float(price.mean()), float(price.max()))
    return {
        "image": Example(Spec({"image": Input((20, 20, 1), "uint8")}, CLASSES), textures(rng, answers, 20, 1), answers),
        "large image": Example(
            Spec({"image": Input((32, 32, 3), "uint8")}, CLASSES), textures(rng, answers, 32, 3), answers
        ),
        "numbers": Example(Spec({"numbers": known["numbers"]}, CLASSES), corners, answers),
        "words": Example(Spec(told, CLASSES), words, answers),
        "characters": Example(Spec({"characters": Input((6,), "uint8", sizes=(4,))}, CLASSES), characters, answers),
        "series": waves(of_series),
        "companies": companies(of_words),
        "image and attributes": Example(Spec({**seen, **known}, number=number), facts, price),
        "image, attributes and words": Example(
            Spec({**seen, **known, **told}, number=number), {**facts, "words": words}, price
        ),
        "scenes": Example(Spec({"image": picture}, tuple("ab"), boxes=3), scene, marked),
        "scenes and proposals": Example(
            Spec({"image": picture, "proposals": Input((16, 4), "float32")}, tuple("ab"), boxes=3),
            {"image": scene, "proposals": proposed},
            marked,
        ),
        "symbols": Example(
            Spec({"symbols": Input((5,), "int32", sizes=(8,))}, tuple("abcdef"), steps=5), symbols, backwards
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
