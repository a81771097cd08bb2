"""What makes a run that nobody watches behave: why it began, whether it is still needed, whose turn it is, and how
many of the day's minutes are left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from filelock import FileLock, Timeout
from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger

from flows.stages import OutOfTime
from tasks import places

LOOK_AGAIN = 2.0
"""Seconds between looks whether another run of the same model has ended."""

ENDED = ("FAILED", "CRASHED", "CANCELLED")
"""States that leave a slot of the schedule to another run."""


def this_run() -> FlowRun | None:
    """The run of a deployment that this is; None where someone called the flow here."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return run if run and run.deployment_id else None


def cause(told: str | None) -> str:
    """Why this run began: what its trigger told, else the schedule or a person's hand."""
    run = this_run()
    return told or ("schedule" if run and run.auto_scheduled else "hand")


def needless() -> str:
    """Why this scheduled run is not needed, empty if it is: a newer one is due as well, or another has its slot.

    After a time without a worker all late runs come at once, the oldest first; one training is enough for all.
    """
    run = this_run()
    if not run or not run.auto_scheduled or not run.expected_start_time:
        return ""
    due, now = run.expected_start_time, datetime.now(UTC)
    for other in runs_of(run, {"expected_start_time": {"after_": due.isoformat(), "before_": now.isoformat()}}):
        if not other.auto_scheduled or other.id == run.id or str(other.state_type and other.state_type.value) in ENDED:
            continue
        if other.expected_start_time and other.expected_start_time > due:
            return f"a newer run is due as well: {other.name}, of {other.expected_start_time:%Y-%m-%d %H:%M} UTC"
        if other.expected_start_time == due and other.id < run.id:
            return f"another run has this slot of the schedule: {other.name}"
    return ""


def runs_of(run: FlowRun, filters: dict[str, Any]) -> list[FlowRun]:
    """Runs of the same deployment, the newest first."""
    wanted = FlowRunFilter.model_validate({"deployment_id": {"any_": [str(run.deployment_id)]}, **filters})
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(flow_run_filter=wanted, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=200)


@contextlib.contextmanager
def turn(model: str) -> Iterator[None]:
    """One run at a time trains a model, whatever deployment it is of; another waits here."""
    places.LOCKS.mkdir(parents=True, exist_ok=True)
    lock = FileLock(places.LOCKS / f"retrain-{model}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        get_run_logger().info("another run trains %s; this one waits until it has ended", model)
        lock.acquire(poll_interval=LOOK_AGAIN)
    try:
        yield
    finally:
        lock.release()


def seconds_left(minutes: int | None) -> float | None:
    """Of the minutes that this deployment may run on one day (UTC); None where there is no limit.

    Raises:
        OutOfTime: if there are none left.
    """
    run = this_run()
    if minutes is None or run is None:
        return None
    spent = spent_today(run)
    if spent >= 60 * minutes:
        raise OutOfTime(f"{spent / 60:.0f} of the {minutes} minutes of this day are spent; the next day has its own")
    return 60 * minutes - spent


def spent_today(run: FlowRun) -> float:
    """Seconds for which runs of the same deployment have run since midnight UTC; this run's are not among them."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    others = runs_of(run, {"start_time": {"after_": midnight.isoformat()}})
    return sum(other.estimated_run_time.total_seconds() for other in others if other.id != run.id)


class Clock:
    """Counts what is left of a budget down; without one it never runs out."""

    def __init__(self, seconds: float | None) -> None:
        self.end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        return None if self.end is None else max(0.0, self.end - time.monotonic())
