"""What a site allows: its robots.txt, and the headers by which an answer says that it must not be used."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from multidict import CIMultiDictProxy
from protego import Protego
from yarl import URL

from tasks.outside.fetcher import Manners, addresses, network
from tasks.outside.fetcher.addresses import Rejected

SECONDS = 5.0
LONGEST = 500 * 1024
REDIRECTS = 5
SLOWEST = 30.0
"""Seconds to ask for it, bytes that are read of it, redirects, and seconds of Crawl-delay that are kept to."""

UNREACHABLE = "robots_unreachable"
REDIRECTED = {301, 302, 303, 307, 308}

FORBIDDEN = {"noai", "noimageai", "noindex", "noimageindex", "none"}
VALUED = {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}
"""Directives of X-Robots-Tag with a colon, which is else what ends the name of a crawler."""


@dataclass(frozen=True)
class Rules:
    """What an origin allows; all of it where nothing is said.

    Args:
        parsed: its robots.txt.
        refusal: why nothing is known, as one of the fetcher's reasons; then nothing is allowed.
    """

    agent: str
    parsed: Protego | None = None
    refusal: str = ""

    def refuses(self, address: URL) -> str:
        """Why `address` must not be asked for; empty if it may be."""
        if self.refusal or self.parsed is None:
            return self.refusal
        return "" if self.parsed.can_fetch(str(address), self.agent) else "robots"

    @property
    def delay(self) -> float:
        """Seconds between two requests."""
        asked = self.parsed.crawl_delay(self.agent) if self.parsed else None
        return min(float(asked or 0), SLOWEST)


class Robots:
    """The rules of every origin, each asked for once, however many want to know them at a time."""

    def __init__(self, session: aiohttp.ClientSession, manners: Manners) -> None:
        self.session, self.manners = session, manners
        self.asked: dict[str, asyncio.Task[Rules]] = {}

    async def rules(self, address: URL) -> Rules:
        origin = str(address.origin())
        if origin not in self.asked:
            self.asked[origin] = asyncio.create_task(self.ask(address.origin() / "robots.txt"))
        return await asyncio.shield(self.asked[origin])

    async def ask(self, address: URL) -> Rules:
        try:
            async with asyncio.timeout(SECONDS):
                return await self.insist(address)
        except TimeoutError:
            return Rules(self.manners.agent, refusal=UNREACHABLE)

    async def insist(self, address: URL) -> Rules:
        """Ask again where the connection fails; a site that says it is broken is believed."""
        agent = self.manners.agent
        for attempt in range(self.manners.attempts):
            await asyncio.sleep(self.manners.backoff * attempt)
            try:
                return Rules(agent, await self.read(address))
            except Rejected:
                break
            except (aiohttp.ClientError, OSError, ValueError) as error:
                if network.reason(error) == "ssrf":
                    return Rules(agent, refusal="ssrf")
        return Rules(agent, refusal=UNREACHABLE)

    async def read(self, address: URL) -> Protego | None:
        """What stands there; None where there is nothing.

        Raises:
            Rejected: if the site cannot say what stands there.
        """
        for _ in range(REDIRECTS + 1):
            async with self.session.get(address, allow_redirects=False, headers={"Accept": "text/plain"}) as answer:
                if answer.status in REDIRECTED and "Location" in answer.headers:
                    address = addresses.join(address, answer.headers["Location"])
                elif answer.status == HTTPStatus.OK:
                    return Protego.parse(await text(answer))
                elif answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise Rejected(UNREACHABLE)
                else:
                    return None
        return None


async def text(answer: aiohttp.ClientResponse) -> str:
    """The whole lines at the beginning of a body."""
    if is_encoded(answer.headers):
        raise Rejected(UNREACHABLE)
    body = bytearray()
    while len(body) < LONGEST and (chunk := await answer.content.readany()):
        body += chunk
    if len(body) >= LONGEST:
        del body[max(body.rfind(b"\n", 0, LONGEST), 0) :]
    return body.decode("utf-8-sig", errors="replace")


def is_encoded(headers: CIMultiDictProxy[str]) -> bool:
    """Whether a body is anything but itself, as nobody asked for."""
    return bool(set(tokens(headers.getall("Content-Encoding", ()))) - {"", "identity"})


def opts_out(headers: CIMultiDictProxy[str], agent: str) -> bool:
    """Whether an answer says that its body must not be used as we would."""
    if headers.get("TDM-Reservation", "").strip() == "1":
        return True
    return any(forbids(value, agent.lower()) for value in headers.getall("X-Robots-Tag", ()))


def forbids(value: str, agent: str) -> bool:
    """Whether one X-Robots-Tag forbids it, to everyone or, behind `<agent>:`, to us."""
    named = agent
    for part in tokens([value]):
        name, colon, behind = (piece.strip() for piece in part.partition(":"))
        if name in VALUED:
            continue
        named = name if colon else named
        if named in (agent, "*") and (behind if colon else name) in FORBIDDEN:
            return True
    return False


def tokens(values: Iterable[str]) -> list[str]:
    return [part.strip().lower() for value in values for part in re.split(",", value)]
