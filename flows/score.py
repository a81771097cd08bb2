"""score: let a registered version answer a file of samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.forms import Alias, File, Recipe
from tasks.errors import MiarError


@flow(name="score", log_prints=True, persist_result=False)
def score(model: Recipe, file: File, alias: Alias = "champion") -> State[Any]:
    """Answer all samples of a file; every row says which version it was, and from which file.

    Args:
        model: Whose version answers: a recipe of params.yaml.
        file: A .npy of samples, or a .npz of samples and ids, on the worker's machine.
        alias: Which version answers. It is looked up once, so that all rows are of the same one.
    """
    from tasks import score as step

    try:
        found = step.score(model, Path(file), alias=alias)
    except MiarError as error:
        return Failed(message=f"ERROR {error.code} score {model}: {error}", data=error)
    told = f"{found.rows} samples by {model} version {found.version}: {found.file}"
    return Completed(name="Scored" if found.new else "Unchanged", message=told)
