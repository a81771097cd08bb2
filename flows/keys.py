"""Keys of providers of images: from the environment, or from a Secret block of the Prefect server."""

from __future__ import annotations

import os
from typing import Any

from prefect.blocks.system import Secret

from flows.workplace import Workplace
from tasks import catalogue, places
from tasks.outside import providers


def of_stage(name: str, place: Workplace) -> dict[str, str]:
    """What a stage needs in its environment besides: the keys of its provider, for a search."""
    step, _, collection = name.partition("@")
    if step != "search":
        return {}
    return of(catalogue.load(place.root / places.PARAMS.name).collection(collection).provider)


def of(provider: str) -> dict[str, str]:
    """The keys of a provider that the environment has not, as far as they can be had.

    The block of a variable is called as it is, in lower case and with dashes: `brave-api-key`.
    """
    missing = [name for name in providers.load(provider).KEYS if name not in os.environ]
    return {name: key for name in missing if (key := stored(name.lower().replace("_", "-")))}


def stored(block: str) -> str | None:
    """What a Secret block keeps; None where there is none."""
    try:
        found: Any = Secret.load(block)
        return str(found.get())
    except ValueError:
        return None
