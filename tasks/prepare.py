"""Prepare: cut a validated dataset into train, validation and test, in the form that models take."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from models.spec import Spec
from tasks import catalogue, encoding, ingested, places, prepared, split
from tasks.catalogue import Dataset
from tasks.errors import Refused
from tasks.receipts import Prepared, Validated, digest_files, seal


def prepare(name: str) -> Prepared:
    """Write the samples, answers and ids of each split of dataset `name`, its spec, its words and the receipt.

    Raises:
        Refused: if the dataset's validation did not succeed, or was of other samples than lie here now.
        BadData: if a step before has not run, or a label is not a class.
    """
    dataset = catalogue.load().dataset(name)
    judged = validated(name, dataset)
    images, table = ingested.read(dataset.source, dataset.columns)
    splits = split.of_dataset(split.inputs(images, table, dataset), table, dataset)
    train = table[splits == "train"]
    vocabulary = encoding.learn_vocabulary(train["text"], dataset.words) if dataset.words else []
    boxes = ingested.boxes(dataset.source) if dataset.boxes else None
    samples = encoding.samples(images, table, dataset, vocabulary, proposed(images, dataset))
    answers = encoding.answers(table, dataset, boxes)
    with places.whole_folder(places.prepared(name)) as folder:
        for part in prepared.SPLITS:
            write_split(part, np.flatnonzero(splits == part), samples, answers, folder)
        write_spec(encoding.spec(dataset, train), dataset.problem, folder)
        (folder / prepared.VOCABULARY).write_text(json.dumps(vocabulary) + "\n", encoding="utf-8")
        return Prepared(
            name=name,
            digest=seal(folder, prepared.all_files()),
            ingested=judged.ingested,
            samples={part: int((splits == part).sum()) for part in prepared.SPLITS},
            exam=digest_files(folder, prepared.files("test")),
        ).write(folder)


def validated(name: str, dataset: Dataset) -> Validated:
    """What was found of the samples that lie here.

    Raises:
        Refused: if nobody has judged these samples.
    """
    judged, here = Validated.read(places.validated(name)), ingested.digest(dataset.source)
    if not judged.success or not judged.expectations:
        raise Refused(f"the validation of `{name}` must have succeeded. Received: {judged.expectations} expectations")
    if judged.ingested != here:
        raise Refused(
            f"the validation of `{name}` must be of the samples that lie here, {here[:12]}. "
            f"Received: of {judged.ingested[:12]}. Run: .venv/bin/dvc repro validate@{name}"
        )
    return judged


def proposed(images: np.ndarray | None, dataset: Dataset) -> np.ndarray | None:
    """Boxes that may hold something in each image, float32 (N, P, 4), where they are asked for."""
    if not dataset.proposals or images is None:
        return None
    from tasks import proposals  # imports scikit-image, which no other dataset needs

    return proposals.of_images(images, most=dataset.proposals, say=tell)


def tell(done: int, total: int) -> None:
    print(f"image {done}/{total}  proposals found", flush=True)


def write_split(part: str, rows: np.ndarray, samples: np.ndarray, answers: np.ndarray, folder: Path) -> None:
    """Write the samples of `rows` (int64), in the order of the source."""
    arrays = (samples[rows], answers[rows], rows.astype(np.int64))
    for file, array in zip(prepared.files(part), arrays, strict=True):
        np.save(folder / file, array, allow_pickle=False)


def write_spec(spec: Spec, problem: str, folder: Path) -> None:
    """Write inputs and outputs; of boxes only where they are asked for, so that the bytes of other specs stay."""
    facts = {"problem": problem, **asdict(spec)}
    if not spec.boxes:
        del facts["boxes"]
    text = json.dumps(facts, indent=2)
    (folder / prepared.SPEC).write_text(text + "\n", encoding="utf-8")
