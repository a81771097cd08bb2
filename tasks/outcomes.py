"""Outcomes: what becomes of every candidate of a collection, and why, in a table that adds up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from operator import attrgetter

import numpy as np
import pandas as pd

from tasks import groups
from tasks.catalogue import Collection
from tasks.cleaning import Cleaned
from tasks.outside.fetcher import Fetched
from tasks.removed import Removed

KEPT, DUPLICATE, QUARANTINED, REJECTED, FAILED, GONE = OUTCOMES = (
    "kept",
    "duplicate",
    "quarantined",
    "rejected",
    "failed",
    "gone",
)
"""A duplicate has the very bytes of one that is kept; the quarantined show the same under two labels; the rejected
can or may not be used; the failed could not be had this time; the gone were taken away by their owners."""

REASONS = {
    "no_file": "it does not lie in its folder any more",
    "licence": "its licence is not one of those that the collection allows",
    "placeholder": "as many addresses give the very same bytes: it stands for a missing picture",
    "removed": "it is on the list of what must not be kept",
    "same_bytes": "another candidate of the class has the very same bytes",
    "two_labels": "the same is shown under two labels",
}


def settle(
    candidates: pd.DataFrame,
    brought: Mapping[str, Fetched],
    seen: Mapping[str, Cleaned],
    collection: Collection,
    gone: Removed,
) -> pd.DataFrame:
    """One row for each candidate, with what was fetched, what was found, its group, `outcome` and `reason`.

    Args:
        candidates: N rows with the columns of a search, in the order in which the first of equals is kept.
        brought: what came, by address.
        seen: what was found, by the sha256 of what came.
    """
    table = joined(candidates, brought, seen)
    table["outcome"], table["reason"] = first_verdict(table, collection, gone)
    usable = table["outcome"] == KEPT
    table["group_id"] = ""
    table.loc[usable, "group_id"] = group(table[usable], collection.near)
    labels = table[usable].groupby("group_id")["label"].nunique()
    mark(table, usable & table["group_id"].isin(labels.index[labels > 1]), QUARANTINED, "two_labels")
    again = table[table["outcome"] == KEPT].duplicated("sha256")
    mark(table, again.reindex(table.index, fill_value=False), DUPLICATE, "same_bytes")
    table["split"] = np.where(
        groups.exam(table["group_id"].to_numpy(), collection.test, collection.seed), "test", "train"
    )
    return table


def mark(table: pd.DataFrame, rows: pd.Series, outcome: str, reason: str) -> None:
    table.loc[rows, ["outcome", "reason"]] = outcome, reason


def joined(candidates: pd.DataFrame, brought: Mapping[str, Fetched], seen: Mapping[str, Cleaned]) -> pd.DataFrame:
    """Candidates beside what came from their address (`source_...`) and the picture that was made of it."""
    came = rows(Fetched, brought.values()).rename(
        columns={"sha256": "source_sha256", "bytes": "source_bytes", "reason": "fetch_reason"}
    )
    found = (
        rows(Cleaned, seen.values())
        .rename(columns={"reason": "clean_reason", "mode": "source_mode"})
        .assign(source_sha256=list(seen))
    )
    claimed = candidates.rename(columns={"width": "claimed_width", "height": "claimed_height"})
    table = claimed.merge(came, on="url", how="left").merge(found, on="source_sha256", how="left")
    texts = ["state", "fetch_reason", "clean_reason", "source_sha256", "sha256", "phash", "fetched_at"]
    whole = ["width", "height", "source_width", "source_height", "bytes", "source_bytes", "http_status", "attempts"]
    return table.fillna(dict.fromkeys(texts, "")).astype(dict.fromkeys(whole, "Int64"))


def rows(kind: type, things: Iterable[object]) -> pd.DataFrame:
    """A table of dataclasses; ten times as fast as by `asdict`, which copies every value."""
    columns = [field.name for field in fields(kind)]
    return pd.DataFrame(map(attrgetter(*columns), things), columns=columns)


def first_verdict(table: pd.DataFrame, collection: Collection, gone: Removed) -> tuple[np.ndarray, np.ndarray]:
    """Outcome and reason of each row by itself: the first of these that is true; kept where none is."""
    addresses = table[table["source_sha256"] != ""].groupby("source_sha256")["url"].nunique()
    many = addresses.index[addresses >= collection.placeholder]
    names = table[["url", "source_sha256", "sha256"]]
    cases: list[tuple[pd.Series, str, str | pd.Series]] = [
        (names.isin(gone.addresses | gone.digests).any(axis=1), REJECTED, "removed"),
        (~table["license"].isin(collection.licences), REJECTED, "licence"),
        *((table["state"] == state, state, table["fetch_reason"]) for state in (REJECTED, FAILED, GONE)),
        (table["clean_reason"] != "", REJECTED, table["clean_reason"]),
        (table["source_sha256"].isin(many), REJECTED, "placeholder"),
    ]
    where = [case.to_numpy() for case, _, _ in cases]
    reasons = [
        np.full(len(table), reason) if isinstance(reason, str) else reason.to_numpy(str) for _, _, reason in cases
    ]
    return np.select(where, [outcome for _, outcome, _ in cases], KEPT), np.select(where, reasons, "")


def group(usable: pd.DataFrame, distance: int) -> np.ndarray:
    """The group of each picture: text (N,), the sha256 of its oldest member."""
    hashes = np.array([int(text, 16) for text in usable["phash"]], dtype=np.uint64)
    different, row = np.unique(hashes, return_inverse=True)
    numbers = groups.near(different, distance)[row] if len(different) else row
    return groups.named(numbers, usable["sha256"].to_numpy(), usable["fetched_at"].to_numpy())
