"""study: set several recipes side by side that differ in one thing, in one table and two pictures."""

from __future__ import annotations

import itertools
import json
import textwrap
from collections.abc import Iterable

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
    figures = {"scores": draw_scores(table, entry, known), "curves": draw_curves(histories, known)}
    if entry.batches:
        figures["times"] = draw_times(table, entry, known)
    print(table.to_string(index=False), flush=True)
    with places.whole_folder(places.studied(name)) as folder:
        table.to_csv(folder / "table.csv", index=False)
        for title, figure in figures.items():
            figure.savefig(folder / f"{title}.png")
        shown = [pictures.picture(folder / f"{title}.png", title) for title in figures]
        asked = f"<p>{pictures.escaped(entry.question)}</p>"
        page = pictures.page(f"Study: {name}", asked, pictures.table(table), *shown, published(entry))
        (folder / "report.html").write_text(page, encoding="utf-8")
        return Studied(name=name, digest=digest_files(folder, ["table.csv"])).write(folder)


def published(entry: Study) -> str:
    """Others' figures, apart from ours."""
    if entry.published is None:
        return ""
    table = pd.read_csv(places.published(entry.published), dtype=str).fillna("")
    return (
        "<h2>Published</h2><p>Measured by others, on other data and machines: how methods stand to each other can be "
        f"set beside ours, and no number can.</p>{pictures.table(table)}"
    )


def check(entry: Study, known: Catalogue) -> None:
    """Raise BadRequest unless all recipes of a study ask for the same score and choose by the same metric."""
    asked = {(known.recipe(one).gate.metric, known.recipe(one).search.objective) for one in entry.recipes}
    if len(asked) > 1:
        found = "; ".join(" and ".join(one) for one in sorted(asked))
        raise BadRequest(
            f"the recipes of a study must have one gate.metric and one search.objective. Received: {found}"
        )


def compared(entry: Study, known: Catalogue) -> pd.DataFrame:
    """One row for each recipe: what it sets, its size, how long it took, and its score less its source's first."""
    rows = []
    for number, recipe in enumerate(entry.recipes, start=1):
        rows.append(facts(recipe, known) | times(recipe, entry.batches))
        print(f"{number}/{len(entry.recipes)} {recipe}", flush=True)
    table = pd.DataFrame(rows)
    metric = metric_of(entry, known)
    first = table.groupby("source", sort=False)[metric].transform("first")
    table.insert(3, f"{metric} less the first's", table[metric] - first)
    return table


def metric_of(entry: Study, known: Catalogue) -> str:
    return known.recipe(entry.recipes[0]).gate.metric


def times(recipe: str, batches: list[int]) -> dict[str, float]:
    """Milliseconds of an answer, by the column that tells for how many samples at once."""
    if not batches:
        return {}
    from tasks import speed  # loads Keras, which other studies do not need

    return {time_at(batch): one for batch, one in speed.milliseconds(recipe, batches).items()}


def time_at(batch: int) -> str:
    return f"ms of one in {batch}"


def facts(name: str, known: Catalogue) -> dict[str, object]:
    recipe, trained = known.recipe(name), Trained.read(places.trained(name))
    exam, history = Evaluated.read(places.evaluated(name)), pd.read_csv(places.trained(name) / "history.csv")
    best = history.iloc[trained.best_epoch - 1]
    objective = recipe.search.objective.removeprefix("val_")
    chosen = Tuned.read(places.tuned(name)).hyperparameters
    return {
        "recipe": name,
        "source": known.dataset(recipe.dataset).source,
        recipe.gate.metric: exam.scores[recipe.gate.metric],
        f"training {objective}": best[objective],
        f"validation {objective}": best[f"val_{objective}"],
        "epochs": trained.epochs,
        "best epoch": trained.best_epoch,
        "parameters": trained.parameters,
        "seconds": trained.seconds,
        "hyperparameters": json.dumps({key: chosen[key] for key in sorted(recipe.hyperparameters)}),
    }


def colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name."""
    return dict(zip(dict.fromkeys(names), itertools.cycle((pictures.ACCENT, pictures.SECOND, *pictures.MORE))))


def draw_scores(table: pd.DataFrame, entry: Study, known: Catalogue) -> Figure:
    """The exam's score of each recipe, a colour for each source."""
    figure = pictures.blank(8, 1.2 + 0.45 * len(table))
    axes = figure.add_subplot()
    metric, upwards = metric_of(entry, known), table[::-1]
    colour = colours(table["source"])
    bars = axes.barh(upwards["recipe"], upwards[metric], color=upwards["source"].map(colour))
    axes.bar_label(bars, fmt=" %.3f")
    axes.margins(x=0.12)
    axes.set(title="\n".join(textwrap.wrap(entry.question, 70)), xlabel=f"{metric} of the exam")
    return figure


def draw_times(table: pd.DataFrame, entry: Study, known: Catalogue) -> Figure:
    """The exam's score against the time of an answer; the more parameters, the larger the mark."""
    figure = pictures.blank(8, 5)
    axes = figure.add_subplot()
    metric, time = metric_of(entry, known), time_at(entry.batches[0])
    for source, colour in colours(table["source"]).items():
        rows = table[table["source"] == source]
        axes.scatter(rows[time], rows[metric], rows["parameters"] ** 0.5 / 5, color=colour, alpha=0.7, label=source)
    for row in table.to_dict("records"):
        place = (row[time], row[metric])
        axes.annotate(row["recipe"], place, (4, 4), textcoords="offset points", fontsize=7, rotation=35)
    axes.set(xscale="log", xlabel=f"milliseconds of an answer, {time}", ylabel=f"{metric} of the exam")
    axes.margins(x=0.3, y=0.3)
    axes.grid(alpha=0.25)
    axes.legend(title="area grows with the root of the parameters", fontsize=8, title_fontsize=8)
    return figure


def draw_curves(histories: dict[str, pd.DataFrame], known: Catalogue) -> Figure:
    """The objective by epoch: training dashed, validation drawn through, a colour for each recipe."""
    objective = known.recipe(next(iter(histories))).search.objective
    figure = pictures.blank(8, 4.5)
    axes = figure.add_subplot()
    for (recipe, history), colour in zip(histories.items(), colours(histories).values(), strict=True):
        axes.plot(history["epoch"], history[objective], color=colour, label=recipe)
        axes.plot(history["epoch"], history[objective.removeprefix("val_")], color=colour, linestyle="--", linewidth=1)
    axes.set(title=f"{objective}, and of the training samples dashed", xlabel="epoch")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
    return figure
