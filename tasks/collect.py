"""Collect: fetch the candidates of a search, keep what can be used of them, and say of each what became of it."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from tasks import brought, catalogue, cleaning, gallery, ingested, outcomes, places, provenance, removed
from tasks.catalogue import Collection
from tasks.cleaning import Cleaned, Rules
from tasks.collected import ATTRIBUTION, METADATA, OUTCOMES
from tasks.errors import BadData
from tasks.outside import expectations, fetcher
from tasks.outside.expectations import Verdict
from tasks.outside.fetcher import Fetched
from tasks.receipts import Collected, Ingested, Searched, seal, sums
from tasks.removed import Removed
from tasks.sources import contents

NAMED = 3
"""How many failed expectations an error tells; the report has all of them."""


def collect(name: str) -> Collected:
    """Write the images of collection `name` with all that is known of each, and the samples that models see.

    Every candidate ends in one of the outcomes of tasks/outcomes.py. What was fetched or decoded before is not
    fetched or decoded again.

    Raises:
        BadData: if an expectation of the images does not hold; the line says which, and where the report is.
        Unavailable: if no candidate could be had.
    """
    collection, gone = catalogue.load().collection(name), removed.read()
    found = Searched.read(places.searched(name))
    candidates = brought.ordered(places.searched(name))
    came = brought.bring(collection, brought.asked(candidates, collection, gone))
    seen = look(came, rules(collection))
    table = outcomes.settle(candidates, came, seen, collection, gone)
    erase(collection, gone)
    kept = provenance.described(table[table["outcome"] == outcomes.KEPT], cleaning.VERSION)
    counts = {outcome: int((table["outcome"] == outcome).sum()) for outcome in outcomes.OUTCOMES}
    print(f"{name}: of {len(table)} candidates {', '.join(f'{count} {what}' for what, count in counts.items())}")
    verdicts = judge(name, collection, table, kept)
    with places.whole_folder(places.collected(name)) as folder:
        write(name, collection, table, kept, folder)
        write_samples(name, collection, kept)
        shutil.move(judged(name) / "docs", folder / "docs")
        shutil.move(judged(name) / "report.html", folder / "report.html")
        shutil.rmtree(judged(name))
        return Collected(
            name=name,
            digest=seal(folder, [METADATA, *kept["path"]]),
            searched=found.digest,
            candidates=len(table),
            outcomes=counts,
            kept={label: int((kept["label"] == label).sum()) for label in collection.classes},
            expectations=len(verdicts),
            removed=removed.digest(),
        ).write(folder)


def rules(collection: Collection) -> Rules:
    return Rules(smallest=collection.smallest, largest=collection.largest)


def judged(name: str) -> Path:
    """Where a report is made; it stays there where the collection is refused, as DVC takes away what a stage wrote."""
    return places.SCRATCH / "collections" / name


def look(came: dict[str, Fetched], wanted: Rules) -> dict[str, Cleaned]:
    """Decode what came."""
    files = {
        one.sha256: (fetcher.raw(places.fetched(), one.sha256), one.format)
        for one in came.values()
        if one.state in ("fetched", "unchanged")
    }
    return cleaning.clean(
        files, places.cleaned(), wanted, say=lambda done, total: print(f"image {done}/{total}  decoded", flush=True)
    )


def erase(collection: Collection, gone: Removed) -> None:
    """Remove the copies here of what must not be kept."""
    for sha256 in gone.digests:
        fetcher.raw(places.fetched(), sha256).unlink(missing_ok=True)
        picture(collection, sha256).unlink(missing_ok=True)


def picture(collection: Collection, sha256: str) -> Path:
    """Where the picture with that sha256 lies until it is collected."""
    return cleaning.stored(places.cleaned(), rules(collection), sha256)


def judge(name: str, collection: Collection, table: pd.DataFrame, kept: pd.DataFrame) -> list[Verdict]:
    """Judge what is kept, and write Data Docs and gallery.

    Raises:
        BadData: if an expectation does not hold.
    """
    place = judged(name)
    with places.whole_folder(place) as folder:
        tables = provenance.tables(kept, table, collection)
        verdicts = expectations.judge(name, tables, provenance.expected(collection), folder / "docs")
        shown = table.loc[table["reason"] != "removed", "sha256"]  # no part of a report shows what must not be kept
        where = {sha256: picture(collection, sha256) for sha256 in shown.unique() if sha256}
        wanted = f"{collection.least} of each class are needed."
        page = gallery.page(name, table, verdicts, where, wanted)
        (folder / "report.html").write_text(page, encoding="utf-8")
        table.to_parquet(folder / OUTCOMES, index=False)
    wrong = [verdict for verdict in verdicts if not verdict.success]
    if wrong or not verdicts:
        raise BadData(
            f"collection `{name}` must be what it promises. {len(wrong)} of {len(verdicts)} expectations do not hold: "
            f"{'; '.join(str(verdict) for verdict in wrong[:NAMED])}. Report: {place / 'report.html'}"
        )
    return verdicts


def write(name: str, collection: Collection, table: pd.DataFrame, kept: pd.DataFrame, folder: Path) -> None:
    """Write images, metadata, outcomes and thanks; each image's name is the sha256 that it must have."""
    for sha256, path in zip(kept["sha256"], kept["path"], strict=True):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture(collection, sha256), folder / path)
    for path, digest in sums(folder, list(kept["path"])).items():
        if Path(path).stem != digest:
            raise BadData(f"`{path}` must have the sha256 of its name. Received: {digest}. Remove {places.cleaned()}")
    kept.to_parquet(folder / METADATA, index=False)
    table.to_parquet(folder / OUTCOMES, index=False)
    (folder / ATTRIBUTION).write_text(provenance.attribution(name, kept), encoding="utf-8")


def write_samples(name: str, collection: Collection, kept: pd.DataFrame) -> None:
    """Write what models see, in the form that the step ingest gives: squares, labels, groups and the exam."""
    paths = [picture(collection, sha256) for sha256 in kept["sha256"]]
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(partial(square, size=collection.size), paths))
    with places.whole_folder(places.ingested(name)) as new:
        folder = new / ingested.SAMPLES
        folder.mkdir()
        np.save(folder / "images.npy", np.stack(images), allow_pickle=False)
        columns = kept[["label", "split", "group_id", "sample_id"]].astype("string")
        columns.to_parquet(folder / "table.parquet", index=False)
        Ingested(
            name=name,
            digest=seal(folder, ingested.names(folder)),
            samples=len(kept),
            origin=collection.provider,
            licence=", ".join(sorted(kept["license"].unique())),
        ).write(new)


def square(path: Path, size: int) -> np.ndarray:
    return contents.photograph(path.read_bytes(), path.name, size)
