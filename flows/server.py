"""A Prefect server for one run, where none is up: it starts while Prefect is imported, and dies with the run."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable

from flows import settings
from flows.processes import leashed
from tasks import places
from tasks.errors import Unavailable

PATIENCE = 120
"""Seconds that a server may take to answer for the first time."""

EPHEMERAL = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
"""What Prefect itself sets for a server without pages and schedules."""

APPLICATION = ["-m", "uvicorn", "--factory", "prefect.server.api.server:create_app", "--lifespan", "on"]


def borrow() -> Callable[[], None]:
    """Start a server if none is known; returns what waits until it answers.

    Prefect starts one as well, but later, and leaves it running when the run is killed. This must be called
    before Prefect is imported: the server ends after all that Prefect does when Python ends.
    """
    if os.environ.get("PREFECT_API_URL"):
        return lambda: None
    port = free_port()
    log = places.PREFECT_HOME / "logs" / "temporary-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    output = stack.enter_context(log.open("w", encoding="utf-8"))
    command = [sys.executable, *APPLICATION, "--host", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    environment = {**os.environ, **EPHEMERAL}
    process = stack.enter_context(leashed(command, folder=places.ROOT, environment=environment, output=output))
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    os.environ.setdefault("PREFECT_UI_URL", settings.later())  # the run's page, once `make ui` serves it
    return lambda: wait_for(f"http://127.0.0.1:{port}/api/health", process, "Prefect's server", str(log))


def wait_for(address: str, process: subprocess.Popen[str], name: str, log: str) -> None:
    """Wait until a server answers.

    Raises:
        Unavailable: if it ends, or takes too long.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            raise Unavailable(f"{name} must keep running. Received: exit status {process.returncode}. See {log}")
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise Unavailable(f"{name} must answer within {PATIENCE} s. Received: nothing. See {log}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
