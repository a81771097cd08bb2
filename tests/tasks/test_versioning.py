"""The commit of files that nobody has committed, and data of an older commit, in a real repository of git and DVC."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tasks import places
from tasks.errors import BadData
from tasks.outside import versioning


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "checkout"
    (root / "models").mkdir(parents=True)
    (root / "models" / "cnn.py").write_text("filters = 32\n")
    (root / "params.yaml").write_text("recipes: {}\n")
    monkeypatch.setattr(places, "ROOT", root)
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--no-verify", "-m", "Start"]):
        assert versioning.git("-c", "commit.gpgSign=false", *command, **versioning.COMMITTER) is not None
    return root


def files(commit: str | None) -> list[str]:
    return (versioning.git("ls-tree", "-r", "--name-only", str(commit)) or "").splitlines()


def test_what_is_committed_is_that_commit(repository: Path) -> None:
    (repository / "notes.txt").write_text("mine")
    assert versioning.commit() == versioning.git("rev-parse", "HEAD")
    assert versioning.git("for-each-ref", "refs/miar") == ""


def test_what_is_not_committed_is_kept_as_a_commit_on_no_branch(repository: Path) -> None:
    head = versioning.git("rev-parse", "HEAD")
    (repository / "params.yaml").write_text("recipes: {a: 1}\n")
    (repository / "models" / "mlp.py").write_text("units = 16\n")
    (repository / "notes.txt").write_text("mine")
    before = versioning.git("status", "--porcelain")

    made = versioning.commit()

    assert made
    assert made != head
    assert versioning.has(made)
    assert versioning.git("rev-parse", f"{made}^") == head
    assert files(made) == ["models/cnn.py", "models/mlp.py", "params.yaml"], "what is nobody's code stays private"
    assert versioning.git("show", f"{made}:params.yaml") == "recipes: {a: 1}"
    assert versioning.git("for-each-ref", "--format=%(refname)", "refs/miar") == f"refs/miar/code/{made}"
    assert (versioning.git("status", "--porcelain"), versioning.git("rev-parse", "HEAD")) == (before, head)
    assert versioning.commit() == made, "the same files are the same commit"
    assert versioning.changed(str(head), made) == ["models/mlp.py +1 -0"]


def test_without_a_repository_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "ROOT", tmp_path)
    assert versioning.commit() is None
    assert not versioning.has("0" * 40)


def test_data_of_an_older_commit_comes_back(repository: Path, tmp_path: Path) -> None:
    def dvc(*arguments: str) -> None:
        command = [sys.executable, "-m", "dvc", "--quiet", *arguments]
        subprocess.run(command, cwd=repository, check=True, env=versioning.quiet())

    def commit() -> str:
        versioning.git("add", "--all")
        versioning.git("-c", "commit.gpgSign=false", "commit", "--no-verify", "-m", "Data", **versioning.COMMITTER)
        return str(versioning.git("rev-parse", "HEAD"))

    data = repository / "exam"
    data.mkdir()
    dvc("init")
    (data / "answers.txt").write_text("old")
    dvc("add", "exam")
    old = commit()
    (data / "answers.txt").write_text("new")
    dvc("add", "exam")
    commit()
    found = tmp_path / "found"
    found.mkdir()

    versioning.restore("exam", old, found)

    assert (found / "answers.txt").read_text() == "old"
    assert (data / "answers.txt").read_text() == "new"
    with pytest.raises(BadData, match=r"DVC must have `nothing` of commit .* Run: \.venv/bin/dvc pull"):
        versioning.restore("nothing", old, tmp_path)
