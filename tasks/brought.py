"""Brought: what comes of a search's candidates, from the web or a folder, and when it is to be looked at again."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pandas as pd

from tasks import catalogue, places, removed
from tasks.catalogue import Collection
from tasks.errors import Unavailable
from tasks.outside import fetcher, nearby
from tasks.outside.fetcher import Fetched, Manners, Progress
from tasks.removed import Removed
from tasks.search import CANDIDATES

FOLDER = "folder"
"""The provider whose images lie on this machine."""

ORDER = ["label", "provider", "provider_id", "url"]


def is_due(name: str, searched: Path) -> bool:
    """Whether collecting anew what was `searched` would look at anything: at a folder always, on the web if it is time.

    Where it would not, and nothing else is new, what was collected is what would be.
    """
    collection = catalogue.load().collection(name)
    if collection.provider == FOLDER:
        return True
    urls = asked(ordered(searched), collection, removed.read())
    return fetcher.is_due(urls, places.fetched(), manners=manners(collection))


def ordered(searched: Path) -> pd.DataFrame:
    """The candidates, in the order in which the first of equals is kept."""
    return pd.read_parquet(searched / CANDIDATES).sort_values(ORDER, kind="stable", ignore_index=True)


def asked(candidates: pd.DataFrame, collection: Collection, gone: Removed) -> pd.Series:
    """The addresses that are asked for; not those of another licence, nor what was removed by address."""
    free = candidates["license"].isin(collection.licences)
    urls: pd.Series = candidates.loc[free & ~candidates["url"].isin(gone.addresses), "url"]
    return urls


def manners(collection: Collection) -> Manners:
    return Manners(
        contact=str(collection.settings.get("contact", "")),
        recheck=collection.recheck * 86400,
        allow_networks=tuple(str(collection.settings.get("allow_networks", "")).split()),
    )


def bring(collection: Collection, urls: pd.Series) -> dict[str, Fetched]:
    """Fetch every address, or copy it from the provider's folder.

    Raises:
        Unavailable: if none of them could be had.
    """
    if collection.provider == FOLDER:
        return nearby.bring(str(collection.settings["folder"]), urls, places.fetched(), Manners().formats)
    fetched = fetcher.fetch(urls, places.fetched(), manners=manners(collection), say=tell)
    brought = {url: steadied(one) for url, one in fetched.items()}
    failed = [one for one in brought.values() if one.state == "failed"]
    if brought and len(failed) == len(brought):
        first = f"{failed[0].reason} ({failed[0].url[:100]})"
        raise Unavailable(f"images must come from the web. Received: none of {len(brought)}, the first {first}")
    return brought


def steadied(one: Fetched) -> Fetched:
    """An address that fails today still has what it had before, and of that the same is told every day."""
    if one.state == "failed" and one.held and fetcher.raw(places.fetched(), one.held).is_file():
        one = replace(one, state="unchanged", reason="", sha256=one.held)
    return replace(one, http_status=HTTPStatus.OK.value) if one.state == "unchanged" else one


def tell(progress: Progress) -> None:
    print(f"image {progress.states.total()}/{progress.total}  {progress}", flush=True)
