"""doctor: does everything hold that must, in the registry, on the disk and among Prefect's runs?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import flow, get_client
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Completed, Failed

from flows import settings, workplace
from flows.deployments import SILENT
from tasks.doctor import Check, Finding
from tasks.errors import MiarError

DAYS = 7
"""Days back to which runs that ended badly are looked at."""

GOING = ["RUNNING", "PENDING", "CANCELLING"]
BAD = ["FAILED", "CRASHED"]


@flow(name="doctor", log_prints=True, persist_result=False)
def doctor(sweep: bool = True) -> State[Any]:
    """Look whether everything holds that must hold on this installation.

    What does not is in the table among the artifacts, with what to do about it.

    Args:
        sweep: Whether what kills have left behind on the disk is removed first.
    """
    from tasks import janitor

    try:
        for path in janitor.sweep() if sweep else []:
            print(f"removed {path}")
        checks = look()
    except MiarError as error:
        return Failed(message=f"ERROR {error.code} doctor: {error}", data=error)
    create_table_artifact(rows(checks), key="doctor", description="what must hold, and what does not")
    wrong = [finding for check in checks for finding in check.findings]
    if not wrong:
        return Completed(name="Healthy", message=f"all {len(checks)} checks hold")
    told = "; ".join(f"{finding.where}: {finding.what}" for finding in wrong[:5])
    return Failed(name="Ailing", message=f"{len(wrong)} findings: {told}")


def look() -> list[Check]:
    """What the registry, the disk and, where a server is up, Prefect tell."""
    from tasks import doctor as examination

    return [*examination.examine_all(), *asyncio.run(look_at_runs())]


async def look_at_runs() -> list[Check]:
    """What Prefect's server tells of runs; nothing where none is up."""
    if not settings.running():
        return []
    async with get_client() as client:
        going = await client.read_flow_runs(flow_run_filter=in_state(GOING))
        since = (datetime.now(UTC) - timedelta(days=DAYS)).isoformat()
        ended = await client.read_flow_runs(flow_run_filter=in_state(BAD, end_time={"after_": since}))
        automations = await client.read_automations_by_name(SILENT)
    told = "runs that are killed are not noticed" if not automations else ""
    watch = [Finding(f"automation {SILENT}", told, "./miar deploy")] if told else []
    return [
        Check("I7 runs that go on have a process", len(going), list(dead(going))),
        Check("I9 runs that failed say why", len(ended), list(silent(ended))),
        Check("runs that fall silent are noticed", 1, watch),
    ]


def in_state(types: list[str], **more: Any) -> FlowRunFilter:
    return FlowRunFilter.model_validate({"state": {"type": {"any_": types}}, **more})


def dead(runs: list[FlowRun]) -> Iterator[Finding]:
    """Retrainings that are believed to go on, and whose worktree nobody holds."""
    young = datetime.now(UTC) - timedelta(seconds=2 * settings.SILENCE)
    for run in runs:
        old = run.start_time is not None and run.start_time < young
        if run.deployment_id and old and "recipe" in run.parameters and not workplace.is_alive(str(run.id)):
            yield Finding(f"run {run.name}", "it is running, and no process here works at it", "cancel it in Prefect")


def silent(runs: list[FlowRun]) -> Iterator[Finding]:
    for run in runs:
        if not (run.state and run.state.message):
            yield Finding(f"run {run.name}", "it ended badly and does not say why", "look at its log in Prefect")


def rows(checks: list[Check]) -> list[dict[str, str]]:
    """A row for each check that holds, and for each finding."""
    made: list[dict[str, str]] = []
    for check in checks:
        holds = {"where": f"{check.looked_at} looked at", "what": "holds", "do": ""}
        made += [{"check": check.name, **told} for told in map(asdict, check.findings)] or [
            {"check": check.name, **holds}
        ]
    return made


def told(checks: list[Check], *, as_json: bool) -> str:
    """The checks for people, a line for each, with findings below; or for programs."""
    if as_json:
        return json.dumps([asdict(check) for check in checks], indent=2)
    lines = []
    for check in checks:
        mark = f"{len(check.findings)} findings" if check.findings else f"ok, {check.looked_at} looked at"
        lines.append(f"{check.name:<52}{mark}")
        lines += [f"    {one.where}: {one.what}\n      do: {one.do}" for one in check.findings]
    return "\n".join(lines)
