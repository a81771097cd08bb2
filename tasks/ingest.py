"""Ingest: obtain a source's files, check them, and store its samples in one form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tasks import catalogue, ingested, places, sources
from tasks.errors import BadData
from tasks.receipts import Ingested, seal
from tasks.sources.annotations import BOX


def ingest(name: str) -> Ingested:
    """Write the samples of source `name`: its table, images and boxes, and the receipt.

    Raises:
        Unavailable: if the files cannot be had.
        BadData: if they are not what the catalogue promises.
    """
    source = catalogue.load().source(name)
    folder, origin = sources.obtain(name, source.files, source.origins)
    raw = sources.read(source, folder)
    check_count(raw, name, source.samples)
    check_boxes(raw, name)
    with places.whole_folder(places.ingested(name)) as new:
        write(raw, new / ingested.SAMPLES)
        return Ingested(
            name=name,
            digest=seal(new / ingested.SAMPLES, ingested.names(new / ingested.SAMPLES)),
            samples=len(raw.samples),
            origin=origin,
            licence=source.licence,
        ).write(new)


def check_count(raw: sources.Raw, name: str, samples: int) -> None:
    rows, images = len(raw.samples), len(raw.samples) if raw.images is None else len(raw.images)
    if (images, rows) != (samples, samples):
        raise BadData(f"source `{name}` must have {samples} samples. Received: {images} images, {rows} rows")


def check_boxes(raw: sources.Raw, name: str) -> None:
    """See that every box is of a sample that is there."""
    if raw.boxes is None:
        return
    samples = raw.boxes["sample"].to_numpy()
    if (astray := (samples < 0) | (samples >= len(raw.samples))).any():
        row = int(astray.argmax())
        raise BadData(
            f"every box of source `{name}` must be of a sample 0..{len(raw.samples) - 1}. "
            f"Received: box {row}: sample {samples[row]}"
        )


def write(raw: sources.Raw, folder: Path) -> None:
    """Store images, table and boxes; labels become text, so that they compare with names of classes."""
    folder.mkdir()
    if raw.images is not None:
        np.save(folder / "images.npy", raw.images, allow_pickle=False)
    table = raw.samples.copy()
    for column in ("label", "split"):
        table[column] = (
            table[column].astype("string") if column in table else pd.array([""] * len(table), dtype="string")
        )
    table.to_parquet(folder / "table.parquet", index=False)
    if raw.boxes is not None:
        write_boxes(raw.boxes, folder)


def write_boxes(boxes: pd.DataFrame, folder: Path) -> None:
    """Store boxes by their samples, those of a sample in the source's order."""
    first = ["sample", "label", *BOX]
    table = boxes[[*first, *(column for column in boxes if column not in first)]].sort_values("sample", kind="stable")
    table = table.astype({"sample": "int64", "label": "string", **dict.fromkeys(BOX, "float32")})
    table.to_parquet(folder / "boxes.parquet", index=False)
