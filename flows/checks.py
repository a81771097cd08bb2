"""What can be checked without running anything: catalogue, dvc.yaml, and the deployments."""

from __future__ import annotations

import importlib
import inspect
from typing import Any
from zoneinfo import ZoneInfo

from flows import deployments
from flows.stages import Graph
from tasks import catalogue, places
from tasks.errors import BadRequest


def check() -> int:
    """Check all, and say what there is.

    Raises:
        BadRequest: at the first thing that is wrong.
    """
    known = catalogue.load()
    graph = Graph(places.ROOT)
    stages = {name for recipe in known.recipes for name in graph.upstream(f"evaluate@{recipe}")}
    entries = deployments.declared()["deployments"]
    for entry in entries:
        check_deployment(entry, known.recipes)
    print(f"{len(known.recipes)} recipes, {len(stages)} stages and {len(entries)} deployments fit together")
    return 0


def check_deployment(entry: dict[str, Any], recipes: Any) -> None:
    """A deployment's flow exists, takes its parameters, and its schedules are ones.

    Raises:
        BadRequest: what must hold, and what came.
    """
    name = entry.get("name")
    entrypoint = str(entry.get("entrypoint"))
    flow = flow_of(entrypoint, name)
    if flow.name != entrypoint.rpartition(".")[2]:
        raise BadRequest(f"`{name}.entrypoint` must be a flow that is called as its function. Received: {flow.name!r}")
    taken = inspect.signature(flow.fn).parameters
    for parameter in entry.get("parameters") or {}:
        if parameter not in taken:
            raise BadRequest(f"`{name}.parameters` must be of {', '.join(taken)}. Received: {parameter!r}")
    recipe = (entry.get("parameters") or {}).get("recipe")
    if recipe is not None and recipe not in recipes:
        raise BadRequest(f"`{name}.parameters.recipe` must be one of {', '.join(recipes)}. Received: {recipe!r}")
    for schedule in entry.get("schedules") or []:
        check_schedule(schedule, name)


def flow_of(entrypoint: str, name: Any) -> Any:
    module, _, flow = entrypoint.rpartition(".")
    try:
        return getattr(importlib.import_module(module), flow)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadRequest(
            f"`{name}.entrypoint` must name a flow by its module. Received: {entrypoint!r}: {error}"
        ) from None


def check_schedule(schedule: dict[str, Any], name: Any) -> None:
    """A schedule has a cron expression and a time zone that there are.

    Raises:
        BadRequest: what must hold, and what came.
    """
    from prefect.client.schemas.schedules import CronSchedule

    cron, zone = str(schedule.get("cron")), str(schedule.get("timezone"))
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):  # KeyError is what ZoneInfo raises of names that it does not know
        raise BadRequest(
            f"`{name}.schedules.timezone` must be a time zone, such as UTC or Europe/Madrid. Received: {zone[:80]!r}"
        ) from None
    try:
        CronSchedule(cron=cron, timezone=zone)
    except ValueError:
        raise BadRequest(
            f"`{name}.schedules.cron` must be five fields, minute hour day month weekday. Received: {cron[:80]!r}"
        ) from None
