"""CIFAR-10: 60000 colour photographs of 32 x 32 pixels in ten classes, 10000 of them the official exam (A. Krizhevsky).

The files are large pictures with a photograph in each row of pixels, and lists of labels.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from tasks.catalogue import Source
from tasks.errors import BadData
from tasks.sources import Raw

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FILES = {
    "train": ([f"data_batch_{number}.png" for number in range(1, 6)], "train_lables.json"),
    "test": (["test_batch.png"], "test_lables.json"),
}
ROWS, PIXELS = 10_000, 1024
"""Photographs in a file, and pixels of a photograph."""


def read(folder: Path, source: Source) -> Raw:
    """Parse the pictures and labels; the training samples come first."""
    images, tables = [], []
    for split, (files, labels_file) in FILES.items():
        images += [read_picture(folder / file) for file in files]
        labels = read_labels(folder / labels_file, ROWS * len(files))
        tables.append(pd.DataFrame({"label": np.array(CLASSES)[labels], "split": split}))
    return Raw(pd.concat(tables, ignore_index=True), np.concatenate(images))


def read_picture(path: Path) -> np.ndarray:
    """The photographs in one file, uint8 (10000, 32, 32, 3)."""
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            if (picture.size, picture.mode) != ((PIXELS, ROWS), "RGB"):
                found = f"{picture.size} {picture.mode}"
                raise BadData(f"`{path.name}` must be {PIXELS}x{ROWS} pixels, RGB. Received: {found}")
            return np.asarray(picture).reshape(-1, 32, 32, 3)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise BadData(f"`{path.name}` must be a PNG file. Received: {error}") from None


def read_labels(path: Path, count: int) -> np.ndarray:
    """The class numbers in one file, int64 (count,)."""
    try:
        labels = np.array(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise BadData(f"`{path.name}` must be a JSON list. Received: {error}") from None
    if labels.shape != (count,) or labels.dtype != np.int64 or labels.min() < 0 or labels.max() >= len(CLASSES):
        raise BadData(f"`{path.name}` must list {count} numbers from 0 to {len(CLASSES) - 1}. Received: others")
    return labels
