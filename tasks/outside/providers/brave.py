"""Brave: a search engine's images, of any licence, which it does not know; needs a key, which is paid for.

Source: https://api-dashboard.search.brave.com/app/documentation/image-search
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tasks.outside.providers import Candidate, licensing, ranked, texts
from tasks.outside.providers.ask import Answer, Ask

KEYS = ("BRAVE_API_KEY",)
ADDRESS = "https://api.search.brave.com"
INTERVAL = 1.0
LICENCES = frozenset({licensing.UNKNOWN})

API = "res/v1/images/search"
MOST = 200
"""Each query is one request, which costs the same for 1 image and for 200; there is no second page."""


def search(
    query: str, wanted: int, ask: Ask, licences: Collection[str], _settings: Mapping[str, Any]
) -> Iterator[Candidate]:
    """At most MOST images for `query`, safe ones only."""
    asked: dict[str, str | int] = {"q": query, "count": MOST, "safesearch": "strict", "spellcheck": "false"}
    answer = ask.page(API, asked, check=results, headers=lambda: {"X-Subscription-Token": ask.secret(KEYS[0])})
    return ranked(map(fields, results(answer)), query, wanted, provider="brave", licences=licences)


def results(answer: Answer) -> list[dict[str, Any]]:
    return texts.records(answer, "results", provider="brave")


def fields(item: Mapping[str, Any]) -> dict[str, Any]:
    """A result under the names of Candidate's fields."""
    image = item.get("properties")
    image = image if isinstance(image, dict) else {}
    return {
        "url": texts.address(image.get("url")),
        "source_page": item.get("url"),
        "title": item.get("title"),
        "width": image.get("width"),
        "height": image.get("height"),
    }
