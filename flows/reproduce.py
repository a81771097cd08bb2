"""reproduce: make a registered version again from its commit, stage by stage, and say whether it is the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from flows import artifacts, stages, workplace
from flows.forms import Recipe, Tolerance
from flows.workplace import Workplace
from tasks.errors import MiarError, Unavailable
from tasks.reproduction import DIVERGED, TOLERANCE, Repeated, Verdict, Version

Say = Callable[[str], None]


def make_again(reference: str, *, tolerance: float = TOLERANCE, say: Say, run: str = "") -> Verdict:
    """Repeat all that made `<model>@<alias or version>` in a worktree of its commit; the verdict becomes its tags.

    Nothing is taken from a cache but what is compared with; neither this checkout nor any version is changed.

    Raises:
        BadRequest: if there is no such version.
        BadData: if its commit is not here.
        StepFailed: if a stage fails.
    """
    from tasks import reproduction
    from tasks.outside import tracking

    wanted = reproduction.version(reference)
    say(f"{wanted.model} version {wanted.number}, commit {wanted.commit[:12]}")
    with workplace.at(wanted.commit, run=run or str(uuid4())) as place:
        repeated = repeat_all(place, wanted, say)
        now = reproduction.scores(place.root, wanted.model)
    verdict = reproduction.judge(repeated, was=wanted.scores, now=now, tolerance=tolerance, told=wanted.notes)
    with tracking.answering():
        reproduction.note(wanted, verdict)
    return verdict


def repeat_all(place: Workplace, wanted: Version, say: Say) -> list[Repeated]:
    """Repeat every stage that leads to the version's exam."""
    graph = stages.Graph(place.root)
    names = graph.upstream(f"evaluate@{wanted.model}")
    graph.fetch(names)
    repeated = []
    for name in names:
        repeated.append(repeat(name, place, graph))
        say(repeated[-1].told())
    return repeated


def repeat(name: str, place: Workplace, graph: stages.Graph) -> Repeated:
    """Run one stage again, whatever DVC thinks of it; a source that cannot be had is taken as it was."""
    from tasks import reproduction

    old, note, began = reproduction.digest(place.root, name), "", time.monotonic()
    try:
        stages.reproduce(name, root=place.root, environment=place.environment(), say=lambda _: None, force=True)
    except stages.StepFailed as error:
        if error.code != Unavailable.code or not name.startswith(("ingest@", "base@")) or not old:
            raise
        graph.checkout([name])
        note = "its source cannot be had, what DVC has of it was taken"
    return Repeated(name, old, reproduction.digest(place.root, name), time.monotonic() - began, note)


@task(name="reproduce", cache_policy=NO_CACHE, persist_result=False)
def one(model: str, tolerance: float) -> State[Any]:
    """Reproduce the champion of one model; the state's name is the verdict."""
    log = get_run_logger()
    try:
        verdict = make_again(f"{model}@champion", tolerance=tolerance, say=lambda line: log.info("%s", line))
    except MiarError as error:
        return Failed(message=f"ERROR {error.code} reproduce {model}: {error}", data=error)
    name = verdict.word.title().replace(" ", "")
    state = Failed if verdict.word == DIVERGED else Completed
    return state(name=name, message=verdict.headline(), data=verdict)


@flow(name="reproduce", log_prints=True, persist_result=False)
def reproduce(model: Recipe | None = None, tolerance: Tolerance = TOLERANCE) -> State[Any]:
    """Make champions again from their commits, and see whether they are the same.

    Args:
        model: Whose champion: a recipe of params.yaml. None: of every model that has one.
        tolerance: How far a score may be from the registered one where the weights are not the same, 0 to 1.
    """
    rows = []
    for name in [model] if model else with_champions():
        state = one.with_options(task_run_name=f"reproduce {name}")(name, tolerance, return_state=True)
        rows.append({"model": name, "verdict": str(state.name), "told": str(state.message)})
    if not rows:
        return Completed(name="NothingToReproduce", message="no model has a champion")
    create_table_artifact(rows, key=artifacts.key("reproduced", model or "all"), description="champions, made again")
    told = "; ".join(f"{row['model']}: {row['told']}" for row in rows)
    bad = [row for row in rows if row["verdict"] not in ("Reproduced", "WithinTolerance")]
    return Failed(name="NotReproduced", message=told) if bad else Completed(name="Reproduced", message=told)


def with_champions() -> list[str]:
    """Models that are trained and have a champion: a tracker is made of one, and not trained itself."""
    from tasks import catalogue, champions
    from tasks.outside import registry, tracking

    client, trackers = tracking.connect(), catalogue.load().trackers
    trained = (model for model in registry.models(client) if model not in trackers)
    return [model for model in trained if champions.champion(client, model) is not None]
