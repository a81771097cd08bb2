"""A web that means no good: every kind of answer that a fetcher of images must live through, over real sockets.

`Hostile` serves the paths of `CASES`, each with what the fetcher must say of it and what must become of it in the end.
All its sites listen on 127.0.0.1, but for `other` on 127.0.0.2, which stands for a private network and must never be
asked for anything.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import struct
import threading
import zipfile
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache, partial
from time import monotonic
from typing import Any, Self

import numpy as np
from PIL import Image, ImageCms, ImageOps

ALLOWED = ("127.0.0.1/32",)
"""Networks that a fetcher must be allowed, to be tested here."""

LARGEST = 1024**2
"""Bytes of a body that the fetcher must be told to allow: more than any photograph here has."""

ROBOTS: dict[str, str | int | None] = {
    "main": "User-agent: *\nDisallow: /forbidden/\n\nUser-agent: otherbot\nDisallow: /\n",
    "busy": "User-agent: *\nDisallow:\n",
    "slow": "User-agent: *\nCrawl-delay: 0.3\n",
    "page": "<!DOCTYPE html><title>Not found</title>Disallow: /",
    "large": ("# " + "x" * 97 + "\n") * 6000 + "User-agent: *\nDisallow: /\n",
    "without": 404,
    "broken": 500,
    "limited": 429,
    "silent": None,
    "moved": "-> /elsewhere/robots.txt",
    "astray": "-> {other}/robots.txt",
    "other": 404,
}
"""What each site answers to /robots.txt: a text, a status, a redirect, or nothing at all."""


@dataclass(frozen=True)
class Case:
    """An address, and what must become of it.

    Args:
        path: on the site `main`; or a whole address, with `{site}` for a site's and `{port}` for the port of `other`.
        what: it is.
        fetched: state and reason that the fetcher must give.
        kept: `kept` or `duplicate`, or the reason why not, once everything is decoded and compared.
    """

    path: str
    what: str
    fetched: tuple[str, str]
    kept: str

    @property
    def right(self) -> tuple[str, str]:
        """Outcome and reason that a collection must give."""
        state, reason = self.fetched
        if state != "fetched":
            return state, reason
        return {"kept": ("kept", ""), "duplicate": ("duplicate", "same_bytes")}.get(self.kept, ("rejected", self.kept))


def good(path: str, what: str, kept: str = "kept") -> Case:
    return Case(path, what, ("fetched", ""), kept)


def bad(path: str, what: str, reason: str) -> Case:
    return Case(path, what, ("rejected", reason), reason)


def broken(path: str, what: str, reason: str) -> Case:
    return Case(path, what, ("failed", reason), reason)


CASES = [
    good("/ok.jpg", "a photograph as JPEG"),
    good("/rgba.png", "a PNG with transparency"),
    good("/photo.webp", "a WebP"),
    good("/octet.jpg", "a JPEG that is called application/octet-stream"),
    good("/untyped.jpg", "a JPEG without a Content-Type"),
    good("/called_png.jpg", "a JPEG that is called a PNG"),
    good("/ñ und räum.jpg", "a JPEG whose address must be quoted"),
    good("/chunked.jpg", "a JPEG in chunks of 700 bytes"),
    good("/closed.jpg", "a JPEG without a length, which ends with the connection"),
    good("/cookie.jpg", "a JPEG with a cookie that must not come back"),
    good("/polyglot.jpg", "a JPEG with a zip archive behind its end"),
    good("/same.jpg", "the very bytes of /ok.jpg", "duplicate"),
    good("/near.jpg", "/ok.jpg made smaller and compressed again"),
    good("/turned.jpg", "a JPEG to be turned by its EXIF orientation 6, with a place (GPS)"),
    good("/cmyk.jpg", "a JPEG in CMYK"),
    good("/deep.png", "a PNG of 16 bits"),
    good("/profile.jpg", "a JPEG with an ICC profile of its own"),
    good("/animated.webp", "a WebP of two frames", "animated"),
    good("/truncated.jpg", "half a JPEG, of the right length", "decode"),
    good("/bomb.png", "a PNG of 30,000 x 30,000 pixels in few bytes", "too_many_pixels"),
    good("/one.png", "a PNG of one pixel", "too_small"),
    good("/long.jpg", "a JPEG of 4,000 x 40 pixels", "aspect"),
    good("/grey.jpg", "a JPEG of one grey, as servers give for a missing picture", "blank"),
    bad("/photo.tiff", "a TIFF", "format"),
    bad("/animated.gif", "a GIF of two frames", "format"),
    bad("/script.gif", "a GIF that is a script too", "format"),
    bad("/avif.jpg", "an AVIF that is called a JPEG", "format"),
    bad("/vector.svg", "an SVG with an external entity", "not_an_image"),
    bad("/vector.jpg", "the same SVG, called a JPEG", "not_an_image"),
    bad("/login.jpg", "a login page, called a JPEG", "not_an_image"),
    bad("/tiny.jpg", "two bytes", "not_an_image"),
    bad("/empty.jpg", "an answer without a body", "empty"),
    bad("/empty_chunks.jpg", "a chunked answer without a chunk", "empty"),
    bad("/gzip.jpg", "a gzip bomb: 100 MB in 100 KB", "content_encoding"),
    bad("/brotli.jpg", "a body that claims to be brotli", "content_encoding"),
    bad("/transfer_gzip.jpg", "a body packed by Transfer-Encoding", "not_an_image"),
    bad("/endless.jpg", "a JPEG that never ends, in chunks", "too_big"),
    bad("/huge.jpg", "a Content-Length of 99 GB", "too_big"),
    bad("/missing.jpg", "a status of 404, with a photograph", "http_404"),
    bad("/forbidden.jpg", "a status of 403, with a photograph", "http_403"),
    bad("/nothing.jpg", "a status of 204", "http_204"),
    bad("/part.jpg", "a part of a photograph that nobody asked for", "http_206"),
    bad("/unasked.jpg", "a status of 304 though nothing was known", "http_304"),
    Case("/gone.jpg", "a status of 410", ("gone", "http_410"), "gone"),
    broken("/fails.jpg", "a status of 500, always", "http_500"),
    broken("/short.jpg", "a body shorter than its Content-Length, always", "short_body"),
    broken("/short_chunks.jpg", "a chunked body that breaks off, always", "short_body"),
    broken("/drips.jpg", "a byte now and then, for ever", "timeout"),
    broken("/hangs.jpg", "no answer at all", "timeout"),
    broken("/continues.jpg", "a status of 100 again and again", "timeout"),
    broken("/resets.jpg", "a connection that is reset, always", "connection"),
    broken("/more.jpg", "more bytes than the Content-Length says", "bad_answer"),
    broken("/negative.jpg", "a Content-Length below zero", "bad_answer"),
    broken("/two_lengths.jpg", "two Content-Lengths that differ", "bad_answer"),
    broken("/headers.jpg", "headers that never end", "bad_answer"),
    broken("/line.jpg", "a header that never ends", "bad_answer"),
    broken("/bare.jpg", "a photograph without any headers", "bad_answer"),
    broken("http://127.0.0.1:1/ok.jpg", "a port where nobody listens", "robots_unreachable"),
    broken("{tls}/ok.jpg", "https where http is spoken", "robots_unreachable"),
    good("{busy}/limits.jpg", "a status of 429 with Retry-After: 1, once"),
    good("{slow}/later.jpg", "a status of 503 until a date, once"),
    bad("/forbidden/photo.jpg", "an address that robots.txt forbids", "robots"),
    bad("/a/../forbidden/photo.jpg", "the same, by a detour", "robots"),
    bad("/%66orbidden/photo.jpg", "the same, spelled otherwise", "robots"),
    bad("/to_forbidden.jpg", "a redirect to it", "robots"),
    good("{without}/allowed.jpg", "a site without robots.txt"),
    good("{page}/allowed_page.jpg", "a site with a page for robots.txt"),
    good("{moved}/allowed_moved.jpg", "a site whose robots.txt is elsewhere"),
    good("{large}/allowed_large.jpg", "a site with a robots.txt that is too long to be read to its end"),
    broken("{broken}/ok.jpg", "a site whose robots.txt is a status of 500", "robots_unreachable"),
    broken("{limited}/ok.jpg", "a site whose robots.txt is a status of 429", "robots_unreachable"),
    broken("{silent}/ok.jpg", "a site whose robots.txt never comes", "robots_unreachable"),
    bad("{astray}/ok.jpg", "a site whose robots.txt redirects into a private network", "ssrf"),
    bad("/noai.jpg", "X-Robots-Tag: noai", "opted_out"),
    bad("/noindex.jpg", "X-Robots-Tag: nofollow, NOINDEX", "opted_out"),
    bad("/ours.jpg", "X-Robots-Tag for our agent", "opted_out"),
    bad("/second.jpg", "a second X-Robots-Tag", "opted_out"),
    bad("/tdm.jpg", "TDM-Reservation: 1", "opted_out"),
    good("/theirs.jpg", "X-Robots-Tag: noai for another agent"),
    good("/until.jpg", "X-Robots-Tag that only says how to show it"),
    good("/moved.jpg", "a redirect to a photograph"),
    good("/moved_relative.jpg", "redirects to relative addresses"),
    bad("/loop.jpg", "a redirect to itself", "too_many_redirects"),
    bad("/to_other.jpg", "a redirect into a private network", "ssrf"),
    bad("/to_file.jpg", "a redirect to a file", "scheme"),
    bad("/to_data.jpg", "a redirect to a data: address", "scheme"),
    bad("/to_user.jpg", "a redirect to an address with a user", "address"),
    bad("/to_nowhere.jpg", "a redirect without a Location", "http_302"),
    bad("{other}/ok.jpg", "an address in a private network", "ssrf"),
    bad("http://2130706434:{port}/ok.jpg", "the same as one number", "ssrf"),
    bad("http://0177.0.0.2:{port}/ok.jpg", "the same in octal", "ssrf"),
    bad("http://0x7f.2:{port}/ok.jpg", "the same in parts of which one is hexadecimal", "ssrf"),
    bad("http://[::ffff:127.0.0.2]:{port}/ok.jpg", "the same as an IPv6 address", "ssrf"),
    bad("http://[::127.0.0.2]:{port}/ok.jpg", "the same as another IPv6 address", "ssrf"),
    bad("http://[64:ff9b::127.0.0.2]:{port}/ok.jpg", "the same as NAT64 writes it", "ssrf"),
    bad("http://[::1]:{port}/ok.jpg", "this machine as an IPv6 address", "ssrf"),
    bad("http://[fe80::1]:{port}/ok.jpg", "a link-local address", "ssrf"),
    bad("http://169.254.169.254/latest/meta-data", "where clouds keep their secrets", "ssrf"),
    bad("http://0.0.0.0:{port}/ok.jpg", "no address in particular", "ssrf"),
    bad("file:///etc/hostname", "a file", "scheme"),
    bad("data:image/png;base64,iVBORw0KGgo=", "a picture within its address", "scheme"),
    bad("//127.0.0.1/ok.jpg", "an address without a scheme", "address"),
    bad("http://user@127.0.0.1:{port}/ok.jpg", "an address with a user", "address"),
    bad("http://127.0.0.1:{port}\\@127.0.0.2/ok.jpg", "an address that parsers read differently", "address"),
    bad("http://127.0.0.1:{port}/\r\nHost: x", "an address with line breaks", "address"),
    bad("{main}/" + "x" * 2000, "an address of more than 2,000 characters", "address"),
    bad("", "nothing", "address"),
]


@cache
def scenes() -> list[Image.Image]:
    """Views of two photographs of which no two show the same."""
    from sklearn.datasets import load_sample_images

    found: list[Image.Image] = []
    for photograph in load_sample_images().images:
        whole = Image.fromarray(photograph)
        width, height = whole.width // 4, whole.height // 3
        boxes = [(x * width, y * height, (x + 1) * width, (y + 1) * height) for y in range(3) for x in range(4)]
        views = [whole.crop(box).resize((320, 280)) for box in boxes]
        found += [*views, *(ImageOps.mirror(view) for view in views)]
    return found


def packed(image: Image.Image, kind: str = "JPEG", **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


@cache
def jpeg(number: int) -> bytes:
    return packed(scenes()[number], quality=90)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def bomb(side: int = 30_000) -> bytes:
    """A black PNG of one bit per pixel."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    content = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825).update({1: "N", 2: (39.0, 28.0, 12.0), 3: "W", 4: (0.0, 22.0, 36.0)})
    return packed(scenes()[11], exif=exif.tobytes())


def polyglot() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("payload.txt", "not part of any picture")
    return jpeg(10) + archive.getvalue()


def rgba() -> Image.Image:
    image = scenes()[1].convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def deep() -> Image.Image:
    """A view in 65,536 greys."""
    grey = np.asarray(scenes()[13].convert("L"), np.uint16)
    return Image.fromarray(grey * 257)


SVG = b"""<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/hostname">]>
<svg xmlns="http://www.w3.org/2000/svg"><text>&x;</text></svg>"""
LOGIN = b"<!DOCTYPE html><html><body><form>Please log in</form></body></html>"
AVIF = struct.pack(">I", 28) + b"ftypavif" + bytes(4) + b"avifmif1miaf" + bytes(200)


@cache
def pictures() -> dict[str, tuple[bytes, str]]:
    """What is served as it is, with its Content-Type."""
    two = {"save_all": True, "append_images": [scenes()[20]]}
    ordinary = {
        "/ok.jpg": jpeg(0),
        "/same.jpg": jpeg(0),
        "/near.jpg": packed(scenes()[0].resize((240, 210)), quality=60),
        "/polyglot.jpg": polyglot(),
        "/turned.jpg": turned(),
        "/cmyk.jpg": packed(scenes()[12].convert("CMYK")),
        "/profile.jpg": packed(
            scenes()[14], icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        ),
        "/truncated.jpg": jpeg(15)[: len(jpeg(15)) // 2],
        "/long.jpg": packed(scenes()[16].resize((4000, 40))),
        "/grey.jpg": packed(Image.new("RGB", (320, 280), (128, 128, 128))),
        "/avif.jpg": AVIF,
        "/vector.jpg": SVG,
        "/login.jpg": LOGIN,
        "/tiny.jpg": b"\xff\xd8",
        "/target.jpg": jpeg(24),
        "/a/relative.jpg": jpeg(25),
        "/allowed.jpg": jpeg(26),
        "/allowed_page.jpg": jpeg(27),
        "/allowed_moved.jpg": jpeg(28),
        "/allowed_large.jpg": jpeg(29),
        "/forbidden/photo.jpg": jpeg(30),
        "/%C3%B1%20und%20r%C3%A4um.jpg": jpeg(31),
    }
    typed = {
        "/rgba.png": (packed(rgba(), "PNG"), "image/png"),
        "/photo.webp": (packed(scenes()[2], "WEBP"), "image/webp"),
        "/octet.jpg": (jpeg(3), "application/octet-stream"),
        "/untyped.jpg": (jpeg(4), ""),
        "/called_png.jpg": (jpeg(5), "image/png"),
        "/deep.png": (packed(deep(), "PNG"), "image/png"),
        "/animated.webp": (packed(scenes()[17], "WEBP", **two), "image/webp"),
        "/animated.gif": (packed(scenes()[17], "GIF", **two), "image/gif"),
        "/script.gif": (b"GIF89a/*" + bytes(40) + b"*/=1;alert(1)", "image/gif"),
        "/photo.tiff": (packed(scenes()[18], "TIFF"), "image/tiff"),
        "/bomb.png": (bomb(), "image/png"),
        "/one.png": (packed(Image.new("RGB", (1, 1)), "PNG"), "image/png"),
        "/vector.svg": (SVG, "image/svg+xml"),
    }
    return {path: (body, "image/jpeg") for path, body in ordinary.items()} | typed


@dataclass(frozen=True)
class Hit:
    """A request.

    Args:
        at: s, of the monotonic clock.
    """

    site: str
    path: str
    at: float
    headers: dict[str, str]


@dataclass
class Wire:
    """One request's way back, which counts what goes out."""

    hit: Hit
    writer: asyncio.StreamWriter
    sent: Counter[str]

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()
        self.sent[self.hit.path] += len(data)

    async def answer(
        self, body: bytes, *headers: str, status: str = "200 OK", kind: str = "image/jpeg", length: bool = True
    ) -> None:
        lines = [f"HTTP/1.1 {status}", *headers]
        lines += [f"Content-Type: {kind}"] if kind else []
        lines += [f"Content-Length: {len(body)}"] if length else []
        await self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def reset(self) -> None:
        self.writer.transport.abort()


Handler = Callable[["Hostile", Wire], Awaitable[None]]
CHUNKED = "Transfer-Encoding: chunked"


def tagged(number: int, *headers: str) -> Handler:
    """A photograph with further headers."""
    return lambda _, wire: wire.answer(jpeg(number), *headers)


def refused(status: str, body: bytes = b"", *headers: str) -> Handler:
    return lambda _, wire: wire.answer(body, *headers, status=status)


def redirected(location: str) -> Handler:
    return lambda web, wire: wire.answer(b"", f"Location: {web.fill(location)}", status="302 Found")


def verbatim(data: bytes) -> Handler:
    """These bytes, and the end of the connection."""

    async def send(_: Hostile, wire: Wire) -> None:
        await wire.send(data)
        wire.writer.close()

    return send


def once(status: str, number: int, header: Callable[[], str]) -> Handler:
    """That status to the first request, and a photograph to all others."""

    async def send(web: Hostile, wire: Wire) -> None:
        first = len(web.of(wire.hit.path)) == 1
        await (wire.answer(b"", header(), status=status) if first else wire.answer(jpeg(number)))

    return send


async def chunks(_: Hostile, wire: Wire) -> None:
    await wire.answer(b"", CHUNKED, length=False)
    body = jpeg(6)
    for start in range(0, len(body), 700):
        piece = body[start : start + 700]
        await wire.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    await wire.send(b"0\r\n\r\n")


async def endless(_: Hostile, wire: Wire) -> None:
    await wire.answer(b"", CHUNKED, length=False)
    await wire.send(f"{len(jpeg(0)):x}\r\n".encode() + jpeg(0) + b"\r\n")
    while True:
        await wire.send(b"10000\r\n" + bytes(0x10000) + b"\r\n")


async def drips(_: Hostile, wire: Wire) -> None:
    await wire.answer(jpeg(0)[:64], "Content-Length: 100000", length=False)
    while True:
        await asyncio.sleep(0.05)
        await wire.send(b"x")


async def hangs(*_: object) -> None:
    await asyncio.sleep(3600)


async def continues(_: Hostile, wire: Wire) -> None:
    while True:
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(0.05)


async def headers(_: Hostile, wire: Wire) -> None:
    await wire.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await wire.send(b"X-More: and more\r\n" * 100)


async def line(_: Hostile, wire: Wire) -> None:
    await wire.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        await wire.send(b"x" * 4096)


async def resets(_: Hostile, wire: Wire) -> None:
    wire.reset()


async def cookie(_: Hostile, wire: Wire) -> None:
    await wire.answer(jpeg(8), "Set-Cookie: id=1; Path=/")


def soon() -> str:
    return f"Retry-After: {format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)}"


def raw(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join([*lines, "", ""]).encode() + body


OK = "HTTP/1.1 200 OK"


@cache
def inflating() -> bytes:
    """100 MB of zeros, packed."""
    return gzip.compress(bytes(100_000_000), 1)


def packed_transfer() -> bytes:
    body = gzip.compress(jpeg(0))
    return raw(OK, "Transfer-Encoding: gzip, chunked") + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"


ROUTES: dict[str, Handler] = {
    "/elsewhere/robots.txt": lambda _, wire: wire.answer(b"User-agent: *\nDisallow: /forbidden/\n", kind="text/plain"),
    "/chunked.jpg": chunks,
    "/closed.jpg": lambda web, wire: verbatim(raw(OK, body=jpeg(7)))(web, wire),
    "/cookie.jpg": cookie,
    "/more.jpg": lambda web, wire: verbatim(raw(OK, f"Content-Length: {len(jpeg(9))}", body=jpeg(9) + b"more"))(
        web, wire
    ),
    "/empty.jpg": refused("200 OK"),
    "/empty_chunks.jpg": verbatim(raw(OK, CHUNKED) + b"0\r\n\r\n"),
    "/gzip.jpg": lambda _, wire: wire.answer(inflating(), "Content-Encoding: gzip"),
    "/brotli.jpg": tagged(0, "Content-Encoding: br"),
    "/transfer_gzip.jpg": lambda web, wire: verbatim(packed_transfer())(web, wire),
    "/endless.jpg": endless,
    "/huge.jpg": lambda _, wire: wire.answer(jpeg(0), "Content-Length: 99000000000", length=False),
    "/missing.jpg": lambda _, wire: wire.answer(jpeg(0), status="404 Not Found"),
    "/forbidden.jpg": lambda _, wire: wire.answer(jpeg(0), status="403 Forbidden"),
    "/nothing.jpg": verbatim(raw("HTTP/1.1 204 No Content")),
    "/part.jpg": lambda _, wire: wire.answer(jpeg(0)[:500], "Content-Range: bytes 0-499/9999", status="206 Partial"),
    "/unasked.jpg": verbatim(raw("HTTP/1.1 304 Not Modified")),
    "/gone.jpg": refused("410 Gone"),
    "/fails.jpg": refused("500 Internal Server Error"),
    "/short.jpg": lambda web, wire: verbatim(raw(OK, "Content-Length: 99999", body=jpeg(0)[:5000]))(web, wire),
    "/short_chunks.jpg": lambda web, wire: verbatim(raw(OK, CHUNKED) + b"ffff\r\n" + jpeg(0)[:5000])(web, wire),
    "/drips.jpg": drips,
    "/hangs.jpg": hangs,
    "/continues.jpg": continues,
    "/resets.jpg": resets,
    "/negative.jpg": verbatim(raw(OK, "Content-Length: -5", body=b"12345")),
    "/two_lengths.jpg": verbatim(raw(OK, "Content-Length: 5", "Content-Length: 6", body=b"123456")),
    "/headers.jpg": headers,
    "/line.jpg": line,
    "/bare.jpg": lambda web, wire: verbatim(jpeg(0))(web, wire),
    "/limits.jpg": once("429 Too Many Requests", 32, lambda: "Retry-After: 1"),
    "/later.jpg": once("503 Service Unavailable", 33, soon),
    "/noai.jpg": tagged(0, "X-Robots-Tag: noai"),
    "/noindex.jpg": tagged(0, "X-Robots-Tag: nofollow, NOINDEX"),
    "/ours.jpg": tagged(0, "X-Robots-Tag: Miar: noimageai"),
    "/second.jpg": tagged(0, "X-Robots-Tag: nofollow", "X-Robots-Tag: noimageindex"),
    "/tdm.jpg": tagged(0, "TDM-Reservation: 1"),
    "/theirs.jpg": tagged(34, "X-Robots-Tag: otherbot: noai, noindex"),
    "/until.jpg": tagged(35, "X-Robots-Tag: max-image-preview: none, unavailable_after: 25 Jun 2090 15:00:00 PST"),
    "/moved.jpg": redirected("{main}/target.jpg#part"),
    "/moved_relative.jpg": redirected("a/b/../second_hop.jpg"),
    "/a/second_hop.jpg": redirected("?hop=2"),
    "/a/second_hop.jpg?hop=2": redirected("./relative.jpg"),
    "/loop.jpg": redirected("/loop.jpg"),
    "/to_other.jpg": redirected("{other}/ok.jpg"),
    "/to_file.jpg": redirected("file:///etc/hostname"),
    "/to_data.jpg": redirected("data:image/png;base64,iVBORw0KGgo="),
    "/to_user.jpg": redirected("http://user:word@127.0.0.1/ok.jpg"),
    "/to_forbidden.jpg": redirected("/forbidden/photo.jpg"),
    "/to_nowhere.jpg": refused("302 Found"),
}


class Hostile:
    """The sites, up while the block lasts.

    Args:
        routes: handlers by path, which tests may add to or replace.
        hits: all requests, in their order.
        sent: bytes that went out, by path.
        robots: what each site answers to /robots.txt.
    """

    def __init__(self) -> None:
        self.routes = dict(ROUTES)
        self.robots = dict(ROBOTS)
        self.hits: list[Hit] = []
        self.sent: Counter[str] = Counter()
        self.ports: dict[str, int] = {}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        pictures()
        inflating()
        self.thread.start()
        self.do(self.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self.loop).result(timeout=30)

    async def start(self) -> None:
        self.servers = []
        for site in self.robots:
            host = "127.0.0.2" if site == "other" else "127.0.0.1"
            server = await asyncio.start_server(partial(self.serve, site), host, 0)
            self.ports[site] = server.sockets[0].getsockname()[1]
            self.servers.append(server)

    async def stop(self) -> None:
        for server in self.servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def site(self, name: str) -> str:
        """The address of a site."""
        return f"http://127.0.0.{2 if name == 'other' else 1}:{self.ports[name]}"

    def fill(self, text: str) -> str:
        """`text` with the addresses of the sites that it names."""
        known = {**{name: self.site(name) for name in self.ports}, "port": str(self.ports["other"])}
        known["tls"] = f"https://127.0.0.1:{self.ports['page']}"
        for name, value in known.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def url(self, path: str, site: str = "main") -> str:
        """The address of a case's path."""
        return self.site(site) + path if path.startswith("/") and not path.startswith("//") else self.fill(path)

    def of(self, path: str, site: str | None = None) -> list[Hit]:
        """The requests for a path, on that site or on all."""
        return [hit for hit in self.hits if hit.path == path and site in (None, hit.site)]

    async def serve(self, site: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                await self.answer(await self.request(site, reader), writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    async def request(self, site: str, reader: asyncio.StreamReader) -> Hit:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
        pairs = (one.partition(":") for one in lines)
        hit = Hit(site, first.split(" ")[1], monotonic(), {name.lower(): value.strip() for name, _, value in pairs})
        self.hits.append(hit)
        return hit

    async def answer(self, hit: Hit, writer: asyncio.StreamWriter) -> None:
        wire = Wire(hit, writer, self.sent)
        if hit.path in self.routes:
            await self.routes[hit.path](self, wire)
        elif hit.path == "/robots.txt":
            await self.answer_robots(wire)
        elif hit.path in pictures():
            body, kind = pictures()[hit.path]
            await wire.answer(body, kind=kind)
        else:
            await wire.answer(b"", status="404 Not Found")

    async def answer_robots(self, wire: Wire) -> None:
        said = self.robots[wire.hit.site]
        if said is None:
            await hangs()
        elif isinstance(said, int):
            await wire.answer(b"", status=f"{said} Status")
        elif said.startswith("-> "):
            await redirected(said.removeprefix("-> "))(self, wire)
        else:
            await wire.answer(said.encode(), kind="text/plain")
