"""`make ui`: keep Prefect, MLflow and a worker up until Ctrl-C, and leave none of them behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psutil

from flows import settings
from flows.processes import leashed
from flows.server import wait_for
from tasks import places
from tasks.errors import MiarError, Unavailable

HOST = "127.0.0.1"
LOGS = places.PREFECT_HOME / "logs"
GRACE = 8
"""Seconds that runs have to say good-bye."""


@dataclass(frozen=True)
class Server:
    """One program that is kept up; `health` is an address that answers when it is ready."""

    name: str
    command: list[str]
    health: str = ""


class Stopped(Exception):
    """Someone asked for the end: Ctrl-C or SIGTERM."""


def keep_up() -> int:
    """Start all, say where they are, and watch them.

    Raises:
        BadRequest: if the environment asks for a port that is none.
        Unavailable: if a port is taken, or a program ends by itself.
    """
    ports = {name: settings.port(name) for name in settings.PORTS}
    for name, number in ports.items():
        check_free(name, number)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    LOGS.mkdir(parents=True, exist_ok=True)
    try:
        with contextlib.ExitStack() as stack:
            watch(stack, ports)
    except Stopped:
        print("stopped")
        return 0


def stop(_number: int, _frame: FrameType | None) -> NoReturn:
    """Begin the end, once: what comes while it goes on is not heard."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise Stopped


def watch(stack: contextlib.ExitStack, ports: Mapping[str, int]) -> NoReturn:
    """Start the programs one after the other, then wait until one of them ends."""
    addresses = {name: f"http://{HOST}:{number}" for name, number in ports.items()}
    environment = {**os.environ, "PREFECT_API_URL": f"{addresses['prefect']}/api", "MIAR_HOME": str(places.HOME)}
    environment["PREFECT_UI_API_URL"] = environment["PREFECT_API_URL"]
    print("starting ...", flush=True)
    left: set[psutil.Process] = set()
    stack.callback(kill, left)
    servers = (prefect_server(ports["prefect"]), mlflow_server(ports["mlflow"]))
    running = {server.name: stack.enter_context(started(server, environment)) for server in servers}
    for server in servers:
        wait_for(server.health, running[server.name], server.name, str(log_of(server.name)))
    deploy(environment)
    running["worker"] = stack.enter_context(started(worker(), environment))
    stack.callback(end_runs, left, running["worker"])
    stack.enter_context(announced(addresses))
    while True:
        time.sleep(0.5)
        for name, process in running.items():
            check_alive(name, process)


def prefect_server(number: int) -> Server:
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(number)]
    return Server("prefect", command, f"http://{HOST}:{number}/api/health")


def mlflow_server(number: int) -> Server:
    """The registry and the runs of this checkout."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(number), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{places.MLFLOW_DATABASE}"]
    command += ["--artifacts-destination", places.MLFLOW_ARTIFACTS.as_uri()]
    return Server("mlflow", command, f"http://{HOST}:{number}/health")


def worker() -> Server:
    name = f"{settings.POOL}-{socket.gethostname()}"
    command = [sys.executable, "-m", "prefect", "worker", "start", "--type", "process", "--name", name]
    return Server("worker", [*command, "--pool", settings.POOL, "--limit", str(settings.RUNS)])


@contextlib.contextmanager
def started(server: Server, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a program, with what it says in a file of its own."""
    with (
        log_of(server.name).open("w", encoding="utf-8") as log,
        leashed(server.command, folder=places.ROOT, environment=environment, output=log) as process,
    ):
        yield process


def end_runs(processes: set[psutil.Process], worker: subprocess.Popen[str]) -> None:
    """Ask the worker's runs to stop while there is a server to tell it to, and note what must not outlive them.

    A run whose process just vanished would be believed to go on, and hold up the next ones.
    """
    processes.update(psutil.Process().children(recursive=True))
    with contextlib.suppress(psutil.NoSuchProcess):
        runs = psutil.Process(worker.pid).children()
        for run in runs:
            with contextlib.suppress(psutil.NoSuchProcess):
                run.terminate()
        psutil.wait_procs(runs, timeout=GRACE)


def kill(processes: set[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


@contextlib.contextmanager
def announced(addresses: Mapping[str, str]) -> Iterator[None]:
    """Say where the servers are, to people here and to later runs in a file."""
    note = places.PREFECT_HOME / settings.RUNNING
    places.write_whole(note, json.dumps(addresses))
    print(f"Prefect  {addresses['prefect']}  flows, forms and schedules")
    print(f"MLflow   {addresses['mlflow']}/#/models  experiments and the model registry")
    print(f"logs in {LOGS}; Ctrl-C stops all", flush=True)
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def deploy(environment: Mapping[str, str]) -> None:
    """Tell the server what infra/prefect.yaml says, in a process that ends, and with it its memory."""
    command = [sys.executable, "-m", "flows", "deploy", "--recover"]
    with leashed(command, folder=places.ROOT, environment=environment) as process:
        said = process.stdout.read() if process.stdout else ""
        if process.wait():
            raise MiarError(said.strip().splitlines()[-1] if said.strip() else "`./miar deploy` must work")


def check_alive(name: str, process: subprocess.Popen[str]) -> None:
    if process.poll() is not None:
        raise Unavailable(f"{name} must keep running. Received: exit status {process.returncode}. {last_lines(name)}")


def check_free(name: str, number: int) -> None:
    """Fail before anything is started where someone else has the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, number))
        except OSError as error:
            raise Unavailable(
                f"port {number} of {HOST} must be free for {name}. Received: {error.strerror}. "
                f"Stop what uses it, or choose another: MIAR_{name.upper()}_PORT={number + 1} make ui"
            ) from None


def log_of(name: str) -> Path:
    return LOGS / f"{name}.log"


def last_lines(name: str) -> str:
    lines = log_of(name).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
    return f"Its log, {log_of(name)}, ends: {' | '.join(line.strip() for line in lines)}"
