"""Openverse: openly licensed images of many collections, with licence, author and source of each; needs no key.

With OPENVERSE_CLIENT_ID and OPENVERSE_CLIENT_SECRET in the environment, which are free, more may be asked a day. Its
terms forbid to copy the catalogue, and to go around the limits by asking from several machines.

Source: https://api.openverse.org/v1/ (20 a page and 20 pages at most for who gives no credentials).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any

from tasks.errors import BadRequest, Unavailable
from tasks.outside.providers import Candidate, licensing, ranked, texts
from tasks.outside.providers.ask import Answer, Ask, Denied

KEYS: tuple[str, ...] = ()
ADDRESS = "https://api.openverse.org"
INTERVAL = 3.0
LICENCES = licensing.COMMONS

IMAGES, TOKEN = "v1/images/", "v1/auth_tokens/token/"
CREDENTIALS = ("OPENVERSE_CLIENT_ID", "OPENVERSE_CLIENT_SECRET")
PAGE_ANONYMOUS, PAGE_KNOWN = 20, 50
DEPTH = 20
FILE_TYPES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "gif": "image/gif"}


def search(
    query: str, wanted: int, ask: Ask, licences: Collection[str], _settings: Mapping[str, Any]
) -> Iterator[Candidate]:
    """Images for `query`, without those that are marked as sensitive."""
    found = (fields(item) for page in pages(query, ask, licences) for item in page)
    return ranked(found, query, wanted, provider="openverse", licences=licences)


def pages(query: str, ask: Ask, licences: Collection[str]) -> Iterator[list[dict[str, Any]]]:
    known = has_credentials(ask)
    asked: dict[str, str | int] = {
        "q": query,
        "license": ",".join(sorted(LICENCES & set(licences))),
        "mature": "false",
        "page_size": PAGE_KNOWN if known else PAGE_ANONYMOUS,
    }
    for number in range(1, DEPTH + 1):
        answer = page(ask, {**asked, "page": number}, known=known)
        yield results(answer)
        last = texts.number(answer.get("page_count"))
        if last is None or number >= last:
            return


def page(ask: Ask, asked: Mapping[str, str | int], *, known: bool) -> Answer:
    """One page; one that the server does not give, though it counted it, is an empty last one, and that is told."""
    headers = partial(authorization, ask) if known else dict
    try:
        return ask.page(IMAGES, asked, check=results, headers=headers)
    except Denied as error:
        if asked["page"] == 1 or error.status not in (400, 401, 404):
            raise
        ask.say(f"`{asked['q']}` ends before page {asked['page']}: {error}")
        return {"results": []}


def results(answer: Answer) -> list[dict[str, Any]]:
    return texts.records(answer, "results", provider="openverse")


def fields(item: Mapping[str, Any]) -> dict[str, Any]:
    """A result under the names of Candidate's fields."""
    return {
        "url": texts.address(item.get("url")),
        "source_page": item.get("foreign_landing_url"),
        "title": item.get("title"),
        "author": item.get("creator"),
        "author_url": item.get("creator_url"),
        "license": item.get("license"),
        "license_version": item.get("license_version"),
        "license_url": item.get("license_url"),
        "attribution": item.get("attribution"),
        "provider_id": item.get("id"),
        "width": item.get("width"),
        "height": item.get("height"),
        "mime": FILE_TYPES.get(texts.plain(item.get("filetype")).lower(), ""),
    }


def has_credentials(ask: Ask) -> bool:
    had = [name for name in CREDENTIALS if ask.secret(name)]
    if len(had) == 1:
        raise BadRequest(f"{' and '.join(CREDENTIALS)} must both be set, or neither. Received: {had[0]} alone")
    return bool(had)


def authorization(ask: Ask) -> dict[str, str]:
    return {"Authorization": f"Bearer {ask.once('token', partial(token, ask))}"}


def token(ask: Ask) -> str:
    client, secret = (ask.secret(name) for name in CREDENTIALS)
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    given = ask.answered("POST", TOKEN, data=form).get("access_token")
    if not isinstance(given, str) or not re.fullmatch(r"[!-~]+", given):
        raise Unavailable(f"openverse must give an access token. Received: none. Check {' and '.join(CREDENTIALS)}")
    return given
