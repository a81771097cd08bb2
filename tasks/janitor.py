"""What kills leave behind on the disk, and how it goes: nothing that a next start could still go on from."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from tasks import places

HOUR = 3600.0
AGES = {"half-written": HOUR, "temporary": 24 * HOUR, "checkpoints": 14 * 24 * HOUR}
"""Seconds after which what lies there is nobody's any more."""

HALF = re.compile(r"\..+\.(part|old)")
TEMPORARY = re.compile(r"tmp[a-z0-9_]{8}")


def leftovers(now: float | None = None) -> dict[Path, str]:
    """Files and folders that nobody works at any more, with what they are."""
    now = time.time() if now is None else now
    return {path: kind for path, kind in candidates() if now - path.lstat().st_mtime > AGES[kind]}


def candidates() -> Iterator[tuple[Path, str]]:
    """All that may become a leftover."""
    for folder in [places.DATA / "promoted", *places.DATA.glob("*/"), places.SCRATCH / "exams"]:
        yield from ((path, "half-written") for path in entries(folder) if HALF.fullmatch(path.name))
    yield from ((path, "temporary") for path in entries(places.SCRATCH) if TEMPORARY.fullmatch(path.name))
    for kind in ("training", "tuning"):
        for path in entries(places.SCRATCH / kind):
            if path.is_dir() and not is_held(path.with_suffix(".lock")):
                yield path, "checkpoints"


def entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def is_held(lock: Path) -> bool:
    """Whether a process of this machine holds a lock."""
    if not lock.exists():
        return False
    try:
        with FileLock(lock, blocking=False):
            return False
    except Timeout:
        return True


def sweep() -> list[Path]:
    """Remove all leftovers; returns what they were."""
    found = list(leftovers())
    for path in found:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return found
