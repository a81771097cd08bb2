"""The search: four tuners, the defaults first, pins that hold, the same choice always, a kill that costs one trial."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tasks import places, trainer, tune
from tasks.errors import BadRequest
from tests.tasks.conftest import Bench


def trials() -> pd.DataFrame:
    return pd.read_csv(places.tuned("mlp_digits") / "trials.csv")


@pytest.mark.parametrize(
    "search",
    [
        {"tuner": "random", "trials": 3},
        {"tuner": "bayesian", "trials": 3},
        {"tuner": "genetic", "trials": 4},
        {"tuner": "hyperband", "trials": None, "epochs": 3},
    ],
    ids=lambda search: search["tuner"],
)
def test_every_tuner_chooses_the_best_trial(bench: Bench, search: dict[str, Any]) -> None:
    bench.set(search=search)
    receipt = tune.tune("mlp_digits")
    table = trials()
    assert receipt.trials == len(table) >= 3
    assert (table["status"] == "COMPLETED").all()
    best = table.loc[table["score"].idxmin()]
    assert receipt.best_trial == str(best["trial"])
    assert receipt.best_score == pytest.approx(best["score"])
    assert set(table["units"]) == {16}
    chosen = json.loads((places.tuned("mlp_digits") / "hyperparameters.json").read_text())
    assert chosen == receipt.hyperparameters
    assert chosen["units"] == 16
    assert chosen["learning_rate"] == pytest.approx(best["learning_rate"])
    assert table["learning_rate"].nunique() > 1
    first = table.iloc[0]
    assert (first["learning_rate"], first["dropout"], first["defaults"]) == (1e-3, 0.0, True)
    mine = table[table["defaults"]]
    assert set(mine["learning_rate"]) == {1e-3}
    assert receipt.default_score == mine["score"].iloc[-1]
    assert mine["epochs"].fillna(0).is_monotonic_increasing, "with Hyperband they go on where they win a round"
    assert len(mine) == 1 or search["tuner"] == "hyperband"
    for name in ("trials.png", "space.png"):
        assert (places.tuned("mlp_digits") / name).stat().st_size > 5000
    assert not [path for path in (places.SCRATCH / "tuning").iterdir() if path.is_dir()]


def test_the_same_search_chooses_the_same(bench: Bench) -> None:
    bench.set()
    first = tune.tune("mlp_digits")
    shutil.rmtree(places.tuned("mlp_digits"))
    assert tune.tune("mlp_digits") == first


def test_no_trials_keep_the_defaults(bench: Bench) -> None:
    bench.set(search={"trials": 0})
    receipt = tune.tune("mlp_digits")
    assert receipt.trials == 0
    assert (receipt.best_score, receipt.default_score) == (None, None)
    assert list(trials().columns) == ["trial", "score", "defaults"]
    defaults = {"bottleneck": 0, "activation": "relu", "dropout": 0.0, "learning_rate": 1e-3}
    assert receipt.hyperparameters == {"units": 16, "layers": 1, **defaults}


def test_values_keep_their_kind_where_a_trial_has_none() -> None:
    values = [{"units": 16, "bias": True}, {"units": 32, "width": 8}]
    table = tune.flat(pd.DataFrame({"trial": [1, 2], "hyperparameters": values}))
    assert table.to_csv(index=False).splitlines() == ["trial,units,bias,width", "1,16,True,", "2,32,,8"]


def test_a_stopped_search_goes_on_and_ends_the_same(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.set(search={"trials": 3})
    whole = tune.tune("mlp_digits")
    shutil.rmtree(places.tuned("mlp_digits"))
    fit, fits = trainer.train, []

    def cut_in_the_second(*args: Any, **kwargs: Any) -> trainer.History:
        fits.append(1)
        if len(fits) == 2:
            raise KeyboardInterrupt
        return fit(*args, **kwargs)

    monkeypatch.setattr(trainer, "train", cut_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        tune.tune("mlp_digits")
    assert not places.tuned("mlp_digits").exists()
    assert tune.tune("mlp_digits") == whole
    assert len(fits) == 4, "the trial that was done is not done again"


def test_a_torn_file_of_the_search_starts_it_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.set()

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "train", killed)
        with pytest.raises(KeyboardInterrupt):
            tune.tune("mlp_digits")
    scratch = next(path for path in Path(places.SCRATCH / "tuning").iterdir() if path.is_dir())
    for file in scratch.glob("*.json"):
        file.write_text("{")
    assert tune.tune("mlp_digits").trials == 2


def test_a_trial_that_diverges_is_passed_over(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.set(search={"trials": 3})
    fit, fits = trainer.train, []

    def first_diverges(*args: Any, **kwargs: Any) -> trainer.History:
        fits.append(1)
        if len(fits) == 1:
            raise trainer.Diverged("every metric must stay finite")
        return fit(*args, **kwargs)

    monkeypatch.setattr(trainer, "train", first_diverges)
    receipt = tune.tune("mlp_digits")
    assert list(trials()["status"]) == ["FAILED", "COMPLETED", "COMPLETED"]
    assert receipt.best_trial in {"2", "3"}
    assert receipt.default_score is None, "the first is the defaults"


def test_a_fault_of_the_machine_is_no_bad_trial(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.set()

    def full_disk(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trainer, "train", full_disk)
    with pytest.raises(OSError, match="No space left on device"):
        tune.tune("mlp_digits")
    assert not places.tuned("mlp_digits").exists()


def test_misspelt_settings_are_told(bench: Bench) -> None:
    bench.set(hyperparameters={"unitz": 16})
    with pytest.raises(BadRequest, match="'unitz'; did you mean 'units'"):
        tune.tune("mlp_digits")
    bench.set(search={"objective": "val_acuracy"})
    with pytest.raises(BadRequest, match="one of val_accuracy, val_loss"):
        tune.tune("mlp_digits")


def test_whatever_a_search_depends_on_changes_its_scratch_folder(bench: Bench) -> None:
    recipe = bench.set()
    data = bench.prepare().digest
    others = [
        tune.fingerprint(bench.set(search={"epochs": 3}), data),
        tune.fingerprint(bench.set(hyperparameters={"units": 32}), data),
        tune.fingerprint(bench.set(train={"batch_size": 32}), data),
        tune.fingerprint(recipe, bench.prepare(seed=1).digest),
    ]
    assert len({tune.fingerprint(recipe, data), *others}) == 5
    assert tune.fingerprint(bench.set(gate={"at_least": 0.9}), data) == tune.fingerprint(recipe, data)
