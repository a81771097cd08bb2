"""The gate for addresses: what is asked for at all, and in which form."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable

from yarl import URL

from tasks.outside.fetcher import Fetched

LONGEST = 2000
SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):")
NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
NUMBERS = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)\.?")
IPV6 = re.compile(r"[0-9a-f:.]+:[0-9a-f:.]*")


class Rejected(Exception):
    """An address, or an answer, that cannot be used; the message is one of the fetcher's REJECTED or FAILED."""


def sort(urls: Iterable[str]) -> tuple[dict[str, URL], dict[str, Fetched]]:
    """Those that may be asked for, and what is to be said of the others."""
    good: dict[str, URL] = {}
    bad: dict[str, Fetched] = {}
    for url in urls:
        try:
            good[url] = check(url)
        except Rejected as error:
            bad[url] = Fetched(url, "rejected", str(error))
    return good, bad


def check(text: str) -> URL:
    """Bring an address into its one form: lower case, IDNA, quoted, IPv4 in dots, without `..` and a fragment.

    Raises:
        Rejected: `scheme` or `address`.
    """
    found = SCHEME.match(text)
    if found and found[1].lower() not in ("http", "https"):
        raise Rejected("scheme")
    text = text.strip()
    if not found or len(text) > LONGEST or not text.isprintable():
        raise Rejected("address")
    try:
        address = URL(text).with_fragment(None)
        host, port, user = address.raw_host or "", address.port, "@" in address.raw_authority
    except ValueError:
        raise Rejected("address") from None
    if user or not port or not (NAME.fullmatch(host) or IPV6.fullmatch(host)) or "@" in authority(text):
        raise Rejected("address")
    return dotted(address) if NUMBERS.fullmatch(host) else address


def dotted(address: URL) -> URL:
    """`127.0.0.2` for `2130706434`, `0x7f.2` and all other ways to write it."""
    try:
        return address.with_host(socket.inet_ntoa(socket.inet_aton(str(address.raw_host).rstrip("."))))
    except OSError:
        raise Rejected("address") from None


def authority(text: str) -> str:
    """What stands between `//` and the path, as it came: an empty user is dropped by every parser."""
    return re.split(r"[/?#\\]", text.partition("//")[2], maxsplit=1)[0]


def join(address: URL, location: str) -> URL:
    """Where a redirect leads.

    Raises:
        Rejected: as by `check`.
    """
    found = SCHEME.match(location)
    if found or not location.isprintable():
        return check(location)
    try:
        return check(str(address.join(URL(location.strip()))))
    except ValueError:
        raise Rejected("address") from None


def place(address: URL) -> str:
    """Host and port: what is asked slowly."""
    return f"{str(address.raw_host).rstrip('.')}:{address.port}"
