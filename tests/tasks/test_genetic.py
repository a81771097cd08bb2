"""The genetic search: within the ranges, nothing twice, better than chance, and the same after a kill."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks import genetic, trainer, tune

Hp = keras_tuner.HyperParameters
Objective = Callable[[Hp], float]


def tuner(kind: type[keras_tuner.Tuner], objective: Objective, folder: Path, **rest: Any) -> keras_tuner.Tuner:
    """A search over what `objective` declares, in which nothing is trained."""

    class Search(kind):
        def _populate_initial_space(self) -> None:
            hp = self.oracle.get_space()
            objective(hp)
            self.oracle.update_space(hp)

        def run_trial(self, trial: Any, **_: Any) -> float:
            return objective(trial.hyperparameters)

    aim = keras_tuner.Objective("score", rest.pop("direction", "min"))
    return Search(objective=aim, directory=folder, project_name="search", **rest)


def searched(kind: type[keras_tuner.Tuner], objective: Objective, folder: Path, **rest: Any) -> list[Any]:
    """The trials, in order."""
    search = tuner(kind, lambda hp: objective(hp), folder, **rest)
    search.search(verbose=0)
    return trials(search)


def trials(search: keras_tuner.Tuner) -> list[Any]:
    return sorted(search.oracle.trials.values(), key=lambda trial: int(trial.trial_id))


def values(found: list[Any]) -> list[dict[str, Any]]:
    return [trial.hyperparameters.values for trial in found]


@pytest.fixture(autouse=True)
def scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A float that a trial returns is called as Keras Tuner calls it, and may be maximised here."""
    known = "keras_tuner.src.engine.tuner_utils.convert_to_metrics_dict"
    monkeypatch.setattr(known, lambda results, objective: {objective.name: results})
    monkeypatch.setattr("keras_tuner.src.engine.tuner_utils.validate_trial_results", lambda *_: None)


@pytest.fixture
def unsaved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the time of a search that trains nothing goes into its files."""
    for kind, name in ((keras_tuner.Oracle, "save"), (keras_tuner.Oracle, "_save_trial"), (keras_tuner.Tuner, "save")):
        monkeypatch.setattr(kind, name, lambda *_: None)


def valley(hp: Hp) -> float:
    """Four dimensions of three kinds, least at units 352, rate 3e-3, dropout 0.3 and activation selu."""
    away = (hp.Int("units", 32, 1024, step=32, default=512) - 352) / 992
    rate = math.log10(hp.Float("rate", 1e-5, 1e-1, sampling="log", default=1e-3) / 3e-3) / 4
    drop = hp.Float("dropout", 0.0, 0.6, default=0.0) - 0.3
    kind = {"relu": 0.2, "tanh": 0.5, "gelu": 0.1, "selu": 0.0}[
        hp.Choice("activation", ["relu", "tanh", "gelu", "selu"])
    ]
    return away**2 + rate**2 + drop**2 + 0.5 * kind


@pytest.mark.usefixtures("unsaved")
def test_it_beats_random_search_at_equal_trials(tmp_path: Path) -> None:
    wins = 0
    for seed in range(1, 11):
        best = [
            min(
                trial.score
                for trial in searched(kind, valley, tmp_path / f"{kind.__name__}{seed}", max_trials=40, seed=seed)
            )
            for kind in (genetic.Genetic, keras_tuner.RandomSearch)
        ]
        wins += best[0] < best[1]
    assert wins >= 8


def test_it_maximises_too(tmp_path: Path) -> None:
    found = searched(genetic.Genetic, lambda hp: -valley(hp), tmp_path, max_trials=40, seed=3, direction="max")
    assert max(trial.score for trial in found) > max(trial.score for trial in found[:10])
    first, last = found[:10], found[-10:]
    assert sum(trial.score for trial in last) > sum(trial.score for trial in first)


def test_the_first_is_the_defaults_and_nothing_is_tried_twice(tmp_path: Path) -> None:
    found = values(searched(genetic.Genetic, valley, tmp_path, max_trials=30, seed=1))
    assert found[0] == {"units": 512, "rate": 1e-3, "dropout": 0.0, "activation": "relu"}
    assert len(found) == len({str(one) for one in found}) == 30


def test_a_small_space_is_tried_to_its_end(tmp_path: Path) -> None:
    found = searched(genetic.Genetic, lambda hp: hp.Int("a", 1, 4) * hp.Choice("b", [1, 2, 3]), tmp_path, max_trials=50)
    assert sorted((one["a"], one["b"]) for one in values(found)) == [(a, b) for a in range(1, 5) for b in range(1, 4)]


@pytest.mark.parametrize(("count", "size"), [(1, 3), (12, 3), (40, 10), (1000, 20)])
def test_the_population_is_a_quarter_of_the_trials(count: int, size: int) -> None:
    assert genetic.population(count) == size
    assert genetic.GeneticOracle(max_trials=count, objective="val_loss").population_size == size


def branched(hp: Hp) -> float:
    """What is declared depends on what was chosen: by a condition, by a loop, and in the build alone."""
    score = 0.0
    for number in range(hp.Int("layers", 1, 3)):
        score += hp.Float(f"rate_{number}", 0.1, 0.9, step=0.1)
    with hp.conditional_scope("layers", [2, 3]):
        width = hp.Int("width", 8, 64, step=8, default=16)
    with hp.conditional_scope("layers", [1]):
        narrow = hp.Int("pinned", 1, 5)
    return score + (width or narrow) / 64


@pytest.mark.usefixtures("unsaved")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(1, 10_000), count=st.integers(1, 25))
def test_every_value_is_in_its_range_and_pins_hold(tmp_path: Path, seed: int, count: int) -> None:
    shutil.rmtree(tmp_path / "search", ignore_errors=True)
    pins = Hp()
    pins.Fixed("pinned", 3)
    pins.Fixed("rate_0", 0.25)
    search = tuner(genetic.Genetic, branched, tmp_path, max_trials=count, seed=seed, hyperparameters=pins)
    search.search(verbose=0)
    assert 1 <= len(trials(search)) <= count
    for trial in trials(search):
        hp = trial.hyperparameters
        assert hp.values["rate_0"] == 0.25
        assert hp.values.get("pinned") == (3 if hp.values["layers"] == 1 else None)
        assert ("width" in hp.values) == (hp.values["layers"] > 1)
        for one in search.oracle.hyperparameters.space:
            if hp.is_active(one) and one.name != "pinned" and one.name in hp.values:
                assert trainer.allowed(one, hp.values[one.name]), one


def test_what_is_declared_late_is_inherited(tmp_path: Path) -> None:
    found = values(searched(genetic.Genetic, branched, tmp_path, max_trials=40, seed=5))
    late = [one["rate_2"] for one in found if "rate_2" in one]
    assert len(set(late)) > 1, "it is searched as the others are"
    assert len(late) > len(set(late)), "children have it from their parents"


@pytest.mark.parametrize("moment", [1, 4, 9, 19])
def test_a_killed_search_goes_on_and_ends_the_same(tmp_path: Path, moment: int) -> None:
    whole = searched(genetic.Genetic, valley, tmp_path / "whole", max_trials=20, seed=2)
    calls = []

    def killed(hp: Hp) -> float:
        calls.append(1)
        if len(calls) == moment + 1:  # the first is that of the space
            raise KeyboardInterrupt
        return valley(hp)

    with pytest.raises(KeyboardInterrupt):
        tuner(genetic.Genetic, killed, tmp_path / "cut", max_trials=20, seed=2).search(verbose=0)
    again = searched(genetic.Genetic, killed, tmp_path / "cut", max_trials=20, seed=2)
    assert values(again) == values(whole)
    assert [trial.score for trial in again] == [trial.score for trial in whole]
    begun_anew = moment == 1  # Keras Tuner's own file is there once a trial has ended
    assert len(calls) == 22 + begun_anew, "what was done is not done again"


def test_bayesian_too_goes_on_after_a_kill_and_ends_the_same(tmp_path: Path) -> None:
    """Keras Tuner saves all of its state but the numbers that its optimizer begins with."""
    kind = tune.seeded(keras_tuner.BayesianOptimization, 2)
    calls = []

    def bowl(hp: Hp) -> float:
        calls.append(1)
        if len(calls) == 6:  # in the fifth trial, the second that is no random one
            raise KeyboardInterrupt
        return (hp.Float("x", 0.0, 1.0) - 0.3) ** 2

    whole = searched(kind, lambda hp: (hp.Float("x", 0.0, 1.0) - 0.3) ** 2, tmp_path / "whole", max_trials=6, seed=2)
    with pytest.raises(KeyboardInterrupt):
        searched(kind, bowl, tmp_path / "cut", max_trials=6, seed=2)
    again = searched(kind, bowl, tmp_path / "cut", max_trials=6, seed=2)
    assert values(again) == values(whole)
    assert values(whole)[0] == {"x": 0.0}


def test_a_failed_trial_has_no_children(tmp_path: Path) -> None:
    def failing(hp: Hp) -> float:
        score = valley(hp)
        if hp.get("activation") == "relu":  # the defaults among them
            raise keras_tuner.errors.FailedTrialError("diverged")
        return score

    search = tuner(genetic.Genetic, valley, tmp_path, max_trials=25, seed=4)
    search.oracle.max_consecutive_failed_trials = 25
    search.run_trial = lambda trial, **_: failing(trial.hyperparameters)
    search.search(verbose=0)
    assert {trial.status for trial in trials(search)} == {"COMPLETED", "FAILED"}
    assert all(hp.values["activation"] != "relu" for hp in search.oracle.population())
