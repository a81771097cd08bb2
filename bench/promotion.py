"""What moving the champion costs as a registry grows, and whether it survives kills, races and any order of events.

`python -m bench.promotion` measures all five parts and prints a table of each; `--part` picks one. It takes a
quarter of an hour on two cores. The tests do the same with fewer rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from tasks import champions
from tasks.outside import ledger, tracking
from tests.tasks import crashes, races, registries
from tests.tasks.registries import Place

MEMORY = Path("/dev/shm")  # noqa: S108, a file system in memory: these parts measure no disk
ROUNDS = 15
RECORDS = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("growth", "crash", "steps", "race", "machine"))
    parser.add_argument("--races", type=int, default=200)
    parser.add_argument("--versions", type=int, default=2000)
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--recipe", default="cnn_digits", help="for steps: one that has been evaluated here")
    parser.add_argument("--each", type=int, default=1, help="for steps: kill at every n-th point only")
    asked = parser.parse_args()
    parts: dict[str, Callable[[], list[str]]] = {
        "growth": lambda: growth(asked.versions),
        "crash": crash,
        "steps": lambda: steps(asked.recipe, asked.each),
        "race": lambda: race(asked.races),
        "machine": lambda: machine(asked.examples, asked.steps),
    }
    failures = []
    for name in [asked.part] if asked.part else parts:
        began = time.perf_counter()
        failures += parts[name]()
        print(f"{name} took {time.perf_counter() - began:.0f} s\n", flush=True)
    if failures:
        sys.exit("\n".join(failures))


@contextlib.contextmanager
def workplace(parent: Path | None) -> Iterator[Place]:
    """A place with a filled database, in which this process works; on the disk if `parent` is None."""
    with tempfile.TemporaryDirectory(dir=parent, prefix="miar-bench-") as folder:
        place = Place(Path(folder))
        place.enter()
        registries.fill()
        yield place


def memory() -> Path | None:
    return MEMORY if MEMORY.is_dir() else None


def growth(versions: int) -> list[str]:
    """Time the same on a small registry, a big one, and a big one with a long ledger, in turn, on the disk."""
    with workplace(None) as place:
        client = tracking.connect()
        models = {
            "2 versions": "small",
            f"{versions} versions": "big",
            f"{versions} versions, {RECORDS} records": "long",
        }
        for model in models.values():
            fill(client, place.database, model, 2 if model == "small" else versions)
        for _ in range(RECORDS // 2 - 1):
            promote(client, "long")
        rounds = [{kind: timed(client, model) for kind, model in models.items()} for _ in range(ROUNDS + 1)][1:]
    print(grown(rounds))
    return []


def fill(client: Any, database: Path, model: str, versions: int) -> None:
    """Two versions by MLflow, the others by SQL as copies of the second; the first is champion."""
    for number in (1, 2):
        registries.add(client, model, identity=f"network {number}", tags={f"tag.{one}": "0" * 64 for one in range(40)})
    with closing(sqlite3.connect(database)) as connection, connection:
        for table in ("model_versions", "model_version_tags"):
            columns = [column for _, column, *_ in connection.execute(f"PRAGMA table_info({table})")]
            chosen = ", ".join("numbers.version" if column == "version" else f"source.{column}" for column in columns)
            counted = "WITH RECURSIVE numbers(version) AS (SELECT 3 UNION ALL SELECT version + 1 FROM numbers LIMIT ?)"
            copied = " ".join(
                ["SELECT", chosen, "FROM", table, "AS source, numbers WHERE source.name = ? AND source.version = 2"]
            )
            statement = f"{counted} INSERT INTO {table} ({', '.join(columns)}) {copied}"
            connection.execute(statement, [max(versions - 2, 0), model])
    champions.move(client, model, 1, expected=None, action=ledger.PROMOTE, reason="the first")


def promote(client: Any, model: str) -> None:
    """Let versions 1 and 2 take turns."""
    old = champions.champion(client, model)
    champions.move(client, model, 3 - (old or 0), expected=old, action=ledger.PROMOTE, reason="better in this round")


def timed(client: Any, model: str) -> dict[str, float]:
    """Milliseconds of one call of each."""
    old = champions.champion(client, model)
    calls: dict[str, Callable[[], Any]] = {
        "champions.move": lambda: champions.move(
            client, model, 3 - (old or 0), expected=old, action=ledger.PROMOTE, reason="better in this round"
        ),
        "champions.champion": lambda: champions.champion(client, model),
        "champions.settle": lambda: champions.settle(model),
        "MLflow set alias": lambda: client.set_registered_model_alias(model, "bench", "1"),
        "MLflow get model": lambda: client.get_registered_model(model),
    }
    return {name: milliseconds(call) for name, call in calls.items()}


def milliseconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - began)


def grown(rounds: list[dict[str, dict[str, float]]]) -> str:
    """Medians of all rounds, and how many times those of the first kind the others are."""
    kinds = list(rounds[0])
    heads = "".join(f"{kind:>28}" for kind in kinds)
    lines = [f"median milliseconds of {len(rounds)} rounds, times the first column", f"{'':<20}{heads}"]
    for name in rounds[0][kinds[0]]:
        values = [median(one[kind][name] for one in rounds) for kind in kinds]
        cells = "".join(f"{value:>19.1f} ms {value / values[0]:>4.2f}x" for value in values)
        lines.append(f"{name:<20}{cells}")
    return "\n".join(lines)


def crash() -> list[str]:
    """Kill each operation before and after all its writes, and promote's recovery as well."""
    failures = []
    with workplace(memory()) as empty:
        for name, operation in crashes.OPERATIONS.items():
            tally = crashes.every(operation, empty, empty.folder / name, reads=False, twice=name == "promote")
            print(tally, flush=True)
            failures += tally.failures
    return failures


def steps(recipe: str, each: int) -> list[str]:
    """Kill the whole steps register and promote of a recipe that has been evaluated here."""
    import keras  # noqa: F401, once, before the forks

    from tasks import promote, register  # noqa: F401
    from tests.tasks import steps as killed

    failures = []
    with tempfile.TemporaryDirectory(prefix="miar-bench-") as folder:
        for tally in killed.every(recipe, Path(folder), each=each):
            print(tally, flush=True)
            failures += tally.failures
    return failures


def race(count: int) -> list[str]:
    with workplace(memory()) as place:
        result = races.run(place, count)
    print(result)
    return result.failures


def machine(examples: int, steps: int) -> list[str]:
    """Any order of events; what it needs is imported here, or each process of the other parts would import it too."""
    from hypothesis import HealthCheck, settings
    from hypothesis.stateful import run_state_machine_as_test

    from tests.tasks.machine import Machine, unexamined

    began = time.perf_counter()
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    with workplace(memory()) as place, unexamined(), contextlib.redirect_stdout(io.StringIO()):
        Machine.place = place
        run_state_machine_as_test(Machine, settings=chosen)
    print(f"{examples} examples of {steps} steps: all held, {time.perf_counter() - began:.0f} s")
    return []


if __name__ == "__main__":
    main()
