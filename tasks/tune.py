"""tune: choose the hyperparameters that a recipe leaves open, with Keras Tuner and the one trainer."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pandas as pd
from filelock import FileLock

import models
from models.spec import Spec
from tasks import bases, catalogue, genetic, importance, pictures, places, prepared, trainer
from tasks.catalogue import Recipe
from tasks.errors import MiarError
from tasks.prepared import Split
from tasks.receipts import Tuned, digest_file, digest_files

OUTPUTS = ["hyperparameters.json", "trials.csv"]


def tune(name: str) -> Tuned:
    """Search for the recipe called `name`, and write its hyperparameters and the list of trials.

    A search that was killed goes on with the trial that it was in: what it tries and what it finds depend
    on the recipe and the data alone.

    Raises:
        BadRequest: if the recipe fixes a hyperparameter that its architecture does not declare, or searches
            for a metric that it does not have.
        MiarError: if no trial succeeded.
    """
    recipe = catalogue.load().recipe(name)
    data = prepared.receipt(recipe.dataset)
    spec = prepared.read_spec(recipe.dataset)
    trainer.start_over(recipe.search.seed)
    architecture = models.load(recipe.model)
    _, defaults = trainer.build(architecture, spec, recipe.hyperparameters)
    open_ones = [parameter for parameter in defaults if parameter not in recipe.hyperparameters]
    if recipe.search.trials == 0 or not open_ones:
        print(f"nothing to search: {len(open_ones)} hyperparameters keep their defaults", flush=True)
        return write(name, recipe, defaults, pd.DataFrame(columns=["trial", "score", "defaults"]))
    scratch = places.SCRATCH / "tuning" / fingerprint(recipe, data.digest)
    scratch.mkdir(parents=True, exist_ok=True)
    with FileLock(scratch.with_suffix(".lock")):
        trials = search(recipe, spec, scratch)
        trials["defaults"] = [defaults.items() <= values.items() for values in trials["hyperparameters"]]
        best = best_trial(trials, recipe.search.objective)
        receipt = write(name, recipe, {**defaults, **best["hyperparameters"]}, trials)
        shutil.rmtree(scratch)
    return receipt


def fingerprint(recipe: Recipe, data: str) -> str:
    """Hash of all that a search depends on, so that a changed input never resumes a stale one."""
    used = (trainer.__file__, genetic.__file__, __file__)
    code = [Path(models.__file__).with_name(f"{recipe.model}.py"), *map(Path, used)]
    parts = sorted(Path(models.__file__).parent.glob("parts/*.py"))
    settings, start = recipe.model_dump(mode="json", exclude={"gate", "monitoring"}), bases.digest(recipe.base)
    facts = [settings, start, data, *(digest_file(path) for path in code + parts)]
    versions = [keras.__version__, keras_tuner.__version__, keras.backend.backend(), trainer.threads()]
    return hashlib.sha256(json.dumps([facts, versions], sort_keys=True).encode()).hexdigest()[:24]


class Trial(keras_tuner.HyperModel):
    """One trial: the recipe's architecture, fitted by the one trainer."""

    def __init__(self, recipe: Recipe, spec: Spec, train: Split, validation: Split) -> None:
        super().__init__()
        self.recipe, self.spec, self.splits = recipe, spec, (train, validation)
        self.vocabulary = prepared.vocabulary(recipe.dataset)

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        model = models.load(self.recipe.model).build(self.spec, hp)
        bases.start(model, self.recipe.base, self.vocabulary)
        return model

    def fit(
        self,
        hp: keras_tuner.HyperParameters,
        model: keras.Model,
        *,
        callbacks: list[keras.callbacks.Callback],
        epochs: int,
        initial_epoch: int = 0,
        verbose: int = 0,
    ) -> dict[str, float]:
        """Fit and return the metrics of the best epoch."""
        del hp, verbose  # the first is in the model, the second Keras Tuner's own
        search = self.recipe.search
        fit = trainer.Fit(epochs, self.recipe.train.batch_size, search.seed, search.objective)
        history = trainer.train(
            model,
            *self.splits,
            fit=fit,
            checkpoints=None,
            say=lambda line: print(f"  {line}", flush=True),
            start=initial_epoch,
            callbacks=tuple(callbacks),
        )
        return history.epochs[history.best(search.objective)]


def seeded(kind: type[keras_tuner.Tuner], seed: int) -> type[keras_tuner.Tuner]:
    """`kind` with the defaults first, a seed for each trial, and faults of the machine told apart from bad trials.

    Keras Tuner seeds the choice of hyperparameters but no trial's weights, and takes a full disk for a
    trial that failed.
    """

    class Seeded(kind):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            let_defaults_be_first(self.oracle)

        def pre_create_trial(self) -> None:
            """Set what Bayesian draws from, and the order it learns in, as if the search had not been killed before."""
            trials = self.oracle.trials
            self.oracle.trials = {name: trials[name] for name in sorted(trials, key=int)}
            if hasattr(self.oracle, "_random_state"):
                self.oracle._random_state.seed([self.oracle.seed, len(trials)])

        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
            print(f"trial {int(trial.trial_id) + 1}  {shown(trial.hyperparameters.values)}", flush=True)
            number = np.random.SeedSequence([seed, int(trial.trial_id)]).generate_state(1)[0]
            trainer.start_over(int(number))
            try:
                return super().run_trial(trial, *args, **kwargs)
            except trainer.Diverged as error:
                raise keras_tuner.errors.FailedTrialError(str(error)) from error
            except Exception as error:
                raise keras_tuner.errors.FatalError(f"{type(error).__name__}: {error}") from error

    return Seeded


def let_defaults_be_first(oracle: keras_tuner.Oracle) -> None:
    """Let the first values that `oracle` would draw at random be the architecture's defaults.

    All kinds of search begin with random ones, Hyperband with those of its first and shortest round, in which the
    defaults then compete as any other do: they get more epochs where they are among the best.
    """
    draw = oracle._random_values

    def drawn() -> dict[str, Any] | None:
        return draw() if oracle.start_order else genetic.defaults(oracle.get_space().space)

    oracle._random_values = drawn


def shown(values: dict[str, Any]) -> str:
    named = ((name, f"{value:.3g}" if isinstance(value, float) else value) for name, value in values.items())
    return "  ".join(f"{name} {value}" for name, value in named if not name.startswith("tuner/"))


def make_tuner(recipe: Recipe, trial: Trial, scratch: Path) -> keras_tuner.Tuner:
    """Keras Tuner's search of the recipe's kind, which goes on with what lies in `scratch`."""
    search = recipe.search
    pins = keras_tuner.HyperParameters()
    for name, value in recipe.hyperparameters.items():
        pins.Fixed(name, value)
    kinds: dict[str, tuple[type[keras_tuner.Tuner], dict[str, Any]]] = {
        "random": (keras_tuner.RandomSearch, {"max_trials": search.trials}),
        "bayesian": (keras_tuner.BayesianOptimization, {"max_trials": search.trials}),
        "genetic": (genetic.Genetic, {"max_trials": search.trials}),
        "hyperband": (keras_tuner.Hyperband, {"max_epochs": search.epochs}),
    }
    kind, limits = kinds[search.tuner]
    return seeded(kind, search.seed)(
        trial,
        objective=keras_tuner.Objective(search.objective, trainer.direction(search.objective)),
        seed=search.seed,
        hyperparameters=pins,
        directory=scratch.parent,
        project_name=scratch.name,
        **limits,
    )


def search(recipe: Recipe, spec: Spec, scratch: Path) -> pd.DataFrame:
    """Run every trial, and list them: trial, status, score, hyperparameters."""
    trial = Trial(recipe, spec, prepared.read(recipe.dataset, "train"), prepared.read(recipe.dataset, "validation"))
    tuner = resumed_or_new(lambda: make_tuner(recipe, trial, scratch), scratch)
    try:
        tuner.search(epochs=recipe.search.epochs, verbose=0)
    except (keras_tuner.errors.FatalError, RuntimeError) as error:
        if isinstance(error.__cause__, MiarError | OSError):
            raise error.__cause__ from None
        raise MiarError(f"every trial must run to its end. Received: {str(error).strip().splitlines()[-1]}") from error
    return pd.DataFrame(list(rows(tuner)))


def resumed_or_new(make: Callable[[], keras_tuner.Tuner], scratch: Path) -> keras_tuner.Tuner:
    """A tuner that goes on where it was; Keras Tuner's own files can be torn by a kill, then a new one."""
    try:
        return make()
    except (json.JSONDecodeError, KeyError, OSError) as error:
        print(f"the search's files are damaged, it starts again: {error}", flush=True)
        shutil.rmtree(scratch)
        return make()


def rows(tuner: keras_tuner.Tuner) -> Iterator[dict[str, Any]]:
    for trial in sorted(tuner.oracle.trials.values(), key=lambda trial: int(trial.trial_id)):
        values = {name: value for name, value in trial.hyperparameters.values.items() if not name.startswith("tuner/")}
        yield {
            "trial": int(trial.trial_id) + 1,
            "status": trial.status,
            "score": trial.score,
            "epochs": trial.hyperparameters.values.get("tuner/epochs", None),
            "hyperparameters": values,
        }


def best_trial(trials: pd.DataFrame, objective: str) -> dict[str, Any]:
    """The best of the trials that ended with a score; the first one of equals.

    Raises:
        MiarError: if there is none.
    """
    good = trials[(trials["status"] == "COMPLETED") & trials["score"].notna()]
    if good.empty:
        raise MiarError(f"at least one trial must succeed. Received: {len(trials)} trials, none with a score")
    ordered = good.sort_values("score", ascending=trainer.direction(objective) == "min", kind="stable")
    return {str(name): value for name, value in ordered.iloc[0].items()}


def default_score(trials: pd.DataFrame) -> float | None:
    """What the defaults reached, in the longest trial that had them; None if they were not tried or failed."""
    found = trials[trials["defaults"].astype(bool) & trials["score"].notna()]
    return float(found["score"].iloc[-1]) if len(found) else None


def write(name: str, recipe: Recipe, hyperparameters: dict[str, Any], trials: pd.DataFrame) -> Tuned:
    """Write the step's folder: hyperparameters.json, trials.csv, trials.png, space.png and the receipt."""
    objective = recipe.search.objective
    best = best_trial(trials, objective) if len(trials) else None
    table = flat(trials)
    with places.whole_folder(places.tuned(name)) as folder:
        text = json.dumps(hyperparameters, indent=2, sort_keys=True)
        (folder / "hyperparameters.json").write_text(text + "\n", encoding="utf-8")
        told = table.assign(defaults=table["defaults"].map({True: "true", False: "false"}))
        told.to_csv(folder / "trials.csv", index=False)
        pictures.trials(table, objective).savefig(folder / "trials.png")
        pictures.space(table, objective, importance.of(table)).savefig(folder / "space.png")
        return Tuned(
            name=name,
            digest=digest_files(folder, OUTPUTS),
            tuner=recipe.search.tuner,
            trials=len(trials),
            best_trial=str(best["trial"]) if best else None,
            best_score=float(best["score"]) if best else None,
            default_score=default_score(trials),
            hyperparameters=hyperparameters,
        ).write(folder)


def flat(trials: pd.DataFrame) -> pd.DataFrame:
    """Trials with a column for each hyperparameter; empty where a trial has none of that name."""
    if trials.empty:
        return trials
    values = pd.DataFrame(list(trials["hyperparameters"]), index=trials.index, dtype=object)  # 16 stays 16 beside none
    return pd.concat([trials.drop(columns="hyperparameters"), values], axis=1)
