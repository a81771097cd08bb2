"""ddgs: what several search engines show, of any licence, which is not known; asks pages that are made for people.

It needs the package `ddgs`, which is no dependency: engines change their pages and turn clients away, so it is a last
resort and nothing that a schedule can rely on. The package asks by itself, and knows no address of ours.

Source: https://github.com/deedy5/ddgs
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tasks.errors import Unavailable
from tasks.outside.providers import Candidate, licensing, ranked, texts
from tasks.outside.providers.ask import Answer, Ask

KEYS: tuple[str, ...] = ()
ADDRESS = ""
INTERVAL = 3.0
LICENCES = frozenset({licensing.UNKNOWN})


def search(
    query: str, wanted: int, ask: Ask, licences: Collection[str], _settings: Mapping[str, Any]
) -> Iterator[Candidate]:
    """Images for `query`, safe ones only."""
    asked: dict[str, str | int] = {"query": query, "max_results": wanted, "safesearch": "on"}
    answer = ask.kept(asked, lambda: {"results": images(ask, asked)}, check=results)
    return ranked(map(fields, results(answer)), query, wanted, provider="ddgs", licences=licences)


def images(ask: Ask, asked: Mapping[str, str | int]) -> list[dict[str, Any]]:
    """What the package finds; it says by an exception that this is nothing."""
    try:
        package, errors = (importlib.import_module(name) for name in ("ddgs", "ddgs.exceptions"))
    except ImportError:
        raise Unavailable("ddgs must be installed. Received: no such package. Run: pip install ddgs") from None
    try:
        with ask.turn():
            return list(package.DDGS().images(**asked))
    except errors.DDGSException as error:
        if "no results" in str(error).lower():
            return []
        raise Unavailable(f"ddgs must find images. Received: {ask.hide(texts.plain(str(error), 200))}") from None


def results(answer: Answer) -> list[dict[str, Any]]:
    return texts.records(answer, "results", provider="ddgs")


def fields(item: Mapping[str, Any]) -> dict[str, Any]:
    """A result under the names of Candidate's fields."""
    return {
        "url": texts.address(item.get("image")),
        "source_page": item.get("url"),
        "title": item.get("title"),
        "width": item.get("width"),
        "height": item.get("height"),
    }
