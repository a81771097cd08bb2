"""promote: make a registered version champion if it passes the recipe's gate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tasks import catalogue, places, prepared, problems
from tasks.catalogue import Gate, Recipe
from tasks.errors import MiarError
from tasks.outside import registry, tracking
from tasks.receipts import Prepared, Promoted, Registered
from tasks.register import locked


@dataclass(frozen=True)
class Check:
    """One question of the gate, and the answer in words."""

    passed: bool
    reason: str


def promote(name: str) -> Promoted:
    """Judge the version that register noted for the recipe called `name`; champion if the gate says so.

    A failed gate is an answer and no error: the version stays challenger, with the reasons in its tags. The
    lock makes the champion that a version is compared with the one that it replaces.

    Raises:
        BadData: if the recipe has not been registered here.
        Unavailable: if MLflow does not answer.
    """
    recipe = catalogue.load().recipe(name)
    registered = Registered.read(places.registered(name))
    client = tracking.connect()
    with locked("promote", name):
        before = registry.aliases(client, name).get(registry.CHAMPION)
        checks = judge(client, name, recipe, registered.version, before)
        passed = all(check.passed for check in checks)
        decide(client, name, registered.version, before, passed)
        registry.tag(client, name, registered.version, verdict(checks, passed))
    return write(client, name, recipe.gate, registered, checks, passed)


def judge(client: Any, name: str, recipe: Recipe, number: int, champion: int | None) -> list[Check]:
    """The floor, then the champion on the same exam."""
    score = recorded(client, name, number, recipe.gate.metric)
    checks = [floor(score, recipe.gate)]
    if champion is None:
        return [*checks, Check(True, "there was no champion to compare with")]
    if champion == number:
        return [*checks, Check(True, f"version {number} is the champion already")]
    return [*checks, no_worse(client, name, recipe, score, number, champion)]


def recorded(client: Any, name: str, number: int, metric: str) -> float:
    """The score in a version's tags; NaN if there is none."""
    return float(registry.version(client, name, number).tags.get(f"score.{metric}", "nan"))


def floor(score: float, gate: Gate) -> Check:
    """NaN and infinity are below every floor."""
    passed = math.isfinite(score) and score >= gate.at_least
    return Check(passed, f"{gate.metric} must be at least {gate.at_least:g}, it is {score:.4f}")


def no_worse(client: Any, name: str, recipe: Recipe, score: float, number: int, champion: int) -> Check:
    """Whether `score` is at least the champion's on the same exam, less the margin."""
    gate = recipe.gate
    try:
        theirs = on_the_same_exam(client, name, recipe, number, champion)
    except Exception as error:  # whatever stops the champion from being read, it must not lose its place
        told = " ".join(str(error).split())[:200] or type(error).__name__
        return Check(False, f"champion version {champion} must be comparable on the same exam. Received: {told}")
    needed = theirs - gate.margin
    passed = math.isfinite(theirs) and math.isfinite(score) and score >= needed
    margin = f" less the margin {gate.margin:g}" if gate.margin else ""
    wanted = f"{gate.metric} must be at least that of champion version {champion}{margin}, {needed:.4f}"
    return Check(passed, f"{wanted}, it is {score:.4f}")


def on_the_same_exam(client: Any, name: str, recipe: Recipe, number: int, champion: int) -> float:
    """The champion's recorded score if its exam was this version's, else its score on the exam that lies here."""
    exams = {registry.version(client, name, one).tags.get("exam.sha256") for one in (number, champion)}
    if len(exams) == 1:
        return recorded(client, name, champion, recipe.gate.metric)
    here = Prepared.read(places.prepared(recipe.dataset)).exam
    if here not in exams:
        raise MiarError(f"the exam that lies here must be that of version {number}")
    print(f"the exam has changed: champion version {champion} sits it now", flush=True)
    return score_now(name, recipe, champion)


def score_now(name: str, recipe: Recipe, champion: int) -> float:
    """Put a registered version to the exam that lies here."""
    from tasks.evaluate import answers

    split, spec = prepared.read(recipe.dataset, "test"), prepared.read_spec(recipe.dataset)
    problem = problems.load(prepared.problem(recipe.dataset))
    given = answers(registry.load(name, champion), split)
    return problem.scores(split.answers, given, spec)[recipe.gate.metric]


def decide(client: Any, name: str, number: int, champion: int | None, passed: bool) -> None:
    """Move the aliases; a champion that fails its own gate later stays, until a better one comes."""
    if passed:
        registry.crown(client, name, number)
    elif number != champion:
        registry.challenge(client, name, number)


def verdict(checks: list[Check], passed: bool) -> dict[str, str]:
    return {"gate.verdict": "passed" if passed else "failed", "gate.reasons": "; ".join(one.reason for one in checks)}


def write(client: Any, name: str, gate: Gate, registered: Registered, checks: list[Check], passed: bool) -> Promoted:
    """Write the receipt: the verdict, and who is champion now."""
    now = registry.aliases(client, name)
    champion = now.get(registry.CHAMPION)
    reasons = [one.reason for one in checks]
    for one in checks:
        print(f"gate {'passed' if one.passed else 'FAILED'}: {one.reason}", flush=True)
    return Promoted(
        name=name,
        digest=registered.digest,
        version=registered.version,
        verdict="passed" if passed else "failed",
        reasons=reasons,
        champion=champion,
        champion_score=recorded(client, name, champion, gate.metric) if champion else None,
        previous=now.get(registry.PREVIOUS),
    ).write(places.promoted(name))
