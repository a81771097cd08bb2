"""watch: see whether champions still do what they were promoted for, and let the one before come back if not."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from flows import events
from flows.drift import with_answers
from flows.forms import Recipe
from tasks.errors import MiarError


@flow(name="watch", log_prints=True, persist_result=False)
def watch(model: Recipe | None = None) -> State[Any]:
    """Judge champions by the right answers that have come since, and go back where they fell.

    A champion whose last windows are worse than its exam, by more than its recipe's `monitoring` allows and by more
    than chance, is quarantined, and the one before is champion again.

    Args:
        model: Whose champion: a recipe of params.yaml. None: of every model that has answered samples.
    """
    from tasks import watch as step
    from tasks.champions import Moved

    found, failed = [], []
    for name in [model] if model else with_answers():
        try:
            found.append(step.watch(name))
        except MiarError as error:
            failed.append(f"ERROR {error.code} watch {name}: {error}")
            get_run_logger().error(failed[-1])
    for one in found:
        if one.back is not None:
            events.rolled_back(Moved(one.model, one.version, one.back), one.headline())
    rows = [{"model": one.model, "version": one.version, "found": one.headline()} for one in found]
    if rows:
        create_table_artifact(rows, key="watched", description="champions against what they were promoted for")
    if failed:
        return Failed(message="; ".join(failed))
    if not found:
        return Completed(name="NothingScored", message="no model has answered samples")
    told = "; ".join(one.headline() for one in found)
    names = {one.found for one in found}
    if step.FELL in names:
        back = all(one.back is not None for one in found if one.found == step.FELL)
        return Completed(name="RolledBack", message=told) if back else Failed(name="Fallen", message=told)
    return Completed(name="Holding" if step.HOLDS in names else "Waits", message=told)
