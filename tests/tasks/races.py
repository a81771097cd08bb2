"""Processes that promote different versions of one model at once, as `tasks/promote.py` does: judge, then move."""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks import champions
from tasks.champions import Overtaken
from tasks.outside import ledger, tracking
from tests import invariants
from tests.tasks import apart, registries
from tests.tasks.registries import Place

LONGEST_JUDGEMENT = 0.1
"""Seconds in which another one may win."""

TOLD = re.compile(
    r"must still be (nobody|version \d+) for version \d+ .*it moved to version \d+; ask again: \./miar promote"
)
"""What a loser is told: from whom, to whom, and what to do."""


@dataclass
class Races:
    """What came of all races.

    Args:
        lost: promotions that a process was told it had made, and the ledger does not have; must be 0.
    """

    races: int = 0
    processes: int = 0
    won: int = 0
    overtaken: int = 0
    gave_up: int = 0
    lost: int = 0
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.races} races of {self.processes} processes: {self.won} promotions, {self.lost} lost, "
            f"overtaken {self.overtaken} times, {self.gave_up} gave up, {len(self.failures)} failures"
        )


def run(place: Place, count: int, *, seed: int = 0) -> Races:
    """Hold `count` races of 2 to 8 processes in the database of this process, which is the one of `place`."""
    rng, result = random.Random(seed), Races()
    for number in range(count):
        race(place, f"race_{number}", rng, result)
    return result


def race(place: Place, model: str, rng: random.Random, result: Races) -> None:
    """One race, whose first champion is version 1, or nobody; about half of the losers ask again."""
    count, client = rng.randint(2, 8), tracking.connect()
    versions = [registries.add(client, model, identity=f"network {number}") for number in range(count + 1)]
    begun = rng.random() < 0.75
    if begun:
        champions.move(client, model, versions[0], expected=None, action=ledger.PROMOTE, reason="first", by="before")
    start = apart.CONTEXT.Barrier(count)
    runners = [
        apart.started(runner, place, model, number, rng.random(), rng.choice((1, 1, 3, 6)), start)
        for number in versions[1:]
    ]
    statuses = [apart.ended(process) for process in runners]
    result.races += 1
    result.processes += count
    if any(statuses):
        result.failures.append(f"{model}: exit statuses {statuses}")
    judge(place, model, versions[1:], begun, result)


def judge(place: Place, model: str, versions: list[int], begun: bool, result: Races) -> None:
    """Compare what each process saw and was told with what the database has: who won, from whom and to whom."""
    told = [json.loads(path.read_text()) for path in answers(place, model, versions) if path.exists()]
    records = invariants.records(place.database, model)
    committed = [record for record in records if record["action"] == "promote" and record["state"] == "committed"]
    kept = {(record["by"], record["old"], record["new"]) for record in committed}
    winners = {(name(answer["number"]), answer["seen"], answer["number"]) for answer in told if answer["won"]}
    messages = [message for answer in told for message in answer["overtaken"]]
    wrong = invariants.broken(place.database, model)
    wrong += [f"nobody was told of {one}" for one in kept - winners - {("before", None, 1)}]
    wrong += [f"a loser was told {message}" for message in messages if not TOLD.search(message)]
    wrong += [f"{one['number']} lost and was told nothing" for one in told if not one["won"] and not one["overtaken"]]
    if len(committed) != len(winners) + begun or not winners:
        wrong.append(f"{len(winners)} were told that they won, the ledger has {len(committed)}")
    result.won += len(winners)
    result.lost += len(winners - kept)
    result.overtaken += len(messages)
    result.gave_up += len(told) - len(winners)
    result.failures += [f"{model}: {one}" for one in wrong]


def answers(place: Place, model: str, versions: list[int]) -> list[Path]:
    return [place.folder / f"{model}-{number}.json" for number in versions]


def name(number: int) -> str:
    return f"runner {number}"


def runner(place: Place, model: str, number: int, seed: float, tries: int, start: Any) -> None:
    """Try to promote one version; notes whether it became champion, and by whom it was overtaken."""
    place.enter()
    rng, overtaken, seen, won = random.Random(seed), list[str](), list[int | None](), False
    client = tracking.connect()
    start.wait()
    with contextlib.redirect_stdout(io.StringIO()):
        while not won and len(overtaken) < tries:
            try:
                attempt(client, model, number, rng, seen)
                won = True
            except Overtaken as error:
                overtaken.append(str(error))
    (path,) = answers(place, model, [number])
    path.write_text(json.dumps({"number": number, "won": won, "seen": seen[-1], "overtaken": overtaken}))


def attempt(client: Any, model: str, number: int, rng: random.Random, seen: list[int | None]) -> None:
    """See who is champion, judge without a lock, and move the alias if that one still is."""
    with champions.locked("promote", model):
        champions.reconcile(client, model)
        seen.append(champions.champion(client, model))
    time.sleep(rng.uniform(0, LONGEST_JUDGEMENT))
    with champions.locked("promote", model):
        champions.move(
            client, model, number, expected=seen[-1], action=ledger.PROMOTE, reason="it is better", by=name(number)
        )
