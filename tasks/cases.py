"""A version before its gate: its tags, its exam, and what a fresh process makes of it, each found once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from models.spec import Spec
from tasks import champions, compare, examine, places, prepared, problems
from tasks.catalogue import Gate, Recipe
from tasks.errors import BadData
from tasks.examine import Examined
from tasks.outside import registry, versioning
from tasks.prepared import Split
from tasks.problems import Problem
from tasks.receipts import Prepared


@dataclass
class Case:
    """What the checks of a gate need, found when the first of them asks.

    Args:
        champion: version to compare with, if there is another.
        scratch: a folder for what is found.
    """

    client: Any
    model: str
    number: int
    champion: int | None
    recipe: Recipe
    scratch: Path

    @property
    def gate(self) -> Gate:
        return self.recipe.gate

    @property
    def both(self) -> list[int]:
        """This version, then the champion if there is one."""
        return [number for number in (self.number, self.champion) if number is not None]

    @cached_property
    def tags(self) -> dict[str, str]:
        """Tags of the version; none where there is no such version."""
        found = registry.look(self.client, self.model, self.number)
        return dict(found.tags) if found else {}

    @property
    def exam(self) -> str:
        return self.tags.get("exam.sha256", versioning.UNKNOWN)

    @cached_property
    def recorded(self) -> float:
        """The score that the version was registered with; NaN if there is none, or it is no number."""
        try:
            return float(self.tags[f"score.{self.gate.metric}"])
        except (KeyError, ValueError):
            return float("nan")

    @cached_property
    def data(self) -> Path:
        """The folder with the data of this version's exam: the one that lies here, or the one of its commit.

        Raises:
            BadData: if the exam can be had no more.
        """
        dataset, exam = self.recipe.dataset, self.exam
        if not re.fullmatch("[0-9a-f]{64}", exam):  # it names a folder, and anyone can write a tag
            what = f"`exam.sha256` of version {self.number} of `{self.model}`"
            raise BadData(f"{what} must be a sha256. Received: {exam[:80]!r}; run: ./miar run {self.model}")
        with champions.locked("exam", exam):  # two that want it at once would write the same folder
            for folder in (places.prepared(dataset), places.exam(exam)):
                if (folder / "receipt.json").is_file() and Prepared.read(folder).exam == exam:
                    return self.checked(folder)
            with places.whole_folder(places.exam(exam)) as folder:
                relative = str(places.prepared(dataset).relative_to(places.ROOT))
                versioning.restore(relative, self.tags["git.commit"], folder)
        return self.checked(places.exam(exam))

    def checked(self, folder: Path) -> Path:
        found = prepared.receipt(self.recipe.dataset, folder).exam
        if found != self.exam:
            raise BadData(f"the exam in {folder} must have the sha256 {self.exam[:12]}. Received: {found[:12]}")
        return folder

    def split(self, part: str) -> Split:
        return prepared.read(self.recipe.dataset, part, self.data)

    @cached_property
    def examined(self) -> dict[int, Examined]:
        """What a fresh process found about this version and the champion; both sit the same exam."""
        samples = self.data / "test_samples.npy" if self.gate.mode != "off" else None
        return examine.apart(self.model, self.both, samples=samples, folder=self.scratch)

    def answers(self, number: int) -> np.ndarray:
        """The answers of a version to the exam.

        Raises:
            BadData: if it cannot be asked.
        """
        found = self.examined[number]
        if found.trouble:
            raise BadData(f"version {number} of `{self.model}` must be readable. Received: {found.trouble}")
        return np.asarray(np.load(found.answers, allow_pickle=False))

    def score(self, given: np.ndarray) -> float:
        """The gate's score of some answers to the exam."""
        exam = self.split("test")
        return float(self.problem.scores(np.asarray(exam.answers), given, self.spec)[self.gate.metric])

    @cached_property
    def problem(self) -> Problem:
        return problems.load(prepared.problem(self.recipe.dataset, self.data))

    @cached_property
    def spec(self) -> Spec:
        return prepared.read_spec(self.recipe.dataset, self.data)

    @cached_property
    def interval(self) -> compare.Interval:
        """The score less the champion's on the same exam, with where it lies by a paired bootstrap."""
        ours, theirs = (self.answers(number) for number in self.both)
        resampled = self.problem.differences(
            np.asarray(self.split("test").answers),
            ours,
            theirs,
            self.spec,
            metric=self.gate.metric,
            times=compare.RESAMPLES,
        )
        return compare.interval(self.score(ours) - self.score(theirs), resampled)

    @cached_property
    def slices(self) -> list[compare.Slice]:
        """How this version and the champion do on each part of the exam."""
        answers = np.asarray(self.split("test").answers)
        ours, theirs = (self.problem.quality(answers, self.answers(number), self.spec) for number in self.both)
        return compare.slices(ours, theirs, self.problem.slices(answers, self.spec), smallest=self.gate.smallest_slice)
