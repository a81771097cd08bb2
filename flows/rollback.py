"""rollback: make an earlier version champion again, and quarantine the one that is."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import events
from flows.forms import Person, Reason, Recipe, Version
from tasks.errors import MiarError


@flow(name="rollback", log_prints=True, persist_result=False)
def rollback(model: Recipe, reason: Reason, name: Person, to: Version = None) -> State[Any]:
    """Make an earlier version champion again, at once.

    The present champion is quarantined: no retraining brings it back, until someone takes the tag `quarantined`
    away in MLflow. The version that comes back is loaded first, and must answer as when it was registered.

    Args:
        model: Whose champion goes back: a recipe of params.yaml.
        reason: Why; it is kept with the quarantined version and in the ledger.
        name: Who asks; it is kept in the ledger.
        to: The version to go back to. None: the champion before the present one that is still fit to be one.
    """
    from tasks import champions

    try:
        moved = champions.rollback(model, to=to, reason=reason, by=name)
    except MiarError as error:
        return Failed(message=f"ERROR {error.code} rollback {model}: {error}", data=error)
    events.rolled_back(moved, reason)
    told = f"{model}: version {moved.new} is champion again, {champions.told(moved.old)} is quarantined"
    return Completed(name="RolledBack", message=told)
