"""A copy of the project in a folder of its own, with a small recipe: the tests run the real thing on it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgSign=false")
RECIPE = "cnn_digits"
EPOCHS = 8
"""Enough to be better than the nearest mean image, which the gate asks for."""


@dataclass
class Project:
    """A checkout, and what people do in it."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str, limit: float = 600, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.root,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )

    def miar(self, *arguments: str, limit: float = 600, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run("./miar", *arguments, limit=limit, **environment)

    def dvc(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(".venv/bin/dvc", *arguments)

    def git(self, *arguments: str) -> str:
        answer = self.run(*GIT, *arguments)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.strip()

    def start(self, *arguments: str, log: Path, **environment: str) -> subprocess.Popen[bytes]:
        """Start `./miar` in the background, as a terminal would: in a process group of its own."""
        with log.open("wb") as file:
            return subprocess.Popen(
                ["./miar", *arguments],
                cwd=self.root,
                env={**self.environment, **environment},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def processes(self) -> list[psutil.Process]:
        """All that run in this checkout or below it."""
        found = []
        for process in psutil.process_iter():
            try:
                if Path(process.cwd()).is_relative_to(self.root) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def files(self) -> set[str]:
        """What lies here, but for caches, logs and Prefect's own."""
        passing = ("__pycache__", ".prefect", ".git", ".venv", "tmp")
        paths = (path.relative_to(self.root) for path in self.root.rglob("*"))
        return {str(path) for path in paths if not any(part in passing for part in path.parts)}


def make(root: Path, cache: Path) -> Project:
    """Copy what git knows of this checkout, changes included, and commit it anew with a small recipe."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env=clean_environment(),
    )
    for name in filter(None, names.stdout.split("\0")):
        if name != "dvc.lock" and (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    (root / ".venv").symlink_to(Path(sys.prefix))
    (root / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {cache}\n", encoding="utf-8")
    make_small(root / "params.yaml")
    project = Project(root, clean_environment())
    project.git("init", "--quiet", "--initial-branch", "main")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--no-verify", "-m", "Start")
    return project


def make_small(params: Path) -> None:
    """A few epochs, no search, and a gate that they can pass, whatever the champion has; few stages for DVC to load."""
    content = yaml.safe_load(params.read_text(encoding="utf-8"))
    recipe = content["recipes"][RECIPE]
    recipe["search"] |= {"trials": 0, "epochs": 1}
    recipe["train"] |= {"epochs": EPOCHS}
    recipe["gate"] |= {"at_least": 0.2, "margin": 1.0}
    content["recipes"] = {RECIPE: recipe, "mlp_digits": content["recipes"]["mlp_digits"]}
    for kind in ("datasets", "sources"):
        content[kind] = {"digits": content[kind]["digits"]}
    content |= {"bases": {}, "lessons": {}, "studies": {}}
    content["trackers"] = {"sort_bouncing_truth": content["trackers"]["sort_bouncing_truth"]}
    content["footage"]["bouncing_digits"]["bouncing"] |= {"clips": 1, "frames": 10}
    params.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def clean_environment() -> dict[str, str]:
    """This environment without what a hook, a run or a person has set for another checkout."""
    strange = ("GIT_", "MIAR_", "PREFECT", "MLFLOW_", "PYTEST", "COVERAGE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    return {**kept, "TF_CPP_MIN_LOG_LEVEL": "3"}


def until(true: Callable[[], object], what: str, seconds: float) -> None:
    """Wait until something is true, and fail with `what` if it does not become so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.25)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Project:
    """The copy that most tests share; what they leave in it is a finished run."""
    return make(tmp_path_factory.mktemp("project"), cache)


@pytest.fixture
def another(tmp_path: Path, cache: Path) -> Project:
    """A copy for one test that spoils it."""
    root = tmp_path / "project"
    root.mkdir()
    return make(root, cache)


@dataclass
class Servers:
    """What `make ui` keeps up."""

    project: Project
    process: subprocess.Popen[bytes]
    prefect: str
    mlflow: str
    ports: dict[str, str]
    log: Path

    def api(self, method: str, path: str, content: object = None) -> httpx.Response:
        """Ask Prefect as its own client does: once more where its database was busy, which it answers with 503."""
        for pause in (1, 2, 4):
            try:
                answer = httpx.request(method, f"{self.prefect}/api/{path}", json=content, timeout=30)
            except httpx.ReadTimeout:
                if method != "GET" and not path.endswith("/filter"):  # what changes something is asked once
                    raise
            else:
                if answer.status_code != 503:
                    return answer
            time.sleep(pause)
        return httpx.request(method, f"{self.prefect}/api/{path}", json=content, timeout=30)

    def runs(self, deployment: str) -> list[dict[str, object]]:
        wanted = {"deployments": {"name": {"any_": [deployment]}}, "sort": "START_TIME_DESC"}
        return list(self.api("POST", "flow_runs/filter", wanted).json())

    def deployment(self, name: str) -> dict[str, object]:
        flow = "retrain" if name.startswith("retrain") else name
        return dict(self.api("GET", f"deployments/name/{flow}/{name}").json())

    def start(self, deployment: str, **parameters: object) -> str:
        """Start a run as the form does; returns its id."""
        path = f"deployments/{self.deployment(deployment)['id']}/create_flow_run"
        answer = self.api("POST", path, {"parameters": parameters})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def state(self, run: str) -> dict[str, object]:
        return dict(self.api("GET", f"flow_runs/{run}").json()["state"])

    def ended(self, run: str, seconds: float = 240) -> dict[str, object]:
        """The state in which a run has ended, or waits for a person."""
        still = ("SCHEDULED", "PENDING", "RUNNING")
        until(lambda: self.state(run)["type"] not in still, f"run {run} has ended", seconds)
        return self.state(run)


@pytest.fixture(scope="module")
def servers(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The real supervisor on free ports."""
    ports = {"MIAR_PREFECT_PORT": str(free_port()), "MIAR_MLFLOW_PORT": str(free_port())}
    log = tmp_path_factory.mktemp("servers") / "ui.log"
    process = project.start("ui", log=log, **ports)
    until(lambda: "Ctrl-C" in log.read_text() or process.poll() is not None, "the servers are up", 400)
    assert process.poll() is None, log.read_text()
    addresses = [f"http://127.0.0.1:{port}" for port in ports.values()]
    yield Servers(project, process, addresses[0], addresses[1], ports, log)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
