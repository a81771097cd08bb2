"""Connections: only to the public internet, checked where they are made, so that no name and no redirect leads around.

An address is checked neither in its URL nor when its name is looked up, because both can be another one in the end.
"""

from __future__ import annotations

import ipaddress
import socket
import tomllib
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import aiohttp

from tasks import places
from tasks.outside.fetcher import Manners

BLOCKED = "not on the public internet"
KEEP_ALIVE = 2.0
"""Seconds that an unused connection stays open: shorter than most servers', so that we do not use one they close."""

REMEMBERED = 60
"""Seconds for which the addresses of a name are remembered."""

GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")

Networks = Sequence[IPv4Network | IPv6Network]


def session(manners: Manners) -> aiohttp.ClientSession:
    """A session that connects nowhere else, decodes nothing, keeps no cookies and reads no proxy from the environment.

    A proxy would connect in our place, where nothing is checked.
    """
    connector = aiohttp.TCPConnector(
        limit=0,
        ttl_dns_cache=REMEMBERED,
        keepalive_timeout=KEEP_ALIVE,
        resolver=aiohttp.ThreadedResolver(),
        socket_factory=factory([ipaddress.ip_network(one) for one in manners.allow_networks]),
    )
    made = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=manners.connect, sock_read=manners.read),
        headers={"User-Agent": agent(manners), "Accept": "image/*", "Accept-Encoding": "identity"},
    )
    made._retry_connection = False  # it would ask a server that breaks connections twice for each attempt of ours
    return made


def agent(manners: Manners) -> str:
    version = tomllib.loads((places.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return f"{manners.agent}/{version}" + (f" (+{manners.contact})" if manners.contact else "")


def factory(networks: Networks) -> Callable[[Any], socket.socket]:
    """Makes the sockets that aiohttp connects; an OSError, so that a host's other addresses are still tried."""

    def make(info: Any) -> socket.socket:
        family, kind, protocol, _, where = info
        if not may_reach(where[0], networks):
            raise OSError(BLOCKED)
        return socket.socket(family=family, type=kind, proto=protocol)

    return make


def may_reach(text: str, networks: Networks) -> bool:
    address = real(ipaddress.ip_address(text.partition("%")[0]))
    if any(address in network for network in networks):
        return True
    if isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast


def real(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one only stands for, by any of the three ways to write it."""
    if isinstance(address, IPv4Address):
        return address
    if address in TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def reason(error: Exception) -> str:
    """What went wrong, as one of the fetcher's FAILED, or `ssrf`."""
    match error:
        case TimeoutError():
            return "timeout"
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return "tls"
        case aiohttp.ClientConnectorError():
            return "ssrf" if BLOCKED in str(error.os_error) else "connection"
        case aiohttp.ClientPayloadError():
            return "short_body"
        case OSError() | aiohttp.ServerDisconnectedError() | aiohttp.ClientConnectionError():
            return "connection"
    return "bad_answer"
