"""MNIST: 70000 handwritten digits of 28 x 28 pixels, 10000 of them the official exam (Y. LeCun, C. Cortes)."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import pandas as pd

from tasks.catalogue import Source
from tasks.errors import BadData
from tasks.sources import Raw

FILES = {"train": "train", "test": "t10k"}
BYTES = 0x08
"""IDX's code for unsigned bytes, the third byte of a file."""


def read(folder: Path, source: Source) -> Raw:
    """Parse the four IDX files; the training samples come first."""
    images, tables = [], []
    for split, stem in FILES.items():
        pictures = read_idx(folder / f"{stem}-images-idx3-ubyte", (28, 28))
        labels = read_idx(folder / f"{stem}-labels-idx1-ubyte", ())
        if len(pictures) != len(labels):
            raise BadData(f"MNIST's {split} must have a label per image. Received: {len(pictures)} and {len(labels)}")
        images.append(pictures[..., np.newaxis])
        tables.append(pd.DataFrame({"label": labels.astype(np.int64), "split": split}))
    return Raw(pd.concat(tables, ignore_index=True), np.concatenate(images))


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The bytes of an IDX file, uint8 (N, *shape).

    Raises:
        BadData: if the magic number, the sizes or the length are not those of such a file.
    """
    content = path.read_bytes()
    axes = 1 + len(shape)
    head = 4 + 4 * axes
    if len(content) < head or content[:4] != bytes([0, 0, BYTES, axes]):
        raise BadData(
            f"`{path.name}` must begin with 0000 08 {axes:02x} (IDX, bytes). Received: {content[:4].hex(' ')}"
        )
    sizes = struct.unpack(f">{axes}I", content[4:head])
    if sizes[1:] != shape or len(content) != head + math.prod(sizes):
        raise BadData(
            f"`{path.name}` must hold N x {shape} bytes behind its head. "
            f"Received: sizes {sizes} and {len(content) - head} bytes"
        )
    return np.frombuffer(content, np.uint8, offset=head).reshape(sizes)
