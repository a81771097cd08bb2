"""What Prefect and the others must find in the environment before they are imported."""

from __future__ import annotations

import json
import os
import socket

from tasks import places
from tasks.errors import BadRequest

POOL = "miar"
PORTS = {"prefect": 4200, "mlflow": 5000}
"""Where the servers of `make ui` are, unless MIAR_PREFECT_PORT and MIAR_MLFLOW_PORT say otherwise."""

RUNNING = "ui.json"
"""Written by `make ui` into Prefect's folder while its servers are up."""

RUNS = 6
"""How many runs the worker has at once. After a time without it all that is late would start together, and Prefect's
database, one file, would answer none of them."""

HEARTBEAT = 30
"""Seconds between a run's signs of life; Prefect allows no fewer."""

SILENCE = 3 * HEARTBEAT
"""Seconds without one after which a run is believed dead."""

LINE = "%(asctime)s  %({who})-20s  %(message)s"


def apply() -> None:
    """Set what is not set yet: Prefect's folder, no telemetry, readable lines, and the server that is up."""
    for name, value in defaults().items():
        os.environ.setdefault(name, value)
    addresses = running()
    if addresses:
        os.environ.setdefault("PREFECT_API_URL", addresses["prefect"] + "/api")


def defaults() -> dict[str, str]:
    return {
        "PREFECT_HOME": str(places.PREFECT_HOME),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_LOGGING_FORMATTERS_STANDARD_FLOW_RUN_FMT": LINE.format(who="flow_name"),
        "PREFECT_LOGGING_FORMATTERS_STANDARD_TASK_RUN_FMT": LINE.format(who="task_run_name"),
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT),
        "PREFECT_CLI_PROMPT": "false",
        "DO_NOT_TRACK": "1",
        "DVC_NO_ANALYTICS": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def later() -> str:
    """Where `make ui` will serve Prefect's pages, which keep what a run without it has noted."""
    return f"http://127.0.0.1:{port('prefect')}"


def port(server: str) -> int:
    """The port that the environment asks for, or the usual one.

    Raises:
        BadRequest: if it asks for none.
    """
    variable = f"MIAR_{server.upper()}_PORT"
    text = os.environ.get(variable, str(PORTS[server]))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= 65535:
        raise BadRequest(f"`{variable}` must be a port from 1 to 65535. Received: {text[:40]!r}")
    return int(text)


def running() -> dict[str, str] | None:
    """The addresses of the servers that `make ui` keeps up for this checkout; None when they are not."""
    try:
        found = json.loads((places.PREFECT_HOME / RUNNING).read_text(encoding="utf-8"))
        addresses = {name: str(found[name]) for name in ("prefect", "mlflow")}
        port = int(addresses["prefect"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return addresses
    except (OSError, ValueError, KeyError, TypeError):
        return None
