"""promote: ask the gate of a registered version again, and a person where the gate leaves it to one.

A run that waits for a person is suspended: it has no process and holds no lock. When it is resumed it begins anew,
so what the person has seen is looked at again, and a yes against a champion that has moved since counts for nothing.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.logging import get_run_logger
from prefect.runtime import deployment
from prefect.states import Completed, Failed
from pydantic import Field

from flows import artifacts, events, settings
from flows.forms import Recipe, Version
from tasks.errors import MiarError

DEPLOYMENT = "promote/promote"
PATIENCE = 7 * 24 * 3600
"""Seconds for which a run waits for a person."""


class Decision(RunInput):
    """What a person is asked. Prefect knows no persons, so the form asks for a name."""

    decision: Literal["approve", "refuse"] = Field(description="Whether this version becomes champion.")
    name: str = Field(min_length=2, max_length=100, description="Who decides; it is kept in the ledger.")
    reason: str = Field(min_length=3, max_length=2000, description="Why; it is kept with the version.")


@flow(name="promote", log_prints=True, persist_result=False)
def promote(model: Recipe = "cnn_digits", version: Version = None) -> State[Any]:
    """Ask the gate of a registered version, and make it champion if the answer, or a person, says so.

    Where the gate leaves the decision to a person, this run is suspended, and its page has a button Resume with a
    form. What the gate found is among the artifacts.

    Args:
        model: Whose version it is: a recipe of params.yaml, which says what its gate asks.
        version: Its number. None: the newest one that is not champion, the challenger.
    """
    from tasks import promote as gate

    try:
        with tempfile.TemporaryDirectory() as folder:
            found = gate.ask(model, version, folder=Path(folder))
            drawn = artifacts.show_gate(found, Path(folder))
            if found.decision == gate.WAITS:
                found = decided(found, drawn, Path(folder))
    except MiarError as error:
        return Failed(message=f"ERROR {error.code} promote {model}: {error}", data=error)
    events.promoted(found)
    return Completed(name=found.decision.capitalize(), message=f"{found.report.headline()}; {found.decision}")


def decided(found: Any, drawn: str, folder: Path) -> Any:
    """What comes of asking a person; the run ends here, and is begun anew with the answer.

    Args:
        found: a tasks.promote.Answer that waits.
        drawn: the picture of its gate, as markdown.
    """
    from tasks import promote as gate

    report = found.report
    given = wait_for_person(report, drawn)
    get_run_logger().info("%s by %s: %s", given.decision, given.name, given.reason)
    if given.decision == "refuse":
        gate.refuse(report.model, report.version, by=given.name, reason=given.reason)
        return gate.Answer(report, gate.CHALLENGER, found.overtaken, found.found)
    approval = gate.Approval(given.name, given.reason, against=report.champion)
    return gate.ask(report.model, report.version, folder=folder, approval=approval)


def wait_for_person(report: Any, drawn: str) -> Decision:
    """Suspend this run until a person has filled in the form; asked once for each version and champion."""
    reasons = "\n".join(f"- {reason}" for reason in report.reasons())
    text = f"## {report.headline()}\n\n{reasons}\n\n{drawn}\n"
    form = Decision.with_initial_data(description=text)
    given: Any = suspend_flow_run(wait_for_input=form, timeout=PATIENCE, key=key(report.version, report.champion))
    return Decision.model_validate(given.model_dump(include={"decision", "name", "reason"}))


def key(version: int, champion: int | None) -> str:
    return f"version-{version}-against-{champion or 'nobody'}"


def invite(model: str, version: int, champion: int | None) -> None:
    """Let the deployment ask a person, once for each version and champion; nothing happens where no server is up."""
    if deployment.id is None and not settings.running():
        return
    from prefect.deployments import run_deployment

    try:
        run_deployment(
            DEPLOYMENT,
            parameters={"model": model, "version": version},
            timeout=0,
            idempotency_key=f"{model}-{key(version, champion)}",
            as_subflow=False,
        )
    except ObjectNotFound:
        get_run_logger().warning("the deployment %s must be there to ask a person; run: ./miar deploy", DEPLOYMENT)
