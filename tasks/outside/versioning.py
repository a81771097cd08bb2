"""Git and DVC: which commit, and which data, the files here are."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tasks import places
from tasks.errors import BadData
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
        "git.commit": commit() or UNKNOWN,
        "git.dirty": str(is_dirty()).lower(),
        "dvc.lock_sha256": digest_file(places.DVC_LOCK) if places.DVC_LOCK.is_file() else UNKNOWN,
        "dvc.stage_hash": digest(stages.get(stage)),
        **{f"dvc.data.{name}": data_digest(stages.get(maker)) for name, maker in data.items()},
    }


CODE = ("models", "tasks", "flows", "infra", "params.yaml", "dvc.yaml", "dvc.lock", "pyproject.toml")
"""What a version is made of, tracked or not: a file of these that git does not know yet is code too."""

COMMITTER = {
    "GIT_AUTHOR_NAME": "miar",
    "GIT_AUTHOR_EMAIL": "miar@localhost",
    "GIT_COMMITTER_NAME": "miar",
    "GIT_COMMITTER_EMAIL": "miar@localhost",
}


def commit() -> str | None:
    """The commit that holds the code, settings and dvc.lock as they lie here; None without a git repository.

    Where they differ from HEAD it is made, on top of it and on no branch, and kept as `refs/miar/code/<commit>`.
    The same files on the same HEAD are the same commit.
    """
    head = git("rev-parse", "HEAD")
    if head is None or not git("status", "--porcelain"):
        return head
    with tempfile.TemporaryDirectory() as folder:
        aside = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        present = [path for path in CODE if (places.ROOT / path).exists()]
        git("read-tree", "HEAD", **aside)
        git("add", "--update", **aside)
        git("add", "--", *present, **aside)
        tree = git("write-tree", **aside)
    if tree is None or tree == git("rev-parse", "HEAD^{tree}"):
        return head
    when = git("show", "--no-patch", "--format=%cI", "HEAD") or ""
    dates = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
    made = git("commit-tree", tree, "-p", head, "-m", "Code of a version, as it lay here", **COMMITTER, **dates)
    if made:
        git("update-ref", f"refs/miar/code/{made}", made)
    return made


def has(made: str) -> bool:
    """Whether that commit is in this repository."""
    return git("cat-file", "-e", f"{made}^{{commit}}") is not None


def changed(old: str, new: str) -> list[str]:
    """The files that differ between two commits, with how many lines came and went."""
    rows = git("diff", "--numstat", old, new, "--", ".", ":(exclude)dvc.lock", ":(exclude)params.yaml") or ""
    return [f"{path} +{added} -{gone}" for added, gone, path in (row.split("\t") for row in rows.splitlines())]


def restore(path: str, made: str, folder: Path) -> None:
    """Put what DVC keeps as `path` in the commit `made` into `folder`.

    Raises:
        BadData: if neither the cache nor a remote has it.
    """
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(places.ROOT)) as here:
            cache = {"cache": {"dir": here.cache.local_cache_dir}}
        whole = f"{path}/"  # the slash asks for what is in it
        DVCFileSystem(str(places.ROOT), rev=made, config=cache).get(whole, str(folder), recursive=True)
    except (DvcException, OSError) as error:
        raise BadData(
            f"DVC must have `{path}` of commit {made[:12]}. Received: {' '.join(str(error).split())[:200]}. "
            "Run: .venv/bin/dvc pull"
        ) from None


def git(*arguments: str, **environment: str) -> str | None:
    """What git answers about this checkout; None where it refuses, or there is no git repository."""
    command = ["git", "-C", str(places.ROOT), *arguments]
    here = {**quiet(), **environment}
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=here)
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


def digests(source: str, dataset: str) -> list[str]:
    """DVC's md5 of everything that ingest, or collect, and prepare made."""
    stages = locked()
    outs = [
        out
        for name in (f"ingest@{source}", f"collect@{source}", f"prepare@{dataset}")
        for out in stages.get(name, {}).get("outs", [])
    ]
    return [str(out.get("md5", "")) for out in outs if not str(out.get("path", "")).endswith("receipt.json")]


def data_digest(entry: Any) -> str:
    """DVC's md5 of what a stage made; of several outs, one digest over theirs."""
    outs = [str(out.get("md5", "")) for out in (entry or {}).get("outs", [])]
    if len(outs) == 1:
        return outs[0]
    return hashlib.md5("".join(outs).encode(), usedforsecurity=False).hexdigest() if outs else UNKNOWN
