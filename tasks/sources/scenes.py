"""Scenes generated of real handwritten digits: a few of them, of many sizes, on noise, each in its box.

The digits are those that `tasks/sources/digits.py` reads. Every fifth of them is only in scenes of the exam, and no
other is there, so that nobody passes it by knowing glyphs by heart.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from tasks.catalogue import Source
from tasks.errors import BadRequest
from tasks.sources import Raw, contents

HELD_OUT = 5
"""Every so many-th digit is kept for the exam."""

DARKEST, BRIGHTEST = 60, 255
"""Noise is below the one, and a digit's brightest pixel is the other."""

ATTEMPTS = 50
"""Places that are drawn for a digit before the scene goes without it."""

INK = 0.25
"""Part of the brightest from which on a pixel belongs to its digit."""


class Glyph(NamedTuple):
    """A digit in a scene: its pixels uint8 (S, S), and where its ink lies in them, (y1, x1, y2, x2), in pixels."""

    pixels: np.ndarray
    ink: np.ndarray


def read(folder: Path, source: Source) -> Raw:
    """Paste digits into scenes; those of the exam come last.

    Settings:
        size: height and width of a scene, in pixels.
        most: digits of a scene, 1 to so many.
        smallest, largest: sides of a digit's square, in pixels.
        exam: how many of the scenes are the exam.
        seed: of everything that is drawn.

    Raises:
        BadRequest: if a setting is missing or impossible.
    """
    size, most, exam, seed = (whole(source, name) for name in ("size", "most", "exam", "seed"))
    sides = whole(source, "smallest"), whole(source, "largest")
    if not (1 <= sides[0] <= sides[1] <= size and most >= 1 and exam <= source.samples):
        raise BadRequest(
            "settings must have 1 <= smallest <= largest <= size, most >= 1 and exam <= samples. "
            f"Received: smallest={sides[0]}, largest={sides[1]}, size={size}, most={most}, exam={exam}"
        )
    (file,) = source.files
    table = contents.rows(folder / file, 65)
    glyphs, labels = table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(int)
    is_kept = np.arange(len(labels)) % HELD_OUT == 0
    images, rows = [], []
    rng = np.random.default_rng(seed)
    for number in range(source.samples):
        among = np.flatnonzero(is_kept == (number >= source.samples - exam))
        chosen = rng.choice(among, rng.integers(1, most + 1))
        image, boxes = scene([glyphs[one] for one in chosen], size, sides, rng)
        images.append(image)
        rows += [
            (number, str(labels[one]), *box, one) for one, box in zip(chosen, boxes, strict=True) if box is not None
        ]
    split = np.where(np.arange(source.samples) < source.samples - exam, "train", "test")
    return Raw(
        pd.DataFrame({"split": split}),
        np.stack(images)[..., np.newaxis],
        pd.DataFrame(rows, columns=["sample", "label", "y1", "x1", "y2", "x2", "digit"]).astype(
            dict.fromkeys(("y1", "x1", "y2", "x2"), "float32")
        ),
    )


def whole(source: Source, name: str) -> int:
    value = source.settings.get(name)
    if not isinstance(value, int) or value < 0:
        raise BadRequest(f"`settings.{name}` must be a whole number. Received: {value!r}")
    return value


def scene(
    glyphs: list[np.ndarray], size: int, sides: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, list[np.ndarray | None]]:
    """An image uint8 (size, size), and each digit's box, relative; None for one that found no place."""
    image = rng.integers(0, DARKEST, (size, size), dtype=np.uint8)
    taken: list[np.ndarray] = []
    boxes: list[np.ndarray | None] = []
    for pixels in glyphs:
        glyph = enlarged(pixels, int(rng.integers(sides[0], sides[1] + 1)))
        corner = place(glyph, size, taken, rng)
        boxes.append(None if corner is None else paste(image, glyph, corner) / size)
        if corner is not None:
            taken.append(glyph.ink + np.tile(corner, 2))
    return image, boxes


def enlarged(pixels: np.ndarray, side: int) -> Glyph:
    """A digit at another size; whole numbers from a whole-number resampling, the same everywhere."""
    bright = (pixels.astype(int) * BRIGHTEST // max(int(pixels.max()), 1)).astype(np.uint8)
    large = np.asarray(Image.fromarray(bright).resize((side, side), Image.Resampling.BICUBIC))
    rows, columns = np.nonzero(large >= INK * BRIGHTEST)
    return Glyph(large, np.array([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]))


def place(glyph: Glyph, size: int, taken: list[np.ndarray], rng: np.random.Generator) -> np.ndarray | None:
    """A corner for a digit's square where its ink's box meets no other one; None where none was found."""
    for corner in rng.integers(0, size - len(glyph.pixels) + 1, (ATTEMPTS, 2)):
        box = glyph.ink + np.tile(corner, 2)
        if not any((box[:2] < other[2:]).all() and (other[:2] < box[2:]).all() for other in taken):
            return np.asarray(corner)
    return None


def paste(image: np.ndarray, glyph: Glyph, corner: np.ndarray) -> np.ndarray:
    """Lay a digit on the noise where it is brighter; its ink's box, in pixels."""
    side = len(glyph.pixels)
    part = image[corner[0] : corner[0] + side, corner[1] : corner[1] + side]
    np.maximum(part, glyph.pixels, out=part)
    return np.asarray(glyph.ink + np.tile(corner, 2))
