"""MLflow's model registry: versions, their tags, and the aliases that say which one is in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous-champion"
"""The aliases, lower case: MLflow tells `Champion` and `champion` apart."""

IDENTITY = "miar.identity"


def find(client: mlflow.MlflowClient, model: str, identity: str) -> ModelVersion | None:
    """The version of `model` with that identity, if it was registered before; the newest of several."""
    found = client.search_model_versions(f"name = '{model}' and tags.`{IDENTITY}` = '{identity}'")
    return max(found, key=lambda version: int(version.version), default=None)


def create(client: mlflow.MlflowClient, model: str, *, run: str, model_id: str, tags: Mapping[str, str]) -> int:
    """Register the logged model `model_id` as a new version of `model`; its tags are set in the same call."""
    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    all_tags = {**tags, "mlflow.model_id": model_id}  # MLflow's own field reads back empty
    made = client.create_model_version(model, f"models:/{model_id}", run, tags=all_tags, model_id=model_id)
    return int(made.version)


def version(client: mlflow.MlflowClient, model: str, number: int) -> ModelVersion:
    return client.get_model_version(model, str(number))


def aliases(client: mlflow.MlflowClient, model: str) -> dict[str, int]:
    """Which version each alias of `model` names; MLflow lists them on the model, not on its versions."""
    return {alias: int(number) for alias, number in client.get_registered_model(model).aliases.items()}


def crown(client: mlflow.MlflowClient, model: str, number: int) -> None:
    """Make version `number` champion. The second write is the commit point; the others can be repeated."""
    now = aliases(client, model)
    if CHAMPION in now and now[CHAMPION] != number:
        client.set_registered_model_alias(model, PREVIOUS, str(now[CHAMPION]))
    client.set_registered_model_alias(model, CHAMPION, str(number))
    if now.get(CHALLENGER) == number:
        client.delete_registered_model_alias(model, CHALLENGER)


def challenge(client: mlflow.MlflowClient, model: str, number: int) -> None:
    """Note version `number` as the newest one that is not champion."""
    client.set_registered_model_alias(model, CHALLENGER, str(number))


def tag(client: mlflow.MlflowClient, model: str, number: int, tags: Mapping[str, str]) -> None:
    for name, value in tags.items():
        client.set_model_version_tag(model, str(number), name, value)


def load(model: str, number: int) -> Any:
    """The Keras model of a version."""
    import mlflow.tensorflow

    return mlflow.tensorflow.load_model(f"models:/{model}/{number}")
