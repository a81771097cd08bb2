"""reconcile: see that every champion is the one that the ledger knows."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import events
from tasks.errors import MiarError


@flow(name="reconcile", log_prints=True, persist_result=False)
def reconcile() -> State[Any]:
    """Finish or take back what a kill left half done, and look for champions that were set by hand.

    One that was set by hand in MLflow is told as an event and in the ledger; where the recipe's gate says
    `restore: true`, the champion that the ledger knows is put back.
    """
    from tasks import champions

    try:
        found = champions.settle_all()
    except MiarError as error:
        return Failed(message=f"ERROR {error.code} reconcile: {error}", data=error)
    for model, what in found.items():
        events.reconciled(model, what)
    if found:
        rows = [{"model": model, "found": str(what or "as the ledger has it")} for model, what in found.items()]
        create_table_artifact(rows, key="reconciled", description="champions against the ledger")
    strange = [str(what) for what in found.values() if what is not None]
    if not strange:
        return Completed(name="Coherent", message=f"{len(found)} models are as the ledger has them")
    if all(isinstance(what, champions.Found) and what.restored for what in found.values() if what is not None):
        return Completed(name="Restored", message="; ".join(strange))
    return Failed(name="NotCoherent", message="; ".join(strange))
