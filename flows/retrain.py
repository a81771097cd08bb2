"""retrain: from source to champion, one Prefect task for each of DVC's stages, then register and promote."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import deployment, flow_run
from prefect.states import Completed, Failed

from flows import artifacts, events, keys, outcome, stages, unattended, workplace
from flows import promote as ask_a_person
from flows.forms import Cause, Epochs, Minutes, Recipe, Seed, Trials
from flows.unattended import Clock
from flows.workplace import Overrides, Workplace
from tasks import places
from tasks.errors import MiarError
from tasks.receipts import Promoted, Registered

INGEST_RETRIES, INGEST_DELAY = 2, 10
"""A source that did not answer (exit code 5) is asked again, after so many seconds."""

BECAME = "is champion from now on"
"""What the step promote says where it has moved the champion."""

STEP_DELAYS = (5, 30, 120)
"""Seconds after which MLflow is asked again where it did not answer: a trained network waits for it."""


@flow(name="retrain", log_prints=False, persist_result=False)
def retrain(
    recipe: Recipe = "cnn_digits",
    epochs: Epochs = None,
    trials: Trials = None,
    seed: Seed = None,
    promote: bool = True,
    minutes: Minutes = None,
    cause: Cause = None,
) -> State[Any]:
    """Train a recipe anew from its source, examine it, register it, and make it champion if its gate says so.

    What has not changed since the last run is not done again. Values given here replace the recipe's own
    for this run alone; they are committed with it, so that the version can always be made again.

    Args:
        recipe: What to train: a dataset with a model, as params.yaml has it.
        epochs: How often the network sees all training samples, 1 to 1000. None: the recipe's own number.
        trials: How many sets of hyperparameters are tried first, 0 to 1000; 0 keeps the model's defaults.
            None: the recipe's own number. Not for recipes that search with hyperband.
        seed: Of all random numbers in training. None: the recipe's own.
        promote: Whether the gate is asked, and the version becomes champion if it passes.
        minutes: How many minutes the runs of this deployment may take in one day (UTC), 1 to 1440; a run that is
            over them stops, and the next day's goes on from there. None: as many as they need.
        cause: Why this run begins; it is kept with the version. None: the schedule, or a person's hand.
    """
    overrides = Overrides(epochs, trials, seed)
    run, why = str(flow_run.id or uuid4()), unattended.cause(cause)
    try:
        workplace.check(recipe, overrides)
        with unattended.turn(recipe):
            if needless := unattended.needless():
                return Completed(name="Skipped", message=needless)
            clock = unattended.Clock(unattended.seconds_left(minutes))
            with workplace.opened(recipe, overrides, run=run, fresh=deployment.id is not None) as place:
                return carry_out(recipe, place, promote=promote, cause=why, clock=clock)
    except stages.OutOfTime as error:
        return Completed(name="OverBudget", message=str(error))
    except MiarError as error:
        said = str(error)
        line = said if isinstance(error, stages.StepFailed) else f"ERROR {error.code} retrain {recipe}: {said}"
        return Failed(message=line, data=error)


def carry_out(recipe: str, place: Workplace, *, promote: bool, cause: str, clock: Clock) -> State[Any]:
    """Do what has to be done, stage by stage, and show what came of it.

    Raises:
        StepFailed: at the first stage or step that fails.
        OutOfTime: if the clock runs out.
    """
    announce(place)
    with stages.steps(root=place.root, environment={**environment(place), "MIAR_CAUSE": cause}) as steps:
        graph = stages.Graph(place.root)
        states = {name: run_stage(name, graph, place, clock) for name in graph.upstream(f"explain@{recipe}")}
        if place.own:
            workplace.keep_lock(place, f"explain@{recipe}")
            made = workplace.commit(place, f"Retrain {recipe}, run {place.run}")
            get_run_logger().info("params.yaml and dvc.lock of this run are commit %s", made[:12])
        for name in ("register", "promote") if promote else ("register",):
            states[name] = run_step(name, recipe, steps, place)
    result = outcome.read(recipe, place, states)
    artifacts.show(result)
    if result.promoted and states["promote"] != stages.UNCHANGED:
        follow_up(result.promoted)
    if result.unchanged:
        return Completed(name="NoChange", message=f"nothing has changed since {result.headline}", data=result)
    return Completed(message=result.headline, data=result)


def follow_up(promoted: Promoted) -> None:
    """Tell what became of the version, and let a person be asked where the gate leaves it to one."""
    facts = {"version": promoted.version, "verdict": promoted.verdict, "champion": promoted.champion}
    what = {"champion": "promoted", "challenger": "refused", "waits": "waits"}[promoted.decision]
    events.emit(what, promoted.name, **facts, reasons=promoted.reasons)
    events.reconciled(promoted.name, promoted.found)
    if promoted.decision == "waits":
        ask_a_person.invite(promoted.name, promoted.version, promoted.champion)


def announce(place: Workplace) -> None:
    log = get_run_logger()
    log.info("working in %s", place.root)
    changed = workplace.uncommitted() if place.own else []
    if changed:
        log.warning("this run takes the last commit; changes that are not committed stay out: %s", ", ".join(changed))


def run_stage(name: str, graph: stages.Graph, place: Workplace, clock: Clock, *, force: bool = False) -> str:
    """Run one stage as a Prefect task; returns the name of its state."""
    may_retry = INGEST_RETRIES if name.partition("@")[0] in ("ingest", "search", "collect") else 0
    options = stage.with_options(task_run_name=name, retries=may_retry, retry_delay_seconds=INGEST_DELAY)
    return settled(options(name, graph, place, clock, force=force, return_state=True))


def run_step(name: str, recipe: str, steps: stages.Steps, place: Workplace) -> str:
    """Run register or promote as a Prefect task; returns the name of its state."""
    options = step.with_options(
        task_run_name=f"{name} {recipe}", retries=len(STEP_DELAYS), retry_delay_seconds=list(STEP_DELAYS)
    )
    return settled(options(name, recipe, steps, place, return_state=True))


def settled(state: State[Any]) -> str:
    """The name of a task's state; a failed task's own error is raised."""
    if state.is_failed():
        found = state.result(raise_on_failure=False)
        raise found if isinstance(found, MiarError) else stages.StepFailed(f"ERROR 1 retrain: {state.message}", 1)
    return str(state.name)


def was_unavailable(_task: Any, _run: Any, state: State[Any]) -> bool:
    return bool(state.message and state.message.startswith("ERROR 5 "))


@task(name="stage", cache_policy=NO_CACHE, persist_result=False, retry_condition_fn=was_unavailable)
def stage(name: str, graph: stages.Graph, place: Workplace, clock: Clock, *, force: bool = False) -> State[Any]:
    """Bring one DVC stage up to date; the state's name says what that took."""
    if not force and graph.is_unchanged(name):
        return Completed(name=stages.UNCHANGED, message="nothing has changed since it was made")
    progress, log = artifacts.Progress(name), get_run_logger()

    def say(line: str) -> None:
        log.info("%s", line)
        progress.follow(line)

    try:
        took = stages.reproduce(
            name,
            root=place.root,
            environment={**environment(place), **keys.of_stage(name, place)},
            say=say,
            seconds=clock.left(),
            force=force,
        )
    except (stages.StepFailed, stages.OutOfTime) as error:
        return Failed(message=str(error), data=error)
    finally:
        graph.reread()
    progress.finish()
    return Completed(name=took)


@task(name="step", cache_policy=NO_CACHE, persist_result=False, retry_condition_fn=was_unavailable)
def step(name: str, recipe: str, steps: stages.Steps, place: Workplace) -> State[Any]:
    """Run a step that has effects outside the checkout, and is therefore never cached."""
    log, said = get_run_logger(), list[str]()

    def say(line: str) -> None:
        said.append(line)
        log.info("%s", line)

    try:
        steps.run(name, recipe, say=say)
    except stages.StepFailed as error:
        return Failed(message=str(error), data=error)
    return noted(name, recipe, place, moved=any(BECAME in line for line in said))


def noted(name: str, recipe: str, place: Workplace, *, moved: bool) -> State[Any]:
    """A state whose name says what register or promote has done.

    Args:
        moved: whether another version is champion than before.
    """
    if name == "register":
        registered = Registered.read(place.folder(places.registered(recipe)))
        return Completed(
            name="Registered" if registered.new else stages.UNCHANGED, message=f"version {registered.version}"
        )
    promoted = Promoted.read(place.folder(places.promoted(recipe)))
    stays = promoted.decision == "champion" and not moved
    return Completed(
        name=stages.UNCHANGED if stays else promoted.decision.capitalize(), message="; ".join(promoted.reasons)
    )


def environment(place: Workplace) -> dict[str, str]:
    """What the steps are told about the run, for the version's tags."""
    name = {"MIAR_DEPLOYMENT": str(deployment.name)} if deployment.name else {}
    return {**place.environment(), **name}
