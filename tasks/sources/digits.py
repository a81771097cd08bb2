"""Digits: 1797 handwritten digits of 8 x 8 pixels (E. Alpaydin and C. Kaynak, UCI)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tasks.catalogue import Source
from tasks.errors import BadData
from tasks.sources import Raw, contents

FILE = "digits.csv"
BRIGHTEST = 16


def read(folder: Path, source: Source) -> Raw:
    """Parse digits.csv: a row is 64 pixels from 0 to 16 and the label; the source knows no official exam."""
    table = contents.rows(folder / FILE, 65)
    pixels, labels = table[:, :-1], table[:, -1]
    if pixels.min() < 0 or pixels.max() > BRIGHTEST:
        raise BadData(f"`{FILE}` must hold pixels from 0 to {BRIGHTEST}. Received: {pixels.min()} to {pixels.max()}")
    images = np.round(pixels * (255 / BRIGHTEST)).astype(np.uint8).reshape(-1, 8, 8, 1)
    return Raw(pd.DataFrame({"label": labels.astype(np.int64), "split": ""}), images)
