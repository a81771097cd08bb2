"""study: bring the recipes of a study up to date, stage by stage, and set them side by side."""

from __future__ import annotations

import sys

from flows import stages
from tasks import catalogue, places


def study(name: str) -> int:
    """Run what has changed of every recipe of the study called `name`, then compare them; prints where the report is.

    Raises:
        StepFailed: at the first stage that fails.
    """
    recipes = catalogue.load().study(name).recipes
    graph = stages.Graph(places.ROOT)
    wanted = dict.fromkeys(stage for recipe in recipes for stage in graph.upstream(f"evaluate@{recipe}"))
    for number, stage in enumerate(wanted, start=1):
        if graph.is_unchanged(stage):
            continue
        print(f"{number}/{len(wanted)} {stage}", flush=True)
        stages.reproduce(stage, root=places.ROOT, environment={}, say=print)
        graph.reread()
    command = [sys.executable, "-m", "tasks", "study", name]
    ended = stages.follow(command, root=places.ROOT, environment={}, say=print)
    if ended.status:
        raise stages.failure(ended, f"study {name}")
    print(f"report    {(places.studied(name) / 'report.html').relative_to(places.ROOT)}")
    return 0
