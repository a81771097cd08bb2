"""Downloads over http(s): resumed where they broke, checked for length, whole or not at all."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection
from pathlib import Path

import httpx
from tqdm import tqdm

from tasks import places
from tasks.errors import BadRequest, Refused, Unavailable

TIMEOUT = httpx.Timeout(30, connect=5)
REDIRECTS = 3
CAP = 2 * 1024**3
SECURE = ("https",)
ATTEMPTS = 20


class Missing(Unavailable):
    """The server answers, and does not have the file."""


class Broken(Unavailable):
    """The body ended before its end; what came is kept and can be gone on with."""


def download(url: str, to: Path, *, cap: int = CAP, schemes: Collection[str] = SECURE) -> None:
    """Write what `url` gives to `to`, by way of `<to>.part`, from which a later call goes on.

    A body that breaks off is asked for again from there, as long as every answer brings something more.

    Args:
        cap: bytes above which the file is refused.
        schemes: what the file may come by from other machines; plain http for those alone that are checked afterwards.

    Raises:
        BadRequest: if `url` is not an http(s) address.
        Refused: if it is of no such scheme and not this machine, leads to a private network, or is above `cap`.
        Missing: if the server says that it has no such file.
        Unavailable: if the server is not there, or the body stays short.
    """
    check_address(url, schemes)
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f"{to.name}.part")
    with browser(url, schemes) as client:
        for attempt in range(1, ATTEMPTS + 1):
            before = size(part)
            try:
                fetch_rest(client, url, part, cap)
                break
            except Broken:
                if size(part) <= before or attempt == ATTEMPTS:
                    raise
            except httpx.HTTPError as error:
                raise Unavailable(f"{mask(url)}: {type(error).__name__} {mask(str(error))}".strip()) from None
    finish(part, to)


def check_address(url: str, schemes: Collection[str] = SECURE) -> None:
    """Refuse what is not http(s), and to anywhere but this machine what is of none of `schemes`."""
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise BadRequest(f"an address must be http(s)://host/path. Received: {mask(url)} ({error})") from None
    if address.scheme not in ("http", "https") or not address.host:
        raise BadRequest(f"an address must be http(s)://host/path. Received: {mask(url)}")
    if address.scheme not in schemes and not is_loopback(address.host):
        raise Refused(f"an address must be {' or '.join(schemes)} unless it is this machine's. Received: {mask(url)}")


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def browser(url: str, schemes: Collection[str] = SECURE) -> httpx.Client:
    """A client whose redirects keep to `schemes` and never lead from the internet into a private network."""
    first = httpx.URL(url).host

    def check(request: httpx.Request) -> None:
        check_address(str(request.url), schemes)
        if request.url.host != first and is_private(request.url.host):
            raise Refused(f"a redirect must not lead to a private network. Received: {mask(str(request.url))}")

    return httpx.Client(
        follow_redirects=True,
        max_redirects=REDIRECTS,
        timeout=TIMEOUT,
        headers={"Accept-Encoding": "identity"},
        event_hooks={"request": [check]},
    )


def is_private(host: str) -> bool:
    """Whether `host` has an address that is not on the public internet; unknown names are left to the proxy."""
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return any(not ipaddress.ip_address(entry[4][0]).is_global for entry in found)


def fetch_rest(client: httpx.Client, url: str, part: Path, cap: int) -> None:
    """Ask for what `part` lacks, and append it; start again where the server cannot go on."""
    with client.stream("GET", url, headers=resume_headers(part)) as answer:
        if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            forget(part)
            raise Unavailable(f"{mask(url)}: the file on the server has changed; it starts again next time")
        if answer.is_client_error:
            raise Missing(f"{mask(url)}: answers {answer.status_code}")
        if answer.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            raise Unavailable(f"{mask(url)}: answers {answer.status_code}")
        if not goes_on(answer, size(part)):
            forget(part)
        append(answer, part, cap)


def resume_headers(part: Path) -> dict[str, str]:
    """Ask to go on behind `part`, if the server's file is still the one that it came from."""
    have, tag = size(part), etag_file(part)
    if not have:
        return {}
    condition = {"If-Range": tag.read_text(encoding="ascii")} if tag.exists() else {}
    return {"Range": f"bytes={have}-", **condition}


def goes_on(answer: httpx.Response, have: int) -> bool:
    """Whether the answer's body begins where `have` bytes end."""
    if answer.status_code != httpx.codes.PARTIAL_CONTENT:
        return False
    if not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        raise Unavailable(f"{mask(str(answer.url))}: answers another range than was asked for")
    return True


def append(answer: httpx.Response, part: Path, cap: int) -> None:
    """Write the body behind `part`'s end, and compare its length with what the server promised.

    Raises:
        Refused: as soon as the file is longer than `cap` bytes.
        Broken: if fewer bytes came than were promised.
    """
    have, promised = size(part), answer.headers.get("Content-Length")
    whole = have + int(promised) if promised else None
    if whole and whole > cap:
        raise Refused(f"a download must be at most {cap} bytes. Received: {whole} from {mask(str(answer.url))}")
    remember(answer, part)
    try:
        write_body(answer, part, whole, cap)
    except httpx.TransportError as error:
        raise Broken(f"{mask(str(answer.url))}: {size(part)} of {whole} bytes came ({type(error).__name__})") from None
    if whole is not None and size(part) != whole:
        raise Broken(f"{mask(str(answer.url))}: {size(part)} of {whole} bytes came")


def write_body(answer: httpx.Response, part: Path, whole: int | None, cap: int) -> None:
    have = size(part)
    bar = tqdm(total=whole, initial=have, unit="B", unit_scale=True, desc=part.stem, mininterval=1)
    with bar, part.open("ab") as file:
        for chunk in answer.iter_raw():
            have += len(chunk)
            if have > cap:
                raise Refused(f"a download must be at most {cap} bytes. Received: more, {mask(str(answer.url))}")
            file.write(chunk)
            bar.update(len(chunk))


def remember(answer: httpx.Response, part: Path) -> None:
    """Keep the server's strong ETag beside `part`; a weak one promises nothing about bytes."""
    tag = answer.headers.get("ETag", "")
    if re.fullmatch(r'"[!#-~]*"', tag):
        etag_file(part).write_text(tag, encoding="ascii")


def finish(part: Path, to: Path) -> None:
    etag_file(part).unlink(missing_ok=True)
    places.flush(part)
    part.replace(to)


def forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    etag_file(part).unlink(missing_ok=True)


def etag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def mask(text: str) -> str:
    """`text` without the user, password and query of any address in it."""
    return re.sub(r"\?[^\s'\"]*", "?***", re.sub(r"//[^/\s@]*@", "//***@", text))
