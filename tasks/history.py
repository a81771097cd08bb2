"""What people ask of the registry: who is champion, who was, why, what differs, and which versions saw some data.

Each function answers with plain values that JSON can hold, from MLflow's tags and artifacts, the ledger and git.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tasks import champions
from tasks.catalogue import NAME
from tasks.collected import METADATA, NAMES
from tasks.errors import BadData, BadRequest
from tasks.outside import ledger, registry, tracking, versioning
from tasks.outside.ledger import Record

Answer = dict[str, Any]

SAME = "the same"

LINEAGE = {
    "code": ("git.commit", "git.dirty", "env.lock_sha256"),
    "settings": ("recipe", "params.sha256", "seed"),
    "data": (
        "dvc.lock_sha256",
        "dvc.stage_hash",
        "data.validated",
        "data.sha256",
        "data.samples",
        "exam.sha256",
        "exam.samples",
        "gx.success",
        "gx.result_id",
    ),
    "search": ("tuner.kind", "tuner.n_trials", "tuner.best_trial"),
    "run": ("started.by", "prefect.flow_run_id", "prefect.deployment", "hw.device", "hw.threads", "mlflow.model_id"),
    "gate": ("gate.verdict", "gate.decision", "gate.mode", "gate.against", "gate.report_sha256"),
    "reproduced": ("reproduced", "reproduced.at", "reproduced.stage", "reproduced.scores", "reproduced.notes"),
    "approval": ("approval.by", "approval.reason", "refusal.by", "refusal.reason"),
}
"""Tags of a version by what they are about."""


def champion(model: str) -> Answer:
    """Who is champion, since when, by whom and why.

    Raises:
        BadRequest: if there is no such model, or it has no champion.
    """
    client = connected(model)
    with tracking.answering():
        number = champions.champion(client, model)
        if number is None:
            raise BadRequest(f"`{model}` must have a champion. Received: none yet; ./miar history {model} says why")
        found = registry.version(client, model, number)
        last = ledger.newest(client, model)
        if last is None or last.state != ledger.COMMITTED or last.new != number:
            made = [record for record in ledger.read(client, model) if record.state == ledger.COMMITTED]
            last = next((record for record in reversed(made) if record.new == number), None)
        return {
            "model": model,
            "version": number,
            "since": last.at if last else "before there was a ledger",
            "by": last.by if last else "unknown",
            "why": last.reason if last else "unknown",
            "scores": scores(found.tags),
            "gate": found.tags.get("gate.verdict", "not asked"),
            "previous": registry.named_by(client, model, registry.PREVIOUS),
            "load": f"models:/{model}@{registry.CHAMPION}",
        }


def history(model: str) -> Answer:
    """Every move of the champion, and every version with what its gate said."""
    client = connected(model)
    with tracking.answering():
        named = {number: alias for alias, number in registry.aliases(client, model).items()}
        found = sorted(registry.versions(client, f"name = '{model}'"), key=lambda version: int(version.version))
        return {
            "model": model,
            "moves": [told(record) for record in ledger.read(client, model) if record.state == ledger.COMMITTED],
            "versions": [
                {
                    "version": int(version.version),
                    "registered": moment(version.creation_timestamp),
                    "alias": named.get(int(version.version), ""),
                    "scores": " ".join(f"{name} {value:.4f}" for name, value in scores(version.tags).items()),
                    "gate": version.tags.get("gate.verdict", "not asked"),
                    "why": version.tags.get(champions.QUARANTINED) or version.tags.get("gate.reasons", ""),
                }
                for version in found
            ],
        }


def at(model: str, time: str) -> Answer:
    """Who was champion at a time.

    Args:
        time: ISO 8601, UTC where it says nothing; of a day alone, its end.
    """
    client, wanted = connected(model), instant(time)
    with tracking.answering():
        past = [record for record in ledger.read(client, model) if record.state == ledger.COMMITTED]
        before = [record for record in past if datetime.fromisoformat(record.at) <= wanted]
        last = before[-1] if before else None
        return {
            "model": model,
            "at": wanted.isoformat(),
            "version": last.new if last else None,
            "since": last.at if last else None,
            "until": next((record.at for record in past if record not in before), "now"),
            "by": last.by if last else None,
            "why": last.reason if last else f"the ledger begins later, with {len(past)} moves",
        }


def diff(model: str, old: str, new: str) -> Answer:
    """What differs between two versions: code, settings, data, and the scores, part by part."""
    client = connected(model)
    with tracking.answering():
        first, second = (version_of(client, model, reference) for reference in (old, new))
        ours, theirs = dict(first.tags), dict(second.tags)
        commits = [tags.get("git.commit", versioning.UNKNOWN) for tags in (ours, theirs)]
        return {
            "model": model,
            "versions": [int(first.version), int(second.version)],
            "code": {"commits": commits, "files": code_between(*commits)},
            "settings": differing(settings(client, first), settings(client, second)),
            "data": differing(data_of(ours), data_of(theirs)),
            "environment": differing(*({"env.lock_sha256": tags.get("env.lock_sha256")} for tags in (ours, theirs))),
            "scores": differing(scores(ours), scores(theirs)),
            "parts": parts(first, second),
        }


def explain(reference: str) -> Answer:
    """The whole lineage of `<model>@<alias or version>`, what its gate found, and what became of it."""
    model, _, which = reference.partition("@")
    client = connected(model)
    with tracking.answering():
        found = version_of(client, model, which or registry.CHAMPION)
        number, tags = int(found.version), dict(found.tags)
        run = client.get_run(found.run_id) if found.run_id else None
        groups = {title: {name: tags[name] for name in names if name in tags} for title, names in LINEAGE.items()}
        groups["data"] |= {name: tags[name] for name in sorted(tags) if name.startswith("dvc.data.")}
        named = [alias for alias, at in registry.aliases(client, model).items() if at == number]
        return {
            "model": model,
            "version": number,
            "aliases": named,
            "registered": moment(found.creation_timestamp),
            "status": found.status,
            "quarantined": tags.get(champions.QUARANTINED, ""),
            "scores": scores(tags),
            **groups,
            "hyperparameters": dict(run.data.params) if run else {},
            "checks": checks(found),
            "moves": [told(one) for one in ledger.read(client, model) if number in (one.old, one.new) and one.is_move],
            "mlflow run": found.run_id,
            "missing": [name for name in tags if tags[name] == versioning.UNKNOWN],
        }


def lineage(digest: str) -> Answer:
    """Which versions saw some data.

    Args:
        digest: sha256 of a raw file, of samples, of an exam or of an image, or DVC's md5; its first eight signs are
            enough. Or the address of an image.
    """
    if re.match(r"(https?://|file:)", digest):
        return {"digest": digest, "versions": saw(digest)}
    if not re.fullmatch(r"[0-9a-f]{8,64}(\.dir)?", digest):
        raise BadRequest(
            f"`digest` must be 8 to 64 hexadecimal signs, as sha256sum or DVC tell. Received: {digest[:80]!r}"
        )
    client = tracking.connect()
    with tracking.answering():
        aliases = {model: registry.aliases(client, model) for model in registry.models(client)}
        found = [
            {
                "model": version.name,
                "version": int(version.version),
                "aliases": [alias for alias, at in aliases[version.name].items() if at == int(version.version)],
                "registered": moment(version.creation_timestamp),
                "digests": [one for one in version.tags["data.digests"].split() if one.startswith(digest)],
            }
            for version in registry.versions(client, f"tags.`data.digests` LIKE '% {digest}%'")
        ]
    found.sort(key=lambda one: (one["model"], one["version"]))
    return {"digest": digest, "versions": found or saw(digest)}


def saw(image: str) -> list[Answer]:
    """The versions that learnt from, or were examined on, an image.

    Args:
        image: its address, or the first signs of the sha256 of what came or of what was stored.
    """
    client = tracking.connect()
    found = []
    with tracking.answering():
        for version in registry.versions(client, f"tags.`{registry.COLLECTION_OF}` LIKE '%'"):
            seen = images(str(version.run_id))
            is_it = np.logical_or.reduce([seen[name].str.startswith(image) for name in NAMES])
            found += [
                {"model": version.name, "version": int(version.version), "split": row["split"], "url": row["url"]}
                for row in seen[is_it].to_dict("records")
            ]
    return sorted(found, key=lambda one: (one["model"], one["version"]))


def images(run: str) -> pd.DataFrame:
    """What a version's run keeps of the images that it learnt from."""
    with tempfile.TemporaryDirectory() as folder:
        tracking.fetch_files(run, registry.COLLECTION, Path(folder))
        return pd.read_parquet(Path(folder) / METADATA, columns=[*NAMES, "split"])


def connected(model: str) -> Any:
    """A client of the registry that has this model.

    Raises:
        BadRequest: if it has not.
    """
    if not re.fullmatch(NAME, model):
        raise BadRequest(f"`model` must match {NAME}. Received: {model[:80]!r}")
    client = tracking.connect()
    with tracking.answering():
        if not registry.exists(client, model):
            names = ", ".join(registry.models(client)) or "none yet"
            raise BadRequest(f"`model` must be in the registry, which has: {names}. Received: {model!r}")
    return client


def version_of(client: Any, model: str, reference: str) -> Any:
    """The version that `3`, `v3` or an alias names.

    Raises:
        BadRequest: if none does.
    """
    if found := re.fullmatch(r"v?([1-9]\d{0,8})", reference):
        number = int(found[1])
    elif reference in registry.ALIASES:
        number = registry.named_by(client, model, reference) or 0
    else:
        aliases = ", ".join(registry.ALIASES)
        raise BadRequest(f"`version` must be a number or one of {aliases}. Received: {reference[:80]!r}")
    version = registry.look(client, model, number) if number else None
    if version is None:
        raise BadRequest(f"`{model}` must have what `version` names. Received: {reference!r}, which is not there")
    return version


def files_of(reference: str) -> tuple[str, int, Path]:
    """Model, number and files of `<model>@<alias or version>`; without a version, the champion's.

    Where the champion's files are gone or changed, the champion before it answers, never just the newest version.

    Raises:
        BadRequest: if there is no such version.
        BadData: if its files are not those that were registered, and there is no other to answer.
    """
    model, _, which = reference.partition("@")
    client = connected(model)
    with tracking.answering():
        number = int(version_of(client, model, which or registry.CHAMPION).version)
        try:
            return model, number, registry.fetch(client, model, number)
        except BadData as error:
            spare = registry.named_by(client, model, registry.PREVIOUS) if which in ("", registry.CHAMPION) else None
            if spare is None:
                raise
            print(f"WARNING {error}; version {spare}, the champion before, answers instead", file=sys.stderr)
            return model, spare, registry.fetch(client, model, spare)


def instant(time: str) -> datetime:
    try:
        wanted = datetime.fromisoformat(time)
    except ValueError:
        raise BadRequest(f"`time` must be like 2026-11-25 or 2026-11-25T14:30. Received: {time[:80]!r}") from None
    if re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", time):
        wanted += timedelta(days=1) - timedelta(microseconds=1)
    return wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)


def moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def told(record: Record) -> Answer:
    return {
        "at": record.at[:19] + "Z",
        "action": record.action,
        "from": record.old,
        "to": record.new,
        "by": record.by,
        "why": record.reason,
    }


def scores(tags: dict[str, str]) -> dict[str, float]:
    """The scores of the exam; what is no number is NaN."""
    named = {name.removeprefix("score."): value for name, value in tags.items() if name.startswith("score.")}
    return {name: float(pd.to_numeric(value, errors="coerce")) for name, value in named.items()}


def settings(client: Any, version: Any) -> dict[str, Any]:
    """The recipe and the hyperparameters that the search chose, flat."""
    recipe = json.loads(version.tags.get("recipe", "{}"))
    flat = dict(pd.json_normalize(recipe).iloc[0]) if recipe else {}
    chosen = client.get_run(version.run_id).data.params if version.run_id else {}
    return {
        **{name: plain(value) for name, value in flat.items()},
        **{f"chosen.{name}": chosen[name] for name in chosen},
    }


def plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def data_of(tags: dict[str, str]) -> dict[str, Any]:
    names = [name for name in tags if name.startswith("dvc.data.") or name in {"exam.sha256", "gx.result_id"}]
    counts = json.loads(tags.get("data.samples", "{}"))
    return {**{name: tags[name] for name in names}, **{f"samples.{part}": count for part, count in counts.items()}}


def differing(old: dict[str, Any], new: dict[str, Any]) -> dict[str, list[Any]] | str:
    """What is not equal in both, with both values; `the same` where all is."""
    names = dict.fromkeys([*old, *new])
    return {name: [old.get(name), new.get(name)] for name in names if old.get(name) != new.get(name)} or SAME


def code_between(old: str, new: str) -> list[str]:
    """The files that differ between two commits; a line that says so where one of them is not here."""
    gone = [commit[:12] for commit in (old, new) if not versioning.has(commit)]
    return [f"commit {commit} is not in this repository; run: git fetch" for commit in gone] or versioning.changed(
        old, new
    )


def checks(version: Any) -> list[dict[str, str]]:
    """What its gate found last."""
    from tasks import verdicts

    place = version.tags.get(registry.REPORT)
    text = tracking.text(version.run_id, f"{place}/{verdicts.JSON}") if place and version.run_id else None
    return verdicts.Report.model_validate_json(text).table() if text else []


def parts(old: Any, new: Any) -> list[dict[str, Any]]:
    """The scores of each part of the exam, of both versions, and how much they differ."""
    tables = [tracking.text(version.run_id, "evaluation/classes.csv") for version in (old, new)]
    if None in tables:
        return []
    first, second = (pd.read_csv(io.StringIO(table or "")) for table in tables)
    key = str(first.columns[0])
    both = first.merge(second, on=key, how="outer", suffixes=(" old", " new"))
    numbers = [name for name in first.columns[1:] if name != "samples"]
    for name in numbers:
        both[f"{name} difference"] = both[f"{name} new"] - both[f"{name} old"]
    shown = [key, *(f"{name} {which}" for name in numbers for which in ("old", "new", "difference"))]
    return [{str(name): value for name, value in row.items()} for row in both[shown].round(4).to_dict("records")]
