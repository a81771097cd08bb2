"""What is known of every address, and the bytes: a row is written after its file, and a file is whole or not there."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import itertools
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock
from yarl import URL

from tasks import places
from tasks.errors import BadData
from tasks.outside.fetcher import Fetched, raw
from tasks.outside.fetcher.hosts import Job

FILE = "state.db"
PARTS = "tmp"
COLUMNS = [field.name for field in dataclasses.fields(Fetched)]
NUMBERS = ("bytes", "http_status", "attempts")
AT_ONCE = 500
FLUSHES = 16
"""Addresses in one question to the database, and files that are flushed to the disk at a time."""

Ended = tuple[Fetched, Path | None]
"""What became of an address, and the part with its bytes, if new ones came."""


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Table]:
    """The table of `folder`, for this call alone; what an earlier one left half done is removed.

    Raises:
        BadData: if there is one that cannot be read.
        OSError: if the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "state.lock"), full_disk():
        try:
            database = connect(folder / FILE)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            told = f"{folder / FILE} must be a database of fetched addresses. Received: {error}. Remove it"
            raise BadData(f"{told}; all is fetched again then") from None
        with contextlib.closing(database), swept(folder / PARTS):
            yield Table(folder, database)


def connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False, timeout=60)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    columns = ", ".join(f"{name} {'INTEGER' if name in NUMBERS else 'TEXT'}" for name in COLUMNS if name != "url")
    database.execute(f"CREATE TABLE IF NOT EXISTS addresses (url TEXT PRIMARY KEY, {columns}, looked_at TEXT)")
    return database


@contextlib.contextmanager
def swept(parts: Path) -> Iterator[None]:
    """Nothing is in the folder before and after the block."""
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(parts, ignore_errors=True)


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """Let a full disk be the same error, whoever finds it full."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {error}") from None


class Table:
    """The rows of one folder, and the files that they speak of."""

    def __init__(self, folder: Path, database: sqlite3.Connection) -> None:
        self.folder, self.database = folder, database
        self.numbers = itertools.count()

    def plan(self, urls: Mapping[str, URL], *, recheck: float) -> tuple[dict[str, Fetched], list[Job]]:
        """What needs no request, and what does."""
        fresh: dict[str, Fetched] = {}
        known: dict[str, Fetched] = {}
        since = ago(recheck)
        for row, looked_at in self.rows(list(urls)):
            if row.state != "failed" and looked_at > since and (not row.sha256 or self.has(row)):
                fresh[row.url] = row
            else:
                known[row.url] = row
        jobs = [Job(url, urls[url], known.get(url)) for url in urls if url not in fresh]
        for job in jobs:
            job.conditional = job.prior is not None and bool(job.prior.held) and self.has(job.prior)
        return fresh, jobs

    def rows(self, urls: Sequence[str]) -> Iterator[tuple[Fetched, str]]:
        for start in range(0, len(urls), AT_ONCE):
            some = urls[start : start + AT_ONCE]
            marks = ",".join("?" * len(some))
            asked = f"SELECT {', '.join(COLUMNS)}, looked_at FROM addresses WHERE url IN ({marks})"  # noqa: S608
            for row in self.database.execute(asked, some):
                yield Fetched(*row[:-1]), row[-1]

    def has(self, row: Fetched) -> bool:
        """Whether the file that a row speaks of is there."""
        try:
            return raw(self.folder, row.held).stat().st_size == row.bytes
        except FileNotFoundError:
            return False

    def part(self) -> Path:
        """A path for bytes that are not all there yet."""
        return self.folder / PARTS / str(next(self.numbers))

    def settle(self, batch: Iterable[Ended]) -> None:
        """Give the files their names, and then write the rows."""
        batch = list(batch)
        parts = {part: raw(self.folder, one.sha256) for one, part in batch if part is not None}
        with ThreadPoolExecutor(FLUSHES) as pool:
            list(pool.map(places.flush, parts))  # together, since the disk then does it once for all of them
        for part, final in parts.items():
            final.parent.mkdir(parents=True, exist_ok=True)
            part.replace(final)
        now = stamp(datetime.now(UTC))
        marks = ",".join("?" * (len(COLUMNS) + 1))
        rows = [(*(getattr(one, name) for name in COLUMNS), now) for one, _ in batch]
        with full_disk(), self.database:
            self.database.executemany(f"INSERT OR REPLACE INTO addresses VALUES ({marks})", rows)  # noqa: S608


def stamp(when: datetime) -> str:
    """Sorts as time does."""
    return when.isoformat(timespec="milliseconds")


def ago(seconds: float) -> str:
    """The stamp of that many seconds before now."""
    now = datetime.now(UTC)
    try:
        return stamp(now - timedelta(seconds=seconds))
    except OverflowError:
        return ""
