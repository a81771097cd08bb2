"""A version that learnt from other data than the last commit asks for is found, and no other."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tasks import catalogue, news, places
from tasks.outside import tracking, versioning
from tests.tasks import registries
from tests.tasks.registries import Place


@pytest.fixture
def registry_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = catalogue.load()
    monkeypatch.setattr(news, "committed", lambda: known)
    for name in ("MLFLOW_DATABASE", "MLFLOW_ARTIFACTS", "LOCKS"):
        monkeypatch.setattr(places, name, getattr(places, name))  # what `enter` sets is taken back after the test
    Place(tmp_path).enter()
    registries.fill()


def add(model: str, settings: str | None) -> None:
    tags = {} if settings is None else {news.SETTINGS: settings}
    registries.add(tracking.connect(), model, identity=f"{model} {settings}", tags=tags)


def test_the_newest_version_counts(registry_here: None) -> None:
    now = news.settings(catalogue.load(), "mlp_digits")
    add("mlp_digits", "another")
    assert news.outdated() == {"mlp_digits": 1}
    add("mlp_digits", now)
    assert news.outdated() == {}
    add("mlp_digits", "another")
    assert news.outdated() == {"mlp_digits": 3}
    assert registry_here is None


def test_what_cannot_be_told_is_no_news(registry_here: None) -> None:
    add("mlp_digits", None)
    add("no_recipe_of_that_name", "another")
    assert news.outdated() == {}
    assert registry_here is None


def test_another_digest_or_cut_is_other_data_and_another_training_is_not() -> None:
    known = catalogue.load()
    before = news.settings(known, "mlp_digits")
    recipe = known.recipe("mlp_digits")
    trained = recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": 9})})
    assert news.settings(known.model_copy(update={"recipes": {"mlp_digits": trained}}), "mlp_digits") == before
    cut = known.dataset("digits").model_copy(update={"seed": 9})
    assert news.settings(known.model_copy(update={"datasets": {"digits": cut}}), "mlp_digits") != before
    files = known.source("digits").model_copy(update={"files": {"digits.csv": "0" * 64}})
    assert news.settings(known.model_copy(update={"sources": {"digits": files}}), "mlp_digits") != before


def test_the_last_commit_counts_and_not_what_lies_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "params.yaml").write_text(places.PARAMS.read_text(encoding="utf-8"), encoding="utf-8")
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--no-verify", "--message", "Start"]):
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgSign=false"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, env=versioning.quiet())
    (tmp_path / "params.yaml").write_text("not committed", encoding="utf-8")
    monkeypatch.setattr(places, "ROOT", tmp_path)
    assert news.committed() == catalogue.load()
