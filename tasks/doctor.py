"""doctor: does everything hold on this installation that must, and what to do where it does not?

Each check is a function that returns findings, none where all is well. They only read. Numbers are those of the
project's invariants: I1 to I12; `flows/doctor.py` adds what Prefect knows.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from tasks import catalogue, champions, examine, gates, ingested, janitor, places, prepared, records, split, verdicts
from tasks.catalogue import Catalogue
from tasks.errors import MiarError
from tasks.outside import ledger, registry, tracking, versioning
from tasks.receipts import Ingested, Prepared, Trained, Validated, digest_file

SPACE = 5e9
"""Bytes that should be free on the disk."""

PINNED = (
    "dvc",
    "fastapi",
    "great-expectations",
    "keras",
    "keras-tuner",
    "mlflow",
    "prefect",
    "sqlalchemy",
    "tensorflow",
)
"""Packages of which another version than the locked one is known to break something in silence."""


@dataclass(frozen=True)
class Finding:
    """What does not hold.

    Args:
        where: the model, the version, the folder or the run that it is about.
        do: what a person should do about it.
    """

    where: str
    what: str
    do: str


@dataclass(frozen=True)
class Check:
    """One thing that must hold.

    Args:
        name: its number and what must hold.
        looked_at: how many things were looked at; none is no trouble, but worth to be seen.
    """

    name: str
    looked_at: int
    findings: list[Finding] = field(default_factory=list)


class Ward:
    """What the checks look at, read once."""

    def __init__(self) -> None:
        self.client: Any = tracking.connect()
        self.known: Catalogue = catalogue.load()

    @cached_property
    def models(self) -> list[str]:
        return registry.models(self.client)

    @cached_property
    def champions(self) -> dict[str, int]:
        """The champion's number of each model that has one."""
        named = {model: champions.champion(self.client, model) for model in self.models}
        return {model: number for model, number in named.items() if number is not None}

    @cached_property
    def versions(self) -> dict[str, list[Any]]:
        return {model: list(registry.versions(self.client, f"name = '{model}'")) for model in self.models}

    def tags(self, model: str, number: int) -> dict[str, str]:
        found = registry.look(self.client, model, number)
        return dict(found.tags) if found else {}


Examination = Callable[[Ward], Iterator[Finding | None]]
"""Yields a finding for each thing that was looked at and is not well, None for one that is."""


def examine_all() -> list[Check]:
    """Look at everything; whatever keeps a check from being made is a finding too.

    Raises:
        Unavailable: if MLflow does not answer.
    """
    ward = Ward()
    with tracking.answering():
        return [made(name, examination, ward) for name, examination in EXAMINATIONS.items()]


def made(name: str, examination: Examination, ward: Ward) -> Check:
    looked: list[Finding | None] = []
    try:
        looked.extend(examination(ward))
    except (MiarError, OSError, ValueError, KeyError) as error:
        looked.append(Finding("the check itself", one_line(error), "see to what it says, then: ./miar doctor"))
    return Check(name, len(looked), [one for one in looked if one])


def champions_answer(ward: Ward) -> Iterator[Finding | None]:
    """I1: each champion is READY, can be read, and answers as when it was registered."""
    for model, number in ward.champions.items():
        trouble = champions.unfit(ward.client, model, number) or trouble_of(ward.client, model, number)
        yield (
            Finding(f"{model} version {number}", trouble, f"./miar rollback {model} --reason <why>")
            if trouble
            else None
        )


def trouble_of(client: Any, model: str, number: int) -> str:
    """What is wrong with what a version serves; empty if nothing is."""
    try:
        served = registry.served(registry.fetch(client, model, number))
        recorded = registry.recorded(client, model, number)
        far = records.apart(examine.answers(served, recorded["samples"]), recorded["answers"])
    except Exception as error:  # whatever keeps it from answering is its trouble
        return one_line(error)
    return "" if far <= examine.TOLERANCE else f"its answers differ from the recorded ones by {far:.2g}"


def champions_passed(ward: Ward) -> Iterator[Finding | None]:
    """I2: each champion's gate let it pass, and the report that says so is the one that was written."""
    for model, number in ward.champions.items():
        what = gate_trouble(ward.client, model, number)
        yield Finding(f"{model} version {number}", what, f"./miar promote {model} --version {number}") if what else None


def gate_trouble(client: Any, model: str, number: int) -> str:
    """What is wrong with a champion's gate; empty if nothing is."""
    found = registry.version(client, model, number)
    tags = dict(found.tags)
    text = tracking.text(str(found.run_id), f"{tags.get(registry.REPORT, 'gate')}/{verdicts.JSON}")
    if text is None:
        return "it has no report of its gate"
    report = verdicts.Report.model_validate_json(text)
    if report.digest() != tags.get("gate.report_sha256"):
        return "its gate's report is not the one that was written"
    if any(isinstance(check.value, float) and np.isnan(check.value) for check in report.checks):
        return "its gate's report holds a value that is no number"
    if report.verdict == verdicts.FAILED and report.mode == "enforce":
        return "its gate refused it"
    waived = report.verdict == verdicts.PASSED or report.mode != "enforce" or "approval.by" in tags
    return "" if waived else "its gate was not sure, and no person has said yes"


def lineage_resolves(ward: Ward) -> Iterator[Finding | None]:
    """I3: each version says where it came from, and commit and run can be found."""
    commits: dict[str, bool] = {}
    for model, versions in ward.versions.items():
        for one in versions:
            tags = dict(one.tags)
            missing = [tag for tag in gates.REQUIRED if tags.get(tag, versioning.UNKNOWN) in {"", versioning.UNKNOWN}]
            made_of = tags.get("git.commit", versioning.UNKNOWN)
            if made_of not in commits:
                commits[made_of] = versioning.has(made_of)
            lost = "" if commits[made_of] else f"commit {made_of[:12]} is not in this repository"
            what = f"without {', '.join(missing)}" if missing else lost
            where, do = f"{model} version {one.version}", f"./miar run {model} registers one with all of it"
            yield Finding(where, what, "git fetch" if lost and not missing else do) if what else None


def ledgers_agree(ward: Ward) -> Iterator[Finding | None]:
    """I4: the ledger is one chain, nothing in it is half done, and it knows the champion."""
    for model in ward.models:
        try:
            chain = ledger.read(ward.client, model)
        except MiarError as error:
            yield Finding(model, one_line(error), f"./miar reconcile {model} --anew")
            continue
        last, now = chain[-1] if chain else None, ward.champions.get(model)
        if last and last.state == ledger.PENDING:
            yield Finding(model, f"a move begun at {last.at} was never ended", f"./miar reconcile {model}")
        elif (last.champion if last else None) != now:
            expected = champions.told(last.champion if last else None)
            yield Finding(
                model, f"champion is {champions.told(now)}, the ledger knows {expected}", f"./miar reconcile {model}"
            )
        else:
            yield None


def data_is_whole(ward: Ward) -> Iterator[Finding | None]:
    """I5: what lies under a final name is what was written there."""
    steps = {**dict.fromkeys(ward.known.sources, "ingest"), **dict.fromkeys(ward.known.collections, "collect")}
    for source, step in steps.items():
        if places.ingested(source).is_dir():
            yield whole(f"data/ingested/{source}", partial(ingested_matches, source), again(step, source))
    for dataset in ward.known.datasets:
        if places.prepared(dataset).is_dir():
            yield whole(f"data/prepared/{dataset}", partial(prepared.receipt, dataset), again("prepare", dataset))


def again(step: str, name: str) -> str:
    return f".venv/bin/dvc repro --force -s {step}@{name}"


def ingested_matches(source: str) -> None:
    """Raise BadData unless a source's samples are what its receipt says."""
    if ingested.digest(source) != Ingested.read(places.ingested(source)).digest:
        raise MiarError("its receipt is of other samples")


def whole(where: str, read: Callable[[], Any], do: str) -> Finding | None:
    try:
        read()
    except MiarError as error:
        return Finding(where, one_line(error), do)
    return None


def checkpoints_are_sound(_: Ward) -> Iterator[Finding | None]:
    """I6: what a killed training would go on from is what it wrote."""
    for path in sorted((places.SCRATCH / "training").glob("*/epoch-*")):
        kept = re.search(r'"sha256": "([0-9a-f]{64})"', text(path / "state.json"))
        weights = path / "model.weights.h5"
        sound = kept is not None and weights.is_file() and digest_file(weights) == kept[1]
        told = "it is damaged; the next start passes it over and goes on from the one before"
        yield None if sound else Finding(str(path), told, f"nothing, or: rm -r {path}")


def text(path: Any) -> str:
    try:
        return str(path.read_text(encoding="utf-8"))
    except OSError:
        return ""


def nobody_is_missing(ward: Ward) -> Iterator[Finding | None]:
    """I7: no run of MLflow is RUNNING while nobody registers."""
    for model in ward.models:
        held = janitor.is_held(places.LOCKS / f"register-{model}.lock")
        for run in () if held else tracking.running(ward.client, model):
            told = "it is RUNNING, and no process of this machine works at it"
            yield Finding(f"run {run} of {model}", told, f"nothing: ./miar run {model} ends it")
        yield None


def once_each(ward: Ward) -> Iterator[Finding | None]:
    """I8: one network is one version, and one run made one version at most."""
    for model, versions in ward.versions.items():
        for tag in (registry.IDENTITY, "prefect.flow_run_id"):
            seen: dict[str, str] = {}
            for one in versions:
                value = one.tags.get(tag, versioning.UNKNOWN)
                if value != versioning.UNKNOWN and value in seen:
                    told = f"it has the same {tag} as version {seen[value]}"
                    yield Finding(f"{model} version {one.version}", told, "delete the one that is not in use in MLflow")
                seen[value] = str(one.version)
        yield None


def disk_is_clean(_: Ward) -> Iterator[Finding | None]:
    """I10: kills have left nothing behind, and there is room."""
    for path, kind in janitor.leftovers().items():
        yield Finding(str(path), f"left behind: {kind}", "./miar doctor --sweep")
    free = shutil.disk_usage(places.HOME).free
    told = f"{free / 1e9:.1f} GB are free, {SPACE / 1e9:.0f} should be"
    yield Finding(str(places.HOME), told, ".venv/bin/dvc gc --workspace, .venv/bin/mlflow gc") if free < SPACE else None


def trained_on_validated(ward: Ward) -> Iterator[Finding | None]:
    """I11: what was trained on is what was cut from what was validated."""
    for name, recipe in ward.known.recipes.items():
        places_of = (places.trained(name), places.prepared(recipe.dataset), places.validated(recipe.dataset))
        if not all((place / "receipt.json").is_file() for place in places_of):
            continue
        trained, data, judged = Trained.read(places_of[0]), Prepared.read(places_of[1]), Validated.read(places_of[2])
        if trained.data == data.digest and data.ingested == judged.ingested:
            yield None
        else:
            yield Finding(
                name, "it was trained on other data than was validated", f".venv/bin/dvc repro evaluate@{name}"
            )


def exams_are_unseen(ward: Ward) -> Iterator[Finding | None]:
    """I12: no sample of an exam is among those to learn from, by its number or by what it shows."""
    for dataset in ward.known.datasets:
        if not (places.prepared(dataset) / "receipt.json").is_file():
            continue
        parts = {part: prepared.read(dataset, part) for part in prepared.SPLITS}
        learnt = [parts["train"], parts["validation"]]
        same_number = np.isin(parts["test"].ids, np.concatenate([part.ids for part in learnt])).sum()
        shown = np.concatenate([split.contents(part.samples) for part in learnt])
        same = np.isin(split.contents(parts["test"].samples), shown).sum()
        told = f"{same_number} samples of the exam have a number, {same} a copy among those to learn from"
        do = f".venv/bin/dvc repro --force prepare@{dataset}"
        yield Finding(dataset, told, do) if same_number or same else None


def packages_are_locked(_: Ward) -> Iterator[Finding | None]:
    """The packages are those of requirements.lock."""
    locked = dict(
        re.findall(r"^([a-z0-9-]+)==([^\s;\\]+)", places.REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)
    )
    for package in PINNED:
        try:
            found = version(package)
        except PackageNotFoundError:
            found = "none"
        told = f"{found} is installed, {locked.get(package)} is locked"
        yield None if found == locked.get(package) else Finding(package, told, "rm .venv/.ready; make setup")


EXAMINATIONS: dict[str, Examination] = {
    "I1 champions answer as when they were registered": champions_answer,
    "I2 champions passed their gate": champions_passed,
    "I3 versions say where they came from": lineage_resolves,
    "I4 ledgers know the champions": ledgers_agree,
    "I5 data is what was written": data_is_whole,
    "I6 checkpoints can be gone on from": checkpoints_are_sound,
    "I7 no record is of a run that is dead": nobody_is_missing,
    "I8 one network is one version": once_each,
    "I10 the disk is clean": disk_is_clean,
    "I11 what was trained on was validated": trained_on_validated,
    "I12 no exam was seen before": exams_are_unseen,
    "packages are those that were locked": packages_are_locked,
}


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
