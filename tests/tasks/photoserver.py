"""A server on this machine that gives photographs away, as the hosts do that a search of the web leads to."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import unquote

import numpy as np
from PIL import Image
from skimage import data


class PhotoServer:
    """Gives files by path, each with an ETag; running inside the `with` block.

    Args:
        files: bytes by path; taken away or changed while it runs, they are gone or others from then on.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.requests: list[tuple[str, int]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"photos": self}))
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> PhotoServer:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()

    def asked(self, path: str) -> list[int]:
        """With which status each request for `path` was answered."""
        return [status for one, status in self.requests if one == path]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    photos: PhotoServer

    def do_GET(self) -> None:
        path = unquote(self.path).lstrip("/")
        body = self.photos.files.get(path)
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"' if body is not None else ""
        if body is None:
            status, body = 404, b"no such file"
        elif self.headers.get("If-None-Match") == tag:
            status, body = 304, b""
        else:
            status = 200
        self.photos.requests.append((path, status))
        self.send_response(status)
        if tag:
            self.send_header("ETag", tag)
            self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the requests are recorded."""


def crops(count: int, seed: int = 0) -> dict[str, list[bytes]]:
    """JPEGs cut from photographs that come with scikit-image, by what they show.

    Args:
        count: of each; none is like another.
    """
    rng, made = np.random.default_rng(seed), dict[str, list[bytes]]()
    for name in ("cat", "coffee", "rocket"):
        photograph = getattr(data, name)()
        made[name] = []
        while len(made[name]) < count:
            side = int(rng.integers(80, 220))
            top, left = (int(rng.integers(0, size - side)) for size in photograph.shape[:2])
            part = photograph[top : top + side, left : left + side]
            if part.std() < 12:  # a piece of sky
                continue
            buffer = io.BytesIO()
            Image.fromarray(part).rotate(90 * int(rng.integers(4))).save(buffer, "JPEG", quality=90)
            made[name].append(buffer.getvalue())
    return made
