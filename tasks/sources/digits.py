"""Digits: 1797 handwritten digits of 8 x 8 pixels (E. Alpaydin and C. Kaynak, UCI)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tasks.catalogue import Source
from tasks.errors import BadData
from tasks.sources import Raw

FILE = "digits.csv"
BRIGHTEST = 16


def read(folder: Path, source: Source) -> Raw:
    """Parse digits.csv: a row is 64 pixels from 0 to 16 and the label; the source knows no official exam."""
    table = read_table(folder / FILE)
    pixels, labels = table[:, :-1], table[:, -1]
    if pixels.min() < 0 or pixels.max() > BRIGHTEST:
        raise BadData(f"`{FILE}` must hold pixels from 0 to {BRIGHTEST}. Received: {pixels.min()} to {pixels.max()}")
    images = np.round(pixels * (255 / BRIGHTEST)).astype(np.uint8).reshape(-1, 8, 8, 1)
    return Raw(pd.DataFrame({"label": labels.astype(np.int64), "split": ""}), images)


def read_table(path: Path) -> np.ndarray:
    """The numbers of `path`, float64 (N, 65), all finite and whole."""
    try:
        table = np.loadtxt(path, delimiter=",", ndmin=2, encoding="utf-8")
    except (ValueError, UnicodeDecodeError) as error:
        raise BadData(f"`{path.name}` must hold rows of 65 numbers. Received: {error}") from None
    if table.shape[0] == 0 or table.shape[1] != 65:
        raise BadData(f"`{path.name}` must hold rows of 65 numbers. Received: {table.shape[0]} x {table.shape[1]}")
    if not np.array_equal(table, np.trunc(table)) or not np.isfinite(table).all():
        raise BadData(f"`{path.name}` must hold whole numbers. Received: fractions, infinities or gaps")
    return table
