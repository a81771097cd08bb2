"""A Prefect server for one run, where none is up: it starts while Prefect is imported, and dies with the run."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

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
    before Prefect is imported: the server ends after all that Prefect does when Python ends. One that is killed while
    the run goes on is started again, with all that it knew.
    """
    if os.environ.get("PREFECT_API_URL"):
        return lambda: None
    port = free_port()
    log = places.PREFECT_HOME / "logs" / "temporary-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, *APPLICATION, "--host", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    kept = Kept(command, log)
    atexit.register(kept.end)
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    os.environ.setdefault("PREFECT_UI_URL", settings.later())  # the run's page, once `make ui` serves it
    return lambda: wait_for(f"http://127.0.0.1:{port}/api/health", kept.process, "Prefect's server", str(log))


class Kept:
    """A program that is started again whenever it ends, until it may."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.command, self.environment = command, {**os.environ, **EPHEMERAL}
        self.stack = contextlib.ExitStack()
        self.output = self.stack.enter_context(log.open("w", encoding="utf-8"))
        self.may_end = threading.Event()
        self.process = self.start()
        threading.Thread(target=self.keep, daemon=True).start()

    def start(self) -> subprocess.Popen[str]:
        return self.stack.enter_context(
            leashed(self.command, folder=places.ROOT, environment=self.environment, output=self.output)
        )

    def keep(self) -> None:
        """Start it again, at most twice a second."""
        while not self.may_end.wait(0.5):
            if self.process.poll() is not None:
                self.process = self.start()

    def end(self) -> None:
        self.may_end.set()
        self.stack.close()


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
