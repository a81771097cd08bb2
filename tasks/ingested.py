"""Reading what the step ingest wrote."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from tasks import places
from tasks.errors import BadData
from tasks.receipts import MANIFEST, altered, digest_sums, sums

SAMPLES = "samples"
"""The folder of a source's samples: `table.parquet`, `images.npy` where they have one, `boxes.parquet` where it marks
objects in them."""

CORNERS = ["y1", "x1", "y2", "x2"]
"""The corners of a box, in their order."""


def read(source: str, columns: Iterable[str] = ()) -> tuple[np.ndarray | None, pd.DataFrame]:
    """Images (N, H, W, C), mapped from the disk, or None; and N rows of `label`, `split` and `columns`.

    Raises:
        BadData: if the source is not ingested, a file is damaged, or a column is not there.
    """
    folder = places.ingested(source) / SAMPLES
    try:
        table = pd.read_parquet(folder / "table.parquet")
        path = folder / "images.npy"
        images = np.load(path, mmap_mode="r", allow_pickle=False) if path.exists() else None
    except (OSError, ValueError) as error:
        raise BadData(f"`{folder}` must hold a whole source. Received: {error}. {repair(source)}") from None
    if images is not None and (images.ndim != 4 or len(images) != len(table)):
        raise BadData(
            f"`{folder}` must hold images (N, H, W, C) and N rows. "
            f"Received: {images.shape} and {len(table)} rows. {repair(source)}"
        )
    wanted = ["label", "split", *columns]
    if missing := [column for column in wanted if column not in table]:
        raise BadData(f"source `{source}` must have the columns {wanted}. Received: no {', '.join(missing)}")
    return images, table[wanted]


def files(source: str) -> list[str]:
    """Which file each sample of an ingested source came from; none where it does not tell."""
    table = pd.read_parquet(places.ingested(source) / SAMPLES / "table.parquet")
    return table["file"].astype(str).tolist() if "file" in table else []


def boxes(source: str) -> pd.DataFrame:
    """The objects in the images of `source`, by their samples: `sample` int64 (its row), `label`, and the corners.

    Raises:
        BadData: if the source is not ingested or marks no objects, a file is damaged, or a box is of no sample.
    """
    folder = places.ingested(source) / SAMPLES
    if "boxes.parquet" not in names(folder, repair(source)):
        raise BadData(f"source `{source}` must mark objects with boxes. Received: no `{folder / 'boxes.parquet'}`")
    wanted = ["sample", "label", *CORNERS]
    try:
        samples = len(pd.read_parquet(folder / "table.parquet", columns=["split"]))
        table = pd.read_parquet(folder / "boxes.parquet", columns=wanted)
    except (OSError, ValueError) as error:
        raise BadData(f"`{folder}` must hold a whole source. Received: {error}. {repair(source)}") from None
    if not table["sample"].between(0, samples - 1).all():
        raise BadData(f"`{folder}` must hold boxes of its {samples} samples. Received: others. {repair(source)}")
    return table


def digest(source: str) -> str:
    """Digest of the files of `source` as they lie on the disk now.

    Raises:
        BadData: if they are not what ingest wrote.
    """
    folder = places.ingested(source) / SAMPLES
    files = sums(folder, names(folder, repair(source)))
    if changed := altered(folder, files):
        raise BadData(
            f"`{folder}` must be what ingest wrote. Received: changed since: {', '.join(changed)}. {repair(source)}"
        )
    return digest_sums(files)


def names(folder: Path, remedy: str = "") -> list[str]:
    """The files of a source's samples."""
    found = sorted(path.name for path in folder.iterdir() if path.name != MANIFEST) if folder.is_dir() else []
    if "table.parquet" not in found:
        raise BadData(f"`{folder / 'table.parquet'}` must be there. Received: no such file. {remedy}")
    return found


def repair(source: str) -> str:
    return f"Run: .venv/bin/dvc repro --force -s ingest@{source}"
