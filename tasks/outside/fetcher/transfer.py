"""One request, and what its answer is worth; of a body no more is read than it takes to know."""

from __future__ import annotations

import asyncio
import email.utils
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from io import FileIO
from pathlib import Path

import aiohttp
from yarl import URL

from tasks.outside.fetcher import Manners, addresses, formats, network, robots
from tasks.outside.fetcher.addresses import Rejected
from tasks.outside.fetcher.hosts import Job

PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Statuses that another attempt may not meet."""

AGAIN = {"bad_answer", "connection", "dns", "short_body", "timeout", *(f"http_{status}" for status in PASSING)}
"""What is tried again within a call."""

ETAG = re.compile(r'(W/)?"[!#-~]{0,500}"')
DATE = re.compile(r"[A-Za-z0-9:, +-]{1,60}")


class Disk(Exception):
    """Wraps an OSError of the disk, which must not be taken for one of the network."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(slots=True)
class Answer:
    """What came.

    Args:
        reason: why it is no use; empty for a redirect, for new bytes, and where the old ones hold.
        location: where a redirect leads.
        wait: s that the server asks us to wait.
        part: file with the bytes.
    """

    reason: str = ""
    status: int | None = None
    content_type: str = ""
    etag: str = ""
    last_modified: str = ""
    location: URL | None = None
    wait: float = 0.0
    part: Path | None = None
    sha256: str = ""
    bytes: int = 0
    format: str = ""


async def ask(session: aiohttp.ClientSession, job: Job, manners: Manners, part: Path) -> Answer:
    """Ask for the job's address, and write a body that may be used to `part`.

    Raises:
        Disk: if it cannot be written.
    """
    answer = Answer()
    try:
        async with (
            asyncio.timeout(manners.total - job.spent),
            session.get(job.address, allow_redirects=False, headers=conditions(job)) as response,
        ):
            await look(response, job, manners, answer, part)
    except Rejected as error:
        answer.reason = str(error)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        answer.reason = network.reason(error)
    return answer


def conditions(job: Job) -> dict[str, str]:
    """Headers by which only other bytes than the ones here are asked for."""
    if job.prior is None or not job.conditional or str(job.address) != job.prior.final_url:
        return {}
    asked = {"If-None-Match": job.prior.etag, "If-Modified-Since": job.prior.last_modified}
    return {name: value for name, value in asked.items() if value}


async def look(response: aiohttp.ClientResponse, job: Job, manners: Manners, answer: Answer, part: Path) -> None:
    """Fill `answer`, headers first.

    Raises:
        Rejected: as soon as something shows that it is no use.
    """
    headers, answer.status = response.headers, response.status
    answer.content_type = plain(headers.get("Content-Type", ""))
    if response.status in robots.REDIRECTED and "Location" in headers:
        answer.location = addresses.join(job.address, headers["Location"])
        return
    unchanged = response.status == HTTPStatus.NOT_MODIFIED and bool(conditions(job))
    if response.status != HTTPStatus.OK and not unchanged:
        answer.wait = retry_after(headers)
        raise Rejected(f"http_{response.status}")
    answer.etag = matching(ETAG, headers.get("ETag", ""))
    answer.last_modified = matching(DATE, headers.get("Last-Modified", ""))
    if robots.opts_out(headers, manners.agent):
        raise Rejected("opted_out")
    if not unchanged:
        await save(response, manners, answer, part)


async def save(response: aiohttp.ClientResponse, manners: Manners, answer: Answer, part: Path) -> None:
    """Read the body into `part`, which is removed if it cannot be used.

    Raises:
        Rejected: as soon as that shows.
        Disk: if `part` cannot be written.
    """
    if robots.is_encoded(response.headers):
        raise Rejected("content_encoding")
    if (response.content_length or 0) > manners.largest:
        raise Rejected("too_big")
    head = await begin(response)
    answer.format = formats.sniff(head)
    if answer.format not in manners.formats:
        raise Rejected(("format" if answer.format else "not_an_image") if head else "empty")
    try:
        await write(response, head, manners.largest, answer, part)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    answer.part = part


async def begin(response: aiohttp.ClientResponse) -> bytes:
    """As much of a body as its format shows in, or all of a shorter one."""
    head = b""
    while len(head) < formats.HEAD and (chunk := await response.content.readany()):
        head += chunk
    return head


async def write(response: aiohttp.ClientResponse, chunk: bytes, largest: int, answer: Answer, part: Path) -> None:
    digest = hashlib.sha256()
    with create(part) as file:
        while chunk:
            answer.bytes += len(chunk)
            if answer.bytes > largest:
                raise Rejected("too_big")
            digest.update(chunk)
            put(file, chunk)
            chunk = await response.content.readany()
    answer.sha256 = digest.hexdigest()


def create(part: Path) -> FileIO:
    try:
        return part.open("wb", buffering=0)
    except OSError as error:
        raise Disk(error) from error


def put(file: FileIO, chunk: bytes) -> None:
    left = memoryview(chunk)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise Disk(error) from error


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that a server asks us to wait; 0 where it says nothing that can be read."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        when = email.utils.parsedate_to_datetime(text)
        return max((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp(), 0)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0


def matching(form: re.Pattern[str], text: str) -> str:
    """A header that may be sent back as it came; empty if it may not."""
    return text if form.fullmatch(text) else ""


def plain(text: str) -> str:
    """A header that may be shown: ASCII without control characters, and not long."""
    return re.sub(r"[^ -~]", "", text)[:100]
