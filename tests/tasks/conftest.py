"""A workplace for steps: the project's data folders, moved to where a test may write."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.spec import Spec
from tasks import catalogue, encoding, examine, places, prepare, prepared
from tasks.catalogue import Recipe
from tasks.outside import versioning
from tasks.prepared import Split
from tasks.problems import classification
from tasks.receipts import Prepared, digest_files, seal
from tests.tasks import registries
from tests.tasks.registries import Place


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `data` folder that every path of tasks/places.py is below; no mirror is set."""
    return move(tmp_path, monkeypatch)


def move(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Let this process work below `folder`; returns the `data` folder there."""
    data = folder / "data"
    scratch = data / "scratch"
    moved = {
        "DATA": data,
        "SCRATCH": scratch,
        "LOCKS": scratch / "locks",
        "MLFLOW_DATABASE": folder / "mlflow.db",
        "MLFLOW_ARTIFACTS": folder / "mlartifacts",
    }
    for name, path in moved.items():
        patch.setattr(places, name, path)
    for name in ("MIAR_MIRROR", "MLFLOW_TRACKING_URI"):
        patch.delenv(name, raising=False)
    return data


RECIPE = {
    "dataset": "digits",
    "model": "mlp",
    "base": "scratch",
    "hyperparameters": {"layers": 1, "units": 16},
    "search": {"tuner": "random", "trials": 2, "epochs": 2, "objective": "val_loss"},
    "train": {"epochs": 6, "batch_size": 16, "seed": 0},
    "gate": {"metric": "accuracy", "at_least": 0.5},
    "monitoring": {},
}


class Bench:
    """A recipe called `mlp_digits` over a small generated dataset, with settings that a test may change."""

    kept: Path

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        monkeypatch.setattr(examine, "apart", examine.here)  # TensorFlow is there already; `in_fresh_processes` is slow
        monkeypatch.setattr(classification, "baselines", most_frequent_alone)
        monkeypatch.setattr(
            versioning, "commit", lambda: versioning.git("rev-parse", "HEAD")
        )  # leave this repository be
        self.prepare()
        self.set()

    def in_fresh_processes(self) -> None:
        """Let versions be examined as they are outside of tests."""
        self.monkeypatch.setattr(examine, "apart", APART)

    def set(self, **changes: dict[str, Any]) -> Recipe:
        """Let the catalogue's recipe be RECIPE with `changes`, each over one of its blocks."""
        settings = {**RECIPE, **{key: {**RECIPE[key], **value} for key, value in changes.items()}}  # type: ignore[dict-item]
        recipe = Recipe.model_validate({key: clean(value) for key, value in settings.items()})
        known = PROJECT.model_copy(update={"recipes": {"mlp_digits": recipe}})
        self.monkeypatch.setattr(catalogue, "load", lambda: known)
        return recipe

    def prepare(self, seed: int = 0) -> Prepared:
        """Write a prepared dataset: ten classes, each an 8x8 image with one bright pixel row or column."""
        folder = places.prepared("digits")
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        for part, count, start in (("train", 200, 0), ("validation", 60, 200), ("test", 60, 260)):
            ids = np.arange(start, start + count)
            answers = (np.arange(count) % 10).astype(np.int32)
            samples = rng.integers(0, 60, (count, 8, 8, 1), dtype=np.uint8)
            for sample, answer in zip(samples, answers, strict=True):
                line = sample[answer % 8] if answer < 8 else sample[:, answer % 8]
                line += 150
            for name, array in zip(prepared.files(part), (samples, answers, ids), strict=True):
                np.save(folder / name, array)
        prepare.write_spec(encoding.spec(PROJECT.dataset("digits")), "classification", folder)
        (folder / prepared.VOCABULARY).write_text("[]", encoding="utf-8")
        return Prepared(
            name="digits",
            digest=seal(folder, prepared.all_files()),
            ingested="0" * 64,
            samples={"train": 200, "validation": 60, "test": 60},
            exam=digest_files(folder, prepared.files("test")),
        ).write(folder)


BASELINES, APART = classification.baselines, examine.apart


def most_frequent_alone(train: Split, samples: np.ndarray, spec: Spec) -> dict[str, np.ndarray]:
    """The generated images are so simple that the nearest mean solves them all, and no network could be better."""
    name = "most frequent class"
    return {name: BASELINES(train, samples, spec)[name]}


PROJECT = catalogue.load()


def clean(value: Any) -> Any:
    """A block without what a test has set to None."""
    return {key: one for key, one in value.items() if one is not None} if isinstance(value, dict) else value


@pytest.fixture
def bench(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    assert workplace
    return Bench(monkeypatch)


@pytest.fixture(scope="session")
def empty_place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A registry's database with nothing in it but what versions can be made of."""
    place = Place(tmp_path_factory.mktemp("empty"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr(places, "MLFLOW_DATABASE", place.database)
        patch.setattr(places, "MLFLOW_ARTIFACTS", place.folder / "mlartifacts")
        registries.fill()
    return place


@pytest.fixture
def place(workplace: Path, empty_place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy of it, in which this process and those that a test starts work."""
    monkeypatch.setattr(places, "LOCKS", workplace.parent / "locks")
    shutil.copy(empty_place.database, places.MLFLOW_DATABASE)
    return Place(workplace.parent)
