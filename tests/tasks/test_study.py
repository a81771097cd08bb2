"""study: recipes side by side, each less the first."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tasks import catalogue, places, study
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
    assert "Which one &lt;is&gt; better?" in (folder / "report.html").read_text()


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
