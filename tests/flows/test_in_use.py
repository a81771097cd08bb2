"""A champion in use: it answers files and requests, is watched, made again from its commit, and examined."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.flows.conftest import RECIPE, Project, free_port, make, until


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Project:
    made = make(tmp_path_factory.mktemp("reproduced"), cache)
    done = made.miar("run", RECIPE)
    assert done.returncode == 0, done.stderr
    return made


@pytest.mark.slow
def test_a_champion_answers_is_watched_and_found_well(promoted: Project, tmp_path: Path) -> None:
    exam = promoted.root / "data" / "prepared" / "digits"
    samples, answers = np.load(exam / "test_samples.npy"), np.load(exam / "test_answers.npy")
    rows = np.random.default_rng(0).integers(0, len(samples), 1500)
    np.savez(tmp_path / "today.npz", samples=samples[rows], ids=np.arange(1500))
    np.save(tmp_path / "turned.npy", np.ascontiguousarray(np.rot90(samples[rows], axes=(1, 2))))
    labels = "".join(f"{number},{answers[row]}\n" for number, row in enumerate(rows))
    (tmp_path / "answers.csv").write_text(f"id,class\n{labels}")

    told = [
        promoted.miar("score", RECIPE, str(tmp_path / "today.npz")),
        promoted.miar("score", RECIPE, str(tmp_path / "today.npz"), "--json"),
        promoted.miar("drift", RECIPE),
        promoted.miar("label", RECIPE, str(tmp_path / "answers.csv")),
        promoted.miar("watch", RECIPE),
        promoted.miar("score", RECIPE, str(tmp_path / "turned.npy")),
        promoted.miar("drift", RECIPE),
        promoted.miar("doctor"),
    ]

    codes = [one.returncode for one in told]
    assert codes == [0, 0, 0, 0, 0, 0, 4, 0], [one.stderr + one.stdout for one in told]
    assert "1500 samples answered now by cnn_digits version 1" in told[0].stdout
    assert json.loads(told[1].stdout)["new"] is False
    assert "is steady" in told[2].stdout
    assert "1500 new right answers" in told[3].stdout
    assert "cnn_digits version 1 holds: 0 of its last 3 windows" in told[4].stdout
    assert "has drifted" in told[6].stdout
    assert told[7].stdout.count("ok, ") >= 12
    assert (promoted.root / "data" / "drifted" / RECIPE / "report.html").is_file()


@pytest.mark.slow
def test_a_champion_answers_requests_until_it_is_stopped(promoted: Project, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "serve.log"
    process = promoted.start("serve", RECIPE, "--port", str(port), log=log)
    until(lambda: "Ctrl-C stops it" in log.read_text() or process.poll() is not None, "it answers", 300)
    samples = np.load(promoted.root / "data" / "prepared" / "digits" / "test_samples.npy")[:3]
    answer = httpx.post(f"http://127.0.0.1:{port}/invocations", json={"inputs": samples.tolist()}, timeout=30)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0, log.read_text()
    assert np.shape(answer.json()["predictions"]) == (3, 10)
    until(lambda: not promoted.processes(), "nothing is left", 30)


def kept(project: Project) -> dict[str, bytes]:
    """All files of the checkout, but for MLflow's and scratch."""
    passing = ("mlflow.db", "mlartifacts", "data/scratch", "data/scored", "data/labels", "data/drifted", ".dvc", "tmp")
    names = sorted(name for name in project.files() if not name.startswith(passing))
    return {name: (project.root / name).read_bytes() for name in names if (project.root / name).is_file()}


@pytest.mark.slow
def test_a_champion_can_be_made_again(promoted: Project) -> None:
    before = kept(promoted)

    done = promoted.miar("reproduce", f"{RECIPE}@champion")

    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("REPRODUCED; farthest score: ")
    assert [line.split("@")[0] for line in lines if "the same" in line] == [
        *("ingest", "validate", "prepare", "tune", "train", "evaluate")
    ]
    assert kept(promoted) == before
    assert promoted.git("worktree", "list").count("\n") == 0
    tags = json.loads(promoted.miar("explain", f"{RECIPE}@champion", "--json").stdout)["reproduced"]
    assert (tags["reproduced"], tags["reproduced.stage"]) == ("REPRODUCED", "none")


@pytest.mark.slow
def test_another_number_of_threads_is_within_tolerance_and_said(promoted: Project) -> None:
    threads = len(os.sched_getaffinity(0))
    done = promoted.run("taskset", "--cpu-list", "0", "./miar", "reproduce", RECIPE, "--tolerance", "0.1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(("WITHIN TOLERANCE; first at train@", "REPRODUCED"))
    assert (f"note: the number of threads is another: {threads} then, 1 now" in done.stdout) == (threads > 1)


@pytest.mark.slow
def test_a_kill_leaves_no_process_and_the_next_one_no_worktree(promoted: Project, tmp_path: Path) -> None:
    log = tmp_path / "killed.log"
    killed = promoted.start("reproduce", RECIPE, log=log)
    until(lambda: f"prepare@{RECIPE.partition('_')[2]}" in log.read_text(), "it goes on", 400)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    until(lambda: not promoted.processes(), "no process of the killed one is left", 30)
    assert promoted.miar("reproduce", f"{RECIPE}@v1").returncode == 0
    assert promoted.git("worktree", "list").count("\n") == 0


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("nobody", "must be in the registry"),
        (f"{RECIPE}@v99", "which is not there"),
        (f"{RECIPE}@best", "must be a number or one of champion"),
    ],
)
def test_what_is_not_there_is_one_line(promoted: Project, reference: str, told: str) -> None:
    done = promoted.miar("reproduce", reference)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert told in done.stderr
