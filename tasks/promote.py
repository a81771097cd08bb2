"""promote: ask the gate of a registered version, and make it champion if the answer says so."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks import catalogue, champions, gates, places, verdicts
from tasks.catalogue import Gate
from tasks.champions import Found, Overtaken, locked
from tasks.errors import BadRequest, Refused
from tasks.outside import ledger, registry, tracking
from tasks.receipts import Promoted, Registered
from tasks.verdicts import FAILED, INCONCLUSIVE, Report

TRIES = 5
"""How often a version is judged anew because the champion has moved meanwhile."""

CHAMPION, CHALLENGER, WAITS = "champion", "challenger", "waits"
"""What becomes of a version: the last is a challenger until a person decides."""


@dataclass(frozen=True)
class Approval:
    """A person's yes to a version whose gate alone may not decide.

    Args:
        against: the champion that the person saw it compared with; a yes against another one is none.
    """

    by: str
    reason: str
    against: int | None


@dataclass(frozen=True)
class Answer:
    """What came of asking.

    Args:
        decision: champion, challenger or waits.
        overtaken: who was champion in between, told once for each time that the evidence was void.
        found: what was set by hand, if anything.
    """

    report: Report
    decision: str
    overtaken: list[str]
    found: Found | None


def promote(name: str) -> Promoted:
    """Judge the version that register noted for the recipe called `name`; champion if the gate says so.

    A failed gate is an answer and no error: the version stays challenger, with the reasons in its tags.

    Raises:
        BadData: if the recipe has not been registered here.
        Refused: if the ledger is broken, or the champion moves again and again.
        Unavailable: if MLflow does not answer.
    """
    registered = Registered.read(places.registered(name))
    places.SCRATCH.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=places.SCRATCH) as scratch:
        answer = ask(name, registered.version, folder=Path(scratch))
        with locked("promoted", name), places.whole_folder(places.promoted(name)) as folder:
            for path in Path(scratch).iterdir():
                shutil.copyfile(path, folder / path.name)
            return receipt(answer, registered.digest).write(folder)


def ask(
    model: str, number: int | None, *, folder: Path, approval: Approval | None = None, by: str | None = None
) -> Answer:
    """Judge a version, and move the aliases as that says; its report is written to `folder` and to MLflow.

    The judging, which takes seconds to minutes, holds no lock. Under the lock the champion must still be the one
    that the version was compared with, else what was found is void, and the version is judged again.

    Args:
        number: the version; None for the challenger.
        approval: lets an inconclusive version pass, or one of a recipe that always wants a person.
        by: who asks; None: the deployment, or whoever runs this.
    """
    recipe = catalogue.load().recipe(model)
    client = tracking.connect()
    overtaken: list[str] = []
    found: Found | None = None
    with tracking.answering():
        number = number if number is not None else challenger(client, model)
        for _ in range(TRIES):
            with locked("promote", model):
                found = champions.reconcile(client, model, restore=recipe.gate.restore) or found
                before = champions.champion(client, model)
            report = known(client, model, number, before, folder) or gates.judge(
                client, model, number, champion=None if before == number else before, recipe=recipe
            )
            yes = approval if approval and approval.against == report.champion else None
            decision = decide(report, recipe.gate, yes, is_champion=before == number)
            try:
                with locked("promote", model):
                    carry_out(client, report, decision, folder, expected=before, approval=yes, by=by)
            except Overtaken as error:
                overtaken.append(str(error))
                print(f"{error}; judging again", flush=True)
            else:
                return Answer(report, decision, overtaken, found)
    raise Refused(overtaken[-1])


def challenger(client: Any, model: str) -> int:
    number = registry.named_by(client, model, registry.CHALLENGER)
    if number is None:
        raise BadRequest(f"`version` must be given where `{model}` has no challenger. Received: none")
    return number


def known(client: Any, model: str, number: int, champion: int | None, folder: Path) -> Report | None:
    """The report by which the present champion became one, fetched into `folder`; it is not judged again."""
    if number != champion:
        return None
    found = registry.version(client, model, number)
    kept = found.tags.get(registry.REPORT)
    if kept is None or not tracking.fetch_files(str(found.run_id), kept, folder):
        return None
    return verdicts.read(folder)


def decide(report: Report, gate: Gate, approval: Approval | None, *, is_champion: bool) -> str:
    """What becomes of a version: what is not sound never becomes champion, whoever wants it."""
    if is_champion:
        return CHAMPION
    if not gates.is_sound(report):
        return CHALLENGER
    wants_person = gate.approval == "always" or (report.verdict == INCONCLUSIVE and gate.mode == "enforce")
    if report.verdict == FAILED and gate.mode == "enforce":
        return CHALLENGER
    if not wants_person or approval:
        return CHAMPION
    return CHALLENGER if gate.approval == "never" else WAITS


def refuse(model: str, number: int, *, by: str, reason: str) -> None:
    """Note a person's no; the version stays challenger."""
    tracking.connect()
    with tracking.answering(), locked("promote", model):
        registry.tag(model, number, {"gate.decision": "refused", "refusal.by": by, "refusal.reason": reason})


def carry_out(
    client: Any,
    report: Report,
    decision: str,
    folder: Path,
    *,
    expected: int | None,
    approval: Approval | None,
    by: str | None,
) -> None:
    """Keep the report with the version, then move the aliases. The caller holds the lock.

    Raises:
        Overtaken: before anything is written, if the champion has moved.
    """
    model, number = report.model, report.version
    now = champions.champion(client, model)
    if now != expected:
        raise Overtaken(model, number, expected, now)
    if registry.look(client, model, number) is None:
        raise BadRequest(f"`version` must be one of `{model}`. Received: {number}, which is not there")
    keep(client, report, decision, folder, approval)
    if decision == CHAMPION and number != now:
        reason = "; ".join(report.reasons()) if not approval else f"approved: {approval.reason}"
        who = approval.by if approval else by
        champions.move(client, model, number, expected=expected, action=ledger.PROMOTE, reason=reason, by=who)
    elif number != now and champions.QUARANTINED not in registry.version(client, model, number).tags:
        registry.point(model, registry.CHALLENGER, number)


def keep(client: Any, report: Report, decision: str, folder: Path, approval: Approval | None) -> None:
    """Write the report to `folder`, store it with the version's run, and say what it is in the version's tags."""
    version = registry.version(client, report.model, report.version)
    digest = report.digest()
    place = f"gate/{digest[:12]}"
    if version.tags.get(registry.REPORT) == place:
        return
    report.write(folder)
    if version.run_id:
        paths = [folder / name for name in (verdicts.JSON, verdicts.HTML, verdicts.PICTURE)]
        tracking.log_files(client, version.run_id, {place: paths})
    tags = {
        "gate.verdict": report.verdict,
        "gate.decision": decision,
        "gate.mode": report.mode,
        "gate.reasons": "; ".join(report.reasons()),
        "gate.against": report.against,
        "gate.exam": report.exam,
        "gate.report_sha256": digest,
        registry.REPORT: place,
    }
    said = {"approval.by": approval.by, "approval.reason": approval.reason} if approval else {}
    old = {"approval.by", "approval.reason"} - said.keys()  # of a judgement before this one
    registry.untag(report.model, report.version, sorted(old & version.tags.keys()))
    registry.tag(report.model, report.version, {**tags, **said})
    before = (version.description or "").split(JUDGED)[0].rstrip()
    rows = "\n".join(f"- {check.verdict}: {check.reason}" for check in report.checks)
    registry.describe(report.model, report.version, f"{before}\n\n{JUDGED}{report.headline()}\n\n{rows}\n")


JUDGED = "### "
"""Begins the part of a version's description that the gate writes."""


def receipt(answer: Answer, digest: str) -> Promoted:
    """The receipt of the step: the verdict, and who is champion now."""
    report, client = answer.report, tracking.connect()
    now = registry.aliases(client, report.model)
    champion = now.get(registry.CHAMPION)
    tags = registry.version(client, report.model, champion).tags if champion else {}
    score = None
    with contextlib.suppress(KeyError, ValueError):  # a tag that someone has written is no reason to fail now
        score = float(tags[f"score.{metric_of(report)}"])
    return Promoted(
        name=report.model,
        digest=digest,
        version=report.version,
        verdict=report.verdict,
        decision=answer.decision,
        reasons=[*answer.overtaken, *report.reasons()],
        champion=champion,
        champion_score=score,
        previous=now.get(registry.PREVIOUS),
        found=str(answer.found) if answer.found else None,
    )


def metric_of(report: Report) -> str:
    return catalogue.load().recipe(report.model).gate.metric
