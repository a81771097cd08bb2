"""MLflow's model registry: versions, their tags, and the aliases that say which one is in use."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.entities.model_registry import ModelVersion, ModelVersionTag
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_MAX_RETRIES
from mlflow.exceptions import MlflowException
from mlflow.store.model_registry.rest_store import RestStore
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.credentials import get_default_host_creds

from models import know_all
from tasks.errors import BadData
from tasks.receipts import digest_files

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous-champion"
"""The aliases, lower case: MLflow tells `Champion` and `champion` apart."""

ALIASES = (CHAMPION, CHALLENGER, PREVIOUS)

IDENTITY, MODEL = "miar.identity", "miar.model"
MODEL_DIGEST = "model.sha256"
RECORDED = "recorded"
REPORT = "gate.report"
"""Tag of a version: the folder of its run's artifacts with what its gate found last."""

COLLECTION, COLLECTION_OF = "collection", "data.collection"
"""Folder of a run's files about the images that it learnt from, and the tag that names their collection."""

META = "registered_model_meta"

PAUSES = (1, 3)
"""Seconds to wait before a version is created once more; see `create`."""

ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""What MLflow answers where a model or version (the first) or an alias (the second) is not there."""


def find(client: mlflow.MlflowClient, model: str, identity: str) -> ModelVersion | None:
    """The version of `model` with that identity, if it was registered before; the newest of several."""
    found = client.search_model_versions(f"name = '{model}' and tags.`{IDENTITY}` = '{identity}'")
    return max(found, key=lambda version: int(version.version), default=None)


def create(
    client: mlflow.MlflowClient, model: str, *, run: str, model_id: str, tags: Mapping[str, str], text: str
) -> int:
    """Register the logged model `model_id` as a new version of `model`, with tags and description in one write.

    MLflow's client sends a request once more when no answer comes; of this one that would make two versions. Here it
    is sent again only where no version of that identity has been made.
    """
    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    all_tags = {**tags, "mlflow.model_id": model_id}  # MLflow's own field reads back empty
    for pause in (*PAUSES, None):
        try:
            with sent_once():
                made = client.create_model_version(
                    model, f"models:/{model_id}", run, tags=all_tags, model_id=model_id, description=text
                )
            break
        except MlflowException:
            made = find(client, model, tags[IDENTITY])
            if made:
                break
            if pause is None:
                raise
            time.sleep(pause)
    return int(made.version)


@contextlib.contextmanager
def sent_once() -> Iterator[None]:
    """Let MLflow's client send no request a second time; it reads its setting at each request."""
    before = MLFLOW_HTTP_REQUEST_MAX_RETRIES.get()
    MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(0)
    try:
        yield
    finally:
        MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(before)


def version(client: mlflow.MlflowClient, model: str, number: int) -> ModelVersion:
    return client.get_model_version(model, str(number))


def look(client: mlflow.MlflowClient, model: str, number: int) -> ModelVersion | None:
    """A version; None where there is none, or MLflow has deleted it."""
    try:
        return client.get_model_version(model, str(number))
    except MlflowException as error:
        if error.error_code in ABSENT:
            return None
        raise


def aliases(client: mlflow.MlflowClient, model: str) -> dict[str, int]:
    """Which version each alias of `model` names; none where there is no such model.

    Each alias is asked for by itself: MLflow's answer about a model walks through all of its versions.
    """
    named = {alias: named_by(client, model, alias) for alias in ALIASES}
    return {alias: number for alias, number in named.items() if number is not None}


def named_by(client: mlflow.MlflowClient, model: str, alias: str) -> int | None:
    """Which version an alias names, if any."""
    try:
        return int(client.get_model_version_by_alias(model, alias).version)
    except MlflowException as error:
        if error.error_code in ABSENT:
            return None
        raise


def point(model: str, alias: str, number: int) -> None:
    """Let an alias name version `number`, in one write."""
    writer().set_registered_model_alias(model, alias, str(number))


def unpoint(model: str, alias: str) -> None:
    """Take an alias away; nothing happens where there is none."""
    writer().delete_registered_model_alias(model, alias)


def tag(model: str, number: int, tags: Mapping[str, str]) -> None:
    for name, value in tags.items():
        writer().set_model_version_tag(model, str(number), ModelVersionTag(name, value))


def untag(model: str, number: int, names: Iterable[str]) -> None:
    for name in names:
        writer().delete_model_version_tag(model, str(number), name)


def describe(model: str, number: int, text: str) -> None:
    """Set a version's description, which MLflow shows at the top of its page."""
    writer().update_model_version(model, str(number), description=text)


def writer() -> Any:
    """What writes aliases, tags and descriptions at the same cost however many versions there are.

    Before each of these writes MlflowClient reads the model with all its versions, to see that it is no prompt
    (3.17). The stores below it, which MLflow offers to plug-ins, do not.
    """
    return store(mlflow.get_registry_uri())


@functools.lru_cache(maxsize=8)
def store(address: str) -> Any:
    """MLflow's registry in the database, or behind the server, at `address`; opened once."""
    if address.startswith("http"):
        return RestStore(functools.partial(get_default_host_creds, address))
    return SqlAlchemyStore(address)


def versions(client: mlflow.MlflowClient, query: str) -> Iterator[ModelVersion]:
    """All versions that MLflow's search finds, the newest of each model first."""
    token = None
    while True:
        some = client.search_model_versions(query, max_results=1000, page_token=token)
        yield from some
        token = some.token
        if not token:
            return


def newest(client: mlflow.MlflowClient, model: str) -> ModelVersion | None:
    """The version of `model` with the highest number, if there is one."""
    found = client.search_model_versions(f"name = '{model}'", max_results=1, order_by=["version_number DESC"])
    return found[0] if found else None


def exists(client: mlflow.MlflowClient, model: str) -> bool:
    """Whether the registry has a model of that name."""
    return bool(client.search_registered_models(f"name = '{model}'", max_results=1))


def models(client: mlflow.MlflowClient) -> list[str]:
    """Names of all registered models."""
    return sorted(model.name for model in client.search_registered_models(max_results=1000))


def fetch(client: mlflow.MlflowClient, model: str, number: int) -> Path:
    """The folder of a version's files on this machine, which are those that were registered.

    Raises:
        BadData: if they are gone, or have changed since.
    """
    try:
        path = Path(mlflow.artifacts.download_artifacts(f"models:/{model}/{number}"))
    except OSError as error:
        raise BadData(f"the files of version {number} of `{model}` must be there. Received: {error}") from None
    kept, found = version(client, model, number).tags.get(MODEL_DIGEST), digest(path)
    if kept not in {None, found}:
        raise BadData(
            f"the files of version {number} of `{model}` must have the sha256 they were registered with, {kept[:12]}. "
            f"Received: {found[:12]} in {path}; restore them from a backup, or: ./miar rollback {model}"
        )
    return path


def digest(path: Path) -> str:
    """sha256 of a stored model's files, without the one that MLflow adds when it reads a registered model."""
    names = [str(file.relative_to(path)) for file in path.rglob("*") if file.is_file() and file.name != META]
    return digest_files(path, names)


def logged(model_id: str) -> Path:
    """The folder of a logged model that is no version yet."""
    return Path(mlflow.artifacts.download_artifacts(f"models:/{model_id}"))


def recorded(client: mlflow.MlflowClient, model: str, number: int) -> dict[str, np.ndarray]:
    """Samples, and the answers that the version gave to them when it was registered.

    Raises:
        BadData: if there are none.
    """
    found = version(client, model, number)
    try:
        path = mlflow.artifacts.download_artifacts(run_id=found.run_id, artifact_path=f"{RECORDED}/{RECORDED}.npz")
        with np.load(path, allow_pickle=False) as file:
            return {"samples": file["samples"], "answers": file["answers"]}
    except (MlflowException, OSError, ValueError, KeyError) as error:
        told = " ".join(str(error).split())[:200]
        raise BadData(f"version {number} of `{model}` must have recorded answers. Received: {told}") from None


def signature(path: Path) -> str:
    """What goes into a stored model and comes out of it."""
    return str(mlflow.models.Model.load(str(path)).signature)


def is_network(path: Path) -> bool:
    """Whether a stored version has the Keras model that it serves with it."""
    return "tensorflow" in mlflow.models.Model.load(str(path)).flavors


def read(path: Path) -> Any:
    """The Keras model in a folder."""
    import mlflow.tensorflow

    know_all()

    return mlflow.tensorflow.load_model(str(path))


def served(path: Path) -> Any:
    """What a stored version answers users with: MLflow's pyfunc in a folder."""
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(str(path))
