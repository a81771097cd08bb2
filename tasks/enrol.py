"""enrol: give a tracker a version number, with its detector's champion inside, and let it show what it can."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks import catalogue, champions, examine, footage, places, promote, records, track, tracker
from tasks.catalogue import GIVEN, TRUTH, Tracker
from tasks.champions import locked
from tasks.errors import BadRequest, Refused
from tasks.footage import Clip
from tasks.outside import followed, registry, tracking, versioning
from tasks.receipts import Enrolled, Tracked, digest_file
from tasks.tracks import Scores
from tasks.verdicts import FAILED, PASSED, Check, Report, at_least, at_most

PACKAGES = ("numpy", "onnxruntime", "pandas", "scipy")
"""What a registered tracker needs."""

ANSWERED = 32
"""To how many frames of the first clip the tracker's answers are kept with it."""

INHERITED = ("base", "data.", "dvc.data.", "gx.", "seed")
"""Tags of its detector's version, by their beginnings, that tell where the tracker came from too."""


def enrol(name: str) -> Enrolled:
    """Register the tracker called `name` with its detector's champion, and make it champion if its gate says so.

    The same network, code, settings and footage are the same version: asked again, it answers with its number.

    Raises:
        BadRequest: if it has no detector of its own.
        Refused: if the detector has no champion.
        Unavailable: if MLflow does not answer.
    """
    entry = catalogue.load().tracker(name)
    if entry.detector in (GIVEN, TRUTH):
        raise BadRequest(f"`detector` must be a recipe's for a tracker to be registered. Received: {entry.detector!r}")
    tried, clips = Tracked.read(places.tracked(name)), list(footage.read(entry.footage))
    client = tracking.connect()
    with tracking.answering():
        detector = champion_of(client, entry.detector)
        identity = identify(entry, tried, detector)
        with locked("register", name):
            known = registry.find(client, name, identity)
            number = int(known.version) if known else record(client, name, entry, detector, clips, identity)
        print(f"{name} version {number} {'was registered before' if known else 'registered'}", flush=True)
        decision = decide(client, name, number, entry, clips)
    places.enrolled(name).mkdir(parents=True, exist_ok=True)
    return Enrolled(
        name=name, digest=identity, version=number, new=known is None, detector=int(detector.version), decision=decision
    ).write(places.enrolled(name))


def champion_of(client: Any, detector: str) -> Any:
    """The champion's version of a detector.

    Raises:
        Refused: if it has none.
    """
    number = champions.champion(client, detector)
    if number is None:
        raise Refused(
            f"`{detector}` must have a champion to be a tracker's. Received: none. Run: ./miar run {detector}"
        )
    return registry.version(client, detector, number)


def identify(entry: Tracker, tried: Tracked, detector: Any) -> str:
    """sha256 of the detector's files, the code that is stored, the settings and the footage."""
    code = [digest_file(Path(str(module.__file__))) for module in (tracker, followed)]
    parts = [detector.tags[registry.MODEL_DIGEST], *code, json.dumps(settings_of(entry)), tried.footage]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def settings_of(entry: Tracker) -> dict[str, Any]:
    """What is stored of a tracker's settings."""
    sort = entry.sort.model_dump(exclude_none=True, exclude={"longest_gap"})
    return {"sort": sort, "longest_gap": entry.sort.longest_gap}


def record(client: Any, name: str, entry: Tracker, detector: Any, clips: list[Clip], identity: str) -> int:
    """Store run, files and tracker in MLflow, then the version; returns its number."""
    example = next(stacked(clip) for clip in clips)[:ANSWERED]
    with tracking.run(client, name) as run:
        requirements = [f"{package}=={version(package)}" for package in PACKAGES]
        folder = registry.fetch(client, entry.detector, int(detector.version))
        model_id = tracking.log_tracker(folder, settings_of(entry), example, requirements)
        served = registry.served(registry.logged(model_id))
        scores = ask(served, clips)
        tags = {**lineage(name, entry, detector, scores), registry.IDENTITY: identity}
        tags[registry.MODEL_DIGEST] = registry.digest(registry.logged(model_id))
        history = pd.DataFrame([{"epoch": 0, **asdict(scores)}])
        tracking.log(client, run, params=params(entry, detector), history=history, tags=tags)
        tracking.log_files(client, run, files(name))
        keep_answers(client, run, served, example)
    return registry.create(client, name, run=run, model_id=model_id, tags=tags, text=described(name, tags))


def stacked(clip: Clip) -> np.ndarray:
    """A clip's frames as one array, uint8 (T, H, W, C)."""
    return np.stack(list(clip.frames()))


def ask(served: Any, clips: list[Clip]) -> Scores:
    """How good the tracks of a registered tracker are, of all clips together."""
    found = [pd.DataFrame(served.predict(stacked(clip))).rename(columns={"id": "track"}) for clip in clips]
    return track.judge(clips, found)[track.ALL]


def keep_answers(client: Any, run: str, served: Any, example: np.ndarray) -> None:
    """Keep what it answers to a few frames, so that it can be seen later to be the same."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{registry.RECORDED}.npz"
        np.savez_compressed(path, samples=example, answers=records.packed(served.predict(example)))
        tracking.log_files(client, run, {registry.RECORDED: [path]})


def params(entry: Tracker, detector: Any) -> dict[str, Any]:
    """What was chosen, by name, for MLflow's table of runs."""
    sort = {f"sort.{key}": value for key, value in entry.sort.model_dump(exclude_none=True).items()}
    return {"detector": f"{entry.detector} {detector.version}", "footage": entry.footage, **sort}


def lineage(name: str, entry: Tracker, detector: Any, scores: Scores) -> dict[str, str]:
    """Where the tracker came from, as tags: its detector's data and judgements, code, settings, and who asked."""
    settings = json.dumps(entry.model_dump(mode="json"), sort_keys=True)
    tried = Tracked.read(places.tracked(name))
    return {
        **{key: value for key, value in detector.tags.items() if key.startswith(INHERITED)},
        registry.MODEL: name,
        "detector": f"{entry.detector} version {detector.version}",
        "detector.sha256": detector.tags[registry.MODEL_DIGEST],
        "recipe": settings,
        "params.sha256": hashlib.sha256(settings.encode()).hexdigest(),
        **versioning.lineage(data={}, stage=f"track@{name}"),
        "env.lock_sha256": digest_file(places.REQUIREMENTS),
        "prefect.flow_run_id": os.environ.get("MIAR_FLOW_RUN", versioning.UNKNOWN),
        "started.by": os.environ.get("MIAR_CAUSE", "hand"),
        "prefect.deployment": os.environ.get("MIAR_DEPLOYMENT", versioning.UNKNOWN),
        "hw.device": detector.tags["hw.device"],
        "exam.sha256": tried.footage,
        "exam.samples": str(sum(tried.clips.values())),
        **{f"score.{metric}": repr(getattr(scores, metric)) for metric in tried.scores},
    }


def described(name: str, tags: dict[str, str]) -> str:
    """The version's description in MLflow: where it came from, for a reader who knows nothing of this project."""
    scores = ", ".join(f"{key.removeprefix('score.')} {float(tags[key]):.4f}" for key in tags if "score." in key)
    return (
        f"{name}, a tracker of miar: {scores} on {tags['exam.samples']} frames.\n\n"
        f"- detector: `{tags['detector']}`, whose network is inside\n"
        f"- code: commit `{tags['git.commit'][:12]}`\n\n"
        f"It takes the frames of a clip, uint8 (T, H, W, C), and gives `frame`, `id`, `label`, `score`, `y1`, `x1`, "
        f"`y2`, `x2` of every box.\n"
    )


def files(name: str) -> dict[str, list[Path]]:
    """What is kept beside the tracker, by folder."""
    folder = places.tracked(name)
    return {
        "evaluation": [folder / one for one in ("report.html", track.METRICS, track.TRACKS)],
        "pictures": sorted(folder.glob("clips/*.gif")),
        "reproduce": [path for path in (places.PARAMS, places.DVC_LOCK, places.REQUIREMENTS) if path.is_file()],
    }


def decide(client: Any, name: str, number: int, entry: Tracker, clips: list[Clip]) -> str:
    """Judge a version and move the aliases as that says; returns champion or challenger.

    Raises:
        Overtaken: if another version has become champion meanwhile.
    """
    places.SCRATCH.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=places.SCRATCH) as scratch:
        with locked("promote", name):
            champions.reconcile(client, name)
            before = champions.champion(client, name)
        if before == number:
            return promote.CHAMPION
        report = judge(client, name, number, before, entry, clips)
        decision = promote.CHAMPION if report.verdict == PASSED else promote.CHALLENGER
        with locked("promote", name):
            promote.carry_out(client, report, decision, Path(scratch), expected=before, approval=None, by=None)
        return decision


def judge(client: Any, name: str, number: int, champion: int | None, entry: Tracker, clips: list[Clip]) -> Report:
    """Ask whether a version is sound, good enough, and no worse than the champion on the same footage."""
    checks = [sound(client, name, number)]
    if checks[0].verdict == PASSED:
        checks += [floor(client, name, number, entry), against(client, name, number, champion, entry, clips)]
    for check in checks:
        print(f"gate {check.verdict}: {check.reason}", flush=True)
    return Report(
        model=name,
        version=number,
        champion=champion,
        exam=registry.version(client, name, number).tags["exam.sha256"],
        mode="enforce",
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        checks=checks,
        not_asked=[],
    )


def sound(client: Any, name: str, number: int) -> Check:
    """It may be champion, and a fresh process can read it and gets the answers that were recorded."""
    limit, evidence = examine.TOLERANCE, "largest difference from its recorded answers, in a fresh process"
    with tempfile.TemporaryDirectory(dir=places.SCRATCH) as folder:
        found = examine.apart(name, [number], samples=None, folder=Path(folder))[number]
    if why := champions.unfit(client, name, number) or found.trouble:
        return Check(name="loads and repeats", verdict=FAILED, value=why, limit=limit, evidence=evidence)
    verdict = at_most(found.distance, limit)
    return Check(name="loads and repeats", verdict=verdict, value=found.distance, limit=limit, evidence=evidence)


def floor(client: Any, name: str, number: int, entry: Tracker) -> Check:
    """Its score reaches the gate's floor."""
    value, limit = score(client, name, number, entry), entry.gate.at_least
    evidence = f"{entry.gate.metric} of all clips"
    return Check(name="above floor", verdict=at_least(value, limit), value=value, limit=limit, evidence=evidence)


def score(client: Any, name: str, number: int, entry: Tracker) -> float:
    """The score that decides, as it was when the version was registered."""
    return float(registry.version(client, name, number).tags[f"score.{entry.gate.metric}"])


def against(client: Any, name: str, number: int, champion: int | None, entry: Tracker, clips: list[Clip]) -> Check:
    """It is no worse than the champion, which is asked the same clips again."""
    if champion is None:
        there = "there is no champion to compare with"
        return Check(name="no worse than champion", verdict=PASSED, value="none", limit=0.0, evidence=there)
    theirs = getattr(ask(registry.served(registry.fetch(client, name, champion)), clips), entry.gate.metric)
    value, evidence = score(client, name, number, entry), f"{entry.gate.metric} of champion version {champion}"
    verdict = at_least(value, theirs)
    return Check(name="no worse than champion", verdict=verdict, value=value, limit=theirs, evidence=evidence)
