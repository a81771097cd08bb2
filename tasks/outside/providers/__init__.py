"""Providers of images by keyword: each finds candidates, and nothing here downloads an image.

A provider is a file here, which offers

* `KEYS`: names of the environment variables that it cannot do without; empty for none.
* `ADDRESS`: where its API is, unless `settings["address"]` says otherwise; empty where it asks nobody.
* `INTERVAL`: seconds between one request and the next, unless `settings["interval"]` says otherwise.
* `LICENCES`: short codes of the licences that its candidates can have.
* `search(query, wanted, ask, licences, settings)`, which gives at most `wanted` candidates in the provider's order,
  each with a licence out of `licences`. It asks for a page only when all candidates before it are given.

What a search gives is not the same tomorrow, so all pages are kept (see `ask.py`), and the list of candidates is what
is versioned. Licences are what providers say of them; who uploaded an image may have been wrong.
"""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from tasks.errors import BadRequest, Unavailable
from tasks.outside.providers import licensing, texts
from tasks.outside.providers.ask import Ask

NOT_PROVIDERS = {"ask", "licensing", "texts"}
RETIRED = {"bing": "Bing's Image Search API was retired on 2025-08-11; use `openverse`"}
LONGEST_QUERY = 200
LONGEST_CREDIT = 1000


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that may be downloaded, and all that its provider says of it.

    Texts are plain and of bounded length (see `texts.py`), and empty where the provider says nothing.

    Args:
        url: of the image; `file:` and a relative path for one that lies in a folder.
        source_page: the page that shows it.
        license: short code, of `licensing.CODES`.
        attribution: the line that must stand beside it.
        provider_id: what the provider calls it.
        query: the keyword that it was found by.
        rank: from 0, in the provider's order within its query.
        width: pixels, as the provider says.
        height: pixels, as the provider says.
        mime: media type, as the provider says.
    """

    url: str
    source_page: str
    title: str
    author: str
    author_url: str
    license: str
    license_version: str
    license_url: str
    attribution: str
    provider: str
    provider_id: str
    query: str
    rank: int
    width: int | None
    height: int | None
    mime: str


class Provider(Protocol):
    """What a file of this folder offers."""

    KEYS: tuple[str, ...]
    ADDRESS: str
    INTERVAL: float
    LICENCES: frozenset[str]

    def search(
        self, query: str, wanted: int, ask: Ask, licences: Collection[str], settings: Mapping[str, Any], /
    ) -> Iterator[Candidate]: ...


def names() -> list[str]:
    """The providers' names, sorted: the files of this folder."""
    return sorted({module.name for module in pkgutil.iter_modules(__path__)} - NOT_PROVIDERS)


def load(name: str) -> Provider:
    """Import the provider called `name`.

    Raises:
        BadRequest: if there is none of that name.
    """
    if name in RETIRED:
        raise BadRequest(f"`provider` must be one of {', '.join(names())}. Received: {name!r}. {RETIRED[name]}")
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise BadRequest(f"`provider` must be one of {', '.join(names())}. Received: {name!r}{hint}")
    return cast(Provider, importlib.import_module(f"{__name__}.{name}"))


def check(name: str) -> None:
    """Refuse a provider that cannot be asked.

    Raises:
        BadRequest: if there is none of that name.
        Unavailable: if a key that it needs is not there.
    """
    for key in load(name).KEYS:
        if not os.environ.get(key, "").strip():
            block = key.lower().replace("_", "-")
            raise Unavailable(
                f"{name} must have a key. Received: none in the environment variable {key}. "
                f"Set it, or store it in the Prefect Secret block `{block}`"
            )


def find(
    provider: str,
    queries: Iterable[str],
    *,
    wanted: int,
    licences: Collection[str],
    settings: Mapping[str, Any],
    folder: Path,
    say: Callable[[str], None],
) -> list[Candidate]:
    """Candidates for all `queries`, in their order and the provider's; of one address only the first.

    Args:
        wanted: candidates for each query, at least 1.
        licences: short codes of the licences that are taken.
        settings: of the provider: `address`, `contact`, `interval` and others that its file names.
        folder: where answered pages are kept, below `pages`; a page that is there is not asked for again.
        say: is told in one line how each query went.

    Raises:
        BadRequest: if the provider, a query, a licence or a setting is not one.
        BadData: if a file that lists images is not what it must be.
        Refused: if an address or a path would be unsafe to follow.
        Unavailable: if a key is missing, or the provider does not answer as it must.
    """
    check(provider)
    source, asked = load(provider), check_queries(queries)
    check_request(provider, source, wanted, licences)
    ask = Ask(provider, source.ADDRESS, interval=source.INTERVAL, settings=settings, folder=folder, say=say)
    found: dict[str, Candidate] = {}
    for query in asked:
        given = list(source.search(query, wanted, ask, frozenset(licences), settings))
        new = [candidate for candidate in given if candidate.url not in found]
        found.update((candidate.url, candidate) for candidate in new)
        say(summary(provider, query, wanted=wanted, given=len(given), new=len(new)))
    return list(found.values())


def check_queries(queries: Iterable[str]) -> list[str]:
    asked = list(dict.fromkeys(queries))
    for query in asked:
        if not query or query != texts.plain(query, LONGEST_QUERY):
            raise BadRequest(
                f"a query must be one line of plain text, 1 to {LONGEST_QUERY} characters. Received: {query[:250]!r}"
            )
    if not asked:
        raise BadRequest("`queries` must hold at least one keyword. Received: none")
    return asked


def check_request(provider: str, source: Provider, wanted: int, licences: Collection[str]) -> None:
    if wanted < 1:
        raise BadRequest(f"`wanted` must be at least 1. Received: {wanted}")
    licensing.check(licences)
    if not source.LICENCES & set(licences):
        raise BadRequest(
            f"`licences` must hold one that {provider} gives: {', '.join(sorted(source.LICENCES))}. "
            f"Received: {', '.join(sorted(licences))}"
        )


def summary(provider: str, query: str, *, wanted: int, given: int, new: int) -> str:
    known = f", and {given - new} that other keywords gave" if given > new else ""
    return f"{provider}: `{query}`: {new} of {wanted} wanted{known}"


def ranked(
    found: Iterable[Mapping[str, Any]], query: str, wanted: int, *, provider: str, licences: Collection[str]
) -> Iterator[Candidate]:
    """Make candidates of what a provider found, with its fields under the names of Candidate's.

    Those without an address, with one that came before, or with another licence are left out. Nothing is taken from
    `found` once `wanted` are given, so that no page is asked for in vain.
    """
    seen: set[str] = set()
    for fields in found:
        made = candidate(fields, provider=provider, query=query, rank=len(seen))
        if made.url and made.url not in seen and made.license in licences:
            seen.add(made.url)
            yield made
            if len(seen) == wanted:
                return


def candidate(fields: Mapping[str, Any], *, provider: str, query: str, rank: int) -> Candidate:
    """One candidate, its texts made plain; what is not in `fields` is empty, or unknown."""
    url, code = fields.get("url"), fields.get("license")
    return Candidate(
        url=texts.printable(url).strip() if isinstance(url, str) else "",
        source_page=texts.address(fields.get("source_page")),
        title=texts.plain(fields.get("title")),
        author=texts.plain(fields.get("author")),
        author_url=texts.address(fields.get("author_url")),
        license=code if isinstance(code, str) and code in licensing.CODES else licensing.UNKNOWN,
        license_version=texts.plain(fields.get("license_version"), 20),
        license_url=texts.address(fields.get("license_url")),
        attribution=texts.plain(fields.get("attribution"), LONGEST_CREDIT),
        provider=texts.plain(fields.get("provider"), 100) or provider,
        provider_id=texts.plain(fields.get("provider_id")),
        query=query,
        rank=rank,
        width=texts.number(fields.get("width")),
        height=texts.number(fields.get("height")),
        mime=texts.plain(fields.get("mime"), 100),
    )
