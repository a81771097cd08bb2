"""What breaks while it runs: a full disk, DVC killed, MLflow that fails, is slow, or acts in silence."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import invariants
from tests.flows.conftest import RECIPE, Project, free_port, until


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Project:
    """A project whose recipe is evaluated and not registered yet."""
    from tests.flows.conftest import make

    made = make(tmp_path_factory.mktemp("faults"), cache)
    answer = made.dvc("repro", f"explain@{RECIPE}")
    assert answer.returncode == 0, answer.stderr
    return made


def step(project: Project, name: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return project.run(".venv/bin/python", "-m", "tasks", name, RECIPE, **environment)


def on_a_small_disk(project: Project, folder: str, kilobytes: int, name: str) -> subprocess.CompletedProcess[str]:
    """Run a step that sees a file system of so many kilobytes in place of a folder; it goes with the step."""
    place = project.root / folder
    place.mkdir(parents=True, exist_ok=True)
    mount = f"mount -t tmpfs -o size={kilobytes}k tmpfs {place} && exec .venv/bin/python -m tasks {name} {RECIPE}"
    return project.run("unshare", "--map-root-user", "--mount", "sh", "-c", mount)


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_what_was_there_stays(evaluated: Project) -> None:
    receipt = evaluated.root / "data" / "trained" / RECIPE / "receipt.json"
    before = json.loads(receipt.read_text())

    full = on_a_small_disk(evaluated, "data/scratch", 300, "train")

    assert full.returncode == 5, full.stdout + full.stderr
    told = [line for line in full.stderr.splitlines() if line.startswith("ERROR ")]
    assert len(told) == 1
    assert told[0].startswith(f"ERROR 5 train {RECIPE}: files and disk must be usable. Received: ")
    assert json.loads(receipt.read_text()) == before
    again = step(evaluated, "train")
    assert again.returncode == 0, again.stderr
    assert json.loads(receipt.read_text())["digest"] == before["digest"]


@pytest.mark.slow
def test_a_full_disk_under_mlflow_is_one_line_and_the_next_register_is_the_first(evaluated: Project) -> None:
    full = on_a_small_disk(evaluated, "mlartifacts", 200, "register")
    assert full.returncode == 5, full.stdout + full.stderr
    assert "ERROR 5 register" in full.stderr
    done = step(evaluated, "register")
    assert done.returncode == 0, done.stderr
    assert f"{RECIPE} version 1 registered" in done.stdout
    assert running(evaluated) == 0


def running(project: Project) -> int:
    """Runs of MLflow that are believed to go on."""
    with closing(sqlite3.connect(project.root / "mlflow.db")) as connection:
        (count,) = connection.execute("SELECT count(*) FROM runs WHERE status = 'RUNNING'").fetchone()
    return int(count)


@pytest.mark.slow
def test_no_step_outlives_dvc(evaluated: Project, tmp_path: Path) -> None:
    """DVC does not end its stage when it is killed itself: the stage must do so."""
    log = tmp_path / "dvc.log"
    with log.open("wb") as file:
        command = [".venv/bin/dvc", "repro", "--force", "--single-item", f"train@{RECIPE}"]
        dvc = subprocess.Popen(
            command, cwd=evaluated.root, env=evaluated.environment, stdout=file, stderr=subprocess.STDOUT
        )
    until(lambda: "epoch 1/" in log.read_text(), "training has begun", 400)
    os.kill(dvc.pid, signal.SIGKILL)
    dvc.wait()
    until(lambda: not evaluated.processes(), "the step has ended with DVC", 10)
    assert evaluated.dvc("repro", f"explain@{RECIPE}").returncode == 0


Fault = Callable[[int, str], str]
"""Of the number and the path of a request, what becomes of it: fine, error, slow, or silent."""


@contextmanager
def between(server: str, fault: Fault) -> Iterator[str]:
    """A proxy before a server, which does harm to requests; yields its address."""
    count = [0]

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            count[0] += 1
            what = fault(count[0], self.path)
            if what == "error":
                self.answer(500, b"{}")
                return
            if what == "slow":
                time.sleep(3)
            status, given = forwarded(server, self.command, self.path, body, dict(self.headers))
            if what == "silent":
                self.close_connection = True  # it was done, and nobody is told
                return
            self.answer(status, given)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do  # noqa: N815

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
    finally:
        proxy.shutdown()
        proxy.server_close()


def forwarded(server: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(server).netloc, timeout=60)
    kept = {name: value for name, value in headers.items() if name.lower() not in ("host", "connection")}
    connection.request(method, path, body, kept)
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.fixture(scope="module")
def mlflow_server(evaluated: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MLflow's own server, with a registry of its own."""
    folder = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "art")]
    here = {**evaluated.environment, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=here, stdout=log, stderr=log, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        until(lambda: answers(address), "MLflow answers", 400)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(address: str) -> bool:
    try:
        return forwarded(address, "GET", "/health", b"", {})[0] == 200
    except OSError:
        return False


def every_third_fails() -> Fault:
    return lambda number, _: "error" if number % 3 == 0 else "fine"


def all_are_slow() -> Fault:
    return lambda _, path: "slow" if "registered-models" in path or "model-versions" in path else "fine"


def creation_is_silent() -> Fault:
    """The version is made, and whoever asked for it never hears of it."""
    seen: list[str] = []

    def fault(_: int, path: str) -> str:
        if path.endswith("model-versions/create") and not seen:
            seen.append(path)
            return "silent"
        return "fine"

    return fault


@pytest.mark.slow
@pytest.mark.parametrize("make_fault", [every_third_fails, all_are_slow, creation_is_silent])
def test_with_a_bad_mlflow_a_network_is_one_version_in_the_end(
    evaluated: Project, mlflow_server: str, make_fault: Callable[[], Fault]
) -> None:
    forget(mlflow_server)
    fault = make_fault()
    with between(mlflow_server, fault) as address:
        first = step(evaluated, "register", MLFLOW_TRACKING_URI=address)
    assert first.returncode in (0, 5), first.stderr
    assert first.stderr.count("ERROR ") == (first.returncode == 5)
    again = step(evaluated, "register", MLFLOW_TRACKING_URI=mlflow_server)
    assert again.returncode == 0, again.stderr
    found = forwarded(mlflow_server, "GET", "/api/2.0/mlflow/model-versions/search?max_results=100", b"", {})[1]
    versions = json.loads(found)["model_versions"]
    assert [version["version"] for version in versions] == ["1"]


def forget(server: str) -> None:
    """Let the registry have no model of that name."""
    body = json.dumps({"name": RECIPE}).encode()
    forwarded(server, "DELETE", "/api/2.0/mlflow/registered-models/delete", body, {"Content-Type": "application/json"})


def test_the_invariants_hold_after_all_that(evaluated: Project) -> None:
    assert step(evaluated, "register").returncode == 0
    assert step(evaluated, "promote").returncode == 0
    invariants.check(evaluated.root / "mlflow.db", RECIPE)
