"""news: see whether a model's data has changed since it was trained, and tell, so that it is trained anew."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import events
from tasks.errors import MiarError


@flow(name="news", log_prints=True, persist_result=False)
def news() -> State[Any]:
    """Compare the data that each model's newest version learnt from with what the last commit asks for.

    Where they differ the event `miar.model.outdated` is told; the deployment retrain begins with it.
    """
    from tasks import news as step

    try:
        found = step.outdated()
    except MiarError as error:
        return Failed(message=f"ERROR {error.code} news: {error}", data=error)
    for model, version in found.items():
        events.emit("outdated", model, version=version)
    if not found:
        return Completed(name="NothingNew", message="every model's newest version learnt from the data of this commit")
    told = ", ".join(f"{model} (version {version})" for model, version in found.items())
    return Completed(name="Outdated", message=f"other data than the newest version learnt from: {told}")
