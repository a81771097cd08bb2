"""Folder: images that lie on this machine already, in one folder for each keyword; asks nobody.

`settings["folder"]` holds `<query>/*.jpg` (or jpeg, png, webp); it is relative to the project's root. A candidate's
address is `file:` and the path from that folder. `settings["licence"]` is the licence of all, else it is unknown.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks import places
from tasks.errors import BadRequest, Refused
from tasks.outside.providers import Candidate, licensing, ranked
from tasks.outside.providers.ask import Ask

KEYS: tuple[str, ...] = ()
ADDRESS = ""
INTERVAL = 0.0
LICENCES = licensing.CODES

TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}


def search(
    query: str, wanted: int, _ask: Ask, licences: Collection[str], settings: Mapping[str, Any]
) -> Iterator[Candidate]:
    """The images in the folder called `query`, sorted by name.

    Raises:
        BadRequest: if there is no such folder, or the licence is none.
        Refused: if the folder, or an image in it, leads outside.
    """
    licence = settings.get("licence", licensing.UNKNOWN)
    licensing.check([licence])
    folder = root(settings)
    found = ({**fields(path, folder), "license": licence} for path in images(query, folder))
    return ranked(found, query, wanted, provider="folder", licences=licences)


def root(settings: Mapping[str, Any]) -> Path:
    name = settings.get("folder")
    if not name or not (places.ROOT / str(name)).is_dir():
        raise BadRequest(f"`folder` must be a folder with one folder for each keyword. Received: {name!r}")
    return places.ROOT / str(name)


def images(query: str, folder: Path) -> list[Path]:
    """The files in `folder` that a query means; hidden ones are no images, but what some systems note beside them."""
    if Path(query).name != query or query in (".", ".."):
        raise Refused(f"a query must be the name of a folder in {folder.name}. Received: {query!r}")
    if not (folder / query).is_dir():
        there = [path.name for path in folder.iterdir() if path.is_dir()]
        near = difflib.get_close_matches(query, there, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise BadRequest(f"each query must be a folder in {folder.name}. Received: {query!r}{hint}")
    return sorted(
        path for path in (folder / query).iterdir() if path.suffix.lower() in TYPES and not path.name.startswith(".")
    )


def fields(path: Path, folder: Path) -> dict[str, Any]:
    """A file under the names of Candidate's fields."""
    relative = path.relative_to(folder).as_posix()
    if not path.resolve().is_relative_to(folder.resolve()):
        raise Refused(f"an image must lie in its folder. Received: {relative}, which leads outside")
    if not path.is_file() or not relative.isprintable():
        raise BadRequest(f"an image must be a file with a printable name. Received: {relative!r}")
    return {"url": f"file:{relative}", "title": path.stem, "provider_id": relative, "mime": TYPES[path.suffix.lower()]}
