"""Tell a Prefect server what infra/prefect.yaml says, and see that it has understood."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from datetime import timedelta
from typing import Any

import yaml

from flows import events, settings, workplace
from tasks import places
from tasks.errors import BadRequest, MiarError, Unavailable

SILENT = "crash-silent-runs"
"""Name of the automation that looks for runs without a sign of life."""

State = dict[str, dict[str, bool]]
"""Of each deployment: which of its schedules, by slug, are active."""


def deploy(*, recover: bool) -> int:
    """Make the work pool, deploy every entry, and leave paused what someone has paused in the UI.

    Args:
        recover: whether the server is this machine's own and has just been started, so that a run that it
            believes to go on, but no process here works at, is dead.

    Raises:
        Unavailable: if no Prefect server is up.
    """
    if not os.environ.get("PREFECT_API_URL"):
        raise Unavailable("a Prefect server must be up. Received: none that `make ui` has started. Run: make ui")
    names = [full_name(entry) for entry in declared()["deployments"]]
    before = asyncio.run(prepare(names))
    tell()
    known = asyncio.run(settle(names, before))
    asyncio.run(crash_the_silent())
    if recover:
        asyncio.run(crash_the_dead())
        settle_champions()
    missing = sorted(set(names) - known)
    if missing:
        raise MiarError(f"every entry of infra/prefect.yaml must be on the server. Received: without {missing}")
    print(f"deployed: {', '.join(name.rpartition('/')[2] for name in names)}")
    return 0


def declared() -> dict[str, Any]:
    """What infra/prefect.yaml says.

    Raises:
        BadRequest: if it is not readable YAML with deployments.
    """
    path = places.PREFECT_YAML
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise BadRequest(f"`{path}` must be readable YAML. Received: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not content.get("deployments"):
        raise BadRequest(f"`{path}` must have `deployments`. Received: none")
    return content


def full_name(entry: dict[str, Any]) -> str:
    """`<flow>/<name>`, as Prefect calls a deployment; a flow here is called as its function."""
    return f"{str(entry['entrypoint']).rpartition('.')[2]}/{entry['name']}"


def settle_champions() -> None:
    """Finish what a kill left half done, and tell what was moved by hand while nothing was up."""
    from tasks import champions

    for model, found in champions.settle_all().items():
        events.reconciled(model, found)
        if found is not None:
            print(f"WARNING {model}: {found}")


def tell() -> None:
    """Let Prefect's own command read the file; it knows no other place for it than where it is called.

    Raises:
        MiarError: if it refuses.
    """
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    command += ["--prefect-file", str(places.PREFECT_YAML)]
    here = {**os.environ, "MIAR_HOME": str(places.HOME), "COLUMNS": "200"}
    answer = subprocess.run(command, cwd=places.ROOT, env=here, capture_output=True, text=True, check=False)
    if answer.returncode:
        said = re.sub(r"\s+", " ", answer.stdout + answer.stderr)[-500:]
        raise MiarError(f"`prefect deploy` must take infra/prefect.yaml. Received: {said}")


async def prepare(names: list[str]) -> State:
    """Make the work pool if need be, and note which schedules are paused."""
    from prefect import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists
    from prefect.workers.process import ProcessWorker

    async with get_client() as client:
        template = ProcessWorker.get_default_base_job_template()
        with contextlib.suppress(ObjectAlreadyExists):
            await client.create_work_pool(
                WorkPoolCreate(name=settings.POOL, type="process", base_job_template=template)
            )
        return {name: active_by_slug(found) for name in names if (found := await read(client, name))}


async def settle(names: list[str], before: State) -> set[str]:
    """Put back what was paused; returns the names that the server knows."""
    from prefect import get_client

    known = set()
    async with get_client() as client:
        for name in names:
            deployment = await read(client, name)
            if not deployment:
                continue
            known.add(name)
            for schedule in deployment.schedules:
                wanted = before.get(name, {}).get(str(schedule.slug), schedule.active)
                if wanted != schedule.active:
                    await client.update_deployment_schedule(deployment.id, schedule.id, active=wanted)
    return known


async def crash_the_silent() -> None:
    """Let the server mark a run as crashed that has sent no sign of life for a while; Prefect does not by itself.

    A run whose process is killed together with the worker's would be believed to go on, and hold up all later ones.
    """
    from prefect import get_client
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    trigger = EventTrigger(
        after={"prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.*"},
        match={"prefect.resource.id": "prefect.flow-run.*"},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=settings.SILENCE),
    )
    crash = ChangeFlowRunState(
        name=None, state=StateType.CRASHED, force=False, message=f"no sign of life for {settings.SILENCE} s"
    )
    wanted = AutomationCore(
        name=SILENT,
        description="Mark runs as crashed whose process is gone.",
        trigger=trigger,
        actions=[crash],
    )
    async with get_client() as client:
        found = await client.read_automations_by_name(SILENT)
        if found:
            await client.update_automation(found[0].id, wanted)
        else:
            await client.create_automation(wanted)


async def crash_the_dead() -> None:
    """Mark as crashed what a kill or a power cut has ended: believed to run, it would hold up all later runs."""
    from prefect import get_client
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.states import Crashed

    unfinished = FlowRunFilter.model_validate({"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}})
    async with get_client() as client:
        for run in await client.read_flow_runs(flow_run_filter=unfinished):
            if run.deployment_id and not workplace.is_alive(str(run.id)):
                crashed: Any = Crashed(message="its process was gone when the server was started again")
                await client.set_flow_run_state(run.id, crashed, force=True)


async def read(client: Any, name: str) -> Any:
    """The deployment `<flow>/<name>`; None where there is none."""
    from prefect.exceptions import ObjectNotFound

    try:
        return await client.read_deployment_by_name(name)
    except ObjectNotFound:
        return None


def active_by_slug(deployment: Any) -> dict[str, bool]:
    return {str(schedule.slug): bool(schedule.active) for schedule in deployment.schedules}
