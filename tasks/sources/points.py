"""Points: generated samples of two numbers in two classes, which are easy to draw and not all easy to part.

The four sets of the TensorFlow playground (Smilkov et al., 2017): a disc in a ring, opposite quarters, two arms of a
spiral, two clouds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tasks.catalogue import Source
from tasks.errors import BadRequest
from tasks.sources import Raw

SIZE = 5.0
"""The points lie within this distance of the origin, but for noise."""


def read(folder: Path, source: Source) -> Raw:
    """Generate points: x1, x2 and label, `a` or `b`, as many of each; there is no official exam.

    Settings:
        shape: circle, xor, spiral or gauss.
        noise: standard deviation of what is added to each coordinate.
        seed: of all of it.
    """
    shapes = {"circle": circle, "xor": xor, "spiral": spiral, "gauss": gauss}
    shape, noise = str(source.settings["shape"]), float(str(source.settings["noise"]))
    if shape not in shapes:
        raise BadRequest(f"`settings.shape` must be one of {', '.join(shapes)}. Received: {shape!r}")
    rng = np.random.default_rng(int(str(source.settings["seed"])))
    second = np.arange(source.samples) % 2 == 1
    points = shapes[shape](second, rng) + rng.normal(0, noise, (source.samples, 2))
    return Raw(pd.DataFrame({"x1": points[:, 0], "x2": points[:, 1], "label": np.where(second, "b", "a"), "split": ""}))


def circle(second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The first class in a disc, the second in a ring around it: (N, 2)."""
    low, high = np.where(second, 0.7, 0.0), np.where(second, 1.0, 0.5)
    return polar(SIZE * rng.uniform(low, high), rng.uniform(0, 2 * np.pi, len(second)))


def xor(second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The first class where both coordinates have one sign, the second where they have not; none near the axes."""
    size, sign = rng.uniform(0.3, SIZE, (len(second), 2)), rng.choice([-1, 1], len(second))
    return np.asarray(size * np.stack([sign, np.where(second, -sign, sign)], axis=1))


def spiral(second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each class an arm, 1.75 turns long, the second half a turn behind the first."""
    way = rng.uniform(0.05, 1, len(second))
    return polar(SIZE * way, 1.75 * 2 * np.pi * way + np.where(second, np.pi, 0))


def gauss(second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each class a cloud of standard deviation 1."""
    return rng.normal(0, 1, (len(second), 2)) + np.where(second, -2, 2)[:, np.newaxis]


def polar(radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
