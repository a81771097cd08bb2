"""Licences by their short codes: read from what providers say, and told in words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple

from tasks.errors import BadRequest

UNKNOWN = "unknown"
PUBLIC = ("cc0", "pdm")
COMMONS = frozenset({*PUBLIC, "by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd"})
"""The licences and marks of Creative Commons."""

CODES = COMMONS | {UNKNOWN}

ADDRESS = re.compile(r"creativecommons\.org/(?:licenses|publicdomain)/([a-z-]+)/(\d\.\d)", re.IGNORECASE)
NAME = re.compile(r"(?:cc[ -])?(by(?:-nc)?(?:-nd|-sa)?)(?:[ -](\d\.\d)\b.*)?", re.IGNORECASE)
ZERO = re.compile(r"cc[ -]?(?:0|zero)(?:[ -](\d\.\d))?", re.IGNORECASE)
NAMES_IN_ADDRESSES = {"zero": "cc0", "mark": "pdm"}


class Licence(NamedTuple):
    """Short code and version; the version is empty where nothing says it."""

    code: str
    version: str = ""


def read(address: str, name: str = "") -> Licence:
    """The licence that an address at creativecommons.org means, else the one that a short name means.

    `Public domain`, which Wikimedia Commons says of works that are free by age or by law, counts as `pdm` without a
    version. Whatever is no licence of Creative Commons is unknown.
    """
    if found := ADDRESS.search(address):
        code = found[1].lower()
        return known(NAMES_IN_ADDRESSES.get(code, code), found[2])
    name = name.strip()
    if found := ZERO.fullmatch(name):
        return Licence("cc0", found[1] or "")
    if found := NAME.fullmatch(name):
        return known(found[1].lower(), found[2] or "")
    return Licence("pdm") if name.lower() == "public domain" else Licence(UNKNOWN)


def known(code: str, version: str) -> Licence:
    return Licence(code, version) if code in COMMONS else Licence(UNKNOWN)


def check(codes: Iterable[str]) -> None:
    """Refuse a set of licences that is empty, or holds what is no short code.

    Raises:
        BadRequest: if it does.
    """
    given = list(codes)
    wrong = [code for code in given if code not in CODES]
    if wrong or not given:
        near = difflib.get_close_matches(wrong[0], sorted(CODES), n=1) if wrong else []
        hint = f"; did you mean {near[0]!r}?" if near else ""
        received = repr(wrong[0]) if wrong else "none"
        raise BadRequest(f"`licences` must be some of {', '.join(sorted(CODES))}. Received: {received}{hint}")


def told(licence: Licence) -> str:
    """As people write it: `CC BY-SA 4.0`."""
    names = {"cc0": "CC0", "pdm": "public domain", UNKNOWN: "unknown licence"}
    return f"{names.get(licence.code, f'CC {licence.code.upper()}')} {licence.version}".rstrip()


def credit(title: str, author: str, licence: Licence, address: str) -> str:
    """The line that must stand beside a picture, for a provider that has none of its own."""
    made = f'"{title or "Untitled"}"' + (f" by {author}" if author else "")
    return f"{made}, {told(licence)}" + (f", {address}" if address else "")
