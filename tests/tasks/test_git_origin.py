"""A repository's commit as an origin: fetched once, vouched for by its name, and never another one."""

from __future__ import annotations

import subprocess
import zipfile
from functools import partial
from pathlib import Path

import pytest

from tasks import sources
from tasks.catalogue import Origins
from tasks.errors import Unavailable

WANTED = {"photos.zip": "0" * 64}


@pytest.fixture
def repository(tmp_path: Path) -> tuple[str, str]:
    """Address and commit of a repository with one file."""
    folder = tmp_path / "repository"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "cat_1.jpg").write_bytes(b"a photograph")
    me = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgSign=false")
    for arguments in (("init", "-q"), ("add", "."), (*me, "commit", "-q", "-m", "one")):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return folder.as_uri(), head.stdout.strip()


@pytest.fixture
def calls(repository: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let every git origin lead to the repository, and count how often it is asked."""
    asked: list[str] = []
    real = sources.bring_from_git

    def bring(address: str, commit: str, incoming: Path, form: str) -> Path:
        asked.append(address)
        return real(repository[0], commit, incoming, form)

    monkeypatch.setattr(sources, "bring_from_git", bring)
    return asked


def origins(commit: str) -> Origins:
    return Origins(git=f"https://example.org/photos@{commit}")


def test_a_commit_comes_as_a_zip_and_once(workplace: Path, repository: tuple[str, str], calls: list[str]) -> None:
    assert workplace
    for _ in range(2):
        folder, origin = sources.obtain("photos", WANTED, origins(repository[1]))
    assert origin == f"git https://example.org/photos@{repository[1]}"
    with zipfile.ZipFile(folder / "photos.zip") as archive:
        assert archive.read("images/cat_1.jpg") == b"a photograph"
    assert len(calls) == 1
    assert {path.name for path in folder.iterdir()} == {"photos.zip", "origins.json"}


def test_a_file_that_has_changed_is_fetched_again(
    workplace: Path, repository: tuple[str, str], calls: list[str]
) -> None:
    assert workplace
    folder, _ = sources.obtain("photos", WANTED, origins(repository[1]))
    (folder / "photos.zip").write_bytes(b"something else")
    sources.obtain("photos", WANTED, origins(repository[1]))
    assert len(calls) == 2
    assert zipfile.is_zipfile(folder / "photos.zip")


def test_what_one_commit_vouched_for_another_does_not(
    workplace: Path, repository: tuple[str, str], calls: list[str]
) -> None:
    assert workplace
    sources.obtain("photos", WANTED, origins(repository[1]))
    with pytest.raises(Unavailable, match="git ended with"):
        sources.obtain("photos", WANTED, origins("1" * 40))
    assert len(calls) == 2


def test_only_an_archive_can_hold_a_repository(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"packed into a \.zip"):
        partial(sources.bring_from_git, "file:///nowhere", "1" * 40, tmp_path)("photos.csv")
