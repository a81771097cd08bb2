"""Ingest: obtain a source's files, check them, and store its samples in one form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tasks import catalogue, places, sources
from tasks.errors import BadData
from tasks.ingested import FILES
from tasks.receipts import Ingested, digest_files


def ingest(name: str) -> Ingested:
    """Write the samples of source `name`: images.npy, samples.parquet (label, split) and the receipt.

    Raises:
        Unavailable: if the files cannot be had.
        BadData: if they are not what the catalogue promises.
    """
    source = catalogue.load().source(name)
    folder, origin = sources.obtain(source, name)
    raw = sources.read(name, folder)
    check_count(raw, name, source.samples)
    with places.whole_folder(places.ingested(name)) as new:
        write(raw, new)
        return Ingested(
            name=name,
            digest=digest_files(new, FILES),
            samples=len(raw.images),
            origin=origin,
            licence=source.licence,
        ).write(new)


def check_count(raw: sources.Raw, name: str, samples: int) -> None:
    received = (len(raw.images), len(raw.samples))
    if received != (samples, samples):
        raise BadData(
            f"source `{name}` must have {samples} samples. Received: {received[0]} images, {received[1]} rows"
        )


def write(raw: sources.Raw, folder: Path) -> None:
    """Store the arrays; labels become text, so that every source's labels compare with names of classes."""
    np.save(folder / "images.npy", raw.images, allow_pickle=False)
    texts = pd.DataFrame({column: raw.samples[column].astype("string") for column in ("label", "split")})
    texts.to_parquet(folder / "samples.parquet", index=False)
