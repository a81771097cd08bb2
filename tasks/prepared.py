"""Reading what the step prepare wrote: arrays mapped from the disk, checked against their digest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from models.spec import Input, Naive, Number, Spec
from tasks import places
from tasks.errors import BadData
from tasks.receipts import Prepared, altered, digest_sums, sums
from tasks.windows import Windows

SPLITS = ("train", "validation", "test")
PARTS = ("samples", "answers", "ids")
SPEC, VOCABULARY = "spec.json", "vocabulary.json"


@dataclass(frozen=True)
class Split:
    """One part of a dataset, in memory-mapped arrays.

    Args:
        samples: what goes into a model, as stored: images are uint8 (N, H, W, C), proposals float32 (N, P, 4), rows
            of zeros where there are fewer, numbers float32 (N, D), words int32 (N, T); of several inputs, records (N,)
            with a field for each; of characters, the text uint8 (L,) on the disk and its windows (N, T) here; of a
            series, windows float32 (N, P, D); of words with neighbours, runs int32 (N, T).
        answers: what should come out: class numbers int32 (N,), or numbers float32 (N,); of both, records (N,); of
            boxes, records (N,) of `boxes` float32 (M, 4) and `labels` int32 (M,), -1 where there is none; of a
            series, its next values float32 (N, A); of runs of words, as tasks/problems/vectors/pairs.py says.
        ids: int64 (N,), the sample's row in its source; where a window begins in the text of its split; of a
            series, the row of the first moment that is asked for; where a run begins in the words of its split.
    """

    samples: np.ndarray
    answers: np.ndarray
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.samples)


def files(split: str) -> list[str]:
    """Names of the files that hold `split`."""
    return [f"{split}_{part}.npy" for part in PARTS]


def all_files() -> list[str]:
    """Names of the files that later steps read."""
    return [SPEC, VOCABULARY, *(name for split in SPLITS for name in files(split))]


def receipt(dataset: str, folder: Path | None = None) -> Prepared:
    """The receipt of `dataset`, whose files are what it says.

    Args:
        folder: where the dataset lies, here as in the functions below; left out, where prepare wrote it.

    Raises:
        BadData: if the dataset is not prepared, or a file has changed since.
    """
    folder = folder or places.prepared(dataset)
    found = Prepared.read(folder)
    try:
        files = sums(folder, all_files())
    except FileNotFoundError as error:
        raise BadData(f"`{folder}` must be whole. Received: no {error.filename}. {repair(dataset)}") from None
    if digest_sums(files) != found.digest:
        changed = ", ".join(altered(folder, files)) or "another manifest"
        raise BadData(
            f"`{folder}` must be what prepare wrote, {found.digest[:12]}. Received: changed since: {changed}. "
            f"{repair(dataset)}"
        )
    return found


def repair(dataset: str) -> str:
    return f"Run: .venv/bin/dvc repro --force -s prepare@{dataset}"


def read_spec(dataset: str, folder: Path | None = None) -> Spec:
    """The inputs and outputs of `dataset`."""
    return spec_of(described(dataset, folder))


def spec_of(facts: dict[str, Any]) -> Spec:
    """Inputs and outputs as spec.json has them."""
    inputs = {name: Input(**{key: whole(value) for key, value in one.items()}) for name, one in facts["inputs"].items()}
    number = Number(**facts["number"]) if facts["number"] else None
    told = facts.get("naive")
    naive = Naive(**{key: whole(value) for key, value in told.items()}) if told else None
    asked = {name: facts.get(name, 0) for name in ("boxes", "steps", "neighbours")}
    return Spec(inputs, tuple(facts["classes"]), number, naive=naive, **asked)


def whole(value: Any) -> Any:
    """JSON knows no tuples."""
    return tuple(value) if isinstance(value, list) else value


def problem(dataset: str, folder: Path | None = None) -> str:
    """Which question is asked of `dataset`: a file of tasks/problems."""
    return str(described(dataset, folder)["problem"])


def described(dataset: str, folder: Path | None) -> dict[str, Any]:
    text = ((folder or places.prepared(dataset)) / SPEC).read_text(encoding="utf-8")
    return dict(json.loads(text))


def vocabulary(dataset: str) -> list[str]:
    """The words that have numbers in `dataset`, in their order, or its characters; empty where it has neither."""
    return list(json.loads((places.prepared(dataset) / VOCABULARY).read_text(encoding="utf-8")))


def read(dataset: str, split: str, folder: Path | None = None) -> Split:
    """The train, validation or test part of `dataset`."""
    folder = folder or places.prepared(dataset)
    samples, answers, ids = (np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in files(split))
    if samples.ndim == 1 and samples.dtype.names is None:
        (length,) = read_spec(dataset, folder).input_shape
        return Split(cast(np.ndarray, Windows(np.asarray(samples), np.asarray(ids), length)), answers, ids)
    return Split(samples, answers, ids)
