"""Wikimedia Commons: free media of Wikipedia and its sisters; needs no key, but a contact in the User-Agent.

A candidate's address is that of a reduced image, at a width that the servers have ready: originals are refused to
clients that ask for many, and so are other widths.

Source: https://commons.wikimedia.org/w/api.php, https://www.mediawiki.org/wiki/Common_thumbnail_sizes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tasks.errors import BadRequest, Unavailable
from tasks.outside.providers import Candidate, licensing, ranked, texts
from tasks.outside.providers.ask import Answer, Ask

KEYS: tuple[str, ...] = ()
ADDRESS = "https://commons.wikimedia.org"
INTERVAL = 1.0
LICENCES = licensing.CODES

API = "w/api.php"
WIDTHS = (120, 250, 330, 500, 960, 1280, 1920, 3840)
WIDTH = 960
PAGE = 50
DEPTH = 40
METADATA = "LicenseShortName|LicenseUrl|Artist|Attribution"


def search(
    query: str, wanted: int, ask: Ask, licences: Collection[str], settings: Mapping[str, Any]
) -> Iterator[Candidate]:
    """Bitmaps for `query`; `settings["width"]` is the width in pixels, one of WIDTHS, that they are reduced to."""
    if not ask.contact:
        raise BadRequest(
            "`contact` must be set: Wikimedia asks for an address or a mailbox to write to. Received: none"
        )
    width = settings.get("width", WIDTH)
    if width not in WIDTHS:
        raise BadRequest(f"`width` must be one of {', '.join(map(str, WIDTHS))}. Received: {width!r}")
    found = (fields(page) for batch in batches(query, ask, width) for page in batch)
    return ranked(found, query, wanted, provider="commons", licences=licences)


def batches(query: str, ask: Ask, width: int) -> Iterator[list[dict[str, Any]]]:
    """Pages of files in the order of the search; a batch may come in several answers, each with a part of its facts."""
    asked = parameters(query, width)
    go_on: dict[str, str | int] = {}
    batch: dict[Any, dict[str, Any]] = {}
    for _ in range(DEPTH):
        answer = ask.page(API, {**asked, **go_on}, check=check)
        for page in pages(answer):
            batch.setdefault(page.get("pageid"), {}).update(page)
        go_on = continuation(answer)
        if answer.get("batchcomplete") or not go_on:
            yield sorted(batch.values(), key=lambda page: texts.number(page.get("index")) or 0)
            batch = {}
        if not go_on:
            return


def parameters(query: str, width: int) -> dict[str, str | int]:
    return {
        "action": "query",
        "format": "json",
        "formatversion": 2,
        "generator": "search",
        "gsrsearch": f"filetype:bitmap {query}",
        "gsrnamespace": 6,
        "gsrlimit": PAGE,
        "prop": "imageinfo",
        "iiprop": "url|size|mime|thumbmime|sha1|extmetadata",
        "iiextmetadatafilter": METADATA,
        "iiurlwidth": width,
    }


def check(answer: Answer) -> None:
    """Errors come with the status 200."""
    if isinstance(error := answer.get("error"), dict):
        received = texts.plain(f"{error.get('code')}, {error.get('info')}", 200)
        raise Unavailable(f"commons must answer a query. Received: {received}")
    pages(answer)


def pages(answer: Answer) -> list[dict[str, Any]]:
    """The files in an answer; a search that finds nothing has no `query` at all."""
    return texts.records(answer, "query", "pages", provider="commons") if "query" in answer else []


def continuation(answer: Answer) -> dict[str, str | int]:
    """Parameters that lead to the next answer; none where this is the last."""
    told = answer.get("continue")
    values = told.items() if isinstance(told, dict) else ()
    return {key: texts.plain(value) for key, value in values}


def fields(page: Mapping[str, Any]) -> dict[str, Any]:
    """A file under the names of Candidate's fields."""
    info = first(page.get("imageinfo"))
    facts, artist = metadata(info), metadata(info).get("Artist", "")
    title, author, terms = title_of(page), texts.plain(artist), texts.address(facts.get("LicenseUrl"))
    licence = licensing.read(terms, texts.plain(facts.get("LicenseShortName")))
    return {
        "url": texts.address(info.get("thumburl")),
        "source_page": info.get("descriptionurl"),
        "title": title,
        "author": author,
        "author_url": link(artist),
        "license": licence.code,
        "license_version": licence.version,
        "license_url": terms,
        "attribution": facts.get("Attribution") or licensing.credit(title, author, licence, terms),
        "provider_id": page.get("pageid"),
        "width": info.get("thumbwidth"),
        "height": info.get("thumbheight"),
        "mime": info.get("thumbmime") or info.get("mime"),
    }


def first(infos: object) -> dict[str, Any]:
    """Facts of a file's newest version; none where the server had none."""
    return infos[0] if isinstance(infos, list) and infos and isinstance(infos[0], dict) else {}


def metadata(info: Mapping[str, Any]) -> dict[str, str]:
    """Metadata by name; their values are HTML."""
    facts = info.get("extmetadata")
    values = {name: one.get("value") for name, one in facts.items() if isinstance(one, dict)} if facts else {}
    return {name: value for name, value in values.items() if isinstance(value, str)}


def title_of(page: Mapping[str, Any]) -> str:
    return re.sub(r"^File:|\.[A-Za-z]{3,4}$", "", texts.plain(page.get("title"), 2 * texts.LONGEST_TEXT))


def link(artist: str) -> str:
    """Where the first link in a piece of HTML leads to."""
    found = re.search(r'href="([^"]+)"', artist)
    return texts.address(found[1].replace("&amp;", "&")) if found else ""
