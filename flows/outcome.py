"""What came of a run, read from the files that its steps wrote."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from flows.stages import RAN, UNCHANGED
from flows.workplace import Workplace
from tasks import catalogue, places
from tasks.receipts import Evaluated, Promoted, Registered

REPORTS = places.SCRATCH / "reports"
KEPT = 30
"""Reports of that many runs in worktrees are kept."""


@dataclass(frozen=True)
class Outcome:
    """Args:
    states: how each stage and step ended, by its name: Ran, Cached, Unchanged and so on.
    folder: where pictures and reports lie; for a run in a worktree, a copy that outlives it.
    """

    recipe: str
    dataset: str
    metric: str
    states: dict[str, str]
    evaluated: Evaluated
    registered: Registered | None
    promoted: Promoted | None
    folder: Path

    @property
    def headline(self) -> str:
        """One sentence: the score, the version, and what the gate made of it."""
        score = f"{self.metric} {self.evaluated.scores[self.metric]:.4f}"
        if not self.registered:
            return f"{self.recipe}: {score}"
        version = f"{self.recipe} version {self.registered.version}"
        if not self.promoted:
            return f"{version}: {score}; not asked to become champion"
        became = {"champion": "champion", "challenger": "not champion", "waits": "waits for a person"}
        return f"{version}: {score}; {became[self.promoted.decision]}, gate {self.promoted.verdict}"

    @property
    def unchanged(self) -> bool:
        """Whether no stage had to run, the version was registered before, and it became nothing that it was not."""
        known = self.registered is not None and not self.registered.new
        became = self.states.get("promote") in ("Champion", "Waits")
        return known and not became and all(state != RAN for name, state in self.states.items() if "@" in name)

    def told(self, seconds: float) -> str:
        """The run in a few lines, for a terminal."""
        busy = [f"{name} {state.lower()}" for name, state in self.states.items() if state != UNCHANGED]
        trained = any(name.startswith("train@") and state == RAN for name, state in self.states.items())
        lines = {
            "result": self.headline,
            "champion": self.champion(),
            "gate": "; ".join(self.promoted.reasons) if self.promoted else "not asked",
            **({"decide": self.ask_a_person()} if self.waits else {}),
            "stages": ", ".join(busy) if trained else ", ".join(["nothing was trained", *busy]),
            "pictures": ", ".join(map(shortened, self.pictures())),
            "reports": ", ".join(map(shortened, filter(Path.is_file, self.reports()))),
            "seconds": f"{seconds:.1f}",
            "look": "make ui, then the addresses that it prints",
        }
        return "\n" + "\n".join(f"{name:<10}{text}" for name, text in lines.items())

    @property
    def waits(self) -> bool:
        """Whether a person has to decide."""
        return self.promoted is not None and self.promoted.decision == "waits"

    def ask_a_person(self) -> str:
        version = self.promoted.version if self.promoted else 0
        return f"./miar promote {self.recipe} --version {version} --approve --reason <why>"

    def champion(self) -> str:
        promoted = self.promoted
        if not promoted or not promoted.champion:
            return "not asked" if not promoted else "none yet"
        score = f", {self.metric} {promoted.champion_score:.4f}" if promoted.champion_score is not None else ""
        return f"{self.recipe} version {promoted.champion}{score}"

    def pictures(self) -> list[Path]:
        drawn = [self.folder / step / self.recipe / "pictures" for step in ("evaluated", "explained")]
        found = [picture for folder in drawn for picture in sorted(folder.glob("*.png"))]
        searched = [self.folder / "tuned" / self.recipe / name for name in ("trials.png", "space.png")]
        return [*found, *filter(Path.is_file, searched), *self.gate_files("gate.png")]

    def gate_files(self, name: str) -> list[Path]:
        """A file of the gate's report, if the gate was asked."""
        path = self.folder / "promoted" / self.recipe / name
        return [path] if self.promoted and path.is_file() else []

    def checks(self) -> list[dict[str, str]]:
        """What the gate asked, one row for each check."""
        for path in self.gate_files("report.json"):
            rows = json.loads(path.read_text(encoding="utf-8"))["checks"]
            return [{name: str(value) for name, value in row.items()} for row in rows]
        return []

    def reports(self) -> list[Path]:
        """The pages that a browser can open: gate, exam, the network's inside, validation, Great Expectations' own."""
        validated = self.folder / "validated" / self.dataset
        exam = self.folder / "evaluated" / self.recipe
        inside = self.folder / "explained" / self.recipe
        pages = [
            exam / "report.html",
            inside / "report.html",
            validated / "report.html",
            validated / "docs" / "index.html",
        ]
        return [*self.gate_files("report.html"), *pages]

    def classes(self) -> list[dict[str, str]]:
        """The scores of each class; empty where the problem has no classes."""
        path = self.folder / "evaluated" / self.recipe / "tables" / "classes.csv"
        if not path.is_file():
            return []
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


def shortened(path: Path) -> str:
    """A path as seen from the root of this checkout, where it is below it."""
    return str(path.relative_to(places.ROOT) if path.is_relative_to(places.ROOT) else path)


def read(recipe: str, place: Workplace, states: dict[str, str]) -> Outcome:
    """Read the receipts of a run that has ended, and keep its pages and pictures."""
    entry = catalogue.load(place.root / places.PARAMS.name).recipe(recipe)
    registered, promoted = place.folder(places.registered(recipe)), place.folder(places.promoted(recipe))
    return Outcome(
        recipe=recipe,
        dataset=entry.dataset,
        metric=entry.gate.metric,
        states=states,
        evaluated=Evaluated.read(place.folder(places.evaluated(recipe))),
        registered=Registered.read(registered) if "register" in states else None,
        promoted=Promoted.read(promoted) if "promote" in states else None,
        folder=keep(recipe, entry.dataset, place) if place.own else places.DATA,
    )


def keep(recipe: str, dataset: str, place: Workplace) -> Path:
    """Copy what people look at out of a worktree that is about to go."""
    kept = REPORTS / place.run
    steps = (places.evaluated, places.explained, places.tuned, places.promoted)
    for folder in (*(step(recipe) for step in steps), places.validated(dataset)):
        source = place.folder(folder)
        if not source.is_dir():
            continue
        shutil.copytree(source, kept / folder.relative_to(places.DATA), dirs_exist_ok=True)
    for old in sorted(REPORTS.iterdir(), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return kept
