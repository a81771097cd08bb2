"""The gate: small checks in the order of what they cost, which say whether a version may become champion.

The first check that fails ends the questions, since no later answer can mend it; with mode `dry_run` all are asked.
None of them writes anything. A check that cannot be made has failed: what is not known is not passed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tasks import alike, champions, compare, examine, places, split
from tasks.cases import Case
from tasks.catalogue import Recipe
from tasks.errors import MiarError
from tasks.outside import registry, versioning
from tasks.problems.vectors import pairs
from tasks.verdicts import FAILED, INCONCLUSIVE, PASSED, Check, Report, at_least, at_most

REQUIRED = (
    registry.MODEL,
    registry.IDENTITY,
    registry.MODEL_DIGEST,
    "mlflow.model_id",
    "recipe",
    "params.sha256",
    "seed",
    "git.commit",
    "dvc.lock_sha256",
    "dvc.stage_hash",
    "env.lock_sha256",
    "gx.result_id",
    "gx.success",
    "exam.sha256",
    "data.digests",
    "data.sha256",
    "data.validated",
    "hw.device",
)
"""Tags without which a version does not say where it came from."""

NO_CHAMPION = "there is no champion to compare with"


class Answer(NamedTuple):
    """What a check says; `Check` explains the fields."""

    verdict: str
    value: float | str
    limit: float | str
    evidence: str = ""


def may_be_champion(case: Case) -> Answer:
    """It is there, READY, of this model, and not quarantined."""
    why = champions.unfit(case.client, case.model, case.number)
    return Answer(FAILED if why else PASSED, why or "yes", "yes")


def lineage_complete(case: Case) -> Answer:
    """It says where it came from, and what it names can be found."""
    required = (*REQUIRED, f"dvc.data.{case.recipe.dataset}")
    missing = [name for name in required if case.tags.get(name, versioning.UNKNOWN) in {"", versioning.UNKNOWN}]
    made = case.tags.get("git.commit", versioning.UNKNOWN)
    if missing:
        evidence = f"without {', '.join(missing)}; a run registers versions with all of it: ./miar run {case.model}"
    elif not versioning.has(made):
        missing, evidence = ["git.commit"], f"commit {made[:12]} must be in this repository; run: git fetch"
    else:
        evidence = f"code is commit {made[:12]}"
    return Answer(FAILED if missing else PASSED, len(required) - len(missing), len(required), evidence)


def data_valid(case: Case) -> Answer:
    """Great Expectations found nothing wrong with its data."""
    said = case.tags.get("gx.success", "not asked")
    evidence = f"Great Expectations, result {case.tags.get('gx.result_id', versioning.UNKNOWN)[:12]}"
    return Answer(PASSED if said == "true" else FAILED, said, "true", evidence)


def above_floor(case: Case) -> Answer:
    """The score of its exam reaches the recipe's floor."""
    gate = case.gate
    evidence = f"{gate.metric} on {case.tags.get('exam.samples', 'no')} samples"
    return Answer(at_least(case.recorded, gate.at_least), case.recorded, gate.at_least, evidence)


def no_leakage(case: Case) -> Answer:
    """No sample of the exam is among those that it learnt from; of runs of words, no text of it is to a half."""
    if case.spec.vectors:
        return no_text_leaks(case)
    learnt = [split.contents(case.split(part).samples) for part in ("train", "validation")]
    exam = split.contents(case.split("test").samples)
    seen = int(np.isin(exam, np.concatenate(learnt)).sum())
    return Answer(at_most(seen, 0), seen, 0, f"of {len(exam)} exam samples have a copy in train or validation")


def no_text_leaks(case: Case) -> Answer:
    """No text of the exam has half its runs of five words in a text that it learnt from."""
    learnt = np.concatenate([np.asarray(case.split(part).answers) for part in ("train", "validation")])
    texts = [pairs.documents(runs, case.spec.neighbours) for runs in (np.asarray(case.split("test").answers), learnt)]
    shares = alike.known(*texts[0], *texts[1])
    seen = int((shares > pairs.LEAKED).sum())
    evidence = f"of {len(shares)} exam texts have more than half of their words in runs that it learnt from"
    return Answer(at_most(seen, 0), seen, 0, f"{evidence}; at most {shares.max():.1%}")


def better_than_trivial(case: Case) -> Answer:
    """It is better than what learns nothing to speak of."""
    given = case.problem.baselines(case.split("train"), case.split("test").samples, case.spec)
    scores = {name: case.score(answers) for name, answers in given.items()}
    best = max(scores, key=lambda name: scores[name])
    verdict = FAILED if case.recorded == scores[best] else at_least(case.recorded, scores[best])
    return Answer(verdict, case.recorded, scores[best], f"{case.gate.metric} of: {best}")


def loads_and_repeats(case: Case) -> Answer:
    """A fresh process can read it, its files and weights are sound, and it answers as when it was registered."""
    found = case.examined[case.number]
    if found.trouble:
        return Answer(FAILED, found.trouble, "sound")
    evidence = "largest difference from its recorded answers, in a fresh process"
    return Answer(at_most(found.distance, examine.TOLERANCE), found.distance, examine.TOLERANCE, evidence)


def repeats_its_score(case: Case) -> Answer:
    """Put to its exam again, it has the score that it was registered with, but for two samples at most."""
    now = case.score(case.answers(case.number))
    apart = round(abs(now - case.recorded) * len(case.split("test")), 6)  # whole samples but for the float's rounding
    return Answer(at_most(apart, 2), now, case.recorded, "put to the same exam again")


def same_signature(case: Case) -> Answer:
    """What goes in and comes out is what the champion's users know."""
    theirs = "" if case.champion is None else case.examined[case.champion].signature
    ours = case.examined[case.number].signature
    if not theirs or ours == theirs:
        return Answer(PASSED, "the same", "the champion's", "" if theirs else NO_CHAMPION)
    return Answer(FAILED, ours, theirs, "users of the champion send and expect other shapes or types")


def latency(case: Case) -> Answer:
    """It answers in time."""
    found, limit = case.examined[case.number].milliseconds, case.gate.milliseconds
    return Answer(at_most(found, limit), found, limit, "milliseconds for one sample, median")


def size(case: Case) -> Answer:
    """It is small enough."""
    found, limit = case.examined[case.number].megabytes, case.gate.megabytes
    return Answer(at_most(found, limit), found, limit, "megabytes of its files")


def no_worse_than_champion(case: Case) -> Answer:
    """It is no worse than the champion, less the margin; inconclusive where chance may be all that there is."""
    limit = 0.0 - case.gate.margin
    if case.champion is None:
        return Answer(PASSED, "none", limit, NO_CHAMPION)
    if trouble := case.examined[case.champion].trouble:
        evidence = f"champion version {case.champion}: {trouble}; a person decides, or: ./miar rollback {case.model}"
        return Answer(INCONCLUSIVE, "champion unreadable", limit, evidence)
    found = case.interval
    known = bool(np.isfinite([found.difference, found.low, found.high]).all())
    verdict = at_least(found.low, limit) if known else FAILED
    if known and verdict == FAILED and at_least(found.high, limit) == PASSED:
        verdict = INCONCLUSIVE
    evidence = f"{case.gate.metric} less that of champion version {case.champion} on the same exam: {found}"
    return Answer(verdict, found.difference, limit, evidence)


def no_part_worse(case: Case) -> Answer:
    """No part of the exam has become worse; those with too few samples to tell are counted."""
    limit = 1 - compare.LEVEL
    if case.champion is None:
        return Answer(PASSED, "none", limit, NO_CHAMPION)
    if case.examined[case.champion].trouble:
        return Answer(INCONCLUSIVE, "champion unreadable", limit)
    tested = [part for part in case.slices if np.isfinite(part.p)]
    small = f"{len(case.slices) - len(tested)} of {len(case.slices)} have fewer than {case.gate.smallest_slice} samples"
    if not tested:
        lost = any(part.ours < part.theirs for part in case.slices)
        return Answer(INCONCLUSIVE if lost else PASSED, "none tested", limit, small)
    worst = min(tested, key=lambda part: part.p)
    told = f"p of {worst.name}, {worst.ours:.4f} against {worst.theirs:.4f}, corrected for all; {small}"
    return Answer(FAILED if worst.is_worse else PASSED, worst.p, limit, told)


Question = Callable[[Case], Answer]

CHECKS: tuple[Question, ...] = (
    may_be_champion,
    lineage_complete,
    data_valid,
    above_floor,
    no_leakage,
    better_than_trivial,
    loads_and_repeats,
    same_signature,
    repeats_its_score,
    latency,
    size,
    no_worse_than_champion,
    no_part_worse,
)
"""In the order of what they cost: tags, files, a process, and what its answers are good for."""

SOUND: tuple[Question, ...] = (may_be_champion, loads_and_repeats)
"""What no mode and no person can waive."""


def judge(client: Any, model: str, number: int, *, champion: int | None, recipe: Recipe) -> Report:
    """Ask what the recipe's gate asks.

    Args:
        champion: version to compare with, if there is another.
    """
    places.SCRATCH.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=places.SCRATCH) as scratch:
        case = Case(client, model, number, champion, recipe, Path(scratch))
        questions = SOUND if recipe.gate.mode == "off" else CHECKS
        checks = ask(questions, case)
        return Report(
            model=model,
            version=number,
            champion=champion,
            exam=case.exam,
            mode=recipe.gate.mode,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            checks=checks,
            not_asked=[name_of(question) for question in questions[len(checks) :]],
            interval=vars(case).get("interval"),  # where it was asked for
            slices=vars(case).get("slices", []),
        )


def ask(questions: tuple[Question, ...], case: Case) -> list[Check]:
    """The answers up to the first that fails; all of them in a dry run, if there is a version at all."""
    checks = []
    for question in questions:
        checks.append(answered(question, case))
        print(f"gate {checks[-1].verdict}: {checks[-1].reason}", flush=True)
        if checks[-1].verdict == FAILED and (case.gate.mode != "dry_run" or question is may_be_champion):
            break
    return checks


def answered(question: Question, case: Case) -> Check:
    """The answer to one question; whatever keeps it from being given is a failure."""
    try:
        answer = question(case)
    except MiarError as error:
        answer = Answer(FAILED, "cannot be asked", "an answer", str(error))
    except Exception as error:  # a version that breaks its own gate must not get past it
        told = " ".join(str(error).split())[:300]
        answer = Answer(FAILED, "cannot be asked", "an answer", f"{type(error).__name__}: {told}")
    return Check(name=name_of(question), **answer._asdict())


def name_of(question: Question) -> str:
    return question.__name__.replace("_", " ")


def is_sound(report: Report) -> bool:
    """Whether what cannot be waived was asked, and holds."""
    passed = {check.name for check in report.checks if check.verdict == PASSED}
    return {name_of(question) for question in SOUND} <= passed
