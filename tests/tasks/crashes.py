"""Kill an operation at each of its commits, let the next start make good, and see that all is well."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tasks import champions, examine
from tasks.outside import ledger, registry, tracking
from tests import invariants
from tests.tasks import apart, registries
from tests.tasks.commits import Point, points, watched
from tests.tasks.registries import Place

MODEL = "mlp_digits"


@dataclass(frozen=True)
class Operation:
    """Something that changes the registry.

    Args:
        prepare: what was there before.
        run: the operation.
        recover: what the next start does.
        wrong: given who was champion at the kill, and the database after the recovery: what is not as it must be.
    """

    name: str
    prepare: Callable[[Any], None]
    run: Callable[[], None]
    recover: Callable[[], None]
    wrong: Callable[[int | None, Path], list[str]]


@dataclass
class Tally:
    """How many kills were made good.

    Args:
        points: kills of the operation; `held` of them were made good.
        twice: kills of the recovery from those; `held_twice` of them were.
    """

    name: str
    points: int = 0
    held: int = 0
    twice: int = 0
    held_twice: int = 0
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        second = f"; killed again while recovering: {self.held_twice} of {self.twice}" if self.twice else ""
        return f"{self.name}: {self.held} of {self.points}{second}"


def every(operation: Operation, empty: Place, folder: Path, *, reads: bool, twice: bool) -> Tally:
    """Kill `operation` before and after each of its commits, each time in a copy of `empty` below `folder`.

    Args:
        reads: whether also at the end of transactions that have only read.
        twice: whether the recovery is killed at each of its commits too, and another one then follows.
    """
    shelf, tally = Shelf(folder, reads), Tally(operation.name)
    base = shelf.base(operation, empty)
    for point in points(shelf.commits(operation.run, base)):
        killed = shelf.killed(operation.run, base, point)
        tally.points += 1
        wrong = shelf.recovered(operation, killed)
        tally.held += not wrong
        tally.failures += [f"{operation.name} killed {point}: {one}" for one in wrong]
        for second in points(shelf.commits(operation.recover, killed)) if twice else ():
            again = shelf.killed(operation.recover, killed, second)
            tally.twice += 1
            wrong = shelf.recovered(operation, again)
            tally.held_twice += not wrong
            tally.failures += [f"{operation.name} killed {point}, recovery {second}: {one}" for one in wrong]
            shutil.rmtree(again.folder)
        shutil.rmtree(killed.folder)
    return tally


class Shelf:
    """Copies of a database, one for each kill."""

    def __init__(self, folder: Path, reads: bool) -> None:
        self.folder, self.reads, self.numbers = folder, reads, count()

    def fresh(self) -> Path:
        return self.folder / f"{next(self.numbers)}"

    def base(self, operation: Operation, empty: Place) -> Place:
        """A database as the operation finds it."""
        place = empty.copied(self.fresh())
        assert apart.ended(apart.started(prepare, place, operation.prepare)) == 0
        return place

    def commits(self, run: Callable[[], None], place: Place) -> int:
        """How many there are when nothing kills it."""
        copy = place.copied(self.fresh())
        assert apart.ended(apart.started(act, copy, run, None, self.reads)) == 0, f"{run.__name__} fails by itself"
        found = int((copy.folder / "commits").read_text())
        shutil.rmtree(copy.folder)
        return found

    def killed(self, run: Callable[[], None], place: Place, point: Point) -> Place:
        """A copy in which `run` was killed at that point."""
        copy = place.copied(self.fresh())
        status = apart.ended(apart.started(act, copy, run, point, self.reads))
        assert status == -signal.SIGKILL, f"{run.__name__} must be killed {point}. Received: exit status {status}"
        return copy

    def recovered(self, operation: Operation, killed: Place) -> list[str]:
        """What is wrong once the recovery has run in a copy of what a kill has left."""
        copy = killed.copied(self.fresh())
        champion = invariants.named(copy.database, MODEL).get("champion")
        status = apart.ended(apart.started(act, copy, operation.recover, None, self.reads))
        if status != 0:
            return [f"the recovery ends with status {status}"]
        wrong = [*invariants.broken(copy.database, MODEL), *operation.wrong(champion, copy.database)]
        shutil.rmtree(copy.folder)
        return wrong


def prepare(place: Place, fill: Callable[[Any], None]) -> None:
    with quietly(place):
        fill(tracking.connect())


def act(place: Place, run: Callable[[], None], point: Point | None, reads: bool) -> None:
    """Call `run`, and be killed at `point`; without one, note how many commits there were."""
    with quietly(place), watched(point, kill, reads=reads) as watch:
        run()
        (place.folder / "commits").write_text(str(watch.count))


def kill(_connection: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def quietly(place: Place) -> Iterator[None]:
    """Work in `place`, where no version has a network that could be examined, and print nothing."""
    place.enter()
    examine.check = lambda model, number: None  # noqa: ARG005, its parameters have names
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def three(client: Any) -> None:
    """Three versions, and nobody is champion."""
    for number in (1, 2, 3):
        registries.add(client, MODEL, identity=f"network {number}")


def second(client: Any) -> None:
    """Version 2 is champion after version 1, and version 3 is challenger."""
    three(client)
    promoted(client, 1, None)
    promoted(client, 2, 1)
    registry.point(MODEL, registry.CHALLENGER, 3)


def third(client: Any) -> None:
    """Version 3 is champion after 2 after 1."""
    second(client)
    promoted(client, 3, 2)


def moved_by_hand(client: Any) -> None:
    second(client)
    client.set_registered_model_alias(MODEL, "champion", "3")


def deleted_by_hand(client: Any) -> None:
    second(client)
    client.delete_model_version(MODEL, "2")


def promoted(client: Any, number: int, expected: int | None) -> None:
    champions.move(client, MODEL, number, expected=expected, action=ledger.PROMOTE, reason="it is better", by="a test")


def promote_first() -> None:
    with champions.locked("promote", MODEL):
        promoted(tracking.connect(), 1, None)


def promote() -> None:
    with champions.locked("promote", MODEL):
        promoted(tracking.connect(), 3, 2)


def rollback() -> None:
    champions.rollback(MODEL, reason="it forgets sevens")


def settle() -> None:
    champions.settle(MODEL)


def restore() -> None:
    champions.settle(MODEL, restore=True)


def anew() -> None:
    champions.settle(MODEL, anew=True)


def create() -> None:
    """What the step register does: look for the network under the lock, and give it a number if it has none."""
    client = tracking.connect()
    with champions.locked("register", MODEL):
        if registry.find(client, MODEL, "network 4") is None:
            registries.add(client, MODEL, identity="network 4")


def nobody(_client: Any) -> None:
    """Not even the model is there."""


def kept(champion: int | None, database: Path, *, old: int | None, new: int) -> list[str]:
    """The alias decides: who was champion at the kill stays it."""
    now = invariants.named(database, MODEL).get("champion")
    return [f"champion was {champion} at the kill and is {now} now"] if now != champion or now not in {old, new} else []


def wrong_first(champion: int | None, database: Path) -> list[str]:
    return kept(champion, database, old=None, new=1)


def wrong_promote(champion: int | None, database: Path) -> list[str]:
    told = {"champion": 3, "previous-champion": 2}
    before = {"champion": 2, "previous-champion": 1, "challenger": 3}
    found = invariants.named(database, MODEL)
    other = [f"aliases are {found}"] if found != (told if champion == 3 else before) else []
    return [*kept(champion, database, old=2, new=3), *other]


def wrong_rollback(champion: int | None, database: Path) -> list[str]:
    quarantined = invariants.known(database, MODEL)[3][1]
    told = "it forgets sevens" if champion == 2 else None
    other = [f"version 3 is quarantined: {quarantined}"] if quarantined != told else []
    return [*kept(champion, database, old=3, new=2), *other]


def wrong_restore(_champion: int | None, database: Path) -> list[str]:
    now = invariants.named(database, MODEL).get("champion")
    return [f"champion is {now}, not 2 again"] if now != 2 else []


def wrong_fallback(_champion: int | None, database: Path) -> list[str]:
    now = invariants.named(database, MODEL).get("champion")
    return [f"champion is {now}, not 1 again"] if now != 1 else []


def wrong_anew(_champion: int | None, database: Path) -> list[str]:
    now = invariants.named(database, MODEL).get("champion")
    return [f"champion is {now}, not 2"] if now != 2 else []


def wrong_create(_champion: int | None, database: Path) -> list[str]:
    identities = [identity for *_, identity in invariants.known(database, MODEL).values()]
    return [f"versions are {identities}"] if identities.count("network 4") != 1 else []


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("promote first", three, promote_first, settle, wrong_first),
        Operation("promote", second, promote, settle, wrong_promote),
        Operation("roll back", third, rollback, settle, wrong_rollback),
        Operation("restore moved", moved_by_hand, restore, restore, wrong_restore),
        Operation("restore deleted", deleted_by_hand, restore, restore, wrong_fallback),
        Operation("new ledger", second, anew, settle, wrong_anew),
        Operation("create first", nobody, create, create, wrong_create),
        Operation("create", second, create, create, wrong_create),
    )
}
