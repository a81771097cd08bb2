"""MLflow databases for tests: made once, copied for each use, with versions that no network stands behind."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks import places
from tasks.outside import registry, tracking

NETWORKS = "networks"
"""The experiment with the one logged model that all versions are made of."""


@dataclass(frozen=True)
class Place:
    """A folder with a database, and the locks and artifacts that go with it."""

    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "mlflow.db"

    def enter(self) -> None:
        """Let this process work here from now on."""
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        places.MLFLOW_DATABASE = self.database
        places.MLFLOW_ARTIFACTS = self.folder / "mlartifacts"
        places.LOCKS = self.folder / "locks"

    def copied(self, folder: Path) -> Place:
        """The same database in another folder, which is made; a transaction that a kill broke off is undone before."""
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute("SELECT count(*) FROM experiments").fetchone()
        folder.mkdir(parents=True)
        shutil.copy(self.database, folder)
        return Place(folder)


def fill() -> None:
    """Make the database of this process, which takes MLflow a second, with its one logged model."""
    client = tracking.connect()
    client.create_logged_model(tracking.experiment(client, NETWORKS), name="network")


def add(client: Any, model: str, *, identity: str, tags: Mapping[str, str] | None = None) -> int:
    """One more version of `model`; returns its number."""
    (network,) = client.search_logged_models([tracking.experiment(client, NETWORKS)])
    all_tags = {registry.MODEL: model, registry.IDENTITY: identity, **(tags or {})}
    return registry.create(client, model, run="", model_id=network.model_id, tags=all_tags, text="")
