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

from flows import artifacts, events, outcome, stages, workplace
from flows import promote as ask_a_person
from flows.forms import Epochs, Recipe, Seed, Trials
from flows.workplace import Overrides, Workplace
from tasks import places
from tasks.errors import MiarError
from tasks.receipts import Promoted, Registered

INGEST_RETRIES, INGEST_DELAY = 2, 10
"""A source that did not answer (exit code 5) is asked again, after so many seconds."""


@flow(name="retrain", log_prints=False, persist_result=False)
def retrain(
    recipe: Recipe = "cnn_digits",
    epochs: Epochs = None,
    trials: Trials = None,
    seed: Seed = None,
    promote: bool = True,
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
    """
    overrides = Overrides(epochs, trials, seed)
    run = str(flow_run.id or uuid4())
    try:
        workplace.check(recipe, overrides)
        with workplace.opened(recipe, overrides, run=run, fresh=deployment.id is not None) as place:
            return carry_out(recipe, place, promote=promote)
    except MiarError as error:
        said = str(error)
        line = said if isinstance(error, stages.StepFailed) else f"ERROR {error.code} retrain {recipe}: {said}"
        return Failed(message=line, data=error)


def carry_out(recipe: str, place: Workplace, *, promote: bool) -> State[Any]:
    """Do what has to be done, stage by stage, and show what came of it.

    Raises:
        StepFailed: at the first stage or step that fails.
    """
    announce(place)
    with stages.steps(root=place.root, environment=environment(place)) as steps:
        graph = stages.Graph(place.root)
        states = {name: run_stage(name, graph, place) for name in graph.upstream(f"explain@{recipe}")}
        if place.own:
            made = workplace.commit(place, f"Retrain {recipe}, run {place.run}")
            get_run_logger().info("params.yaml and dvc.lock of this run are commit %s", made[:12])
        for name in ("register", "promote") if promote else ("register",):
            states[name] = run_step(name, recipe, steps, place)
    result = outcome.read(recipe, place, states)
    artifacts.show(result)
    if result.promoted:
        follow_up(result.promoted)
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


def run_stage(name: str, graph: stages.Graph, place: Workplace) -> str:
    """Run one stage as a Prefect task; returns the name of its state."""
    may_retry = INGEST_RETRIES if name.startswith("ingest@") else 0
    options = stage.with_options(task_run_name=name, retries=may_retry, retry_delay_seconds=INGEST_DELAY)
    return settled(options(name, graph, place, return_state=True))


def run_step(name: str, recipe: str, steps: stages.Steps, place: Workplace) -> str:
    """Run register or promote as a Prefect task; returns the name of its state."""
    return settled(step.with_options(task_run_name=f"{name} {recipe}")(name, recipe, steps, place, return_state=True))


def settled(state: State[Any]) -> str:
    """The name of a task's state; a failed task's own error is raised."""
    if state.is_failed():
        found = state.result(raise_on_failure=False)
        raise found if isinstance(found, MiarError) else stages.StepFailed(f"ERROR 1 retrain: {state.message}", 1)
    return str(state.name)


def was_unavailable(_task: Any, _run: Any, state: State[Any]) -> bool:
    return bool(state.message and state.message.startswith("ERROR 5 "))


@task(name="stage", cache_policy=NO_CACHE, persist_result=False, retry_condition_fn=was_unavailable)
def stage(name: str, graph: stages.Graph, place: Workplace) -> State[Any]:
    """Bring one DVC stage up to date; the state's name says what that took."""
    if graph.is_unchanged(name):
        return Completed(name=stages.UNCHANGED, message="nothing has changed since it was made")
    progress, log = artifacts.Progress(name), get_run_logger()

    def say(line: str) -> None:
        log.info("%s", line)
        progress.follow(line)

    try:
        took = stages.reproduce(name, root=place.root, environment=environment(place), say=say)
    except stages.StepFailed as error:
        return Failed(message=str(error), data=error)
    finally:
        graph.reread()
    progress.finish()
    return Completed(name=took)


@task(name="step", cache_policy=NO_CACHE, persist_result=False)
def step(name: str, recipe: str, steps: stages.Steps, place: Workplace) -> State[Any]:
    """Run a step that has effects outside the checkout, and is therefore never cached."""
    log = get_run_logger()
    try:
        steps.run(name, recipe, say=lambda line: log.info("%s", line))
    except stages.StepFailed as error:
        return Failed(message=str(error), data=error)
    return noted(name, recipe, place)


def noted(name: str, recipe: str, place: Workplace) -> State[Any]:
    """A state whose name says what register or promote has done."""
    if name == "register":
        registered = Registered.read(place.folder(places.registered(recipe)))
        return Completed(
            name="Registered" if registered.new else stages.UNCHANGED, message=f"version {registered.version}"
        )
    promoted = Promoted.read(place.folder(places.promoted(recipe)))
    return Completed(name=promoted.decision.capitalize(), message="; ".join(promoted.reasons))


def environment(place: Workplace) -> dict[str, str]:
    """What the steps are told about the run, for the version's tags."""
    name = {"MIAR_DEPLOYMENT": str(deployment.name)} if deployment.name else {}
    return {**place.environment(), **name}
