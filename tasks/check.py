"""check: whether every recipe and lesson of the catalogue could run, found out without data."""

from __future__ import annotations

import importlib.util

import models
from tasks import catalogue, encoding, lessons, problems, trainer
from tasks.catalogue import Catalogue, Dataset, Recipe
from tasks.errors import BadRequest, MiarError
from tasks.evaluate import check_gate
from tasks.outside import providers

COUNTED = ("sources", "collections", "datasets", "recipes", "lessons", "trackers")


def check() -> None:
    """Read params.yaml, import every lesson, and build every recipe's network with the values that it fixes.

    Raises:
        BadRequest: for the first recipe or lesson that could not run, named.
    """
    known = catalogue.load()
    check_sources(known)
    for name in known.lessons:
        lessons.load(name)
    for name, recipe in known.recipes.items():
        try:
            check_recipe(recipe, known.dataset(recipe.dataset))
        except MiarError as error:
            raise BadRequest(f"recipes.{name}: {error}") from error
    counts = {kind: len(getattr(known, kind)) for kind in COUNTED}
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()) + " are sound")


def check_sources(known: Catalogue) -> None:
    for name, source in known.sources.items():
        if importlib.util.find_spec(f"tasks.sources.{source.reader}") is None:
            raise BadRequest(
                f"sources.{name}: its files must be read by tasks/sources/{source.reader}.py. Received: no such file"
            )
    for name, collection in known.collections.items():
        try:
            providers.load(collection.provider)
        except BadRequest as error:
            raise BadRequest(f"collections.{name}.provider: {error}") from None
    for name in known.bases:
        if importlib.util.find_spec(f"tasks.bases.{name}") is None:
            raise BadRequest(f"bases.{name}: its files must be read by tasks/bases/{name}.py. Received: no such file")


def check_recipe(recipe: Recipe, dataset: Dataset) -> None:
    """Build the network, and look at the gate's score."""
    trainer.build(models.load(recipe.model), encoding.spec(dataset), recipe.hyperparameters)
    check_gate(recipe, problems.load(dataset.problem))
