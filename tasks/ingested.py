"""Reading what the step ingest wrote."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tasks import places
from tasks.errors import BadData
from tasks.receipts import digest_files

FILES = ["images.npy", "samples.parquet"]


def read(source: str) -> tuple[np.ndarray, pd.DataFrame]:
    """Images (N, H, W, C), mapped from the disk, and N rows of `label` and `split`, both text.

    Raises:
        BadData: if the source is not ingested, or a file is damaged.
    """
    folder = places.ingested(source)
    try:
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        samples = pd.read_parquet(folder / "samples.parquet", columns=["label", "split"])
    except (OSError, ValueError) as error:
        raise BadData(f"`{folder}` must hold a whole source. Received: {error}. {repair(source)}") from None
    if images.ndim != 4 or len(images) != len(samples):
        raise BadData(
            f"`{folder}` must hold images (N, H, W, C) and N rows. "
            f"Received: {images.shape} and {len(samples)} rows. {repair(source)}"
        )
    return images, samples


def digest(source: str) -> str:
    """Digest of the files of `source` as they lie on the disk now."""
    try:
        return digest_files(places.ingested(source), FILES)
    except FileNotFoundError as error:
        raise BadData(f"`{error.filename}` must be there. Received: no such file. {repair(source)}") from None


def repair(source: str) -> str:
    return f"Run: .venv/bin/dvc repro --force -s ingest@{source}"
