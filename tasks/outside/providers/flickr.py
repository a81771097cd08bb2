"""Flickr: photographs with the licence that their owner chose; needs a key, which is free for non-commercial use.

Its terms ask to link back to a photograph's page. The key is sent in the body of a POST and never in an address.

Source: https://www.flickr.com/services/api/flickr.photos.search.html, https://www.flickr.com/services/api/request.rest.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tasks.errors import Unavailable
from tasks.outside.providers import Candidate, licensing, ranked, texts
from tasks.outside.providers.ask import Answer, Ask

KEYS = ("FLICKR_API_KEY",)
ADDRESS = "https://api.flickr.com"
INTERVAL = 1.0
LICENCES = licensing.COMMONS

API = "services/rest/"
PAGE = 100
DEPTH = 40
"""More than 4,000 photographs are not given for one query; later pages repeat earlier ones."""

SIZES = ("l", "c")
"""1024 and 800 pixels on the longest side; which of them there are depends on the original."""

Terms = dict[str, tuple[licensing.Licence, str]]


def search(
    query: str, wanted: int, ask: Ask, licences: Collection[str], _settings: Mapping[str, Any]
) -> Iterator[Candidate]:
    """Photographs for `query`, the most relevant first, safe ones only."""
    terms = {number: one for number, one in read_terms(ask).items() if one[0].code in licences}
    found = (fields(photo, terms) for page in pages(query, ask, terms) for photo in page)
    return ranked(found, query, wanted, provider="flickr", licences=licences)


def read_terms(ask: Ask) -> Terms:
    """Licence and its address by Flickr's number; Flickr adds numbers when licences get new versions."""
    answer = call(ask, "flickr.photos.licenses.getInfo", ("licenses", "license"))
    terms: Terms = {}
    for item in texts.records(answer, "licenses", "license", provider="flickr"):
        url = texts.address(item.get("url"))
        terms[texts.plain(item.get("id"))] = licensing.read(url), url
    return {number: one for number, one in terms.items() if texts.number(number)}


def pages(query: str, ask: Ask, terms: Terms) -> Iterator[list[dict[str, Any]]]:
    asked: dict[str, str | int] = {
        "text": query,
        "license": ",".join(sorted(terms, key=int)),
        "sort": "relevance",
        "media": "photos",
        "content_type": 1,
        "safe_search": 1,
        "extras": "license,owner_name,url_l,url_c,o_dims",
        "per_page": PAGE,
    }
    for number in range(1, DEPTH + 1 if terms else 0):
        answer = call(ask, "flickr.photos.search", ("photos", "photo"), **asked, page=number)
        yield texts.records(answer, "photos", "photo", provider="flickr")
        if number >= (texts.number(answer["photos"].get("pages")) or 0):
            return


def call(ask: Ask, method: str, path: tuple[str, str], **asked: str | int) -> Answer:
    """What a method answers, which must have a list at `path`."""

    def check(answer: Answer) -> None:
        """Errors come with the status 200."""
        if answer.get("stat") == "fail":
            received = ask.hide(texts.plain(f"{answer.get('code')}, {answer.get('message')}", 200))
            raise Unavailable(f"flickr must answer {method}. Received: {received}. Check {KEYS[0]}")
        texts.records(answer, *path, provider="flickr")

    parameters = {"method": method, "format": "json", "nojsoncallback": 1, **asked}
    return ask.page(API, parameters, check=check, form=lambda: {"api_key": ask.secret(KEYS[0])})


def fields(photo: Mapping[str, Any], terms: Terms) -> dict[str, Any]:
    """A photograph under the names of Candidate's fields."""
    licence, address = terms.get(texts.plain(photo.get("license")), (licensing.Licence(licensing.UNKNOWN), ""))
    size = next((size for size in SIZES if texts.address(photo.get(f"url_{size}"))), SIZES[-1])
    title, author = texts.plain(photo.get("title")), texts.plain(photo.get("ownername"))
    owner, number = texts.plain(photo.get("owner")), texts.plain(photo.get("id"))
    return {
        "url": texts.address(photo.get(f"url_{size}")),
        "source_page": f"https://www.flickr.com/photos/{owner}/{number}",
        "title": title,
        "author": author,
        "author_url": f"https://www.flickr.com/people/{owner}/",
        "license": licence.code,
        "license_version": licence.version,
        "license_url": address,
        "attribution": licensing.credit(title, author, licence, address),
        "provider_id": number,
        "width": photo.get(f"width_{size}"),
        "height": photo.get(f"height_{size}"),
    }
