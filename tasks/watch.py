"""watch: does a champion still do what it was promoted for? Where it does not, the one before comes back.

Right answers come later than samples: `add` keeps them, and `watch` judges the answers that they belong to, window by
window, by the problem's own quality of an answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.spec import Spec
from tasks import catalogue, champions, history, objects, places, problems, score, sequences
from tasks.catalogue import Monitoring
from tasks.errors import BadData, BadRequest, Refused
from tasks.outside import registry
from tasks.receipts import digest_file
from tasks.score import OBJECTS, TRANSLATION, Known

SURE = 1.645
"""Standard errors: a mean that is farther below is below by more than chance, 19 times in 20."""

HOLDS, FELL, WAITS = "holds", "fell", "waits"
"""What is found of a champion: the last is that too few right answers are known."""


@dataclass(frozen=True)
class Watched:
    """What was found.

    Args:
        means: mean quality of each of the last windows, the oldest first; -inf to 1, 1 is best.
        promised: mean quality of its answers to the exam.
        bad: how many of the windows are worse than promised, by more than may be and by more than chance.
        back: the version that is champion again instead, if any; `why` says why none is.
    """

    model: str
    version: int
    found: str
    means: list[float]
    promised: float
    bad: int
    back: int | None = None
    why: str = ""

    def headline(self) -> str:
        name = f"{self.model} version {self.version}"
        if self.found == WAITS:
            return f"{name}: too few right answers are known to judge it"
        told = f"{self.bad} of its last {len(self.means)} windows are worse than the {self.promised:.4f} of its exam"
        if self.found == HOLDS:
            return f"{name} holds: {told}"
        became = f"version {self.back} is champion again" if self.back else f"it stays champion: {self.why}"
        return f"{name} fell: {told}; {became}"


def add(model: str, path: Path) -> int:
    """Keep right answers from a file of the columns `id` and `answer`, and those of a joint problem; how many are new.

    Raises:
        BadRequest: if there is no such model or file.
        BadData: if an id has two answers, here or from before, or an answer is none.
        Refused: if the model gives vectors of words, of which none are right.
    """
    client = history.connected(model)
    number = int(history.version_of(client, model, registry.CHAMPION).version)
    spec = score.known_of(model, number).spec
    if spec.vectors:
        raise Refused(f"right answers must be of a model whose answers can be right. Received: `{model}`, of vectors")
    table = read(path, spec)
    before = labels(model)
    both = pd.concat([before, table], ignore_index=True).drop_duplicates()
    if (twice := both["id"][both["id"].duplicated()]).size:
        raise BadData(f"`{path}`: each id must have one answer. Received: two of {twice.iloc[0]!r}")
    if len(both) > len(before):
        kept = places.labels(model) / f"{digest_file(path)[:16]}.parquet"
        new = both.iloc[len(before) :]
        places.write_file(kept, lambda beside: new.to_parquet(beside, index=False))
    return len(both) - len(before)


def read(path: Path, spec: Spec) -> pd.DataFrame:
    """The ids with their right answers, checked."""
    if path.suffix not in (".csv", ".parquet") or not path.is_file():
        raise BadRequest(f"`file` must be a .csv or .parquet file. Received: {str(path)[:200]!r}")
    try:
        table = pd.read_csv(path, dtype={"id": str}) if path.suffix == ".csv" else pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise BadData(f"`{path}` must be a table. Received: {score.one_line(error)}") from None
    columns = ["id", *answer_columns(spec)]
    if missing := [column for column in columns if column not in table]:
        raise BadData(f"`{path}` must have the columns {', '.join(columns)}. Received: no {', '.join(missing)}")
    table = table[columns].astype({"id": str})
    if spec.boxes:
        objects.packed(list(table[OBJECTS]), spec)
    elif spec.translation:
        sequences.packed(table[TRANSLATION], spec)
    elif spec.classes:
        table["class"] = table["class"].astype(str)
        strange = ~table["class"].isin(spec.classes)
        check(strange, table["class"], f"a class of {', '.join(spec.classes[:12])}", path)
    for name in number_columns(spec):
        numbers = pd.to_numeric(table[name], errors="coerce")
        check(~np.isfinite(numbers), table[name], "a finite number", path)
        table[name] = numbers.astype(float)
    return table


def answer_columns(spec: Spec) -> list[str]:
    if spec.boxes:
        return [OBJECTS]
    if spec.translation:
        return [TRANSLATION]
    return [*(["class"] if spec.label else []), *number_columns(spec)]


def number_columns(spec: Spec) -> list[str]:
    """Columns of the number that is asked for, one for each step ahead of a forecast."""
    if spec.number is None:
        return []
    return score.ahead(spec) if spec.forecast else [spec.number.name]


def check(strange: pd.Series, values: pd.Series, what: str, path: Path) -> None:
    if strange.any():
        row = int(np.argmax(strange))
        raise BadData(f"`{path}`: each answer must be {what}. Received: {values.iloc[row]!r} in row {row}")


def labels(model: str) -> pd.DataFrame:
    """All right answers so far."""
    tables = [pd.read_parquet(file) for file in sorted(places.labels(model).glob("*.parquet"))]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"id": pd.Series(dtype=str)})


def watch(model: str) -> Watched:
    """Judge the champion by the right answers that are known, and let the one before come back if it fell.

    Raises:
        BadRequest: if there is no such model, or it has no champion.
        BadData: if the version was registered without what its monitoring needs.
    """
    client = history.connected(model)
    number = int(history.version_of(client, model, registry.CHAMPION).version)
    known = score.known_of(model, number)
    recipe = catalogue.load().recipes.get(model)
    found = judge(model, number, quality_of(model, number, known), known, recipe.monitoring if recipe else Monitoring())
    return go_back(found) if found.found == FELL else found


def quality_of(model: str, number: int, known: Known) -> np.ndarray:
    """Quality of each answer of a version of which the right one is known, in the order of time: float (N,)."""
    columns = answer_columns(known.spec)
    answered = score.scored(model, columns=["id", "version", *columns])
    both = answered[answered["version"] == number].merge(labels(model), on="id", suffixes=("", " right"))
    if both.empty:
        return np.empty(0)
    if known.spec.boxes:
        true, told = (objects.packed(list(both[f"{OBJECTS}{suffix}"]), known.spec) for suffix in (" right", ""))
        return problems.load(known.problem).quality(true[["boxes", "labels"]], told, known.spec)
    if known.spec.forecast:
        true, told = (both[[f"{name}{suffix}" for name in columns]].to_numpy(np.float32) for suffix in (" right", ""))
        return problems.load(known.problem).quality(true, told, known.spec)
    if known.spec.translation:
        true, told = (sequences.packed(both[f"{TRANSLATION}{suffix}"], known.spec) for suffix in (" right", ""))
        return problems.load(known.problem).quality(true, told, known.spec)
    right, given = (encoded(both, known.spec, suffix) for suffix in (" right", ""))
    answers = right["label"].argmax(axis=1) if known.spec.classes else None
    problem = problems.load(known.problem)
    if not known.spec.number:
        return problem.quality(np.asarray(answers), given["label"], known.spec)
    name = known.spec.number.name
    if answers is None:
        return problem.quality(right[name][:, 0], given[name], known.spec)
    return problem.quality({"label": answers, name: right[name][:, 0]}, given, known.spec)  # type: ignore[arg-type]


def encoded(table: pd.DataFrame, spec: Spec, suffix: str) -> dict[str, np.ndarray]:
    """Answers as a network gives them: certain of one class, and the number."""
    made: dict[str, np.ndarray] = {}
    if spec.classes:
        numbers = table[f"class{suffix}"].map({name: number for number, name in enumerate(spec.classes)})
        made["label"] = np.eye(len(spec.classes))[numbers.to_numpy(int)]
    if spec.number:
        made[spec.number.name] = table[f"{spec.number.name}{suffix}"].to_numpy(float)[:, np.newaxis]
    return made


def judge(model: str, number: int, quality: np.ndarray, known: Known, wanted: Monitoring) -> Watched:
    """What the last windows say of a version."""
    windows = min(len(quality) // wanted.window, wanted.windows)
    used = quality[len(quality) - windows * wanted.window :].reshape(windows, wanted.window)
    means = used.mean(axis=1)
    promised = known.reference.quality
    margin = SURE * used.std(axis=1) * math.sqrt(1 / wanted.window + 1 / max(known.reference.exam, 1))
    bad = int((means + np.maximum(margin, wanted.fall) < promised).sum())
    found = WAITS if windows < wanted.over else FELL if bad >= wanted.over else HOLDS
    return Watched(model, number, found, [round(float(mean), 4) for mean in means], promised, bad)


def go_back(found: Watched) -> Watched:
    """Let the champion before come back, which quarantines this one; where there is none, say so."""
    from dataclasses import replace

    try:
        moved = champions.rollback(found.model, reason=found.headline().partition(";")[0], by="watch")
    except Refused as error:
        return replace(found, why=str(error))
    return replace(found, back=moved.new)
