"""study: set several recipes side by side that differ in one thing, in one table and two pictures."""

from __future__ import annotations

import json
import textwrap

import pandas as pd
from matplotlib.figure import Figure

from tasks import catalogue, pictures, places
from tasks.catalogue import Catalogue, Study
from tasks.errors import BadRequest
from tasks.receipts import Evaluated, Studied, Trained, Tuned, digest_files


def study(name: str) -> Studied:
    """Compare the evaluated recipes of the study called `name`, and write its table, pictures and report.

    Raises:
        BadRequest: if they are not judged by the same score.
        BadData: if one of them is not evaluated.
    """
    known = catalogue.load()
    entry = known.study(name)
    check(entry, known)
    table = compared(entry, known)
    histories = {recipe: pd.read_csv(places.trained(recipe) / "history.csv") for recipe in entry.recipes}
    figures = {"scores": draw_scores(table, entry), "curves": draw_curves(histories, known)}
    print(table.to_string(index=False), flush=True)
    with places.whole_folder(places.studied(name)) as folder:
        table.to_csv(folder / "table.csv", index=False)
        for title, figure in figures.items():
            figure.savefig(folder / f"{title}.png")
        shown = [pictures.picture(folder / f"{title}.png", title) for title in figures]
        page = pictures.page(
            f"Study: {name}", f"<p>{pictures.escaped(entry.question)}</p>", pictures.table(table), *shown
        )
        (folder / "report.html").write_text(page, encoding="utf-8")
        return Studied(name=name, digest=digest_files(folder, ["table.csv"])).write(folder)


def check(entry: Study, known: Catalogue) -> None:
    """Raise BadRequest unless all recipes of a study ask for the same score and choose by the same metric."""
    asked = {(known.recipe(one).gate.metric, known.recipe(one).search.objective) for one in entry.recipes}
    if len(asked) > 1:
        found = "; ".join(" and ".join(one) for one in sorted(asked))
        raise BadRequest(
            f"the recipes of a study must have one gate.metric and one search.objective. Received: {found}"
        )


def compared(entry: Study, known: Catalogue) -> pd.DataFrame:
    """One row for each recipe: what it sets, its size, how long it took, and its scores less the first recipe's."""
    rows = [facts(recipe, known) for recipe in entry.recipes]
    table = pd.DataFrame(rows)
    metric = known.recipe(entry.recipes[0]).gate.metric
    table.insert(2, f"{metric} less the first's", table[metric] - table[metric].iloc[0])
    return table


def facts(name: str, known: Catalogue) -> dict[str, object]:
    recipe, trained = known.recipe(name), Trained.read(places.trained(name))
    exam, history = Evaluated.read(places.evaluated(name)), pd.read_csv(places.trained(name) / "history.csv")
    best = history.iloc[trained.best_epoch - 1]
    objective = recipe.search.objective.removeprefix("val_")
    chosen = Tuned.read(places.tuned(name)).hyperparameters
    return {
        "recipe": name,
        recipe.gate.metric: exam.scores[recipe.gate.metric],
        f"training {objective}": best[objective],
        f"validation {objective}": best[f"val_{objective}"],
        "epochs": trained.epochs,
        "best epoch": trained.best_epoch,
        "parameters": trained.parameters,
        "seconds": trained.seconds,
        "hyperparameters": json.dumps({key: chosen[key] for key in sorted(recipe.hyperparameters)}),
    }


def draw_scores(table: pd.DataFrame, entry: Study) -> Figure:
    """The exam's score of each recipe."""
    figure = pictures.blank(8, 1.2 + 0.45 * len(table))
    axes = figure.add_subplot()
    metric = str(table.columns[1])
    bars = axes.barh(table["recipe"][::-1], table[metric][::-1], color=pictures.ACCENT)
    axes.bar_label(bars, fmt=" %.3f")
    axes.margins(x=0.12)
    axes.set(title="\n".join(textwrap.wrap(entry.question, 70)), xlabel=f"{metric} of the exam")
    return figure


def draw_curves(histories: dict[str, pd.DataFrame], known: Catalogue) -> Figure:
    """The objective by epoch: training dashed, validation drawn through, a colour for each recipe."""
    objective = known.recipe(next(iter(histories))).search.objective
    figure = pictures.blank(8, 4.5)
    axes = figure.add_subplot()
    colours = (pictures.ACCENT, pictures.SECOND, *pictures.MORE)
    for number, (recipe, history) in enumerate(histories.items()):
        colour = colours[number % len(colours)]
        axes.plot(history["epoch"], history[objective], color=colour, label=recipe)
        axes.plot(history["epoch"], history[objective.removeprefix("val_")], color=colour, linestyle="--", linewidth=1)
    axes.set(title=f"{objective}, and of the training samples dashed", xlabel="epoch")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
    return figure
