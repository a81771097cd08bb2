"""Books: generated covers that tell two things, the style of a book and the year in which it came out.

The style is in the ornament and the layout; the year is in the paper, which yellows, in the ink, which was dull, and
in the title, which has grown.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from tasks.catalogue import Source
from tasks.sources import Raw

FIRST, LAST, SIZE = 1800, 2020, 48
Ink = tuple[int, int, int]


def read(folder: Path, source: Source) -> Raw:
    """Generate covers: label (the style), year, and an image 48x48x3; there is no official exam.

    Settings:
        seed: of all of it.
    """
    rng = np.random.default_rng(int(str(source.settings["seed"])))
    years = rng.integers(FIRST, LAST + 1, source.samples)
    styles = rng.choice(list(STYLES), source.samples)
    images = np.stack([cover(str(style), int(year), rng) for style, year in zip(styles, years, strict=True)])
    return Raw(pd.DataFrame({"label": styles, "year": years.astype(float), "split": ""}), images)


def cover(style: str, year: int, rng: np.random.Generator) -> np.ndarray:
    """A cover with noise: uint8 (48, 48, 3)."""
    age = (LAST - year) / (LAST - FIRST)  # 0 new, 1 old
    paper = np.array([250, 248, 242]) - age * np.array([70, 100, 150]) + rng.normal(0, 3, 3)
    vivid = rng.integers(0, 256, 3) * 0.7
    ink = (1 - age) * vivid + age * vivid.mean()
    picture = Image.new("RGB", (SIZE, SIZE), tuple(int(value) for value in paper))
    pen = ImageDraw.Draw(picture)
    colour = (int(ink[0]), int(ink[1]), int(ink[2]))
    STYLES[style](pen, colour, rng)
    title = round(3 + 9 * (1 - age))
    pen.rectangle((12, 18, 36, 18 + title), fill=(20, 18, 16))
    return np.clip(np.asarray(picture) + rng.normal(0, 5, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)


def gothic(pen: ImageDraw.ImageDraw, ink: Ink, rng: np.random.Generator) -> None:
    """A pointed arch of two lines."""
    top = int(rng.integers(2, 6))
    pen.line([(6, 46), (6, 20), (24, top), (42, 20), (42, 46)], fill=ink, width=3)


def baroque(pen: ImageDraw.ImageDraw, ink: Ink, rng: np.random.Generator) -> None:
    """Curls in every corner, and a frame."""
    size = int(rng.integers(8, 12))
    for x, y in ((2, 2), (45 - size, 2), (2, 45 - size), (45 - size, 45 - size)):
        pen.arc((x, y, x + size, y + size), 0, 300, fill=ink, width=2)
    pen.rectangle((1, 1, 46, 46), outline=ink)


def modern(pen: ImageDraw.ImageDraw, ink: Ink, rng: np.random.Generator) -> None:
    """A slanting band, and a disc."""
    left = int(rng.integers(0, 8))
    pen.polygon([(left, 47), (left + 10, 47), (47, left + 10), (47, left)], fill=ink)
    pen.ellipse((4, 4, 14, 14), fill=ink)


def minimal(pen: ImageDraw.ImageDraw, ink: Ink, rng: np.random.Generator) -> None:
    """One thin line below."""
    height = int(rng.integers(38, 44))
    pen.line([(8, height), (40, height)], fill=ink, width=1)


STYLES: dict[str, Callable[[ImageDraw.ImageDraw, Ink, np.random.Generator], None]] = {
    "gothic": gothic,
    "baroque": baroque,
    "modern": modern,
    "minimal": minimal,
}
