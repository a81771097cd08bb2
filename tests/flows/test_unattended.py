"""What nobody watches: schedules that overlap or come late, runs that fall silent, budgets, and events that retrain."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest
import yaml

from tests.flows.conftest import RECIPE, Servers, until


def states(servers: Servers, deployment: str) -> list[str]:
    return [str(dict(run["state"])["name"]) for run in servers.runs(deployment)]  # type: ignore[call-overload]


def set_recipe(servers: Servers, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the recipe in the last commit, which is what deployments run."""
    path = servers.project.root / "params.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content["recipes"][RECIPE])
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    servers.project.git("commit", "--quiet", "--no-verify", "--all", "-m", "Change the recipe")


@pytest.fixture(scope="module", autouse=True)
def trained(servers: Servers) -> None:
    """A version that was trained on what is committed."""
    state = servers.ended(servers.start("retrain", recipe=RECIPE))
    assert state["type"] == "COMPLETED", state["message"]


def test_where_nothing_has_changed_a_run_ends_in_seconds_and_says_so(servers: Servers) -> None:
    began = time.monotonic()
    state = servers.ended(servers.start("retrain", recipe=RECIPE))
    seconds = time.monotonic() - began
    assert state["name"] == "NoChange", state["message"]
    assert f"nothing has changed since {RECIPE} version" in str(state["message"])
    assert seconds < 60  # bench.unattended measures it where nothing else is going on


def test_of_late_runs_the_newest_alone_runs(servers: Servers) -> None:
    """Prefect keeps what was due while no worker was there, and lets all of it run when one comes."""
    nightly = servers.deployment("retrain-nightly")["id"]
    servers.api("PATCH", "work_pools/miar", {"is_paused": True})
    first = datetime.now(UTC) + timedelta(seconds=45)  # until then the server has made the runs, busy as it may be
    times = f"DTSTART:{first:%Y%m%dT%H%M%SZ}\nRRULE:FREQ=SECONDLY;INTERVAL=2;COUNT=4"
    made = servers.api("POST", f"deployments/{nightly}/schedules", [{"schedule": {"rrule": times}, "active": True}])
    servers.api("PATCH", f"deployments/{nightly}", {"paused": False})  # the server soon looks at what was changed, only
    try:
        until(lambda: states(servers, "retrain-nightly").count("Late") == 4, "all runs are late", 600)
        servers.api("PATCH", "work_pools/miar", {"is_paused": False})
        until(lambda: len(ended(servers)) == 4, "all of them have ended", 300)
    finally:
        servers.api("DELETE", f"deployments/{nightly}/schedules/{made.json()[0]['id']}")
        servers.api("PATCH", "work_pools/miar", {"is_paused": False})
    names = [name for _, name, _ in ended(servers)]
    assert names == ["Skipped"] * 3 + ["NoChange"]
    assert "a newer run is due as well" in ended(servers)[0][2]


def ended(servers: Servers) -> list[tuple[str, str, str]]:
    """The nightly runs that have ended: when they were due, the first one first, and what their states are and say."""
    found = [(run["expected_start_time"], dict(run["state"])) for run in servers.runs("retrain-nightly")]  # type: ignore[call-overload]
    return sorted(
        (str(when), str(state["name"]), str(state["message"])) for when, state in found if state["type"] == "COMPLETED"
    )


def test_a_run_over_its_minutes_says_so_and_does_nothing(servers: Servers) -> None:
    spent = sum(float(str(run["total_run_time"])) for run in servers.runs("retrain"))
    servers.project.git("status")
    set_recipe(servers, lambda recipe: recipe["train"].update(seed=77))
    state = servers.ended(servers.start("retrain", recipe=RECIPE, minutes=1, epochs=1000))
    assert state["type"] == "COMPLETED"
    assert state["name"] == "OverBudget", (state["message"], spent)
    again = servers.ended(servers.start("retrain", recipe=RECIPE, minutes=1))
    assert again["name"] == "OverBudget"
    assert "of the 1 minutes of this day are spent" in str(again["message"])


def test_an_event_of_drift_trains_anew_and_the_version_says_why(servers: Servers) -> None:
    set_recipe(servers, lambda recipe: recipe["train"].update(seed=78))
    before = len(servers.runs("retrain"))
    event = {
        "occurred": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "event": "miar.model.drifted",
        "resource": {"prefect.resource.id": f"miar.model.{RECIPE}"},
        "payload": {"model": RECIPE},
        "id": "6f1d1bdc-7d2f-4f0e-9f3a-0a9b5f0c7a11",
    }
    answer = servers.api("POST", "events", [event])
    assert answer.status_code == 204, answer.text
    until(lambda: len(servers.runs("retrain")) > before, "a run has begun", 300)
    run = servers.runs("retrain")[0]
    assert run["parameters"] == {"recipe": RECIPE, "cause": "drift"}
    state = servers.ended(str(run["id"]))
    assert state["type"] == "COMPLETED", state["message"]
    version = str(state["message"]).partition(" version ")[2].partition(":")[0]
    found = servers.project.miar("explain", f"{RECIPE}@{version}", "--json")
    assert '"started.by": "drift"' in found.stdout


@pytest.mark.slow
def test_a_run_without_a_sign_of_life_is_crashed_by_the_server(servers: Servers) -> None:
    set_recipe(servers, lambda recipe: recipe["train"].update(seed=79))
    run = servers.start("retrain", recipe=RECIPE, epochs=1000)
    until(lambda: servers.state(run)["type"] == "RUNNING", "the run goes on", 300)
    until(lambda: engine(servers), "it has a process", 30)
    time.sleep(35)  # until it has given one sign of life
    stopped = engine(servers)
    for process in stopped:
        process.send_signal(signal.SIGSTOP)
    try:
        until(lambda: servers.state(run)["type"] == "CRASHED", "the server has noticed", 600)
        assert "no sign of life for 90 s" in str(servers.state(run)["message"])
    finally:
        for process in stopped:
            process.kill()


def engine(servers: Servers) -> list[psutil.Process]:
    """The process of the flow itself."""
    found = []
    for process in servers.project.processes():
        line = " ".join(process.cmdline())
        if "prefect.flow_engine" in line or "prefect.engine" in line:
            found.append(process)
    return found
