"""How a source's samples become what models take: the same for training, the exam and a user's own samples."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from models.spec import Input, Number, Spec
from tasks import ingested, records
from tasks.catalogue import Dataset, Words
from tasks.errors import BadData

WORD = re.compile(r"[^\W_]+")
NOTHING, UNKNOWN = 0, 1
"""Numbers of what stands behind a text's end, and of a word that is not in the vocabulary."""
NO_BOX = NO_CLASS = -1
"""Label of a place for a box that has none, and of what stands behind a translation's end."""
BEHIND = -2
"""What stands behind a text's end, before it has its number."""


def words(text: str) -> list[str]:
    """The words of `text`, lower case: runs of letters and digits."""
    return WORD.findall(text.lower())


def ngrams(text: str, rule: Words) -> list[str]:
    """What the rule numbers of `text`: its n-grams, place by place and the shortest first, words parted by a blank."""
    least, most = rule.ngrams
    row = words(text)
    places = [(start, start + size) for start in range(len(row)) for size in range(least, most + 1)]
    return [" ".join(row[start:end]) for start, end in places if end <= len(row)]


def learn_vocabulary(texts: Iterable[str], rule: Words) -> list[str]:
    """The most frequent n-grams, the most frequent first; equally frequent ones in alphabetical order."""
    counts = Counter(one for text in texts for one in ngrams(text, rule))
    return [one for one, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: rule.vocabulary - 2]]


def numbered(texts: Iterable[str], vocabulary: list[str], rule: Words) -> np.ndarray:
    """The first n-grams of each text as numbers, int32 (N, T); an n-gram's number is its place plus 2."""
    length, number = rule.length, {one: place for place, one in enumerate(vocabulary, start=UNKNOWN + 1)}
    rows = [[number.get(one, UNKNOWN) for one in ngrams(text, rule)[:length]] for text in texts]
    table = np.full((len(rows), length), NOTHING, dtype=np.int32)
    for row, line in zip(table, rows, strict=True):
        row[: len(line)] = line
    return table


def places(texts: Iterable[str], vocabulary: list[str]) -> list[np.ndarray]:
    """The place of each known word of each text in the vocabulary, unknown words left out: int32 (W,) each."""
    place = {word: number for number, word in enumerate(vocabulary)}
    return [np.array([place[word] for word in words(text) if word in place], dtype=np.int32) for text in texts]


def samples(
    images: np.ndarray | None,
    table: pd.DataFrame,
    dataset: Dataset,
    vocabulary: list[str],
    proposed: np.ndarray | None = None,
) -> np.ndarray:
    """What goes into a model: an array, or records where a sample has several inputs.

    Args:
        images: uint8 (N, H, W, C), where samples have one.
        table: N rows of the source.
        proposed: boxes float32 (N, P, 4), where samples have them: see tasks/proposals.py.
    """
    parts: dict[str, np.ndarray] = {}
    if dataset.image and images is not None:
        parts["image"] = np.asarray(images)
    if proposed is not None:
        parts["proposals"] = proposed
    if dataset.numbers:
        parts["numbers"] = table[list(dataset.numbers)].to_numpy(dtype=np.float32)
    if dataset.categories:
        columns = [numbers_of(table[column], known) for column, known in dataset.categories.items()]
        parts["categories"] = np.stack(columns, axis=1)
    if dataset.words:
        parts["words"] = numbered(table["text"], vocabulary, dataset.words)
    if dataset.symbols:
        parts["symbols"] = symbols(table["text"], dataset.symbols.known, dataset.symbols.length)
    return records.packed(parts) if len(parts) > 1 else next(iter(parts.values()))


def answers(table: pd.DataFrame, dataset: Dataset, boxes: pd.DataFrame | None = None) -> np.ndarray:
    """What should come out: class numbers int32 (N,), a number float32 (N,), or records of `label` and the number.

    Args:
        boxes: of the samples, where they are asked for: then records as `truths` gives them.
    """
    if boxes is not None:
        return truths(boxes, len(table), dataset)
    if dataset.symbols:
        return translations(table["translation"], dataset.classes or [], dataset.symbols.steps)
    parts: dict[str, np.ndarray] = {}
    if dataset.classes:
        parts["label"] = numbers_of(table["label"], dataset.classes)
    if dataset.number:
        parts[dataset.number] = table[dataset.number].to_numpy(dtype=np.float32)
    return records.packed(parts) if len(parts) > 1 else next(iter(parts.values()))


def pieces(text: str, known: list[str]) -> list[str]:
    """The symbols of `text`: its characters where every known symbol is one, else what spaces part."""
    return list(text) if all(len(symbol) == 1 for symbol in known) else text.split()


def symbols(texts: Iterable[str], known: list[str], length: int) -> np.ndarray:
    """The first `length` symbols of each text as numbers, int32 (N, S); a symbol's number is its place plus 2."""
    return np.asarray(in_rows([pieces(text, known)[:length] for text in texts], known, length) + UNKNOWN + 1)


def translations(texts: pd.Series, classes: list[str], steps: int) -> np.ndarray:
    """The symbols of each text as class numbers, int32 (N, steps), -1 from the end on.

    Raises:
        BadData: if a symbol is not a class, or a text has more than `steps`.
    """
    parted = [pieces(text, classes) for text in texts]
    known = set(classes)
    for row, parts in enumerate(parted):
        if len(parts) > steps or not known.issuperset(parts):
            raise BadData(
                f"column `translation` must have at most {steps} symbols, each of {len(classes)} classes. "
                f"Received: row {row}: {len(parts)} symbols, {str(texts.iloc[row])[:80]!r}"
            )
    return np.asarray(np.maximum(in_rows(parted, classes, steps), NO_CLASS))


def in_rows(parted: list[list[str]], known: list[str], length: int) -> np.ndarray:
    """The place of each symbol in `known`, -1 of others, and -2 behind the last: int32 (N, length)."""
    table = np.full((len(parted), length), BEHIND, dtype=np.int32)
    sizes = np.array([len(parts) for parts in parted])
    flat = [part for parts in parted for part in parts]
    there = np.arange(length) < sizes[:, np.newaxis]
    table[there] = pd.Index(known).get_indexer(pd.Index(flat, dtype=object))
    return table


def truths(boxes: pd.DataFrame, samples: int, dataset: Dataset) -> np.ndarray:
    """The boxes of each sample, and their classes: records (N,) of `boxes` float32 (M, 4) and `labels` int32 (M,).

    Where a sample has fewer, the last labels are -1, and their boxes zeros.

    Raises:
        BadData: if a label is not a class, or a sample has more than M boxes.
    """
    sample, place = boxes["sample"].to_numpy(), boxes.groupby("sample").cumcount().to_numpy()
    numbers = pd.Index(dataset.classes or []).get_indexer(pd.Index(boxes["label"]))
    if (unknown := numbers < 0).any():
        row = int(unknown.argmax())
        received = f"row {sample[row]}: box {place[row]}: {boxes['label'].iloc[row]!r}"
        raise BadData(f"a box must be labelled with one of {len(dataset.classes or [])} classes. Received: {received}")
    if (beyond := place >= dataset.boxes).any():
        row = int(sample[beyond.argmax()])
        raise BadData(
            f"a sample must have at most {dataset.boxes} boxes. Received: row {row}: {(sample == row).sum()} boxes"
        )
    corners = np.zeros((samples, dataset.boxes, len(ingested.CORNERS)), dtype=np.float32)
    labels = np.full((samples, dataset.boxes), NO_BOX, dtype=np.int32)
    corners[sample, place], labels[sample, place] = boxes[ingested.CORNERS].to_numpy(np.float32), numbers
    return records.packed({"boxes": corners, "labels": labels})


def numbers_of(texts: pd.Series, known: list[str]) -> np.ndarray:
    """The place of each text in `known`: int32 (N,)."""
    numbers = pd.Index(known).get_indexer(pd.Index(texts)).astype(np.int32)
    if (numbers < 0).any():
        row = int(np.argmax(numbers < 0))
        raise BadData(
            f"column `{texts.name}` must be among the {len(known)} known texts. "
            f"Received: row {row}: {texts.iloc[row]!r}"
        )
    return numbers


def spec(
    dataset: Dataset, train: pd.DataFrame | None = None, alphabet: Iterable[str] = (), counts: tuple[int, ...] = ()
) -> Spec:
    """Inputs and outputs of `dataset`.

    Args:
        train: the training samples, whose ranges are told; without them, the ranges that the catalogue allows.
        alphabet: characters of its texts, or words with neighbours; without them, those numbers that they will have.
        counts: how often the training samples have each of these words; without them, once.
    """
    inputs: dict[str, Input] = {}
    if dataset.image:
        inputs["image"] = Input(tuple(dataset.image), "uint8")
    if dataset.proposals:
        inputs["proposals"] = Input((dataset.proposals, len(ingested.CORNERS)), "float32")
    if dataset.series:
        lowest, highest = ranges(dataset.in_series, dataset, train)
        inputs["series"] = Input((dataset.series.past, len(lowest)), "float32", lowest=lowest, highest=highest)
    elif dataset.numbers:
        lowest, highest = ranges(list(dataset.numbers), dataset, train)
        inputs["numbers"] = Input((len(lowest),), "float32", lowest=lowest, highest=highest)
    if dataset.categories:
        sizes = tuple(len(known) for known in dataset.categories.values())
        inputs["categories"] = Input((len(sizes),), "int32", sizes=sizes)
    if dataset.words:
        inputs["words"] = Input((dataset.words.length,), "int32", sizes=(dataset.words.vocabulary,))
    if dataset.words and dataset.neighbours:
        known = dataset.words.vocabulary - UNKNOWN - 1
        inputs["words"] = replace(inputs["words"], counts=counts or (1,) * known)
        return Spec(inputs, tuple(alphabet) or tuple(map(str, range(known))), neighbours=dataset.neighbours)
    if dataset.symbols:
        inputs["symbols"] = Input((dataset.symbols.length,), "int32", sizes=(len(dataset.symbols.known) + 2,))
    if dataset.characters:
        asked = dataset.characters
        inputs["characters"] = Input((asked.length,), "uint8", sizes=(asked.vocabulary,))
        return Spec(inputs, tuple(alphabet) or tuple(map(str, range(asked.vocabulary))))
    number = next((number_of(name, allowed, train) for name, allowed in (dataset.answer or {}).items()), None)
    steps = dataset.symbols.steps if dataset.symbols else dataset.series.ahead if dataset.series else 0
    return Spec(inputs, tuple(dataset.classes or ()), number, dataset.boxes, steps)


def ranges(columns: list[str], dataset: Dataset, train: pd.DataFrame | None) -> tuple[tuple[float, ...], ...]:
    """The lowest and the highest numbers of some columns."""
    return tuple(zip(*(limits(column, dataset.numbers[column], train) for column in columns), strict=True))


def limits(column: str, allowed: list[float], train: pd.DataFrame | None) -> tuple[float, float]:
    """The lowest and highest number of a column."""
    found = allowed if train is None else [train[column].min(), train[column].max()]
    return float(found[0]), float(found[1])


def number_of(name: str, allowed: list[float], train: pd.DataFrame | None) -> Number:
    lowest, highest = limits(name, allowed, train)
    mean = (lowest + highest) / 2 if train is None else float(train[name].mean())
    return Number(name, lowest, mean, highest)
