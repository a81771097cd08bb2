"""`make ui`, for real: deployments, a tick of the clock, the forms in a browser, and a clean end."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests.flows.conftest import RECIPE, ROOT, Servers, until

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-component-update", "--disable-sync"]
PICTURES = ROOT / "test-artifacts"


def test_every_deployment_is_there_with_a_form_that_explains_itself(servers: Servers) -> None:
    for name in ("retrain", "retrain-nightly"):
        found = servers.deployment(name)
        fields = found["parameter_openapi_schema"]["properties"]
        assert found["work_pool_name"] == "miar"
        assert found["enforce_parameter_schema"] is True
        assert found["global_concurrency_limit"]["limit"] == 1
        assert found["concurrency_options"]["collision_strategy"] == "ENQUEUE"
        assert fields["recipe"]["enum"] == [RECIPE, "mlp_digits"]
        assert bounds(fields["epochs"]) == (1, 1000)
        assert bounds(fields["trials"]) == (0, 1000)
        assert bounds(fields["seed"]) == (0, 2**32 - 1)
        assert fields["promote"]["default"] is True
        assert bounds(fields["minutes"]) == (1, 24 * 60)
        assert fields["cause"]["anyOf"][0]["enum"] == ["schedule", "data", "drift", "hand"]
    assert [schedule["schedule"]["cron"] for schedule in found["schedules"]] == ["0 3 * * *"]
    assert servers.deployment("retrain")["schedules"] == []


def bounds(field: dict[str, list[dict[str, int]]]) -> tuple[int, int]:
    return field["anyOf"][0]["minimum"], field["anyOf"][0]["maximum"]


def test_a_wrong_value_is_refused_before_anything_runs(servers: Servers) -> None:
    path = f"deployments/{servers.deployment('retrain')['id']}/create_flow_run"

    answer = servers.api("POST", path, {"parameters": {"recipe": RECIPE, "epochs": 0}})

    assert answer.status_code == 409
    assert "epochs" in answer.text


def test_a_tick_of_the_clock_makes_a_run_that_completes(servers: Servers) -> None:
    nightly = servers.deployment("retrain-nightly")["id"]
    every_minute = [{"schedule": {"cron": "* * * * *", "timezone": "UTC"}, "active": True}]
    made = servers.api("POST", f"deployments/{nightly}/schedules", every_minute).json()[0]["id"]
    try:
        until(lambda: ended(servers, "retrain-nightly"), "a scheduled run has ended", 600)
    finally:
        servers.api("DELETE", f"deployments/{nightly}/schedules/{made}")
    (run,) = ended(servers, "retrain-nightly")[:1]
    assert run["auto_scheduled"]
    assert run["state"]["name"] in ("Completed", "NoChange"), run["state"]["message"]
    assert f"{RECIPE} version" in run["state"]["message"]
    assert servers.project.git("worktree", "list").count("\n") <= 1, "only a run that goes on has one"


def ended(servers: Servers, deployment: str) -> list[dict[str, object]]:
    final = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
    return [run for run in servers.runs(deployment) if run["state_type"] in final]


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of Chromium that can reach nothing but this machine; what it asked for elsewhere is an error."""
    assert CHROMIUM.exists(), f"Chromium must be at {CHROMIUM}. Received: nothing. Run: apt-get install chromium"
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        opened = browser.new_page(viewport={"width": 1400, "height": 1000})
        opened.route("**/*", stay_here)
        opened.set_default_timeout(30_000)
        yield opened
        browser.close()


def stay_here(route: Route) -> None:
    if route.request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
        route.continue_()
    else:
        route.abort()


@pytest.mark.slow
def test_a_run_from_the_form_in_the_browser(servers: Servers, page: Page) -> None:
    page.goto(f"{servers.prefect}/deployments")
    page.locator("a[href*='/deployments/deployment/']").get_by_text("retrain", exact=True).first.click()
    page.get_by_role("button", name="Run", exact=True).first.click()
    page.get_by_text("Custom run").first.click()
    fill_in(page, epochs=1, trials=1)
    page.screenshot(path=PICTURES / "prefect-form.png")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("scheduled to start").first).to_be_visible()

    until(lambda: ended(servers, "retrain"), "the run from the form has ended", 600)

    (run,) = ended(servers, "retrain")
    assert run["state"]["name"] == "Completed", run["state"]["message"]
    assert (run["parameters"]["epochs"], run["parameters"]["trials"]) == (1, 1)
    show_run(servers, page, str(run["id"]))


def fill_in(page: Page, *, epochs: int, trials: int) -> None:
    """Choose the recipe from its list, and give numbers in place of None."""
    form = page.locator("form")
    expect(form.get_by_text("How often the network sees all training samples")).to_be_visible()
    form.get_by_role("button", name=RECIPE).press("Space")
    page.get_by_role("option", name=RECIPE).click()
    for name, value in (("epochs", epochs), ("trials", trials)):
        field = form.locator("div:has(> div > label)").filter(has_text=re.compile(rf"^{name} \(Optional\)")).last
        field.get_by_role("button", name="int", exact=True).click()
        field.locator("input[type=number]").fill(str(value))


def show_run(servers: Servers, page: Page, run: str) -> None:
    """Look at what people see of a finished run: its page, its artifacts, the summary with its pictures."""
    page.goto(f"{servers.prefect}/runs/flow-run/{run}")
    expect(page.get_by_text("Completed").first).to_be_visible()
    expect(page.get_by_text(f"train@{RECIPE}").first).to_be_visible()
    page.wait_for_timeout(1500)
    page.screenshot(path=PICTURES / "prefect-run.png")
    page.get_by_text("Artifacts", exact=True).last.click()
    expect(page.get_by_text("summary-cnn-digits").last).to_be_visible()
    page.screenshot(path=PICTURES / "prefect-artifacts.png")
    page.get_by_text("summary-cnn-digits").last.click()
    expect(page.get_by_role("img", name="confusion")).to_be_visible()
    widths = page.evaluate("[...document.querySelectorAll('img')].map(image => image.naturalWidth)")
    assert len(widths) == 11
    assert min(widths) > 0, "pictures are part of the page, no server has to give them"
    page.screenshot(path=PICTURES / "prefect-summary.png")


def test_the_registry_s_deployments_are_there(servers: Servers) -> None:
    for name in ("promote", "rollback", "reconcile"):
        assert servers.deployment(name)["enforce_parameter_schema"] is True
    crons = {
        name: [one["schedule"]["cron"] for one in servers.deployment(name)["schedules"]]
        for name in ("reconcile", "news", "drift", "watch", "doctor", "score")
    }
    assert crons == {
        "reconcile": ["*/15 * * * *"],
        "news": ["5 * * * *"],
        "drift": ["10 * * * *"],
        "watch": ["20,50 * * * *"],
        "doctor": ["30 5 * * *"],
        "score": [],
    }


def test_what_falls_silent_and_what_is_told_is_acted_on(servers: Servers) -> None:
    names = {automation["name"] for automation in servers.api("POST", "automations/filter", {}).json()}
    assert {"crash-silent-runs", "retrain-on-drift", "retrain-on-new-data", "watch-after-promotion"} <= names


@pytest.mark.slow
def test_a_person_decides_in_the_browser(servers: Servers, page: Page) -> None:
    params = servers.project.root / "params.yaml"
    params.write_text(params.read_text().replace("margin: 1.0", "margin: 1.0\n      approval: always", 1))
    servers.project.git("commit", "--quiet", "--no-verify", "--all", "-m", "Ask a person")
    before = ask(servers, "champion", RECIPE)["version"]

    state = servers.ended(servers.start("retrain", recipe=RECIPE, seed=5))

    assert "waits for a person" in str(state["message"])
    until(lambda: [run for run in servers.runs("promote") if run["state_type"] == "PAUSED"], "a person is asked", 400)
    (waiting,) = servers.runs("promote")
    assert waiting["state"]["name"] == "Suspended"
    until(lambda: not worker_runs(servers), "what waits has no process", 30)
    resume(servers, page, str(waiting["id"]))
    assert servers.ended(str(waiting["id"]))["name"] == "Champion"
    now = ask(servers, "champion", RECIPE)
    assert (now["by"], now["why"]) == ("Ada Lovelace", "approved: seen, and better on sevens")
    assert now["previous"] == before
    assert now["version"] == waiting["parameters"]["version"]


def ask(servers: Servers, *question: str) -> dict[str, object]:
    answer = servers.project.miar(*question, "--json")
    assert answer.returncode == 0, answer.stderr
    return dict(json.loads(answer.stdout))


def worker_runs(servers: Servers) -> list[str]:
    """Command lines of flow runs that have a process."""
    lines = [" ".join(process.cmdline()) for process in servers.project.processes()]
    return [line for line in lines if "prefect.flow_engine" in line or "prefect.engine" in line]


def resume(servers: Servers, page: Page, run: str) -> None:
    """Fill in the form of a run that waits, after a look at what the gate found."""
    page.goto(f"{servers.prefect}/runs/flow-run/{run}")
    page.get_by_role("button", name="Resume").first.click()
    expect(page.get_by_text("Whether this version becomes champion.")).to_be_visible()
    expect(page.get_by_role("img", name="gate")).to_be_visible()
    page.locator(".p-select-button__control").last.press("Space")
    page.get_by_role("option", name="approve").click()
    page.locator("textarea").nth(0).fill("Ada Lovelace")
    page.locator("textarea").nth(1).fill("seen, and better on sevens")
    page.screenshot(path=PICTURES / "prefect-approval.png")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Whether this version becomes champion.")).to_be_hidden()
    until(lambda: servers.state(run)["type"] != "PAUSED", "the run has been resumed", 300)


@pytest.mark.slow
def test_a_rollback_from_the_form(servers: Servers, page: Page) -> None:
    bad = ask(servers, "champion", RECIPE)
    page.goto(f"{servers.prefect}/deployments")
    page.locator("a[href*='/deployments/deployment/']").get_by_text("rollback", exact=True).first.click()
    page.get_by_role("button", name="Run", exact=True).first.click()
    page.get_by_text("Custom run").first.click()
    expect(page.get_by_text("Whose champion goes back")).to_be_visible()
    page.locator("form .p-select-button__control").first.press("Space")
    page.get_by_role("option", name=RECIPE).click()
    page.locator("form textarea").nth(0).fill("it takes nines for fours")
    page.locator("form textarea").nth(1).fill("Grace Hopper")
    page.screenshot(path=PICTURES / "prefect-rollback.png")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("scheduled to start").first).to_be_visible()
    (run,) = servers.runs("rollback")
    assert servers.ended(str(run["id"]))["name"] == "RolledBack"

    now = ask(servers, "champion", RECIPE)
    assert (now["version"], now["by"]) == (bad["previous"], "Grace Hopper")
    assert ask(servers, "explain", f"{RECIPE}@{bad['version']}")["quarantined"] == "it takes nines for fours"
    again = servers.project.miar(
        "promote", RECIPE, "--version", str(bad["version"]), "--approve", "--reason", "why not"
    )
    assert again.returncode == 4
    assert ask(servers, "champion", RECIPE)["version"] == now["version"]


def test_an_alias_moved_by_hand_is_seen_told_and_can_be_put_back(servers: Servers) -> None:
    now = ask(servers, "champion", RECIPE)["version"]
    versions = [one["version"] for one in ask(servers, "history", RECIPE)["versions"]]
    other = next(one for one in versions if one != now)
    moved = {"name": RECIPE, "alias": "champion", "version": str(other)}
    address = f"{servers.mlflow}/api/2.0/mlflow/registered-models/alias"
    assert httpx.post(address, json=moved, timeout=30).status_code == 200

    state = servers.ended(servers.start("reconcile"))

    assert (state["type"], state["name"]) == ("FAILED", "NotCoherent")
    assert f"it named version {other}, the ledger knows version {now}" in str(state["message"])
    wanted = {"filter": {"event": {"name": ["miar.model.tampered"]}}, "limit": 5}
    until(lambda: servers.api("POST", "events/filter", wanted).json()["events"], "the event has come", 30)
    back = servers.project.miar("rollback", RECIPE, "--to", str(now), "--reason", "set by hand")
    assert back.returncode == 0, back.stderr
    assert servers.ended(servers.start("reconcile"))["name"] == "Coherent"


@pytest.mark.slow
def test_the_registry_in_the_browser_shows_the_champion(servers: Servers, page: Page) -> None:
    asked = {"name": RECIPE, "alias": "champion"}
    answer = httpx.get(f"{servers.mlflow}/api/2.0/mlflow/registered-models/alias", params=asked, timeout=30)
    page.goto(f"{servers.mlflow}/#/models/{RECIPE}/versions/{answer.json()['model_version']['version']}")
    page.get_by_role("button", name="Close").click()  # MLflow's assistant, which takes a quarter of the page
    expect(page.get_by_text("@ champion")).to_be_visible()
    expect(page.get_by_text("dvc.data.digits").first).to_be_visible()
    expect(page.get_by_text("The whole lineage").first).to_be_visible()
    expect(page.get_by_text("gate.verdict").first).to_be_visible()
    page.wait_for_timeout(1000)
    page.screenshot(path=PICTURES / "mlflow-registry.png")


def test_ctrl_c_leaves_nothing_behind(servers: Servers) -> None:
    began = time.monotonic()

    servers.process.send_signal(signal.SIGINT)

    assert servers.process.wait(60) == 0, servers.log.read_text()
    assert time.monotonic() - began < 30
    until(lambda: not servers.project.processes(), "no process is left", 10)
    for port in servers.ports.values():
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(port))) != 0, f"port {port} is free again"
    assert not (servers.project.root / ".prefect" / "ui.json").exists()
