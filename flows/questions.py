"""The verbs of `./miar` about the registry: who is champion and why, and what people may do about it.

They need no Prefect: what has to work when something is broken depends on as little as possible.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows import events
from tasks.errors import BadRequest, Refused

Number = Callable[[str], int]


def add(verbs: Any, whole: Callable[[int, int], Number]) -> None:
    """Add the verbs to the command line."""
    reference = "a version (3 or v3) or an alias"
    question(verbs, "champion", "who is champion, since when and why", model="a registered model")
    question(verbs, "history", "every champion, every version, and what their gates said", model="a registered model")
    question(
        verbs,
        "at",
        "who was champion at a time",
        model="a registered model",
        time="2026-11-25 or 2026-11-25T14:30, UTC",
    )
    question(
        verbs, "diff", "what differs between two versions", model="a registered model", old=reference, new=reference
    )
    question(verbs, "explain", "the whole lineage of a version", reference=f"<model>@<{reference}>")
    seen = question(verbs, "lineage", "which versions saw some data")
    seen.add_argument("--data", dest="digest", required=True, help="its sha256 or DVC's md5, or eight signs of it")
    add_changes(verbs, whole(1, 10**9))


def add_changes(verbs: Any, number: Number) -> None:
    """Add the verbs that may change who is champion."""
    asked = verbs.add_parser("promote", help="ask the gate of a version again; with --approve, as a person's yes")
    asked.add_argument("model", help="a recipe of params.yaml")
    asked.add_argument("--version", type=number, help="left out: the challenger")
    asked.add_argument("--approve", action="store_true", help="let it pass where its gate leaves it to a person")
    asked.add_argument("--reason", default="", help="needed with --approve; kept with the version")
    asked.set_defaults(verb=promote)
    back = verbs.add_parser("rollback", help="make an earlier version champion again, and quarantine the present one")
    back.add_argument("model", help="a registered model")
    back.add_argument("--to", type=number, help="left out: the champion before this one that is still fit")
    back.add_argument("--reason", required=True, help="kept with the version and in the ledger")
    back.set_defaults(verb=rollback)
    settled = verbs.add_parser("reconcile", help="finish what a kill left half done, and report what was moved by hand")
    settled.add_argument("model", nargs="?", help="a registered model; left out: all of them")
    settled.add_argument("--anew", action="store_true", help="lay a broken ledger aside, and begin a new one")
    settled.set_defaults(verb=reconcile)


def question(verbs: Any, name: str, what: str, **arguments: str) -> argparse.ArgumentParser:
    """A verb that only reads: a function of tasks/history.py of the same name."""
    made: argparse.ArgumentParser = verbs.add_parser(name, help=what)
    for argument, meaning in arguments.items():
        made.add_argument(argument, help=meaning)
    made.add_argument("--json", action="store_true", help="answer as JSON")
    made.set_defaults(verb=answer, question=name)
    return made


def answer(options: argparse.Namespace) -> int:
    """Put the question, and print the answer as JSON or for people."""
    from tasks import history

    fields = {name: value for name, value in vars(options).items() if name not in {"json", "verb", "question"}}
    found = getattr(history, options.question)(**fields)
    print(json.dumps(found, indent=2, default=str) if options.json else "\n".join(lines(found)))
    return 0


FEW = 3
"""Values that share a line."""


def lines(found: dict[str, Any], margin: str = "") -> list[str]:
    """An answer for people: a line for each value, a table for each list of rows."""
    told: list[str] = []
    width = max((len(name) for name in found), default=0) + 2
    for name, value in found.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            told += [f"{margin}{name}", *(f"{margin}  {row}" for row in table(value))]
        elif isinstance(value, list) and len(value) > FEW:
            told += [f"{margin}{name}", *(f"{margin}  {plain(one)}" for one in value)]
        elif isinstance(value, dict) and value:
            told += [f"{margin}{name}", *lines(value, margin + "  ")]
        else:
            told.append(f"{margin}{name:<{width}}{plain(value)}")
    return told


def plain(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, list):
        return ", ".join(map(plain, value))
    return f"{value:.4f}" if isinstance(value, float) else str(value)


WIDEST = 60
"""Signs of a cell; --json has all of it."""


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Rows of equal keys in columns."""
    cells = [
        list(rows[0]),
        *([cut(plain(value)) if value not in ("", []) else "" for value in row.values()] for row in rows),
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def cut(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 4]} ..."


def promote(options: argparse.Namespace) -> int:
    """Judge a version, and say what came of it; 0 only if it is champion then."""
    from tasks import champions
    from tasks import promote as gate
    from tasks.outside import tracking

    if options.approve and not options.reason.strip():
        raise BadRequest("`--reason` must say why, with --approve: it is kept with the version. Received: none")
    approval = None
    if options.approve:
        now = champions.champion(tracking.connect(), options.model)
        approval = gate.Approval(champions.who(), options.reason.strip(), against=now)
    with tempfile.TemporaryDirectory() as folder:
        found = gate.ask(options.model, options.version, folder=Path(folder), approval=approval)
    events.promoted(found)
    print(f"{found.report.headline()}; {told(found)}")
    print("\n".join(table(found.report.table())))
    return 0 if found.decision == gate.CHAMPION else Refused.code


def told(found: Any) -> str:
    """What came of asking, and what to do next."""
    version = f"{found.report.model} --version {found.report.version}"
    return {
        "champion": "it is champion",
        "challenger": "it stays challenger",
        "waits": f"a person decides: ./miar promote {version} --approve --reason <why>",
    }[str(found.decision)]


def rollback(options: argparse.Namespace) -> int:
    from tasks import champions

    moved = champions.rollback(options.model, to=options.to, reason=options.reason)
    events.rolled_back(moved, options.reason)
    print(f"{moved.model}: version {moved.new} is champion again, {champions.told(moved.old)} is quarantined")
    return 0


def reconcile(options: argparse.Namespace) -> int:
    """Reconcile one model or all, and say what was found; 4 if something was moved by hand or is broken."""
    from tasks import catalogue, champions

    if options.model:
        known = catalogue.load().recipes.get(options.model)
        restore = known is not None and known.gate.restore
        found: dict[str, Any] = {options.model: champions.settle(options.model, restore=restore, anew=options.anew)}
    elif options.anew:
        raise BadRequest("`model` must be given with --anew. Received: none")
    else:
        found = champions.settle_all()
    for model, what in found.items():
        events.reconciled(model, what)
        print(f"{model}: {'as the ledger has it' if what is None else what}")
    return Refused.code if any(what is not None for what in found.values()) else 0
