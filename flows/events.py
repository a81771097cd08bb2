"""Events that a Prefect server is told, so that automations can follow: `miar.model.<what>`, of `miar.model.<name>`."""

from __future__ import annotations

import os
from typing import Any


def promoted(answer: Any) -> None:
    """What came of asking a gate, and what was found to be set by hand.

    Args:
        answer: a tasks.promote.Answer.
    """
    report = answer.report
    facts = {"version": report.version, "against": report.champion, "verdict": report.verdict}
    what = {"champion": "promoted", "challenger": "refused", "waits": "waits"}[answer.decision]
    emit(what, report.model, **facts, reasons=report.reasons())
    reconciled(report.model, answer.found)


def rolled_back(moved: Any, reason: str) -> None:
    emit("rolled-back", moved.model, old=moved.old, new=moved.new, reason=reason)


def reconciled(model: str, found: Any) -> None:
    """A champion set by hand, or a ledger that cannot be read; nothing where all is well."""
    if found is not None:
        emit("broken" if isinstance(found, Exception) else "tampered", model, told=str(found))


def emit(what: str, model: str, **facts: Any) -> None:
    """Tell a server if one is up; what was done is done without one too."""
    if not os.environ.get("PREFECT_API_URL"):
        return
    from prefect.events import emit_event

    emit_event(
        f"miar.model.{what}", resource={"prefect.resource.id": f"miar.model.{model}"}, payload={"model": model, **facts}
    )
