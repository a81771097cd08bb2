"""Asks a provider for JSON: politely, with bounds on everything, and for each page only once.

An answered page is kept as a file, so that a search that was killed goes on where it was, and one that is done needs no
network. Keys are in headers or in a form, never in an address, and are taken out of whatever is kept or told.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import re
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from tasks import places
from tasks.errors import BadRequest, Unavailable
from tasks.outside import web
from tasks.outside.providers import texts

TRIES = 3
BACKOFF = 1.0
LONGEST_WAIT = 120.0
SLOWEST = 120.0
LARGEST = 20 * 1024**2
EXCERPT = 200

BUSY = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that may be another one after a while."""

Answer = dict[str, Any]


class Denied(Unavailable):
    """The server answers, and says no; asking again would change nothing."""

    def __init__(self, line: str, status: int) -> None:
        super().__init__(line)
        self.status = status


class Busy(Unavailable):
    """The server is not there, or not now; `after` is how many seconds it asks to wait, if it says so."""

    def __init__(self, line: str, after: float | None = None) -> None:
        super().__init__(line)
        self.after = after


class Ask:
    """One provider's API.

    Args:
        provider: its name.
        address: of the API; `settings["address"]` comes before it.
        interval: seconds between the end of a request and the next; `settings["interval"]` comes before it.
        settings: `contact` (an address or a mailbox, for the User-Agent), `backoff` (s before the second try, doubled
            before the third), `longest_wait` (s; a server that asks for more is not waited for).
        folder: pages are kept in `pages/<provider>` below it.
        say: is told when there is a wait of a second or more.

    Raises:
        BadRequest: if a setting is not what it must be.
    """

    def __init__(
        self,
        provider: str,
        address: str,
        *,
        interval: float,
        settings: Mapping[str, Any],
        folder: Path,
        say: Callable[[str], None],
    ) -> None:
        self.provider = provider
        self.address = str(settings.get("address") or address).rstrip("/")
        self.contact = contact(settings)
        self.interval = seconds(settings, "interval", interval)
        self.backoff = seconds(settings, "backoff", BACKOFF)
        self.longest_wait = seconds(settings, "longest_wait", LONGEST_WAIT)
        self.folder = folder / "pages" / provider
        self.tell = say
        self.secrets: set[str] = set()
        self.had: dict[str, str] = {}
        self.next_turn = time.monotonic() + self.rest()

    def secret(self, variable: str) -> str:
        """The environment variable's value, or nothing; from now on it is in no line and no file.

        Raises:
            BadRequest: if it cannot stand in a header; libraries would tell it in their errors.
        """
        value = os.environ.get(variable, "").strip()
        if not re.fullmatch(r"[!-~]*", value):
            raise BadRequest(f"{variable} must be printable ASCII without spaces. Received: something else")
        self.secrets |= {value} if value else set()
        return value

    def once(self, name: str, make: Callable[[], str]) -> str:
        """A secret that is made at its first use, and is the same for all queries of this search."""
        if name not in self.had:
            self.had[name] = make()
            self.secrets.add(self.had[name])
        return self.had[name]

    def say(self, line: str) -> None:
        self.tell(self.hide(f"{self.provider}: {line}"))

    def hide(self, text: str) -> str:
        """`text` without any secret, and without the query of any address."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return web.mask(text)

    def page(
        self,
        path: str,
        asked: Mapping[str, str | int],
        *,
        check: Callable[[Answer], object],
        headers: Callable[[], Mapping[str, str]] = dict,
        form: Callable[[], Mapping[str, str]] | None = None,
    ) -> Answer:
        """The answer to `asked`, which is kept already or is now.

        Args:
            path: of the API, behind its address.
            asked: parameters that say which query and which page this is; none of them is a secret.
            check: raises Unavailable if the answer is none; then it is not kept.
            headers: secret ones; called only if the server is asked.
            form: secret fields; all parameters are then sent by POST in the body, with these, and not in the address.

        Raises:
            Unavailable: if there is no answer, or no right one.
            Denied: if the server says no.
        """

        def answer() -> Answer:
            if form is None:
                return self.answered("GET", path, params=dict(asked), headers=headers())
            return self.answered("POST", path, data={**asked, **form()})

        return self.kept({"path": path, **asked}, answer, check=check)

    def kept(
        self, asked: Mapping[str, str | int], make: Callable[[], Answer], *, check: Callable[[Answer], object]
    ) -> Answer:
        """What was answered to `asked` before, else what `make` gives, which must pass `check` and is kept."""
        text = json.dumps(asked, sort_keys=True)
        file = self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
        had = read_kept(file, dict(asked))
        if had is not None:
            return had
        made = make()  # may bring a new secret
        answer: Answer = without(self.secrets, made)
        check(answer)
        places.write_whole(file, json.dumps({"asked": dict(asked), "answer": answer}, sort_keys=True, indent=1) + "\n")
        return answer

    def answered(self, method: str, path: str, **sent: Any) -> Answer:
        """Ask until there is an answer, at most TRIES times.

        Raises:
            Unavailable: if there is none, or no JSON object.
        """
        url = f"{self.address}/{path}"
        web.check_address(url)
        for attempt in range(1, TRIES):
            try:
                return self.attempt(method, url, sent)
            except Busy as busy:
                self.wait(self.pause(busy, attempt))
        return self.attempt(method, url, sent)

    def pause(self, busy: Busy, attempt: int) -> float:
        """Seconds to wait after a try that failed.

        Raises:
            Busy: if the server asks for more than is waited for.
        """
        if busy.after is not None and busy.after > self.longest_wait:
            raise busy
        backoff = self.backoff * 2.0 ** (attempt - 1) * random.uniform(1, 1.5)
        return max(backoff, busy.after or 0)

    def attempt(self, method: str, url: str, sent: Mapping[str, Any]) -> Answer:
        """Ask once. Redirects are not followed: a key must not come to where it was not meant for."""
        headers = {"User-Agent": agent(self.contact), "Accept": "application/json", **sent.get("headers", {})}
        sent = {**sent, "headers": headers, "follow_redirects": False}
        try:
            with self.turn(), web.browser(url) as client, client.stream(method, url, **sent) as answer:
                return self.read(answer)
        except httpx.HTTPError as error:
            what = self.hide(f"{type(error).__name__} {error}".strip())
            raise Busy(f"{self.provider} must answer at {self.hide(url)}. Received: {what}") from None

    def read(self, answer: httpx.Response) -> Answer:
        """The JSON object in an answer's body.

        Raises:
            Busy, Denied: if the status is not 200.
            Unavailable: if there is none.
        """
        if answer.status_code != httpx.codes.OK:
            raise self.failure(answer)
        body = b"".join(self.chunks(answer))
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            kind = texts.plain(answer.headers.get("Content-Type", "no media type"), EXCERPT)
            raise Unavailable(self.line(answer, "a JSON object", f"{kind}: {self.excerpt(body)}"))
        return found

    def chunks(self, answer: httpx.Response) -> Iterator[bytes]:
        """The body as it comes, as long as it is not packed, not above LARGEST bytes and not above SLOWEST seconds."""
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise Unavailable(self.line(answer, "an unpacked body", answer.headers["Content-Encoding"]))
        size, end = 0, time.monotonic() + SLOWEST
        for chunk in answer.iter_raw():
            size += len(chunk)
            if size > LARGEST:
                raise Unavailable(self.line(answer, f"at most {LARGEST} bytes", "more"))
            if time.monotonic() > end:
                raise Unavailable(self.line(answer, f"within {SLOWEST:.0f} s", f"{size} bytes by then"))
            yield chunk

    def failure(self, answer: httpx.Response) -> Unavailable:
        """The error that an answer's status means, with the beginning of what the server says of it."""
        status, said = answer.status_code, self.excerpt(next(answer.iter_raw(), b""))
        received = f"{status}, {said}" if said else f"{status}"
        if status not in BUSY:
            return Denied(self.line(answer, "200", received), status)
        after = retry_after(answer.headers.get("Retry-After", ""))
        wait = f"; it asks to wait {after:.0f} s" if after else ""
        return Busy(
            self.line(answer, "200", f"{received}{wait}. Run this again later: pages that came are kept"), after
        )

    def line(self, answer: httpx.Response, must: str, received: str) -> str:
        return f"{self.provider} must answer {must} at {self.hide(str(answer.url))}. Received: {received}"

    def excerpt(self, body: bytes) -> str:
        return self.hide(texts.plain(body[:2000].decode("utf-8", "replace"), EXCERPT))

    def rest(self) -> float:
        """Seconds that are left of the interval since a page was kept, be it by a search before this one."""
        try:
            since = time.time() - self.folder.stat().st_mtime
        except FileNotFoundError:
            return 0.0
        return min(self.interval, max(0.0, self.interval - since))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until a request may be sent; the next may be `interval` after the end of the block."""
        time.sleep(max(0, self.next_turn - time.monotonic()))
        try:
            yield
        finally:
            self.next_turn = time.monotonic() + self.interval

    def wait(self, duration: float) -> None:
        if duration >= 1:
            self.say(f"waits {duration:.0f} s")
        time.sleep(duration)


def read_kept(file: Path, asked: Mapping[str, str | int]) -> Answer | None:
    """The answer in a kept page; None if there is none, or none to that question."""
    try:
        page = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    fits = isinstance(page, dict) and page.get("asked") == asked and isinstance(page.get("answer"), dict)
    return page["answer"] if fits else None


def without(secrets: set[str], value: Any) -> Any:
    """`value` with *** for each secret in any of its texts."""
    if isinstance(value, dict):
        return {without(secrets, key): without(secrets, one) for key, one in value.items()}
    if isinstance(value, list):
        return [without(secrets, one) for one in value]
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "***")
    return value


def retry_after(header: str) -> float | None:
    """Seconds that a Retry-After header asks for; None if it says nothing that can be understood."""
    header = header.strip()
    if re.fullmatch(r"[0-9]{1,9}", header):
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def agent(contact: str) -> str:
    """Who asks: name, version, and whom to write to."""
    project = tomllib.loads((places.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return f"{project['name']}/{project['version']}" + (f" (+{contact})" if contact else "")


def contact(settings: Mapping[str, Any]) -> str:
    value = settings.get("contact", "")
    if not isinstance(value, str) or not re.fullmatch(r"[ -~]{0,200}", value):
        raise BadRequest(f"`contact` must be at most 200 printable ASCII characters. Received: {value!r}")
    return value.strip()


def seconds(settings: Mapping[str, Any], name: str, default: float) -> float:
    value = settings.get(name, default)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0:
        raise BadRequest(f"`{name}` must be a number of seconds, at least 0. Received: {value!r}")
    return float(value)
