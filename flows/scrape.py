"""scrape: search the web for a collection's images anew, and make a new version of its data of what is found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
from prefect import flow
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import deployment, flow_run
from prefect.states import Completed, Failed

from flows import artifacts, events, retrain, stages, unattended, workplace
from flows.forms import Collection, Keywords, Licences, Provider, Wanted
from flows.workplace import Wishes, Workplace
from tasks import catalogue, places
from tasks.collected import OUTCOMES
from tasks.errors import MiarError
from tasks.receipts import Collected, Searched
from tasks.search import CANDIDATES


@dataclass(frozen=True)
class Found:
    """What came of a run.

    Args:
        headline: in one line.
        table: for each class what was found and kept.
        new: whether the images are others than before.
    """

    headline: str
    table: list[dict[str, Any]]
    new: bool


@flow(name="scrape", log_prints=False, persist_result=False)
def scrape(
    collection: Collection = "flowers",
    classes: Keywords | None = None,
    provider: Provider | None = None,
    wanted: Wanted = None,
    licences: Licences | None = None,
    dry_run: bool = False,
) -> State[Any]:
    """Search for a collection's images, fetch what is found, keep what can be used, and judge it.

    Images that are new, or gone, make a new version of the data; models that learn from it are then trained anew.
    Values given here are tried out: what they give is kept with the run, and is not what models are trained on until
    they are written into params.yaml.

    Args:
        collection: What to search for, as params.yaml has it.
        classes: Keywords by class, at least two classes. None: the collection's own.
        provider: Who finds the images. None: the collection's own.
        wanted: How many candidates are asked for by each keyword, 1 to 10000. None: the collection's own number.
        licences: That an image may have. None: the collection's own.
        dry_run: Whether only the search is done, to see how much there is; nothing is fetched or kept.
    """
    wishes = Wishes(provider, classes, wanted, licences)
    run = str(flow_run.id or uuid4())
    try:
        workplace.check(collection, wishes)
        with unattended.turn(f"collect-{collection}"):
            if needless := unattended.needless():
                return Completed(name="Skipped", message=needless)
            fresh = dry_run or deployment.id is not None
            with workplace.opened(collection, wishes, run=run, fresh=fresh) as place:
                return carry_out(collection, place, dry_run=dry_run, adopted=not wishes)
    except MiarError as error:
        said = str(error)
        line = said if isinstance(error, stages.StepFailed) else f"ERROR {error.code} scrape {collection}: {said}"
        return Failed(message=line, data=error)


def carry_out(name: str, place: Workplace, *, dry_run: bool, adopted: bool) -> State[Any]:
    """Search, and unless that is all, collect and judge; a failed expectation ends the run.

    Args:
        adopted: whether what is found becomes the data that models are trained on.
    """
    graph, clock = stages.Graph(place.root), unattended.Clock(None)
    before = samples(name, place)
    retrain.run_stage(f"search@{name}", graph, place, clock, force=True)
    if dry_run:
        found = Found(*searched(name, place), new=False)
        show(name, found, None)
        return Completed(name="DryRun", message=found.headline, data=found)
    retrain.run_stage(f"collect@{name}", graph, place, clock, force=not adopted or is_due(name, place))
    for dataset in datasets(name):
        retrain.run_stage(f"validate@{dataset}", graph, place, clock)
    new = samples(name, place) != before
    if place.own:
        made = workplace.commit(place, f"Collect {name}, run {place.run}")
        get_run_logger().info("params.yaml and dvc.lock of this run are commit %s", made[:12])
        if adopted:
            workplace.keep_lock(place, f"collect@{name}")
    found = Found(*collected(name, place), new=new)
    show(name, found, place.folder(places.collected(name)) / "report.html")
    if new and adopted:
        tell(name)
    return Completed(name="Collected" if new else "NothingNew", message=found.headline, data=found)


def samples(name: str, place: Workplace) -> str:
    """DVC's md5 of the collection's samples, as dvc.lock here has it; empty where there are none."""
    stage = workplace.read_lock(place.root / places.DVC_LOCK.name).get("stages", {}).get(f"collect@{name}", {})
    return next((str(out.get("md5")) for out in stage.get("outs", []) if out["path"].endswith("/samples")), "")


def is_due(name: str, place: Workplace) -> bool:
    """Whether any image is to be looked at, so that the stage runs though DVC sees nothing new."""
    from tasks import brought

    return brought.is_due(name, place.folder(places.searched(name)))


def datasets(name: str) -> list[str]:
    return [dataset for dataset, what in catalogue.load().datasets.items() if what.source == name]


def searched(name: str, place: Workplace) -> tuple[str, list[dict[str, Any]]]:
    """What a search has found: in one line, and by class and licence."""
    folder = place.folder(places.searched(name))
    receipt, table = Searched.read(folder), pd.read_parquet(folder / CANDIDATES)
    counts = pd.crosstab(table["label"], table["license"]).reset_index()
    line = f"{name}: {sum(receipt.candidates.values())} candidates named by {receipt.provider}; nothing was fetched"
    return line, [{str(key): value for key, value in row.items()} for row in counts.to_dict("records")]


def collected(name: str, place: Workplace) -> tuple[str, list[dict[str, Any]]]:
    """What was kept: in one line, and by class and outcome."""
    folder = place.folder(places.collected(name))
    receipt, table = Collected.read(folder), pd.read_parquet(folder / OUTCOMES, columns=["label", "outcome"])
    counts = pd.crosstab(table["label"], table["outcome"]).reset_index()
    classes = ", ".join(f"{count} {label}" for label, count in receipt.kept.items())
    line = f"{name}: {sum(receipt.kept.values())} images kept of {receipt.candidates} candidates ({classes})"
    return line, [{str(key): value for key, value in row.items()} for row in counts.to_dict("records")]


def show(name: str, found: Found, report: Path | None) -> None:
    """Put what was found on the page of the run."""
    create_markdown_artifact(f"# {found.headline}\n", key=artifacts.key("images", name), description=found.headline)
    create_table_artifact(found.table, key=artifacts.key("outcomes", name), description=f"{name}, class by class")
    if report:
        create_link_artifact(report.as_uri(), str(report), key=artifacts.key("gallery", name), description="gallery")


def tell(name: str) -> None:
    """Tell of every model whose newest version learnt from other images; the deployment retrain begins with it."""
    from tasks import news

    known = catalogue.load()
    for model, version in news.outdated().items():
        if known.dataset(known.recipe(model).dataset).source == name:
            events.emit("outdated", model, version=version)
