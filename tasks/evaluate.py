"""evaluate: put the trained network to the exam that it has never seen."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from tasks import bases, catalogue, pictures, places, prepared, problems, records
from tasks.catalogue import Recipe
from tasks.errors import BadRequest
from tasks.problems import Exam, Problem
from tasks.receipts import Evaluated, Trained, Tuned, digest_files

METRICS = "metrics.json"
PREDICTIONS = "predictions.parquet"


def evaluate(name: str) -> Evaluated:
    """Judge the trained network of the recipe called `name` on the test split.

    Raises:
        BadRequest: if the recipe's gate asks for a score that the problem does not give.
        BadData: if the network cannot be read, or gives NaN.
    """
    recipe = catalogue.load().recipe(name)
    data = prepared.receipt(recipe.dataset)
    problem = problems.load(prepared.problem(recipe.dataset))
    check_gate(recipe, problem)
    split = prepared.read(recipe.dataset, "test")
    trained = Trained.read(places.trained(name))
    ask, spec = partial(records.ask, bases.network(name)), prepared.read_spec(recipe.dataset)
    given = ask(split.samples)
    exam = problem.judge(split, given, spec)
    if hasattr(problem, "further"):
        exam = replace(exam, tables={**problem.further(ask, split, spec), **exam.tables})
    if hasattr(problem, "beside"):
        others = problem.beside(prepared.read(recipe.dataset, "train"), split, given, spec, epochs=trained.epochs)
        exam = replace(exam, tables={**others, **exam.tables})
    print("  ".join(f"{score} {value:.4f}" for score, value in exam.scores.items()), flush=True)
    with places.whole_folder(places.evaluated(name)) as folder:
        write(name, exam, pd.read_csv(places.trained(name) / "history.csv"), folder)
        return Evaluated(
            name=name,
            digest=digest_files(folder, [METRICS, PREDICTIONS]),
            scores=exam.scores,
            exam=data.exam,
            samples=len(split),
            pictures=sorted(path.name for path in (folder / "pictures").iterdir()),
        ).write(folder)


def check_gate(recipe: Recipe, problem: Problem) -> None:
    if recipe.gate.metric not in problem.GATES:
        raise BadRequest(f"`gate.metric` must be one of {', '.join(problem.GATES)}. Received: {recipe.gate.metric!r}")


def write(name: str, exam: Exam, history: pd.DataFrame, folder: Path) -> None:
    """Write scores, predictions, tables, pictures and the report that shows them all."""
    (folder / METRICS).write_text(json.dumps(exam.scores, indent=2) + "\n", encoding="utf-8")
    exam.predictions.to_parquet(folder / PREDICTIONS, index=False)
    (folder / "tables").mkdir()
    for title, table in exam.tables.items():
        table.to_csv(folder / "tables" / f"{title}.csv", index=False)
    (folder / "pictures").mkdir()
    figures = {**exam.pictures, "learning_curves": pictures.learning_curves(history)}
    for title, figure in figures.items():
        figure.savefig(folder / "pictures" / f"{title}.png")
    (folder / "report.html").write_text(report(name, exam, folder), encoding="utf-8")


def report(name: str, exam: Exam, folder: Path) -> str:
    """One page of scores, tables and pictures that needs no network."""
    scores = pd.DataFrame({"score": list(exam.scores), "value": list(exam.scores.values())})
    shown = [pictures.picture(path, path.stem.replace("_", " ")) for path in sorted(folder.glob("pictures/*.png"))]
    tables = [f"<h2>{title}</h2>{pictures.table(table)}" for title, table in exam.tables.items()]
    return pictures.page(f"Evaluation of {name}", pictures.table(scores), *tables, *shown, search(name))


def search(name: str) -> str:
    """What the search for the hyperparameters has found, beside the architecture's defaults."""
    folder, tuned = places.tuned(name), Tuned.read(places.tuned(name))
    if not tuned.trials:
        return "<h2>Search</h2><p>There was none: the architecture's defaults and what the recipe fixes.</p>"
    trials = pd.read_csv(folder / "trials.csv")
    rows = {
        "the defaults": trials[trials["defaults"]],
        "the best": trials[trials["trial"] == int(tuned.best_trial or 0)],
    }
    found = pd.concat([rows.tail(1).assign(which=which) for which, rows in rows.items()])
    told = found[["which", *found.columns.drop("which")]].dropna(axis="columns", how="all")
    shown = [pictures.picture(folder / f"{one}.png", one) for one in ("trials", "space")]
    return f"<h2>Search, {tuned.tuner}, {tuned.trials} trials</h2>{pictures.table(told)}{''.join(shown)}"
