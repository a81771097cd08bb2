"""Houses: 535 houses of California, each with attributes, price and four photographs (E. Ahmed, M. Moustafa).

Houses whose zip code is rare are left out, as the course does.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from tasks.catalogue import Source
from tasks.errors import BadData
from tasks.sources import Raw, contents

COLUMNS = ["bedrooms", "bathrooms", "area", "zipcode", "price"]
ROOMS = {"bathroom": (0, 0), "bedroom": (0, 1), "frontal": (1, 1), "kitchen": (1, 0)}
"""Where in the mosaic a photograph lies, row and column: clockwise in the order of the names."""

EXAM, SEED = 0.25, 42
"""The course's split, which its figures are measured on."""


def read(folder: Path, source: Source) -> Raw:
    """Parse attributes and photographs: columns of `COLUMNS`, images of a mosaic of each house's photographs.

    The zip code is text. `split` is the course's own: scikit-learn's `train_test_split`, a quarter, seed 42.

    Settings:
        size: height and width of the mosaic, even.
        smallest_zipcode: least houses that a zip code must have.
    """
    (file,) = source.files
    size, smallest = (int(str(source.settings[name])) for name in ("size", "smallest_zipcode"))
    with contents.opened(folder / file) as archive:
        members = {re.sub(r"^.*/", "", name): name for name in archive.namelist()}
        table = read_table(contents.content(archive, members.get("HousesInfo.txt", "HousesInfo.txt")))
        table = table[table.groupby("zipcode")["zipcode"].transform("size") >= smallest]
        images = np.stack([mosaic(archive, members, int(house), size) for house in table.index])
    exam = train_test_split(np.arange(len(table)), test_size=EXAM, random_state=SEED)[1]
    split = np.where(np.isin(np.arange(len(table)), exam), "test", "train")
    return Raw(table.reset_index(drop=True).assign(split=split), images)


def read_table(content: bytes) -> pd.DataFrame:
    """One row for each house, by its number from 1."""
    try:
        table = pd.read_csv(io.BytesIO(content), sep=r"\s+", header=None, dtype=str)
        table.columns = pd.Index(COLUMNS)
        table = table.astype({name: float for name in COLUMNS if name != "zipcode"})
    except (ValueError, UnicodeDecodeError) as error:
        raise BadData(f"`HousesInfo.txt` must hold rows of {', '.join(COLUMNS)}. Received: {error}") from None
    table.index += 1
    return table


def mosaic(archive: contents.Archive, members: dict[str, str], house: int, size: int) -> np.ndarray:
    """The four photographs of a house in one image, uint8 (size, size, 3)."""
    half = size // 2
    image = np.zeros((2 * half, 2 * half, 3), dtype=np.uint8)
    for room, (row, column) in ROOMS.items():
        name = f"{house}_{room}.jpg"
        part = contents.photograph(contents.content(archive, members.get(name, name)), name, half)
        image[row * half : (row + 1) * half, column * half : (column + 1) * half] = part
    return image
