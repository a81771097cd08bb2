"""Git and DVC: which commit, and which data, the files here are."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from typing import Any

import yaml

from tasks import places
from tasks.receipts import digest_file

UNKNOWN = "none"


def lineage(*, data: dict[str, str], stage: str) -> dict[str, str]:
    """Where what lies here came from: the code's commit, DVC's lock and the data's digests, as tags.

    Args:
        data: the DVC stage whose outs are the data, by the data's name.
        stage: the DVC stage that made the network.
    """
    stages = locked()
    return {
        "git.commit": git("rev-parse", "HEAD") or UNKNOWN,
        "git.dirty": str(is_dirty()).lower(),
        "dvc.lock_sha256": digest_file(places.DVC_LOCK) if places.DVC_LOCK.is_file() else UNKNOWN,
        "dvc.stage_hash": digest(stages.get(stage)),
        **{f"dvc.data.{name}": data_digest(stages.get(maker)) for name, maker in data.items()},
    }


def git(*arguments: str) -> str | None:
    """What git answers about this checkout; None where there is no git repository."""
    command = ["git", "-C", str(places.ROOT), *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, env=quiet())
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.rstrip("\n")


def quiet() -> dict[str, str]:
    """The environment without a hook's own GIT_DIR, and without waiting for a lock on the index."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "GIT_OPTIONAL_LOCKS": "0"}


def is_dirty() -> bool:
    """Whether code or settings differ from the commit; dvc.lock may, its sha256 is a tag of its own."""
    changed = (git("status", "--porcelain") or "").splitlines()
    return any(line[3:] != places.DVC_LOCK.name for line in changed)


def locked() -> dict[str, Any]:
    """What dvc.lock says of each stage."""
    if not places.DVC_LOCK.is_file():
        return {}
    content = yaml.safe_load(places.DVC_LOCK.read_text(encoding="utf-8")) or {}
    return dict(content.get("stages", {}))


def digest(entry: Any) -> str:
    """sha256 of a stage's entry in dvc.lock: its command, deps, params and outs."""
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest() if entry else UNKNOWN


def data_digest(entry: Any) -> str:
    """DVC's md5 of what a stage made; of several outs, one digest over theirs."""
    outs = [str(out.get("md5", "")) for out in (entry or {}).get("outs", [])]
    if len(outs) == 1:
        return outs[0]
    return hashlib.md5("".join(outs).encode(), usedforsecurity=False).hexdigest() if outs else UNKNOWN
