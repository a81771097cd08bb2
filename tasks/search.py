"""Search: ask a provider which images there are for a collection's keywords.

Nobody can repeat a search and get the same, so its result is a version of its own, which the step collect starts from.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, fields

import pandas as pd

from tasks import catalogue, places
from tasks.catalogue import Collection
from tasks.errors import BadData
from tasks.outside import providers
from tasks.outside.providers import Candidate
from tasks.receipts import Searched, seal

CANDIDATES = "candidates.parquet"
PAGES = "pages"


def search(name: str) -> Searched:
    """Write the candidates of collection `name`, the provider's own answers, and the receipt.

    What was answered before a search was killed is not asked again.

    Raises:
        BadRequest: if there is no such provider.
        Unavailable: if it cannot be asked, or a key for it is missing.
        BadData: if it names nothing for a class.
    """
    collection = catalogue.load().collection(name)
    providers.check(collection.provider)
    found = pd.concat([candidates(name, collection, label) for label in collection.classes], ignore_index=True)
    counts = {label: int((found["label"] == label).sum()) for label in collection.classes}
    if empty := [label for label, count in counts.items() if not count]:
        raise BadData(
            f"{collection.provider} must name images for every class of `{name}`. Received: none for "
            f"{', '.join(empty)}. Change their keywords, or the licences, in params.yaml (collections.{name})"
        )
    with places.whole_folder(places.searched(name)) as folder:
        found.to_parquet(folder / CANDIDATES, index=False)
        pages = places.searching(name) / PAGES
        if pages.is_dir():
            shutil.copytree(pages, folder / PAGES)
        receipt = Searched(
            name=name, digest=seal(folder, [CANDIDATES]), provider=collection.provider, candidates=counts
        ).write(folder)
    shutil.rmtree(places.searching(name), ignore_errors=True)
    print(f"{name}: {', '.join(f'{count} {label}' for label, count in counts.items())}, named by {collection.provider}")
    return receipt


def candidates(name: str, collection: Collection, label: str) -> pd.DataFrame:
    """What the provider names for one class: a row for each image, in its order."""
    found = providers.find(
        collection.provider,
        collection.classes[label],
        wanted=collection.wanted,
        licences=collection.licences,
        settings=collection.settings,
        folder=places.searching(name),
        say=print,
    )
    table = pd.DataFrame([asdict(one) for one in found], columns=[field.name for field in fields(Candidate)])
    table.insert(0, "label", label)
    return table.astype({"width": "Int64", "height": "Int64", "rank": "int64"})
