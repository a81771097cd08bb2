"""Everything that can happen to a model's champion, in any order, beside a model of it that knows who must be it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tasks import champions
from tasks.champions import QUARANTINED, Found, Overtaken
from tasks.errors import Refused
from tasks.outside import ledger, registry, tracking
from tests import invariants
from tests.tasks import registries
from tests.tasks.commits import Point, watched
from tests.tasks.registries import Place

NAMES = count()
"""Each example has a model of its own in the one database."""

MOST_WRITES = 9
"""No promote or rollback commits more often."""

PICK = st.integers(0, 11)
"""Which version; taken modulo how many there are."""


class Crash(BaseException):
    """The process dies here."""


def crash(connection: Any) -> None:
    connection.rollback()  # as the end of the process does; else the exception keeps the database locked
    raise Crash


def failure(act: Callable[[], Any]) -> Refused | None:
    """Why `act` is refused, if it is."""
    try:
        act()
    except Refused as error:
        return error
    return None


class Machine(RuleBasedStateMachine):
    """One model, and what is known of it.

    `alias` is what the alias champion names, `known` the champion by the ledger, `made` all champions that were made,
    and `begun` what a crash has left half done: from, to and how.
    """

    place: ClassVar[Place]
    """Whose database this process works on."""

    @initialize()
    def begin(self) -> None:
        self.model = f"machine_{next(NAMES)}"
        self.client: Any = tracking.connect()
        self.identities: dict[int, str] = {}
        self.quarantined: set[int] = set()
        self.made: list[int] = []
        self.alias: int | None = None
        self.known: int | None = None
        self.written = False
        self.begun: tuple[int | None, int, str] | None = None
        for number in range(3):
            self.add(f"network {number}")

    def fit(self, number: int | None) -> bool:
        return number in self.identities and number not in self.quarantined

    def former(self) -> list[int]:
        return list(dict.fromkeys(reversed(self.made)))

    def pick(self, number: int) -> int:
        """One of all versions that ever were."""
        return number % self.latest + 1

    @rule(draw=PICK)
    def register(self, draw: int) -> None:
        """Register as the step does, which looks first whether that network is a version already."""
        identity = f"network {draw % 8}"
        found = registry.find(self.client, self.model, identity)
        assert (found and int(found.version)) == next(
            (one for one, had in self.identities.items() if had == identity), None
        )
        if not found:
            self.add(identity)

    def add(self, identity: str) -> None:
        self.latest = registries.add(self.client, self.model, identity=identity)
        self.identities[self.latest] = identity

    @rule(number=PICK)
    def quarantine(self, number: int) -> None:
        if (number := self.pick(number)) in self.identities:
            self.client.set_model_version_tag(self.model, str(number), QUARANTINED, "by hand")
            self.quarantined.add(number)

    @precondition(lambda self: self.quarantined)
    @rule(number=PICK)
    def forgive(self, number: int) -> None:
        number = sorted(self.quarantined)[number % len(self.quarantined)]
        if number in self.identities:
            self.client.delete_model_version_tag(self.model, str(number), QUARANTINED)
            self.quarantined.remove(number)

    @rule(number=PICK)
    def delete(self, number: int) -> None:
        if (number := self.pick(number)) in self.identities:
            self.client.delete_model_version(self.model, str(number))
            del self.identities[number]
            self.alias = None if self.alias == number else self.alias

    @rule(number=PICK)
    def move_by_hand(self, number: int) -> None:
        if (number := self.pick(number)) in self.identities:
            self.client.set_registered_model_alias(self.model, "champion", str(number))
            self.alias = number

    @rule()
    def delete_by_hand(self) -> None:
        self.client.delete_registered_model_alias(self.model, "champion")
        self.alias = None

    @rule(restore=st.booleans())
    def reconcile(self, restore: bool) -> None:
        with quiet():
            found = champions.settle(self.model, restore=restore)
        self.reconciled(found, restore=restore)

    @rule(number=PICK, right=st.booleans())
    def promote(self, number: int, right: bool) -> None:
        """Move the alias as the step does, on evidence against the champion, or against one that is it no more."""
        number = self.pick(number)
        with quiet(), champions.locked("promote", self.model):
            self.reconciled(champions.reconcile(self.client, self.model), restore=False)
            if number == self.alias:
                return  # the gate says so before it comes to a move
            stale = None if self.alias is not None else number
            told = failure(lambda: self.move(number, self.alias if right else stale))
            if not right:
                assert isinstance(told, Overtaken)
                assert f"must still be {champions.told(stale)} for version {number}" in str(told)
                assert f"moved to {champions.told(self.alias)}" in str(told)
            else:
                assert (told is None) == self.fit(number), told
            if told is None:
                self.moved(number)
        self.settled()

    def move(self, number: int, expected: int | None) -> None:
        champions.move(self.client, self.model, number, expected=expected, action=ledger.PROMOTE, reason="better")

    @rule(number=st.none() | PICK)
    def roll_back(self, number: int | None) -> None:
        to = None if number is None else self.pick(number)
        with quiet():
            self.expect_reconciled(restore=False)
            old, target = self.alias, self.target(to)
            told = failure(lambda: champions.rollback(self.model, to=to, reason="worse in use"))
        assert (told is None) == (target is not None), told
        if target is not None:
            self.rolled_back(old, target)
        self.settled()

    def target(self, to: int | None) -> int | None:
        """Who must be champion after a rollback; None where it must be refused."""
        wanted = self.former() if to is None else [to]
        return next((one for one in wanted if one != self.alias and self.fit(one)), None)

    @rule(number=PICK, back=st.booleans(), at=st.integers(1, MOST_WRITES), after=st.booleans())
    def crash(self, number: int, back: bool, at: int, after: bool) -> None:
        """Die inside a promote or a rollback; what follows is whatever rule comes next."""
        self.reconcile(restore=False)
        number = self.pick(number)
        if number == self.alias or not self.fit(number):
            return
        old = self.alias
        try:
            with quiet(), watched(Point(at, after), crash):
                if back:
                    champions.rollback(self.model, to=number, reason="worse in use")
                else:
                    with champions.locked("promote", self.model):
                        self.move(number, old)
        except Crash:
            self.crashed(old, number, ledger.ROLLBACK if back else ledger.PROMOTE)
        else:
            self.rolled_back(old, number) if back else self.moved(number)
            self.settled()

    def crashed(self, old: int | None, new: int, action: str) -> None:
        """Take from the database how far it came."""
        self.alias = invariants.named(self.place.database, self.model).get("champion")
        assert self.alias in {old, new}
        records = invariants.records(self.place.database, self.model)
        self.written = self.written or bool(records)
        if records and records[-1]["state"] == "pending":
            self.begun = (old, new, action)
        elif self.alias != old:
            self.finished(old, new, action)

    def finished(self, old: int | None, new: int, action: str) -> None:
        self.known = new
        self.made.append(new)
        if action == ledger.ROLLBACK and old in self.identities:
            self.quarantined.add(old)

    def moved(self, number: int) -> None:
        self.written, self.alias = True, number
        self.finished(None, number, ledger.PROMOTE)

    def rolled_back(self, old: int | None, number: int) -> None:
        self.written, self.alias = True, number
        self.finished(old, number, ledger.ROLLBACK)

    def expect_reconciled(self, *, restore: bool) -> tuple[int | None, int | None, int | None] | None:
        """Do to what is known what reconciling must do; returns what it must have found."""
        if self.begun:
            if self.alias == self.begun[1]:
                self.finished(*self.begun)
            self.begun = None
        if self.alias == self.known:
            return None
        first, expected, found = not self.written, self.known, self.alias
        self.written = True
        self.known = self.alias
        if first:
            return None
        past = [expected, *self.former()]
        target = next((one for one in past if one != found and self.fit(one)), None) if restore else None
        if target is not None:
            self.moved(target)
        return found, expected, target

    def reconciled(self, found: Found | None, *, restore: bool) -> None:
        expected = self.expect_reconciled(restore=restore)
        assert (found and (found.champion, found.expected, found.restored)) == expected
        self.settled()

    def settled(self) -> None:
        """All must hold; only who sets the alias or the tag by hand can make a champion that is not fit."""
        assert not self.begun
        assert invariants.named(self.place.database, self.model).get("champion") == self.alias
        invariants.check(self.place.database, self.model, fit=self.alias not in self.quarantined)

    @invariant()
    def alias_is_where_it_must_be(self) -> None:
        assert invariants.named(self.place.database, self.model).get(registry.CHAMPION) == self.alias

    def teardown(self) -> None:
        if hasattr(self, "model"):
            self.reconcile(restore=True)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def unexamined() -> Iterator[None]:
    """No version has a network that could be examined."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.examine.check", lambda _model, _number: None)
        yield
