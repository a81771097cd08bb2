"""serve: answer over HTTP as one registered version, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from flows.processes import leashed
from flows.server import wait_for
from flows.ui import HOST, Stopped, check_free, stop
from tasks import places
from tasks.errors import Unavailable

LOG = places.PREFECT_HOME / "logs" / "serve.log"


def serve(reference: str, port: int) -> int:
    """Serve `<model>@<alias or version>`; the alias is looked up once, so a promotion needs a new start.

    Raises:
        BadRequest: if there is no such model or version.
        BadData: if its files are not those that were registered.
        Unavailable: if the port is taken, or the server ends by itself.
    """
    from tasks import history

    check_free("serve", port)
    model, number, path = history.files_of(reference)
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, stop)
    try:
        with served(path, port):
            print(f"{model} version {number} answers at http://{HOST}:{port}/invocations; Ctrl-C stops it", flush=True)
            print(
                """ask it: curl -H 'Content-Type: application/json' -d '{"inputs": [...]}' that address""",
                flush=True,
            )
            signal.pause()
    except Stopped:
        print("stopped")
    return 0


@contextlib.contextmanager
def served(path: Path, port: int) -> Iterator[None]:
    """MLflow's server of the model in a folder, which is asked in a place where nothing of this project is."""
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(path), "--env-manager", "local"]
    command += ["--host", HOST, "--port", str(port)]
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # MLflow calls uvicorn by its name
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with (
        LOG.open("w", encoding="utf-8") as log,
        leashed(command, folder=path, environment={**os.environ, "PATH": tools}, output=log) as process,
    ):
        wait_for(f"http://{HOST}:{port}/ping", process, "the model's server", str(LOG))
        yield
        if process.poll() is not None:
            raise Unavailable(f"the model's server must keep running. Received: exit status {process.returncode}")
