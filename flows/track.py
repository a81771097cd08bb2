"""track: follow what a detector finds through footage, score it, and register the tracker."""

from __future__ import annotations

import sys
from typing import Any
from uuid import uuid4

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import deployment, flow_run
from prefect.states import Completed, Failed

from flows import artifacts, retrain, stages, unattended, workplace
from flows.forms import Tracker
from flows.workplace import AsItIs, Workplace
from tasks import catalogue, pictures, places
from tasks.catalogue import GIVEN, TRUTH
from tasks.errors import MiarError
from tasks.receipts import Enrolled, Tracked


@flow(name="track", log_prints=False, persist_result=False)
def track(tracker: Tracker = "sort_bouncing_digits") -> State[Any]:
    """Follow what a detector finds through footage, score the tracks, and register the tracker.

    What the detector needs is trained where that is not done yet. The registered tracker has the detector's present
    champion inside, and becomes champion itself where its gate passes and it is no worse than the one before. One
    that follows boxes that are given, or true, is scored and not registered.

    Args:
        tracker: Which one: a tracker of params.yaml, which says what it follows, through what.
    """
    run = str(flow_run.id or uuid4())
    try:
        workplace.check(tracker, AsItIs())
        with (
            unattended.turn(f"track-{tracker}"),
            workplace.opened(tracker, AsItIs(), run=run, fresh=deployment.id is not None) as place,
        ):
            return carry_out(tracker, place)
    except MiarError as error:
        said = str(error)
        line = said if isinstance(error, stages.StepFailed) else f"ERROR {error.code} track {tracker}: {said}"
        return Failed(message=line, data=error)


def carry_out(name: str, place: Workplace) -> State[Any]:
    """Bring the tracks up to date, stage by stage, then register what made them.

    Raises:
        StepFailed: at the first stage or step that fails.
    """
    graph, clock = stages.Graph(place.root), unattended.Clock(None)
    for stage in graph.upstream(f"track@{name}"):
        retrain.run_stage(stage, graph, place, clock)
    if place.own:
        workplace.keep_lock(place, f"track@{name}")
        made = workplace.commit(place, f"Track {name}, run {place.run}")
        get_run_logger().info("params.yaml and dvc.lock of this run are commit %s", made[:12])
    tracked = Tracked.read(place.folder(places.tracked(name)))
    told = ", ".join(f"{metric} {value:.4f}" for metric, value in tracked.scores.items())
    if catalogue.load().tracker(name).detector in (GIVEN, TRUTH):
        headline, became = f"{name}: {told}; not registered, it has no detector of its own", "Tracked"
    else:
        enrolled = enrol(name, place)
        headline, became = f"{name} version {enrolled.version}: {told}; {enrolled.decision}", enrolled.decision
    show(name, headline, place)
    return Completed(name=became.capitalize(), message=headline, data=headline)


def enrol(name: str, place: Workplace) -> Enrolled:
    """Register the tracker and ask its gate, in a process of its own.

    Raises:
        StepFailed: with the line that the step said.
    """
    command = [sys.executable, "-m", "tasks", "enrol", name]
    ended = stages.follow(command, root=place.root, environment=retrain.environment(place), say=get_run_logger().info)
    if ended.status:
        raise stages.failure(ended, f"enrol {name}")
    return Enrolled.read(place.folder(places.enrolled(name)))


def show(name: str, headline: str, place: Workplace) -> None:
    """Put the scores and the first clip on the page of the run."""
    folder = place.folder(places.tracked(name))
    clip = next(iter(Tracked.read(folder).clips))
    drawn = pictures.data_address(folder / "clips" / f"{clip}.gif")
    text = f"# {headline}\n\n![{clip}]({drawn})\n\nReport: `{folder / 'report.html'}`\n"
    create_markdown_artifact(text, key=artifacts.key("tracks", name), description=headline)
