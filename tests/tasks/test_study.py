"""study: recipes side by side, each less the first."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tasks import catalogue, places, speed, study
from tasks.catalogue import Study
from tasks.errors import BadData, BadRequest
from tasks.receipts import Evaluated, Studied, Trained, Tuned

SCORES = {"mlp_reuters": 0.9, "mlp_reuters_tanh": 0.95}


@pytest.fixture
def evaluated(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Receipts and histories of two recipes that were never run."""
    known = catalogue.load()
    compared = Study(question="Which one <is> better?", recipes=list(SCORES))
    monkeypatch.setattr(catalogue, "load", lambda: known.model_copy(update={"studies": {"both": compared}}))
    for name, score in SCORES.items():
        for folder in (places.trained(name), places.evaluated(name), places.tuned(name)):
            folder.mkdir(parents=True)
        objective = known.recipe(name).search.objective
        history = {"epoch": [1, 2], objective: [0.5, 0.6], objective.removeprefix("val_"): [0.6, 0.8]}
        pd.DataFrame(history).to_csv(places.trained(name) / "history.csv", index=False)
        machine = {"seed": 0, "device": "CPU", "threads": 2, "seconds": 1.0}
        fit = {"data": "", "base": "", "carried": 0, "parameters": 10, "epochs": 2, "best_epoch": 2}
        Trained(name=name, digest="0", **fit, **machine).write(places.trained(name))
        Evaluated(name=name, digest="0", scores={"accuracy": score}, exam="0", samples=9, pictures=[]).write(
            places.evaluated(name)
        )
        values = {**known.recipe(name).hyperparameters}
        search = {"tuner": "random", "trials": 0, "best_trial": None, "best_score": None}
        Tuned(name=name, digest="0", hyperparameters=values, **search).write(places.tuned(name))
    return workplace


def test_each_is_set_beside_the_first(evaluated: Path) -> None:
    receipt = study.study("both")
    folder = evaluated / "studied" / "both"
    assert receipt == Studied.read(folder)
    table = pd.read_csv(folder / "table.csv")
    assert table["recipe"].tolist() == list(SCORES)
    assert table["accuracy less the first's"].tolist() == pytest.approx([0, 0.05])
    assert json.loads(table["hyperparameters"][0]) == {"layers": 2, "units": 64}
    assert {path.name for path in folder.iterdir()} == {
        "table.csv",
        "scores.png",
        "curves.png",
        "report.html",
        "receipt.json",
    }
    page = (folder / "report.html").read_text()
    assert "Which one &lt;is&gt; better?" in page
    assert "Published" not in page


@pytest.mark.usefixtures("evaluated")
def test_each_source_has_a_first_of_its_own() -> None:
    both, known = catalogue.load().study("both"), catalogue.load()
    recipes = {
        **known.recipes,
        "mlp_reuters_tanh": known.recipe("mlp_reuters_tanh").model_copy(update={"dataset": "digits"}),
    }
    table = study.compared(both, known.model_copy(update={"recipes": recipes}))
    assert table["source"].tolist() == ["reuters", "digits"]
    assert table["accuracy less the first's"].tolist() == [0, 0]


def test_what_others_published_stands_by_itself(evaluated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = catalogue.load()
    asked = known.study("both").model_copy(update={"published": "detectors"})
    monkeypatch.setattr(catalogue, "load", lambda: known.model_copy(update={"studies": {"both": asked}}))
    study.study("both")
    page = (evaluated / "studied" / "both" / "report.html").read_text().split("<h2>Published")[1]
    assert "YOLO VGG16" in page
    assert "mlp_reuters" not in page


def test_answers_are_timed_for_each_number_of_samples(evaluated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = catalogue.load()
    asked = known.study("both").model_copy(update={"batches": [1, 8]})
    monkeypatch.setattr(catalogue, "load", lambda: known.model_copy(update={"studies": {"both": asked}}))
    monkeypatch.setattr(speed, "milliseconds", lambda name, batches: {one: len(name) / one for one in batches})
    study.study("both")
    table = pd.read_csv(evaluated / "studied" / "both" / "table.csv")
    assert table["ms of one in 1"].tolist() == [11, 16]
    assert table["ms of one in 8"].tolist() == [11 / 8, 2]
    assert (evaluated / "studied" / "both" / "times.png").stat().st_size > 10_000


def test_one_that_is_not_evaluated_says_what_to_run(evaluated: Path) -> None:
    (evaluated / "evaluated" / "mlp_reuters_tanh" / "receipt.json").unlink()
    with pytest.raises(BadData, match="dvc repro --force evaluate@mlp_reuters_tanh"):
        study.study("both")


def test_recipes_that_are_judged_otherwise_are_not_compared(evaluated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert evaluated
    mixed = Study(question="No?", recipes=["mlp_reuters", "mlp_cnn_houses"])
    known = catalogue.load().model_copy(update={"studies": {"both": mixed}})
    monkeypatch.setattr(catalogue, "load", lambda: known)
    with pytest.raises(BadRequest, match="accuracy and val_accuracy; closeness and val_loss"):
        study.study("both")
