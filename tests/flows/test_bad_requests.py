"""What is wrong gets one clear line and an exit code, at once, and nothing is written."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable

import pytest

from tests.flows.conftest import Project, free_port


def misspell(project: Project) -> None:
    params = project.root / "params.yaml"
    params.write_text(params.read_text().replace("batch_size", "batch_sise", 1))


def forget_git(project: Project) -> None:
    shutil.rmtree(project.root / ".git")


def misspell_cron(project: Project) -> None:
    deployments = project.root / "infra" / "prefect.yaml"
    deployments.write_text(deployments.read_text().replace('cron: "0 3 * * *"', 'cron: "60 3 * *"'))


def misspell_zone(project: Project) -> None:
    deployments = project.root / "infra" / "prefect.yaml"
    deployments.write_text(deployments.read_text().replace("timezone: UTC", "timezone: Mars/Olympus", 1))


def nothing(_: Project) -> None:
    pass


@pytest.mark.parametrize(
    ("spoil", "arguments", "code", "said"),
    [
        (nothing, ["run", "cnn_digit"], 2, "did you mean 'cnn_digits'?"),
        (nothing, ["run", "../etc"], 2, "must match"),
        (nothing, ["run"], 2, "recipe"),
        (nothing, ["fly"], 2, "fly"),
        (nothing, ["run", "cnn_digits", "--epochs", "0"], 2, "must be a whole number from 1 to 1000. Received: '0'"),
        (nothing, ["run", "cnn_digits", "--epochs", "abc"], 2, "Received: 'abc'"),
        (nothing, ["run", "cnn_digits", "--epochs", "1e9"], 2, "Received: '1e9'"),
        (nothing, ["run", "mlp_digits", "--trials", "3"], 2, "must be left out with tuner hyperband"),
        (misspell, ["run", "cnn_digits"], 2, "did you mean 'batch_size'?"),
        (forget_git, ["run", "cnn_digits"], 2, "must be a git repository"),
        (nothing, ["deploy"], 5, "make ui"),
        (misspell_cron, ["check"], 2, "must be five fields, minute hour day month weekday. Received: '60 3 * *'"),
        (misspell_zone, ["check"], 2, "must be a time zone, such as UTC or Europe/Madrid. Received: 'Mars/Olympus'"),
        (nothing, ["reproduce", "cnn_digits", "--tolerance", "2"], 2, "must be a number from 0 to 1. Received: '2'"),
        (nothing, ["serve", "cnn_digits", "--port", "0"], 2, "must be a whole number from 1 to 65535"),
    ],
)
def test_one_line_and_nothing_written(
    another: Project, spoil: Callable[[Project], None], arguments: list[str], code: int, said: str
) -> None:
    spoil(another)
    before = another.files()

    answer = another.miar(*arguments)

    assert answer.returncode == code, answer.stderr
    assert answer.stderr.count("\n") == 1, answer.stderr
    assert answer.stderr.startswith(f"ERROR {code} {arguments[0]}: ")
    assert said in answer.stderr
    assert another.files() == before


def test_a_folder_that_may_not_be_written_to(another: Project) -> None:
    as_others = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []  # root may write anywhere
    another.root.chmod(0o555)

    answer = another.run(*as_others, "./miar", "run", "cnn_digits")

    another.root.chmod(0o755)
    assert answer.returncode == 5, answer.stderr
    assert answer.stderr.startswith("ERROR 5 run: ")
    assert "must be a folder that you may write to" in answer.stderr
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["prefect", "mlflow"])
def test_a_port_that_is_taken(another: Project, name: str) -> None:
    ports = {"MIAR_PREFECT_PORT": str(free_port()), "MIAR_MLFLOW_PORT": str(free_port())}
    taken = int(ports[f"MIAR_{name.upper()}_PORT"])
    before = another.files()
    with socket.socket() as other:
        other.bind(("127.0.0.1", taken))
        other.listen()

        answer = another.miar("ui", limit=30, **ports)

    assert answer.returncode == 5
    assert answer.stderr.count("\n") == 1
    assert f"port {taken} of 127.0.0.1 must be free for {name}" in answer.stderr
    assert f"MIAR_{name.upper()}_PORT={taken + 1} make ui" in answer.stderr
    assert another.files() == before


def test_a_port_that_is_none(another: Project) -> None:
    answer = another.miar("ui", limit=30, MIAR_PREFECT_PORT="99999")

    assert answer.returncode == 2
    assert "`MIAR_PREFECT_PORT` must be a port from 1 to 65535. Received: '99999'" in answer.stderr
