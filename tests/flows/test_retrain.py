"""The flow and DVC agree on what there is to do; a kill leaves nothing running, and nothing lost."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
import yaml

from tests.flows.conftest import EPOCHS, RECIPE, Project, until

STAGES = [f"{name}@digits" for name in ("ingest", "validate", "prepare")]
STAGES += [f"{name}@{RECIPE}" for name in ("tune", "train", "evaluate", "explain")]


def test_set_up_makes_the_databases_and_can_be_repeated(project: Project) -> None:
    for _ in range(2):
        made = project.miar("init")
        assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
    made_here = [project.root / name for name in ("mlflow.db", ".prefect/prefect.db", "data/remote")]
    assert [path for path in made_here if not path.exists()] == []


def test_a_flow_after_dvc_repro_has_nothing_to_do_and_registers(project: Project) -> None:
    made = project.dvc("repro", f"explain@{RECIPE}")
    assert made.returncode == 0, made.stdout + made.stderr

    flow = project.miar("run", RECIPE)

    assert flow.returncode == 0, flow.stderr
    assert "Running stage" not in flow.stderr
    assert all(f"{stage}" in flow.stderr for stage in STAGES)
    assert flow.stderr.count("Finished in state Unchanged(") == len(STAGES)
    assert "nothing was trained" in flow.stdout
    assert f"champion  {RECIPE} version 1, accuracy" in flow.stdout


def test_a_second_run_does_nothing_and_keeps_the_version(project: Project) -> None:
    strange = project.root / "data" / "validated" / "another"
    strange.mkdir()
    (strange / "report.html").touch()
    before = project.files()

    flow = project.miar("run", RECIPE)

    assert flow.returncode == 0, flow.stderr
    assert flow.stderr.count("Finished in state Unchanged(") == len(STAGES) + 2, (
        "register and promote have nothing to do either"
    )
    assert f"champion  {RECIPE} version 1, accuracy" in flow.stdout
    assert project.files() == before
    assert "data/validated/digits/report.html" in flow.stdout
    assert "another" not in flow.stdout, "reports of other datasets are not this run's"


def test_a_killed_flow_leaves_no_process_and_the_next_one_finishes_for_dvc_too(
    project: Project, tmp_path: Path
) -> None:
    change_seed(project.root / "params.yaml", 1)
    log = tmp_path / "killed.log"
    killed = project.start("run", RECIPE, log=log)
    until(lambda: f"epoch 1/{EPOCHS}" in log.read_text(), "training has begun", 400)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    until(lambda: not project.processes(), "no process of the killed run is left", 30)

    flow = project.miar("run", RECIPE)

    assert flow.returncode == 0, flow.stderr
    assert f"train@{RECIPE} ran" in flow.stdout
    assert f"{RECIPE} version 2" in flow.stdout
    again = project.dvc("repro", f"explain@{RECIPE}")
    assert again.returncode == 0
    assert "Data and pipelines are up to date." in again.stdout


@pytest.mark.slow
def test_register_and_promote_killed_in_the_middle_are_made_good_by_the_next_run(project: Project) -> None:
    """A tenth of all points; `python -m bench.promotion --part steps` kills at each of them."""
    done = project.run(".venv/bin/python", "-m", "bench.promotion", "--part", "steps", "--each", "10")
    assert done.returncode == 0, done.stdout + done.stderr
    for name, held, points in re.findall(r"(step \w+): (\d+) of (\d+)", done.stdout):
        assert held == points, name
    assert done.stdout.count("step ") == 2


def test_other_values_are_committed_with_the_run_and_leave_the_checkout_alone(project: Project) -> None:
    params, lock = (project.root / name for name in ("params.yaml", "dvc.lock"))
    before, head = (params.read_bytes(), lock.read_bytes()), project.git("rev-parse", "HEAD")

    flow = project.miar("run", RECIPE, "--epochs", "1", "--no-promote")

    assert flow.returncode == 0, flow.stderr
    assert (params.read_bytes(), lock.read_bytes(), project.git("rev-parse", "HEAD")) == (*before, head)
    made = project.git("for-each-ref", "--format=%(refname)", "refs/miar/runs").splitlines()
    assert len(made) == 1
    assert project.git("rev-parse", f"{made[0]}^") == head
    committed = yaml.safe_load(project.git("show", f"{made[0]}:params.yaml"))["recipes"][RECIPE]["train"]
    assert committed["epochs"] == 1
    assert "prepare@digits" in project.git("show", f"{made[0]}:dvc.lock")
    assert flow.stderr.count("Finished in state Unchanged(") >= 3, "data is not made again"
    assert project.git("worktree", "list").count("\n") == 0
    assert list((project.root / "data" / "scratch" / "worktrees").iterdir()) == []
    assert list((project.root / "data" / "scratch" / "reports").glob("*/evaluated/*/report.html"))


def change_seed(params: Path, seed: int) -> None:
    content = yaml.safe_load(params.read_text(encoding="utf-8"))
    content["recipes"][RECIPE]["train"]["seed"] = seed
    params.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
