"""Images from the web: fetched politely, safely and once.

`fetch` ends with bytes on the disk, named by their sha256; what they show is not its business. It asks robots.txt
before anything else, keeps to what a server says of itself (Crawl-delay, Retry-After, X-Robots-Tag, TDM-Reservation),
connects to nothing but the public internet, and never believes a header about what a body is.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.errors import BadRequest

State = Literal["fetched", "unchanged", "rejected", "failed", "gone"]

REJECTED = {
    "address": "the address has no host, has a user, or is longer than 2,000 characters",
    "content_encoding": "the body is encoded, though that was not asked for",
    "empty": "the body has no bytes",
    "format": "it is an image of a format that is not wanted",
    "http_*": "the server answers with that status: it has nothing for us",
    "not_an_image": "its first bytes are those of no image",
    "opted_out": "a header forbids this use of it (X-Robots-Tag or TDM-Reservation)",
    "robots": "robots.txt forbids to ask for it",
    "scheme": "the address is neither http nor https",
    "ssrf": "it leads to an address that is not on the public internet",
    "too_big": "the body is longer than `largest`",
    "too_many_redirects": "it redirects more often than `redirects`",
}
"""Why an address is not worth another try before `recheck`."""

FAILED = {
    "bad_answer": "the server answers something that is not HTTP",
    "connection": "the server refuses the connection, or breaks it off",
    "dns": "the host has no address",
    "host_down": "its host failed `breaker` times in a row, and was left alone after that",
    "host_parked": "its host wants to be left alone for longer than `retry_after`",
    "http_*": "the server answers with that status, which may pass",
    "robots_unreachable": "robots.txt cannot be had, so that nobody knows what is allowed",
    "short_body": "the body ends before its end",
    "timeout": "the server takes longer than `connect`, `read` or `total`",
    "tls": "the server's certificate does not hold, or it speaks no TLS",
}
"""Why an address failed that the next call asks for again."""

REASONS = {**REJECTED, **FAILED}

LEAST = {
    "connections": 1,
    "per_host": 1,
    "interval": 0,
    "connect": 0.001,
    "read": 0.001,
    "total": 0.001,
    "attempts": 1,
    "backoff": 0,
    "retry_after": 0,
    "largest": 1,
    "redirects": 0,
    "recheck": 0,
    "breaker": 1,
}


@dataclass(frozen=True)
class Manners:
    """How servers are asked.

    Args:
        agent: the product token that robots.txt and X-Robots-Tag know us by: letters, digits, `-` and `_`.
        contact: page or mailbox by which a server's owner can reach us; part of the User-Agent.
        connections: requests at a time.
        per_host: requests at a time to one host and port.
        interval: s between the starts of two requests to a host; its Crawl-delay raises it, up to 30 s.
        connect: s until a server has taken the connection.
        read: s between two pieces of an answer.
        total: s for one attempt, redirects included; waiting for the host's turn is not.
        attempts: requests for one address, where what went wrong may pass.
        backoff: s before the second attempt, doubled for each further one, times 0.5 to 1.5 by chance.
        retry_after: most s that a host may ask us to wait; one that asks for more is left alone.
        largest: bytes of a body.
        redirects: that are followed, one after the other.
        formats: that are kept, by the names in `formats.py`.
        allow_networks: that may be connected to besides the public internet, such as `10.0.0.0/8`.
        recheck: s after which a finished address is asked for again, on the condition that it has changed.
        breaker: requests to one host that fail in a row, after which it is asked for nothing more.

    Raises:
        BadRequest: where one of these cannot be.
    """

    agent: str = "miar"
    contact: str = ""
    connections: int = 64
    per_host: int = 2
    interval: float = 0.0
    connect: float = 5
    read: float = 10
    total: float = 60
    attempts: int = 3
    backoff: float = 0.5
    retry_after: float = 120
    largest: int = 20 * 1024**2
    redirects: int = 5
    formats: tuple[str, ...] = ("jpeg", "png", "webp")
    allow_networks: tuple[str, ...] = ()
    recheck: float = 30 * 86400
    breaker: int = 5

    def __post_init__(self) -> None:
        check(self)


def check(manners: Manners) -> None:
    from tasks.outside.fetcher import formats

    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", manners.agent):
        raise BadRequest(f"`agent` must be letters, digits, - and _. Received: {manners.agent!r}")
    if not re.fullmatch(r"[!-'*-~]{0,200}", manners.contact):
        raise BadRequest(
            f"`contact` must be an address in ASCII, without spaces and brackets. Received: {manners.contact!r}"
        )
    for name, least in LEAST.items():
        if not getattr(manners, name) >= least:
            raise BadRequest(f"`{name}` must be at least {least}. Received: {getattr(manners, name)}")
    if unknown := set(manners.formats) - set(formats.KNOWN):
        raise BadRequest(f"`formats` must be among {', '.join(formats.KNOWN)}. Received: {', '.join(sorted(unknown))}")
    for network in manners.allow_networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise BadRequest(f"`allow_networks` must be networks such as 10.0.0.0/8. Received: {error}") from None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of an address.

    Args:
        reason: why there are no bytes, as one of `REASONS`; empty where there are.
        sha256: of the bytes; empty where there are none.
        bytes: how many.
        format: by the first bytes, as in `formats.py`.
        final_url: where redirects led.
        http_status: of the last answer, if one came.
        content_type: as the server claims; of the bytes, where there are or were any.
        etag, last_modified: of the bytes; what a later request is conditional on.
        fetched_at: when these very bytes came first, UTC.
        attempts: how often the address was asked for, the last time that it was.
        previous: sha256 of other bytes that came from it before. Where `sha256` is empty, `bytes`, `format`,
            `content_type`, `etag`, `last_modified` and `fetched_at` are of those.
    """

    url: str
    state: State
    reason: str = ""
    sha256: str = ""
    bytes: int = 0
    format: str = ""
    final_url: str = ""
    http_status: int | None = None
    content_type: str = ""
    etag: str = ""
    last_modified: str = ""
    fetched_at: str = ""
    attempts: int = 0
    previous: str = ""

    @property
    def held(self) -> str:
        """The sha256 of the bytes that came last, whatever became of the address since; empty if none ever did."""
        return self.sha256 or self.previous


@dataclass(frozen=True)
class Progress:
    """How far a call of `fetch` is.

    Args:
        total: distinct addresses.
        states: how many of them ended in which state.
        bytes: that were read in this call.
        seconds: since it began.
        per_second: images that came, or were found unchanged, in each of them.
    """

    total: int
    states: Counter[str]
    bytes: int
    seconds: float
    per_second: float

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {state}" for state, count in sorted(self.states.items()))
        done = (
            f"{self.states.total()} of {self.total} addresses ({counts})" if counts else f"0 of {self.total} addresses"
        )
        return f"{done}, {self.bytes / 1e6:.1f} MB, {self.per_second:.1f} images/s"


def fetch(
    urls: Iterable[str], folder: Path, *, manners: Manners, say: Callable[[Progress], None] = lambda _: None
) -> dict[str, Fetched]:
    """Bring what `urls` give into `folder`, and say of each what became of it.

    A call that was ended by Ctrl-C, SIGTERM, a kill or a full disk is gone on with by the next one, which asks again
    for what failed. What is finished is not asked for again before `manners.recheck`. Of two calls with the same
    folder one waits for the other.

    Args:
        folder: gets `raw/` with the bytes, and `state.db`.
        say: told how far it is, at most once in a second, and at the end.

    Returns:
        One entry for each distinct url, in their order.

    Raises:
        OSError: if the disk is full, or does not work.
        BadData: if `folder` has a state that cannot be read.
    """
    from tasks.outside.fetcher import addresses, state
    from tasks.outside.fetcher.progress import Counts

    wanted = dict.fromkeys(urls)
    good, ended = addresses.sort(wanted)
    with state.opened(folder) as table:
        fresh, jobs = table.plan(good, recheck=manners.recheck)
        ended |= fresh
        with Counts(ended, total=len(wanted), say=say) as counts:
            if jobs:
                from tasks.outside.fetcher import crawl

                ended |= crawl.run(jobs, table, manners, counts)
    return {url: ended[url] for url in wanted}


def is_due(urls: Iterable[str], folder: Path, *, manners: Manners) -> bool:
    """Whether `fetch` would ask for any of `urls`: one that is new, that failed, or is to be looked at again.

    Raises:
        OSError: if the disk is full, or does not work.
        BadData: if `folder` has a state that cannot be read.
    """
    from tasks.outside.fetcher import addresses, state

    good, _ = addresses.sort(dict.fromkeys(urls))
    with state.opened(folder) as table:
        return bool(table.plan(good, recheck=manners.recheck)[1])


def raw(folder: Path, sha256: str) -> Path:
    """Where the bytes with that sha256 are."""
    return folder / "raw" / sha256[:2] / sha256
