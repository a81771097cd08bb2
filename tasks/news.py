"""news: which models' newest versions learnt from other data than the last commit asks for."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tasks import catalogue, places
from tasks.catalogue import Catalogue, Entry
from tasks.outside import registry, tracking, versioning

SETTINGS = "data.settings"
"""Tag of a version: sha256 of all that says which data it learnt from."""


def settings(known: Catalogue, recipe: str) -> str:
    """sha256 of the blocks of a recipe's source and dataset: another file, another cut, another digest."""
    dataset = known.recipe(recipe).dataset
    source = known.dataset(dataset).source
    made_of = known.collections.get(source) or known.source(source)
    facts = [source, stated(made_of), dataset, stated(known.dataset(dataset))]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def stated(entry: Entry) -> dict[str, Any]:
    """What a block says that is not so anyway: a key that is new in the catalogue makes no data another."""
    return entry.model_dump(mode="json", exclude_defaults=True)


def gathered(known: Catalogue, recipe: str) -> str | None:
    """DVC's md5 of the newest images of a recipe's collection, if a run of its own has gathered some."""
    source = known.dataset(known.recipe(recipe).dataset).source
    if source not in known.collections or not places.locked(source).is_file():
        return None
    stages = yaml.safe_load(places.locked(source).read_text(encoding="utf-8"))["stages"]
    outs = {out["path"]: out["md5"] for out in stages[f"collect@{source}"]["outs"]}
    return str(outs[f"data/ingested/{source}/samples"])


def committed() -> Catalogue:
    """The catalogue of the last commit, which is what runs without a person take; without git, the one that lies here.

    Raises:
        BadRequest: if it is not one.
    """
    text = versioning.git("show", f"HEAD:{places.PARAMS.name}")
    if text is None:
        return catalogue.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / places.PARAMS.name
        path.write_text(text, encoding="utf-8")
        return catalogue.load(path)


def outdated() -> dict[str, int]:
    """Models whose newest version learnt from other data than is asked for now, with that version's number.

    The newest version counts, not the champion: one that its gate has refused is not trained again every hour.
    """
    client, known = tracking.connect(), committed()
    found = {}
    with tracking.answering():
        for model in registry.models(client):
            newest = registry.newest(client, model)
            if newest is None or model not in known.recipes or SETTINGS not in newest.tags:
                continue
            images = gathered(known, model)
            unseen = images is not None and f" {images} " not in newest.tags["data.digests"]
            if unseen or newest.tags[SETTINGS] != settings(known, model):
                found[model] = int(newest.version)
    return found
