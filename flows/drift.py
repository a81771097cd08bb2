"""drift: see whether models are asked what they learnt from, and tell where they are not."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from flows import artifacts, events
from flows.forms import Recipe
from tasks import places
from tasks.errors import MiarError


@flow(name="drift", log_prints=True, persist_result=False)
def drift(model: Recipe | None = None) -> State[Any]:
    """Compare the last answered samples of champions with those that they learnt from.

    Where they differ the event `miar.model.drifted` is told; the deployment retrain begins with it.

    Args:
        model: Whose samples: a recipe of params.yaml. None: of every model that has answered some.
    """
    models = [model] if model else with_answers()
    found, failed = [], []
    for name in models:
        try:
            found.append(look_at(name))
        except MiarError as error:
            failed.append(f"ERROR {error.code} drift {name}: {error}")
            get_run_logger().error(failed[-1])
    if failed:
        return Failed(message="; ".join(failed))
    if not found:
        return Completed(name="NothingScored", message=f"no model has answered samples: {places.scored('<model>')}")
    told = "; ".join(receipt.headline() for receipt in found)
    return Completed(name="Drifted" if any(receipt.drifted for receipt in found) else "Steady", message=told)


def with_answers() -> list[str]:
    folder = places.scored("any").parent
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def look_at(model: str) -> Any:
    """Compare one model's samples, show the picture, and tell if they differ; a tasks.drift.Drifted."""
    from tasks import drift as step
    from tasks import pictures

    receipt = step.drift(model)
    drawn = pictures.data_address(places.drifted(model) / "drift.png")
    rows = "\n".join(f"- {name}: {value:.4f}" for name, value in receipt.worst.items())
    text = f"## {receipt.headline()}\n\nFarthest off, by population stability index:\n\n{rows}\n\n![drift]({drawn})\n"
    create_markdown_artifact(text, key=artifacts.key("drift", model), description=receipt.headline())
    if receipt.drifted:
        events.emit("drifted", model, version=receipt.version, worst=receipt.worst)
    return receipt
