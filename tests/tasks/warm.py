"""Imported by the server that `apart` forks from: everything is done once that costs time the first time."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import mlflow.store.db.utils as database

from tasks import champions
from tasks.outside import ledger, registry, tracking
from tests.tasks import registries


def warm() -> None:
    """Register, promote and reconcile in a database that is thrown away."""
    os.environ.pop("PYTEST_CURRENT_TEST", None)  # with it MLflow looks at every session once more
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        registries.Place(Path(folder)).enter()
        registries.fill()
        client = tracking.connect()
        number = registries.add(client, "warm", identity="warm")
        champions.move(client, "warm", number, expected=None, action=ledger.PROMOTE, reason="to be warm")
        champions.settle("warm")
        for engine in engines(client):
            engine.dispose()
    registry.store.cache_clear()
    revision = database._get_latest_schema_revision()
    database._get_latest_schema_revision = lambda: revision  # reads forty files each time


def engines(client: Any) -> list[Any]:
    """All that could hold a connection to the database."""
    return [client._tracking_client.store.engine, client._get_registry_client().store.engine, registry.writer().engine]


warm()
