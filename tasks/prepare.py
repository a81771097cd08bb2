"""Prepare: cut a validated dataset into train, validation and test, in the form that models take."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from tasks import catalogue, ingested, places, prepared, split
from tasks.catalogue import Dataset
from tasks.errors import BadData, Refused
from tasks.receipts import Prepared, Validated, digest_files

SPEC = "spec.json"


def prepare(name: str) -> Prepared:
    """Write the samples, answers and ids of each split of dataset `name`, its spec and the receipt.

    Raises:
        Refused: if the dataset's validation did not succeed, or was of other samples than lie here now.
        BadData: if a step before has not run, or a label is not a class.
    """
    dataset = catalogue.load().dataset(name)
    check_validated(name, dataset)
    images, samples = ingested.read(dataset.source)
    splits = split.of_dataset(split.contents(images), samples, dataset)
    answers = class_numbers(samples["label"], dataset.classes)
    with places.whole_folder(places.prepared(name)) as folder:
        for part in prepared.SPLITS:
            write_split(part, np.flatnonzero(splits == part), images, answers, folder)
        write_spec(dataset, folder)
        files = [file for part in prepared.SPLITS for file in prepared.files(part)]
        return Prepared(
            name=name,
            digest=digest_files(folder, [SPEC, *files]),
            samples={part: int((splits == part).sum()) for part in prepared.SPLITS},
            exam=digest_files(folder, prepared.files("test")),
        ).write(folder)


def check_validated(name: str, dataset: Dataset) -> None:
    """Refuse samples that nobody has judged."""
    judged, here = Validated.read(places.validated(name)), ingested.digest(dataset.source)
    if not judged.success or not judged.expectations:
        raise Refused(f"the validation of `{name}` must have succeeded. Received: {judged.expectations} expectations")
    if judged.ingested != here:
        raise Refused(
            f"the validation of `{name}` must be of the samples that lie here, {here[:12]}. "
            f"Received: of {judged.ingested[:12]}. Run: .venv/bin/dvc repro validate@{name}"
        )


def class_numbers(labels: pd.Series, classes: list[str]) -> np.ndarray:
    """The number of each label in `classes`: int32 (N,)."""
    numbers = pd.Index(classes).get_indexer(pd.Index(labels)).astype(np.int32)
    if (numbers < 0).any():
        row = int(np.argmax(numbers < 0))
        raise BadData(f"labels must be among the {len(classes)} classes. Received: row {row}: {labels.iloc[row]!r}")
    return numbers


def write_split(part: str, rows: np.ndarray, images: np.ndarray, answers: np.ndarray, folder: Path) -> None:
    """Write the samples of `rows` (int64), in the order of the source."""
    arrays = (images[rows], answers[rows], rows.astype(np.int64))
    for file, array in zip(prepared.files(part), arrays, strict=True):
        np.save(folder / file, array, allow_pickle=False)


def write_spec(dataset: Dataset, folder: Path) -> None:
    facts = {
        "problem": dataset.problem,
        "input_shape": dataset.image,
        "input_dtype": "uint8",
        "classes": dataset.classes,
    }
    (folder / SPEC).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
