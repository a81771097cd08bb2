"""Clips of handwritten digits that fly on straight lines, bounce from the walls and cross, with what is true of them.

A clip is made of its seed alone, so that tracks can be scored where nobody has marked any.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from tasks.errors import BadRequest
from tasks.tracker import BOX

ENLARGED = 4
"""How many times as high and wide a digit of 8 x 8 pixels is drawn."""

SPEEDS = (0.5, 2.5)
"""Pixels that a digit moves in a frame, at least and at most."""

INK = 64
"""Brightness from which a pixel is of a digit, for its box."""


@dataclass(frozen=True)
class Clip:
    """Frames, uint8 (T, H, W), and a row for each digit in each: `frame`, `track`, `label`, `y1`, `x1`, `y2`, `x2`."""

    frames: np.ndarray
    truth: pd.DataFrame


def clip(seed: int, *, digits: int = 5, frames: int = 60, side: int = 128, noise: int = 0) -> Clip:
    """A clip of scikit-learn's digits; where they cross, the brighter ink is seen.

    Args:
        side: of a frame, pixels.
        noise: brightness that noise around the ink has less than, at most 255; 0 is none.

    Raises:
        BadRequest: if a number is too small.
    """
    for name, value, least in (("digits", digits, 0), ("frames", frames, 1), ("side", side, 2 * 8 * ENLARGED)):
        if value < least:
            raise BadRequest(f"`{name}` must be at least {least}. Received: {name}={value}")
    rng = np.random.default_rng(seed)
    pictures, labels = drawn(digits, rng)
    sizes = np.array([picture.shape for picture in pictures]).reshape(-1, 2)
    corners = np.rint(flights(sizes, frames, side, rng)).astype(np.int64)  # (T, N, 2)
    shown = composed(pictures, corners, side)
    if noise:
        shown = np.maximum(shown, rng.integers(0, noise, shown.shape, dtype=np.uint8))
    return Clip(shown, truth(corners, sizes, labels, side))


def drawn(digits: int, rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
    """Digits of the collection at random, enlarged and cut to their ink, and which digits they are."""
    from sklearn.datasets import load_digits

    known = load_digits()
    rows = rng.integers(0, len(known.target), digits)
    return [inked(known.images[row]) for row in rows], known.target[rows]


def inked(digit: np.ndarray) -> np.ndarray:
    """A digit of 0..16 as uint8, without what lies around it."""
    small = Image.fromarray((digit * (255 / 16)).astype(np.uint8))
    large = np.asarray(small.resize((8 * ENLARGED, 8 * ENLARGED), Image.Resampling.BILINEAR))
    rows, columns = (np.flatnonzero((large >= INK).any(axis=axis)) for axis in (1, 0))
    return large[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def flights(sizes: np.ndarray, frames: int, side: int, rng: np.random.Generator) -> np.ndarray:
    """Upper left corners of digits in every frame, which turn back at the walls: (T, N, 2)."""
    room = side - sizes
    angle, speed = rng.uniform(0, 2 * np.pi, len(sizes)), rng.uniform(*SPEEDS, len(sizes))
    velocity = speed[:, np.newaxis] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    time = np.arange(frames)[:, np.newaxis, np.newaxis]
    return np.asarray(room - np.abs((rng.uniform(0, room) + velocity * time) % (2 * room) - room))


def composed(pictures: list[np.ndarray], corners: np.ndarray, side: int) -> np.ndarray:
    frames = np.zeros((len(corners), side, side), np.uint8)
    for digit, picture in enumerate(pictures):
        for frame, (top, left) in zip(frames, corners[:, digit], strict=True):
            place = frame[top : top + picture.shape[0], left : left + picture.shape[1]]
            np.maximum(place, picture, out=place)
    return frames


def truth(corners: np.ndarray, sizes: np.ndarray, labels: np.ndarray, side: int) -> pd.DataFrame:
    """What is true of every digit in every frame, whether another hides it or not."""
    count, digits = corners.shape[:2]
    boxes = np.concatenate([corners, corners + sizes], axis=2).reshape(-1, 4) / side
    frame, track = np.repeat(np.arange(count), digits), np.tile(np.arange(digits), count)
    table = pd.DataFrame({"frame": frame, "track": track, "label": np.tile(labels, count)})
    return table.assign(**dict(zip(BOX, boxes.T, strict=True)))


def detections(made: Clip, seed: int = 0, *, dropped: float = 0.0, jitter: float = 0.0) -> list[dict[str, np.ndarray]]:
    """What a detector would find: the true boxes of each frame, without some of them, and not quite where they are.

    Args:
        dropped: share of boxes that are left out, at random.
        jitter: standard deviation of what is added to each corner, in sides of its box.
    """
    rng, table = np.random.default_rng(seed), made.truth
    boxes = table[BOX].to_numpy()
    moved = boxes + jitter * rng.normal(size=boxes.shape) * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    seen = rng.random(len(table)) >= dropped
    frames = [seen & (table["frame"].to_numpy() == frame) for frame in range(len(made.frames))]
    labels, scores = table["label"].to_numpy(), np.ones(len(table))
    return [{"boxes": moved[rows], "labels": labels[rows], "scores": scores[rows]} for rows in frames]
