"""The list of images that must not be kept: it always wins.

A line of data/removed.txt is an address or a sha256, then why it is there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tasks import catalogue, places
from tasks.collected import METADATA, NAMES
from tasks.errors import BadRequest
from tasks.receipts import digest_file

SHA256 = re.compile(r"[0-9a-f]{64}")
ADDRESS = re.compile(r"(https?://|file:)\S{1,2000}")


@dataclass(frozen=True)
class Removed:
    """What must not be kept, by address and by sha256 (of the bytes that came, or of the picture that was stored)."""

    addresses: frozenset[str]
    digests: frozenset[str]

    def has(self, *names: str) -> bool:
        return any(name in self.addresses or name in self.digests for name in names)


def read() -> Removed:
    """What the list says; nothing where there is none.

    Raises:
        BadRequest: if a line is neither an address nor a sha256.
    """
    lines = places.REMOVED.read_text(encoding="utf-8").splitlines() if places.REMOVED.is_file() else []
    firsts = [(number, line.split()[0]) for number, line in enumerate(lines, 1) if line.strip() and line[0] != "#"]
    for number, first in firsts:
        if not (SHA256.fullmatch(first) or ADDRESS.fullmatch(first)):
            raise BadRequest(
                f"line {number} of `{places.REMOVED}` must begin with an address or a sha256. Received: {first[:80]!r}"
            )
    named = {first for _, first in firsts}
    digests = frozenset(one for one in named if SHA256.fullmatch(one))
    return Removed(frozenset(named - digests), digests)


def digest() -> str:
    return digest_file(places.REMOVED) if places.REMOVED.is_file() else ""


def names(image: str) -> list[str]:
    """All names by which an image of a collection here can come back: its addresses, and the sha256 of both forms.

    Args:
        image: one of them.
    """
    found = {image}
    paths = [places.collected(name) / METADATA for name in catalogue.load().collections]
    for path in filter(Path.is_file, paths):
        table = pd.read_parquet(path, columns=NAMES)
        found |= set(table[(table == image).any(axis=1)].to_numpy().ravel())
    return sorted(found)


def add(what: str, why: str) -> bool:
    """Put an address or a sha256 on the list; returns whether it was not there yet.

    Raises:
        BadRequest: if it is neither.
    """
    if not (SHA256.fullmatch(what) or ADDRESS.fullmatch(what)):
        raise BadRequest(f"what is to be removed must be an address or a sha256. Received: {what[:80]!r}")
    if read().has(what):
        return False
    before = places.REMOVED.read_text(encoding="utf-8") if places.REMOVED.is_file() else ""
    reason = " ".join(why.split())[:300]
    above = before if before.endswith("\n") or not before else before + "\n"
    places.write_whole(places.REMOVED, f"{above}{what} {reason}".rstrip() + "\n")
    return True
