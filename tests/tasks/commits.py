"""Where a process can be stopped: just before, or just after, each of its commits to a database."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy

WRITES = ("INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True)
class Point:
    """A place to stop: before or after the commit with that number, counted from 1."""

    number: int
    after: bool

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} commit {self.number}"


def points(total: int) -> list[Point]:
    return [Point(number, after) for number in range(1, total + 1) for after in (False, True)]


class Watch:
    """Counts commits, and calls `stop` at one point.

    Args:
        stop: given the SQLite connection; ends the process, or what runs in it.
        reads: whether commits of transactions that have written nothing count too.
    """

    def __init__(self, point: Point | None, stop: Callable[[Any], None], *, reads: bool) -> None:
        self.point, self.stop, self.reads = point, stop, reads
        self.count = 0
        self.written: set[int] = set()

    def statement(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith(WRITES):
            self.written.add(id(raw(connection)))

    def rolled_back(self, connection: Any) -> None:
        self.written.discard(id(raw(connection)))

    def commit(self, connection: Any) -> None:
        """SQLAlchemy calls this before it commits; the commit itself is brought forward to stop after it."""
        wrote = id(raw(connection)) in self.written
        self.written.discard(id(raw(connection)))
        if not wrote and not self.reads:
            return
        self.count += 1
        if self.point and self.count == self.point.number:
            if self.point.after:
                raw(connection).commit()
            self.stop(raw(connection))


def raw(connection: Any) -> Any:
    return connection.connection.dbapi_connection


@contextlib.contextmanager
def watched(point: Point | None, stop: Callable[[Any], None], *, reads: bool = False) -> Iterator[Watch]:
    """Watch every database of this process during the block."""
    watch = Watch(point, stop, reads=reads)
    listeners: dict[str, Callable[..., None]] = {
        "before_cursor_execute": watch.statement,
        "rollback": watch.rolled_back,
        "commit": watch.commit,
    }
    for name, listener in listeners.items():
        sqlalchemy.event.listen(sqlalchemy.Engine, name, listener)
    try:
        yield watch
    finally:
        for name, listener in listeners.items():
            sqlalchemy.event.remove(sqlalchemy.Engine, name, listener)
