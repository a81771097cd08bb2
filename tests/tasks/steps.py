"""Kill the whole steps register and promote at each of their commits, and see what the next run makes of it.

The steps are the real ones, on a recipe that has been evaluated here; MLflow's database is one of their own. Each runs
in a fork of this process, which has imported TensorFlow and has not used it yet.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

from tests import invariants
from tests.tasks.commits import Point, points, watched
from tests.tasks.crashes import Tally, kill
from tests.tasks.registries import Place


def every(recipe: str, folder: Path, *, each: int) -> list[Tally]:
    """Kill register, then promote, at every `each`-th point; `folder` takes the databases."""
    from tasks import promote, register

    empty = Place(folder / "empty")
    empty.folder.mkdir(parents=True)
    assert ended(empty, nothing) == 0
    registered = empty.copied(folder / "registered")
    assert ended(registered, lambda: register.register(recipe)) == 0
    numbers = count()
    tallies = []
    for name, base, run in (
        ("step register", empty, lambda: register.register(recipe)),
        ("step promote", registered, lambda: promote.promote(recipe)),
    ):
        tally = Tally(name)
        for point in points(commits(base.copied(folder / f"{next(numbers)}"), run))[::each]:
            copy = base.copied(folder / f"{next(numbers)}")
            status = ended(copy, run, point)
            assert status == -signal.SIGKILL, f"{name} must be killed {point}. Received: exit status {status}"
            wrong = made_good(copy, recipe)
            tally.points += 1
            tally.held += not wrong
            tally.failures += [f"{name} killed {point}: {one}" for one in wrong]
            shutil.rmtree(copy.folder)
        tallies.append(tally)
    return tallies


def made_good(place: Place, recipe: str) -> list[str]:
    """What is wrong after the next run of both steps."""
    from tasks import promote, register

    def run() -> None:
        register.register(recipe)
        promote.promote(recipe)

    if status := ended(place, run):
        return [f"the next run ends with status {status}"]
    wrong = list(invariants.broken(place.database, recipe))
    with closing(sqlite3.connect(place.database)) as connection:
        (versions,) = connection.execute("SELECT count(*) FROM model_versions").fetchone()
        query = "SELECT count(*) FROM runs JOIN experiments USING (experiment_id) WHERE status = 'RUNNING' AND {} = ?"
        below = (
            "SELECT count(*) FROM tags AS child JOIN runs USING (run_uuid) WHERE key = 'mlflow.parentRunId' AND "
            "lifecycle_stage = 'active' AND child.value NOT IN (SELECT run_id FROM model_versions)"
        )
        (astray,) = connection.execute(below).fetchone()
        (running,) = connection.execute(query.format("experiments.name"), [recipe]).fetchone()
    if versions != 1:
        wrong.append(f"{versions} versions of one network")
    if astray:
        wrong.append(f"{astray} runs of trials are no version's")
    if running:
        wrong.append(f"{running} runs that nobody works at are RUNNING")
    if invariants.named(place.database, recipe).get("champion") != 1:
        wrong.append("the version is not champion")
    return wrong


def nothing() -> None:
    """Make the database, and no more."""


def commits(place: Place, run: Callable[[], object]) -> int:
    """How many a run has that nothing kills."""
    assert ended(place, run) == 0
    return int((place.folder / "commits").read_text())


def ended(place: Place, run: Callable[[], object], point: Point | None = None) -> int:
    """Call `run` in a fork, killed at `point`; returns its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        os._exit(called(place, run, point))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def called(place: Place, run: Callable[[], object], point: Point | None) -> int:
    from tasks import examine
    from tasks.outside import tracking

    examine.apart = examine.here  # the fork is a fresh process already
    place.enter()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            tracking.connect()
            with watched(point, kill) as watch:
                run()
        (place.folder / "commits").write_text(str(watch.count))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        return 1
    return 0
