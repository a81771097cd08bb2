"""A server on this machine that speaks the protocols of Openverse, Commons, Flickr and Brave over given photographs.

    with PhotoAPI({"cat": [Photograph("cat_0.jpg", title="A cat")]}, images="http://127.0.0.1:8000") as api:
        providers.find("openverse", ["cat"], settings={"address": api.address}, ...)

It is as strict as they are about what is asked, and fails where it is told to.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

FLICKR_KEY = "flickr-canary-3f9c2b71d0"
BRAVE_KEY = "brave-canary-a81e55c4b2"
CLIENT_ID, CLIENT_SECRET = "openverse-client-77", "openverse-canary-5d20e6f1"
BEARER = "openverse-token-canary-9b31"

FLICKR_LICENCES = {
    "0": ("All Rights Reserved", ""),
    "1": ("CC BY-NC-SA 2.0", "https://creativecommons.org/licenses/by-nc-sa/2.0/"),
    "4": ("CC BY 2.0", "https://creativecommons.org/licenses/by/2.0/"),
    "5": ("CC BY-SA 2.0", "https://creativecommons.org/licenses/by-sa/2.0/"),
    "7": ("No known copyright restrictions", "https://www.flickr.com/commons/usage/"),
    "9": ("CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "10": ("Public Domain Mark", "https://creativecommons.org/publicdomain/mark/1.0/"),
    "11": ("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"),
}

Reply = tuple[int, bytes, Mapping[str, str]]
BLOCK = b" " * 65536


@dataclass(frozen=True)
class Photograph:
    """One photograph that can be found.

    Args:
        path: of its JPEG, below the address of the images.
        license: short code; other words are what a provider says that knows no such code.
    """

    path: str
    title: str = "A photograph"
    author: str = "Ann Lee"
    license: str = "by"
    version: str = "2.0"
    width: int = 640
    height: int = 480
    mature: bool = False

    @property
    def license_url(self) -> str:
        kind, name = {"cc0": ("publicdomain", "zero"), "pdm": ("publicdomain", "mark")}.get(
            self.license, ("licenses", self.license)
        )
        return f"https://creativecommons.org/{kind}/{name}/{self.version}/"


@dataclass(frozen=True)
class Failure:
    """An answer in place of the right one.

    Args:
        endless: how many bytes are sent of a body that says no length.
        cut: whether the connection ends before the body does.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    endless: int = 0
    cut: bool = False


JSON = {"Content-Type": "application/json"}
BROKEN = Failure(200, b'{"results": [', JSON)
PAGE = Failure(200, b"<html><title>Sign in</title><body>Please sign in</body></html>", {"Content-Type": "text/html"})
DOWN = Failure(500, b"Internal Server Error")
CUT = Failure(200, b'{"results": []}', JSON, cut=True)


def busy(after: str, status: int = 429) -> Failure:
    return Failure(status, b'{"detail": "Request was throttled."}', {**JSON, "Retry-After": after})


@dataclass(frozen=True)
class Request:
    """What was asked, and when, in seconds of a clock that only runs forward."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]
    at: float


class PhotoAPI:
    """The server; running inside the `with` block.

    Args:
        photographs: by keyword, in the order in which they are found.
        images: address that the photographs' paths are below.
        infos: how many files Commons describes in one answer; the rest of a batch follows in others.
    """

    def __init__(self, photographs: dict[str, list[Photograph]], images: str, *, infos: int = 50) -> None:
        self.photographs, self.images, self.infos = photographs, images.rstrip("/"), infos
        self.requests: list[Request] = []
        self.failures: deque[Failure] = deque()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"api": self}))
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> PhotoAPI:
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def fail_next(self, *failures: Failure) -> None:
        """Answer the next requests, whatever they are, by these."""
        self.failures.extend(failures)

    def found(self, query: str) -> list[Photograph]:
        return self.photographs.get(query, [])

    def url(self, photograph: Photograph) -> str:
        return f"{self.images}/{quote(photograph.path)}"

    def reply(self, request: Request) -> Reply:
        routes: dict[str, Callable[[PhotoAPI, Request], Reply]] = {
            "/v1/images/": openverse,
            "/v1/auth_tokens/token/": openverse_token,
            "/w/api.php": commons,
            "/services/rest/": flickr,
            "/res/v1/images/search": brave,
        }
        answer = routes.get(request.path)
        return answer(self, request) if answer else told(404, {"detail": "Not found."})


class Handler(BaseHTTPRequestHandler):
    """Answers for `api`, which a class of its own names for each server."""

    api: PhotoAPI

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def answer(self) -> None:
        request = self.read()
        self.api.requests.append(request)
        self.send(self.api.failures.popleft() if self.api.failures else Failure(*self.api.reply(request)))

    def read(self) -> Request:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        query, form = (dict(parse_qsl(text, keep_blank_values=True)) for text in (parts.query, body))
        return Request(self.command, parts.path, query, form, headers, time.monotonic())

    def send(self, failure: Failure) -> None:
        self.send_response(failure.status)
        for name, value in failure.headers.items():
            self.send_header(name, value)
        if not failure.endless:
            self.send_header("Content-Length", str(len(failure.body) + failure.cut))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # who asked may have enough
            self.wfile.write(failure.body)
            for _ in range(failure.endless // len(BLOCK)):
                self.wfile.write(BLOCK)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: `requests` tells."""


def told(status: int, answer: Mapping[str, Any]) -> Reply:
    return status, json.dumps(answer).encode(), JSON


def openverse(api: PhotoAPI, request: Request) -> Reply:
    size, number = int(request.query.get("page_size", 20)), int(request.query.get("page", 1))
    bearer = request.headers.get("authorization")
    if bearer not in (None, f"Bearer {BEARER}"):
        return told(401, {"detail": "Invalid token header."})
    if size > (500 if bearer else 20):
        return told(400 if bearer else 401, {"detail": "Ensure this value is less than or equal to 20."})
    licences = request.query["license"].split(",") if "license" in request.query else None
    found = [
        one
        for one in api.found(request.query["q"])
        if (licences is None or one.license in licences) and (not one.mature or request.query.get("mature") == "true")
    ]
    pages = min(20, -(-len(found) // size))
    if number > max(1, pages):
        return told(400, {"detail": {"page": ["Ensure this value is less than or equal to 20."]}})
    some = found[(number - 1) * size : number * size]
    results = [openverse_result(api, one) for one in some]
    counts = {"result_count": len(found), "page_count": pages, "page_size": size, "page": number}
    return told(200, {**counts, "results": results})


def openverse_result(api: PhotoAPI, one: Photograph) -> dict[str, Any]:
    return {
        "id": f"id-{one.path}",
        "title": one.title,
        "url": api.url(one),
        "foreign_landing_url": f"https://example.org/page/{one.path}",
        "creator": one.author,
        "creator_url": "https://example.org/people/1",
        "license": one.license,
        "license_version": one.version,
        "license_url": one.license_url,
        "attribution": f'"{one.title}" by {one.author} is licensed under CC {one.license.upper()} {one.version}.',
        "width": one.width,
        "height": one.height,
        "filetype": "jpg",
        "mature": one.mature,
    }


def openverse_token(_api: PhotoAPI, request: Request) -> Reply:
    right = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    if request.method != "POST" or request.form != right:
        return told(401, {"error": "invalid_client"})
    return told(200, {"access_token": BEARER, "token_type": "Bearer", "expires_in": 43200, "scope": "read write"})


def commons(api: PhotoAPI, request: Request) -> Reply:
    if "(+" not in request.headers.get("user-agent", ""):
        return 403, b"Please set a user-agent with contact information", {"Content-Type": "text/plain"}
    query = request.query
    start, size = int(query.get("gsroffset", 0)), int(query["gsrlimit"])
    described = int(query.get("iicontinue", 0))
    found = api.found(query["gsrsearch"].removeprefix("filetype:bitmap "))
    batch = found[start : start + size]
    some = range(described, min(len(batch), described + api.infos))
    last = len(batch) - 1  # neither the files' order means anything nor which of them are described first
    pages = [commons_page(api, batch[last - at], start + last - at, whole=at in some) for at in range(len(batch))]
    answer: dict[str, Any] = {"query": {"pages": pages}} if pages else {}
    if some.stop < len(batch):
        answer["continue"] = {"iicontinue": str(some.stop), "continue": "||"} | ({"gsroffset": start} if start else {})
        return told(200, answer)
    if start + size < len(found):
        answer["continue"] = {"gsroffset": start + size, "continue": "gsroffset||"}
    return told(200, {"batchcomplete": True, **answer})


def commons_page(api: PhotoAPI, one: Photograph, index: int, *, whole: bool) -> dict[str, Any]:
    page = {"pageid": 1000 + index, "ns": 6, "title": f"File:{one.title}.jpg", "index": index + 1}
    names = {"cc0": "CC0", "pdm": "Public domain"}
    name = names.get(one.license, f"CC {one.license.upper()} {one.version}")
    terms = {} if one.license == "pdm" else {"LicenseUrl": {"value": one.license_url, "source": "commons-desc-page"}}
    info = {
        "url": f"https://upload.example.org/original/{one.path}",
        "thumburl": api.url(one),
        "thumbwidth": 960,
        "thumbheight": 720,
        "descriptionurl": f"https://commons.example.org/wiki/File:{quote(one.path)}",
        "width": one.width,
        "height": one.height,
        "mime": "image/jpeg",
        "thumbmime": "image/jpeg",
        "sha1": "0" * 40,
        "extmetadata": {
            "LicenseShortName": {"value": name, "source": "commons-desc-page"},
            "Artist": {"value": f'<a href="//commons.example.org/wiki/User:Ann" title="User:Ann">{one.author}</a>'},
            **terms,
        },
    }
    return {**page, "imageinfo": [info]} if whole else page


def flickr(api: PhotoAPI, request: Request) -> Reply:
    asked = {**request.query, **request.form}
    if asked.get("api_key") != FLICKR_KEY:
        said = f"Invalid API Key (Key has invalid format: {asked.get('api_key')})"
        return told(200, {"stat": "fail", "code": 100, "message": said})
    if asked["method"] == "flickr.photos.licenses.getInfo":
        known = [{"id": number, "name": name, "url": url} for number, (name, url) in FLICKR_LICENCES.items()]
        return told(200, {"licenses": {"license": known}, "stat": "ok"})
    numbers, size = asked["license"].split(","), int(asked["per_page"])
    found = [one for one in api.found(asked["text"]) if flickr_number(one) in numbers]
    pages = max(1, -(-len(found) // size))
    number = min(int(asked["page"]), pages)  # beyond the last page is the last page
    some = [flickr_photo(api, one) for one in found[(number - 1) * size : number * size]]
    counts = {"page": number, "pages": pages, "perpage": size, "total": str(len(found))}
    return told(200, {"photos": {**counts, "photo": some}, "stat": "ok"})


def flickr_number(one: Photograph) -> str:
    return next((number for number, (_, url) in FLICKR_LICENCES.items() if url == one.license_url), "0")


def flickr_photo(api: PhotoAPI, one: Photograph) -> dict[str, Any]:
    size = "l" if one.width >= 1024 else "c"
    image = {f"url_{size}": api.url(one), f"width_{size}": str(one.width), f"height_{size}": one.height}
    whose = {"owner": "12@N01", "ownername": one.author, "license": flickr_number(one)}
    return {"id": one.path.removesuffix(".jpg"), "secret": "a1", "title": one.title, **whose, **image}


def brave(api: PhotoAPI, request: Request) -> Reply:
    if request.headers.get("x-subscription-token") != BRAVE_KEY:
        return told(422, {"type": "ErrorResponse", "error": {"code": "SUBSCRIPTION_TOKEN_INVALID", "status": 422}})
    if not 1 <= int(request.query["count"]) <= 200:
        return told(422, {"type": "ErrorResponse", "error": {"code": "VALIDATION", "status": 422}})
    found = [one for one in api.found(request.query["q"]) if not one.mature][: int(request.query["count"])]
    results = [
        {
            "type": "image_result",
            "title": one.title,
            "url": f"https://example.org/page/{one.path}",
            "source": "example.org",
            "thumbnail": {"src": f"https://imgs.example.org/{one.path}"},
            "properties": {"url": api.url(one), "width": one.width, "height": one.height},
        }
        for one in found
    ]
    return told(200, {"type": "images", "query": {"original": request.query["q"]}, "results": results})
