"""What must hold for who is champion of a model, read from MLflow's SQLite file with nothing of the project's code.

The ledger is the chain of runs in the experiment `promotions/<model>`; names of tags and aliases are written out
here once more, so that a slip in the code that writes them shows.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

FACTS = ("action", "old", "new", "previous", "by", "reason")
"""What a move's first and last record have in common."""

RUNS = """
SELECT runs.run_uuid, record.value, digest.value, runs.start_time FROM runs
JOIN experiments ON experiments.experiment_id = runs.experiment_id
LEFT JOIN tags AS record ON record.run_uuid = runs.run_uuid AND record.key = 'ledger.record'
LEFT JOIN tags AS digest ON digest.run_uuid = runs.run_uuid AND digest.key = 'ledger.sha256'
WHERE experiments.name = ? AND runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active'
ORDER BY runs.start_time
"""

VERSIONS = """
SELECT versions.version, versions.status, quarantined.value, model.value, identity.value FROM model_versions AS versions
LEFT JOIN model_version_tags AS quarantined ON quarantined.name = versions.name
    AND quarantined.version = versions.version AND quarantined.key = 'quarantined'
LEFT JOIN model_version_tags AS model ON model.name = versions.name
    AND model.version = versions.version AND model.key = 'miar.model'
LEFT JOIN model_version_tags AS identity ON identity.name = versions.name
    AND identity.version = versions.version AND identity.key = 'miar.identity'
WHERE versions.name = ? AND versions.current_stage != 'Deleted_Internal'
"""


def check(database: Path, model: str, *, fit: bool = True) -> None:
    """Fail with all that does not hold."""
    wrong = broken(database, model, fit=fit)
    assert not wrong, f"{model}: {'; '.join(wrong)}"


def broken(database: Path, model: str, *, fit: bool = True) -> list[str]:
    """What does not hold once a model is reconciled; empty if all does.

    Args:
        fit: whether the champion must be fit to be one, which a person who sets it by hand is not asked.
    """
    runs, aliases, versions = (
        asked(database, RUNS, f"promotions/{model}"),
        named(database, model),
        known(database, model),
    )
    texts = [text for _, text, _, _ in runs]
    if None in texts:
        return [f"run {runs[texts.index(None)][0]} of the ledger has no record"]
    chain = [json.loads(text) for text in texts]
    wrong = [*links(runs, chain), *moves(chain), *once(versions)]
    champion = last(chain)
    if aliases.get("champion") != champion:
        wrong.append(f"the alias champion names {aliases.get('champion')}, the chain {champion}")
    wrong += [f"there is an alias {name}" for name in aliases if name.lower() == "champion" and name != "champion"]
    if fit and champion is not None:
        wrong += unfit(model, champion, versions)
    previous = aliases.get("previous-champion")
    if previous is not None and previous not in versions:
        wrong.append(f"previous-champion names {previous}, which is not there")
    return wrong


def links(runs: list[Any], chain: list[dict[str, Any]]) -> Iterator[str]:
    """What is wrong with records by themselves, and with each as the one after another."""
    before = ""
    for number, ((run, text, digest, _), record) in enumerate(zip(runs, chain, strict=True), start=1):
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            yield f"record {number}, run {run}, is not what was written"
        if record["number"] != number:
            yield f"record {record['number']} stands where {number} should"
        if record["before"] != before:
            yield f"record {number} does not follow the one before it"
        before = str(digest)
    times = [time for _, _, _, time in runs]
    if any(later <= earlier for earlier, later in pairwise(times)):
        yield "two records have one time, so that their order is chance"


def moves(chain: list[dict[str, Any]]) -> Iterator[str]:
    """What is wrong with the order of moves: each begins with the champion that the chain has then, and is closed."""
    champion: int | None = None
    begun: dict[str, Any] | None = None
    for record in chain:
        if record["old"] != champion:
            yield f"record {record['number']} takes {record['old']} for champion, the chain has {champion}"
        if begun and any(record[fact] != begun[fact] for fact in FACTS):
            yield f"record {record['number']} does not close what {begun['number']} began"
        if begun and record["state"] == "pending":
            yield f"record {record['number']} begins before {begun['number']} is closed"
        if not begun and record["state"] != "pending" and record["action"] != "found":
            yield f"record {record['number']} closes what was never begun"
        begun = record if record["state"] == "pending" else None
        champion = record["new"] if record["state"] == "committed" else champion
    if begun:
        yield f"record {begun['number']} is still pending"


def last(chain: list[dict[str, Any]]) -> int | None:
    """Who is champion by the chain."""
    committed = [record["new"] for record in chain if record["state"] == "committed"]
    return committed[-1] if committed else None


def unfit(model: str, champion: int, versions: dict[int, Any]) -> Iterator[str]:
    """What is wrong with a champion."""
    if champion not in versions:
        yield f"champion {champion} is not there"
        return
    status, quarantined, belongs, _ = versions[champion]
    if status != "READY":
        yield f"champion {champion} has the status {status}"
    if quarantined is not None:
        yield f"champion {champion} is quarantined"
    if belongs not in {None, model}:
        yield f"champion {champion} is a version of {belongs}"


def once(versions: dict[int, Any]) -> Iterator[str]:
    """Identities that more than one version has."""
    identities = [identity for *_, identity in versions.values() if identity is not None]
    yield from (f"two versions are {one}" for one in sorted({one for one in identities if identities.count(one) > 1}))


def records(database: Path, model: str) -> list[dict[str, Any]]:
    """The ledger, the oldest record first."""
    return [json.loads(text) for _, text, _, _ in asked(database, RUNS, f"promotions/{model}")]


def named(database: Path, model: str) -> dict[str, int]:
    """Which version each alias names."""
    return dict(asked(database, "SELECT alias, version FROM registered_model_aliases WHERE name = ?", model))


def known(database: Path, model: str) -> dict[int, Any]:
    """Status, reason of quarantine, model and identity of each version that is not deleted."""
    return {number: rest for number, *rest in asked(database, VERSIONS, model)}


def asked(database: Path, query: str, name: str) -> list[Any]:
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        return connection.execute(query, [name]).fetchall()
