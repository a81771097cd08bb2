"""Images of a folder of this machine, brought as the fetcher brings those of the web."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from tasks import places
from tasks.outside import fetcher
from tasks.outside.fetcher import Fetched, formats


def bring(folder: str, urls: Iterable[str], into: Path, wanted: tuple[str, ...]) -> dict[str, Fetched]:
    """Copy what the addresses `file:<path below folder>` name; each ends in one Fetched.

    Args:
        folder: relative to the project's root, or absolute.
        into: where the fetcher keeps what it brings.
        wanted: formats that are taken.
    """
    root = (places.ROOT / folder).resolve()
    return {url: take(url, root, into, wanted) for url in dict.fromkeys(urls)}


def take(url: str, root: Path, into: Path, wanted: tuple[str, ...]) -> Fetched:
    path = (root / url.removeprefix("file:")).resolve()
    if not path.is_relative_to(root):
        return Fetched(url, "rejected", "address")
    try:
        content, changed = path.read_bytes(), path.stat().st_mtime
    except OSError:
        return Fetched(url, "gone", "no_file")
    kind = formats.sniff(content[: formats.HEAD])
    if kind not in wanted:
        return Fetched(url, "rejected", "format" if kind else "not_an_image")
    sha256 = hashlib.sha256(content).hexdigest()
    target = fetcher.raw(into, sha256)
    if not target.exists():
        places.write_file(target, lambda beside: beside.write_bytes(content))
    when = datetime.fromtimestamp(changed, UTC).isoformat(timespec="seconds")
    return Fetched(url, "fetched", sha256=sha256, bytes=len(content), format=kind, fetched_at=when)
