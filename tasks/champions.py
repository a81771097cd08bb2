"""Who is champion: the one place that moves the alias, and what makes good after a kill.

A move is written down before it begins and after it has ended, and one write in between, that of the alias
`champion`, decides: killed before it, the move never was; killed after it, the move is finished at the next start.
All but `locked`, `settle` and `rollback` want the model's lock held.
"""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from typing import Any

from filelock import FileLock

from tasks import catalogue, places
from tasks.errors import BadRequest, MiarError, Refused
from tasks.outside import ledger, registry, tracking
from tasks.outside.ledger import Record

BECAME = "is champion from now on"
"""What the line says that tells of a move."""

QUARANTINED = "quarantined"
"""Tag of a version that must never be champion again; its value says why. Taken away by hand in MLflow."""


@dataclass(frozen=True)
class Moved:
    """That another version is champion than before."""

    model: str
    old: int | None
    new: int | None


@dataclass(frozen=True)
class Found:
    """That the alias was moved or deleted by something that is not in the ledger.

    Args:
        champion: version that the alias named.
        expected: version that the ledger knows.
        restored: version that the alias names again instead; None where it was left as it was found.
    """

    model: str
    champion: int | None
    expected: int | None
    restored: int | None

    def __str__(self) -> str:
        if self.restored is not None:
            now = f"{told(self.restored)} is champion again"
        else:
            now = f"it was left so; to go back: ./miar rollback {self.model} --to <version> --reason <why>"
        return (
            f"the alias champion of {self.model} was moved by hand: it named {told(self.champion)}, "
            f"the ledger knows {told(self.expected)}; {now}"
        )


class Overtaken(Refused):
    """The champion is another one than the evidence was gathered against."""

    def __init__(self, model: str, number: int, before: int | None, now: int | None) -> None:
        super().__init__(
            f"champion of `{model}` must still be {told(before)} for version {number} to be promoted on what was found "
            f"against it. Received: it moved to {told(now)}; ask again: ./miar promote {model} --version {number}"
        )


def told(number: int | None) -> str:
    return "nobody" if number is None else f"version {number}"


def locked(what: str, name: str) -> FileLock:
    """The lock that one process at a time holds to do `what` to the model `name`."""
    places.LOCKS.mkdir(parents=True, exist_ok=True)
    return FileLock(places.LOCKS / f"{what}-{name}.lock")


def champion(client: Any, model: str) -> int | None:
    return registry.named_by(client, model, registry.CHAMPION)


def move(
    client: Any, model: str, number: int, *, expected: int | None, action: str, reason: str, by: str | None = None
) -> None:
    """Make version `number` champion, in the one write after that of previous-champion.

    After a promotion, previous-champion is the one before; after a rollback, which quarantines that one, an earlier
    one that could come back next; a restore leaves it as it is.

    Args:
        expected: who is champion now, as far as the caller knows.

    Raises:
        Overtaken: if someone else is.
        Refused: if the version is not fit to be champion.
    """
    now = registry.aliases(client, model)
    old = now.get(registry.CHAMPION)
    if old != expected:
        raise Overtaken(model, number, expected, old)
    refuse_unfit(client, model, number)
    last = ledger.newest(client, model)
    if action == ledger.RESTORE and last:
        old = last.champion  # one set by hand is not written down: killed here, the next start finds it once more
    facts = {"action": action, "old": old, "new": number, "previous": now.get(registry.PREVIOUS)}
    begun = ledger.append(
        client, model, last, **{**facts, "state": ledger.PENDING, "by": by or who(), "reason": reason}
    )
    if action == ledger.PROMOTE and old is not None:
        registry.point(model, registry.PREVIOUS, old)
    elif action == ledger.ROLLBACK:
        fall_back_on(client, model, {old, number})
    registry.point(model, registry.CHAMPION, number)
    finish(client, begun)
    print(f"{model}: version {number} {BECAME}, {told(old)} was", flush=True)


def fall_back_on(client: Any, model: str, taken: set[int | None]) -> None:
    """Let previous-champion name the newest earlier champion that is still fit, and not `taken`; nobody if none is."""
    rest = (one for one in former(client, model) if one not in taken and not unfit(client, model, one))
    if (number := next(rest, None)) is not None:
        registry.point(model, registry.PREVIOUS, number)
    else:
        registry.unpoint(model, registry.PREVIOUS)


def finish(client: Any, begun: Record) -> None:
    """What follows the commit point; all of it can be repeated."""
    if begun.action == ledger.ROLLBACK and begun.old is not None and registry.look(client, begun.model, begun.old):
        registry.tag(begun.model, begun.old, {QUARANTINED: begun.reason})
    if registry.named_by(client, begun.model, registry.CHALLENGER) in {begun.new, begun.old}:
        registry.unpoint(begun.model, registry.CHALLENGER)
    close(client, begun, ledger.COMMITTED)


def take_back(client: Any, begun: Record) -> None:
    """The champion never changed: give previous-champion back what it named."""
    if begun.previous is not None and registry.look(client, begun.model, begun.previous):
        registry.point(begun.model, registry.PREVIOUS, begun.previous)
    else:
        registry.unpoint(begun.model, registry.PREVIOUS)
    close(client, begun, ledger.ABORTED)


def close(client: Any, begun: Record, state: str) -> None:
    facts = {name: getattr(begun, name) for name in ("action", "old", "new", "previous", "by", "reason")}
    ledger.append(client, begun.model, begun, state=state, **facts)


def reconcile(client: Any, model: str, *, restore: bool = False) -> Found | None:
    """Finish or take back what a kill left half done, and write down a champion that was set by hand.

    Args:
        restore: whether a champion that was set by hand gives way to the one that the ledger knows.

    Returns:
        What was set by hand, if anything.

    Raises:
        Refused: if the ledger is broken.
    """
    last, now = ledger.newest(client, model), champion(client, model)
    if last and last.state == ledger.PENDING:
        if now == last.new:
            print(f"finishing what was begun at {last.at}: version {last.new} is champion of {model}", flush=True)
            finish(client, last)
        else:
            print(f"taking back what was begun at {last.at}: version {last.new} is not champion", flush=True)
            take_back(client, last)
        last = ledger.newest(client, model)
    expected = last.champion if last else None
    return None if now == expected else find(client, model, last, now, restore=restore)


def find(client: Any, model: str, last: Record | None, now: int | None, *, restore: bool) -> Found | None:
    """Write down that the alias names another version than the ledger knows, and put that back if it is wanted."""
    expected = last.champion if last else None
    target = fallback(client, model, expected, now) if restore else None
    found = Found(model, now, expected, target)
    reason = str(found) if last else "it was champion before there was a ledger"
    previous = registry.named_by(client, model, registry.PREVIOUS)
    facts = {"action": ledger.FOUND, "state": ledger.COMMITTED, "old": expected, "new": now, "previous": previous}
    if target is None:
        ledger.append(client, model, last, by="unknown", reason=reason, **facts)
    if not last:
        return None
    print(f"WARNING {found}", flush=True)
    if target is not None:
        move(client, model, target, expected=now, action=ledger.RESTORE, reason=reason)
    return found


def fallback(client: Any, model: str, expected: int | None, now: int | None) -> int | None:
    """The champion that the ledger knows, or where that one is gone the newest one before it that is still fit."""
    past = [expected, *former(client, model)]
    return next((one for one in past if one not in {None, now} and not unfit(client, model, one)), None)


def settle(model: str, *, restore: bool = False, anew: bool = False) -> Found | None:
    """Reconcile one model by itself.

    Args:
        anew: whether a broken ledger is laid aside first, and a new one begins with the present champion.

    Raises:
        Refused: if the ledger is broken.
        Unavailable: if MLflow does not answer.
    """
    client = tracking.connect()
    with tracking.answering(), locked("promote", model):
        if anew:
            print(f"the ledger of {model} is kept as {ledger.lay_aside(client, model)}", flush=True)
        return reconcile(client, model, restore=restore)


def settle_all() -> dict[str, Found | MiarError | None]:
    """Reconcile every registered model, as its recipe wants it; by name, what was set by hand or is broken."""
    client, recipes = tracking.connect(), catalogue.load().recipes
    found: dict[str, Found | MiarError | None] = {}
    for model in registry.models(client):
        try:
            found[model] = settle(model, restore=model in recipes and recipes[model].gate.restore)
        except MiarError as error:
            found[model] = error
    return found


def rollback(model: str, *, to: int | None = None, reason: str, by: str | None = None) -> Moved:
    """Make an earlier version champion again, and quarantine the one that is.

    Args:
        to: its number; None takes the champion before the present one that is still fit.
        by: who asks; None: the deployment, or whoever runs this.

    Raises:
        BadRequest: if no reason is given.
        Refused: if there is nothing to go back to, or it cannot be champion.
        Unavailable: if MLflow does not answer.
    """
    if not reason.strip():
        raise BadRequest("`reason` must say why: it is kept with the version. Received: none")
    client = tracking.connect()
    with tracking.answering(), locked("promote", model):
        reconcile(client, model)
        now = champion(client, model)
        target = to if to is not None else before(client, model, now)
        if target == now:
            raise Refused(
                f"`{model}` must go back to another version than its champion. Received: {target}, which it is"
            )
        check(client, model, target)
        move(client, model, target, expected=now, action=ledger.ROLLBACK, reason=reason.strip(), by=by)
    return Moved(model, now, target)


def before(client: Any, model: str, now: int | None) -> int:
    """The newest earlier champion that may be one again.

    Raises:
        Refused: if there is none.
    """
    for number in former(client, model):
        if number != now and not unfit(client, model, number):
            return number
    raise Refused(
        f"`{model}` must have had another champion that is still fit to be one. Received: {told(now)} and none before"
    )


def former(client: Any, model: str) -> list[int]:
    """All that were champion by the ledger's own moves, the newest first, each once."""
    moves = [record.new for record in ledger.read(client, model) if record.is_move]
    return list(dict.fromkeys(number for number in reversed(moves) if number is not None))


def check(client: Any, model: str, number: int) -> None:
    """Raise Refused unless the version may be champion, can be loaded, and answers as it did when it was registered."""
    refuse_unfit(client, model, number)
    from tasks import examine

    examine.check(model, number)


def refuse_unfit(client: Any, model: str, number: int) -> None:
    if why := unfit(client, model, number):
        raise Refused(f"version {number} of `{model}` must be fit to be champion. Received: {why}")


def unfit(client: Any, model: str, number: int | None) -> str:
    """Why a version may not be champion, whatever a gate says; empty if it may."""
    found = registry.look(client, model, number) if number is not None else None
    if found is None:
        return "there is no such version"
    if found.status != "READY":
        return f"its status is {found.status}"
    if found.tags.get(registry.MODEL, model) != model:
        return f"it is a version of {found.tags[registry.MODEL]}"
    return f"it is quarantined: {found.tags[QUARANTINED]}" if QUARANTINED in found.tags else ""


def who() -> str:
    """The deployment that the step runs for, or the name of whoever runs it here."""
    if name := os.environ.get("MIAR_DEPLOYMENT"):
        return f"deployment {name}"
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
