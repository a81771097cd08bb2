"""Prepare: cut a validated dataset into train, validation and test, in the form that models take."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from models.spec import Spec
from tasks import alike, catalogue, encoding, ingested, places, prepared, series, split, windows
from tasks.catalogue import Characters, Dataset, Words
from tasks.errors import BadData, Refused
from tasks.problems.vectors import pairs
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
    made = made_of(images, table, splits, dataset)
    with places.whole_folder(places.prepared(name)) as folder:
        for part, arrays in made.splits.items():
            for file, array in zip(prepared.files(part), arrays, strict=True):
                np.save(folder / file, array, allow_pickle=False)
        write_spec(made.spec, dataset.problem, folder)
        (folder / prepared.VOCABULARY).write_text(json.dumps(made.vocabulary) + "\n", encoding="utf-8")
        return Prepared(
            name=name,
            digest=seal(folder, prepared.all_files()),
            ingested=judged.ingested,
            samples={part: len(ids) for part, (_, _, ids) in made.splits.items()},
            exam=digest_files(folder, prepared.files("test")),
        ).write(folder)


@dataclass(frozen=True)
class Made:
    """What is written of a dataset.

    Args:
        splits: by name, its samples, answers and ids, in the order of the source.
        vocabulary: the words that have numbers, or the characters.
    """

    splits: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
    spec: Spec
    vocabulary: list[str]


def made_of(images: np.ndarray | None, table: pd.DataFrame, splits: np.ndarray, dataset: Dataset) -> Made:
    """The samples of `dataset`, cut from texts or from a series, or each a row of the source."""
    if dataset.characters:
        return cut(table, splits, dataset)
    if dataset.neighbours:
        return runs(table, splits, dataset)
    if dataset.series:
        made = series.cut(table[dataset.in_series], splits, dataset.series)
        spec = encoding.spec(dataset, table[splits == "train"])
        return Made(made, replace(spec, naive=series.naive(*made["train"][:2], dataset.series)), [])
    return encoded(images, table, splits, dataset)


def encoded(images: np.ndarray | None, table: pd.DataFrame, splits: np.ndarray, dataset: Dataset) -> Made:
    """Each row of the source is a sample."""
    train = table[splits == "train"]
    vocabulary = encoding.learn_vocabulary(train["text"], dataset.words) if dataset.words else []
    boxes = ingested.boxes(dataset.source) if dataset.boxes else None
    samples = encoding.samples(images, table, dataset, vocabulary, proposed(images, dataset))
    answers = encoding.answers(table, dataset, boxes)
    rows = {part: np.flatnonzero(splits == part).astype(np.int64) for part in prepared.SPLITS}
    made = {part: (samples[one], answers[one], one) for part, one in rows.items()}
    return Made(made, encoding.spec(dataset, train), vocabulary)


def cut(table: pd.DataFrame, splits: np.ndarray, dataset: Dataset) -> Made:
    """Each row of the source is a text, from which overlapping windows are cut.

    Raises:
        BadData: if the characters are not as many as the catalogue says, or no text of a split is long enough.
    """
    wanted = cast(Characters, dataset.characters)
    known = windows.alphabet(windows.texts_of(table, wanted), wanted)
    made: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
    for part in prepared.SPLITS:
        text, following, starts = windows.cut(windows.texts_of(table[splits == part], wanted), known, wanted)
        if not len(starts):
            raise BadData(
                f"each split must have a text of more than `characters.length` characters, {wanted.length}. "
                f"Received: split {part} with {(splits == part).sum()} texts of {len(text)} characters in all"
            )
        made[part] = (text, following, starts)
    return Made(made, encoding.spec(dataset, alphabet=known), known)


def runs(table: pd.DataFrame, splits: np.ndarray, dataset: Dataset) -> Made:
    """Each row of the source is a text, from which runs of words are cut, with the neighbours of each word.

    Texts are split first, so that no word has a neighbour in another split.

    Raises:
        BadData: if a split has no known word, or the training texts have fewer words than are to be known.
    """
    wanted, texts = cast(Words, dataset.words), table["text"].fillna("")
    vocabulary = encoding.learn_vocabulary(texts[splits == "train"], wanted)
    if len(vocabulary) != wanted.vocabulary - 2:
        raise BadData(
            f"`words.vocabulary` must be at most 2 more than the different words of the training texts, "
            f"{len(vocabulary)}. Received: {wanted.vocabulary}"
        )
    rows = unlike({part: encoding.places(texts[splits == part], vocabulary) for part in prepared.SPLITS})
    made = {part: pairs.cut(row, wanted.length, wanted.neighbours) for part, row in rows.items()}
    if empty := [part for part, (samples, _, _) in made.items() if not len(samples)]:
        raise BadData(f"each split must have words that are known. Received: none in {', '.join(empty)}")
    counts = pairs.counted(made["train"][1], wanted.neighbours, len(vocabulary))
    return Made(made, encoding.spec(dataset, alphabet=vocabulary, counts=counts), vocabulary)


def unlike(rows: dict[str, list[np.ndarray]]) -> dict[str, list[np.ndarray]]:
    """The texts of each split without those of which the splits before it have more than half."""
    kept: dict[str, list[np.ndarray]] = {}
    for part, texts in rows.items():
        before = [text for others in kept.values() for text in others]
        own = alike.known(*behind(texts), *behind(before)) <= pairs.LEAKED
        kept[part] = [text for text, is_own in zip(texts, own, strict=True) if is_own]
        if not own.all():
            print(
                f"{part}: {(~own).sum()} of {len(own)} texts left out, of which others have more than half", flush=True
            )
    return kept


def behind(texts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Texts one behind another, int64 (W,), and where each begins and the last one ends, int64 (N + 1,)."""
    return np.concatenate([np.empty(0, np.int64), *texts]), np.cumsum([0, *map(len, texts)])


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


def write_spec(spec: Spec, problem: str, folder: Path) -> None:
    """Write inputs and outputs; what few datasets have only where they do, so that other specs keep their bytes."""
    facts = {"problem": problem, **asdict(spec)}
    for name in ("boxes", "steps", "naive", "neighbours"):
        if not facts[name]:
            del facts[name]
    for one in facts["inputs"].values():
        if not one["counts"]:
            del one["counts"]
    text = json.dumps(facts, indent=2)
    (folder / prepared.SPEC).write_text(text + "\n", encoding="utf-8")
