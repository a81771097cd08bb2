"""What it says of a version that its stages were repeated: the same digests, scores that are close, or neither."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tasks import history, places
from tasks.errors import BadData
from tasks.outside import registry, versioning
from tasks.receipts import FILE, digest_file

REPRODUCED, WITHIN, DIVERGED = "REPRODUCED", "WITHIN TOLERANCE", "DIVERGED"

TOLERANCE = 0.01
"""How far a score may be from the registered one where the weights are not the same; of scores above 1, relative."""

DATA = ("ingest", "validate", "prepare", "base")
"""Steps whose result may not differ at all: nothing in them depends on the machine."""

FOLDERS = {
    "ingest": "ingested",
    "validate": "validated",
    "prepare": "prepared",
    "base": "trained",
    "tune": "tuned",
    "train": "trained",
    "evaluate": "evaluated",
}


@dataclass(frozen=True)
class Version:
    """What is repeated, and what it must give."""

    model: str
    number: int
    commit: str
    scores: dict[str, float]
    notes: list[str]


@dataclass(frozen=True)
class Repeated:
    """A stage that was run again.

    Args:
        old: digest of its receipt as the version's dvc.lock has it; empty where neither cache nor remote has it.
        new: digest of what it gave now.
        note: what else is to be known of it.
    """

    stage: str
    old: str
    new: str
    seconds: float
    note: str = ""

    @property
    def differs(self) -> bool:
        return bool(self.old) and self.old != self.new

    def told(self) -> str:
        how = f"{self.old[:12]} was, {self.new[:12]} is" if self.differs else "the same" if self.old else "not compared"
        return f"{self.stage:<32}{self.seconds:7.1f} s  {how}{f'; {self.note}' if self.note else ''}"


@dataclass(frozen=True)
class Verdict:
    """Args:
    stage: the first that differs; empty if none does.
    farthest: the score that is farthest from the registered one, and how far.
    """

    word: str
    stage: str
    farthest: str
    notes: list[str]

    def headline(self) -> str:
        where = f"; first at {self.stage}" if self.stage else ""
        return f"{self.word}{where}; {self.farthest}"


def version(reference: str) -> Version:
    """What `<model>@<alias or version>` must give.

    Raises:
        BadRequest: if there is no such version.
        BadData: if it does not say where it came from, or its commit is not here.
    """
    model, _, which = reference.partition("@")
    client = history.connected(model)
    found = history.version_of(client, model, which or registry.CHAMPION)
    tags, number = dict(found.tags), int(found.version)
    commit = tags.get("git.commit", versioning.UNKNOWN)
    if commit == versioning.UNKNOWN or not versioning.has(commit):
        raise BadData(
            f"the commit of version {number} of `{model}` must be in this repository. Received: {commit[:12]}, which "
            "is not; run: git fetch"
        )
    return Version(model, number, commit, history.scores(tags), notes(tags))


def notes(tags: Mapping[str, str]) -> list[str]:
    """What is another here than where the version was made, and may explain a difference."""
    here = {
        "env.lock_sha256": digest_file(places.REQUIREMENTS),
        "hw.threads": str(len(os.sched_getaffinity(0))),
    }
    names = {"env.lock_sha256": "requirements.lock", "hw.threads": "the number of threads"}
    return [
        f"{names[tag]} is another: {tags[tag][:12]} then, {value[:12]} now"
        for tag, value in here.items()
        if tags.get(tag, value) != value
    ]


def digest(root: Path, stage: str) -> str:
    """Digest of the receipt that a stage has written below `root`; empty where there is none."""
    step, _, name = stage.partition("@")
    try:
        content = json.loads((root / "data" / FOLDERS[step] / name / FILE).read_text(encoding="utf-8"))
        return str(content["digest"])
    except (OSError, ValueError, KeyError):
        return ""


def scores(root: Path, model: str) -> dict[str, float]:
    """Scores of the exam that was sat below `root`."""
    path = root / "data" / "evaluated" / model / FILE
    content = json.loads(path.read_text(encoding="utf-8"))
    return {str(name): float(value) for name, value in content["scores"].items()}


def judge(
    repeated: Sequence[Repeated],
    *,
    was: Mapping[str, float],
    now: Mapping[str, float],
    tolerance: float,
    told: list[str],
) -> Verdict:
    """The verdict on a version.

    Args:
        was, now: its scores as registered, and as they came now.
        told: what explains a difference.
    """
    first = next((one.stage for one in repeated if one.differs), "")
    far = {name: apart(now.get(name, math.inf), value) for name, value in was.items()}
    name = max(far, key=far.__getitem__, default="")
    farthest = (
        f"farthest score: {name} {was[name]:.4f} then, {now.get(name, math.nan):.4f} now" if name else "no scores"
    )
    same = not first and not any(far.values())
    close = not first.startswith(DATA) and all(value <= tolerance for value in far.values())
    return Verdict(REPRODUCED if same else WITHIN if close else DIVERGED, first, farthest, told)


def apart(now: float, was: float) -> float:
    """Difference of two scores; of a score above 1, relative to it; of what is no number, infinite."""
    far = abs(now - was) / max(1.0, abs(was))
    return far if math.isfinite(far) else math.inf


def note(of: Version, verdict: Verdict) -> None:
    """Write the verdict to the version's tags."""
    registry.tag(
        of.model,
        of.number,
        {
            "reproduced": verdict.word,
            "reproduced.at": datetime.now(UTC).isoformat(timespec="seconds"),
            "reproduced.stage": verdict.stage or versioning.UNKNOWN,
            "reproduced.scores": verdict.farthest,
            "reproduced.notes": "; ".join(verdict.notes) or versioning.UNKNOWN,
        },
    )
