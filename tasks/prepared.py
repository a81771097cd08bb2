"""Reading what the step prepare wrote: arrays mapped from the disk, checked against their digest."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from models.spec import Spec
from tasks import places
from tasks.errors import BadData
from tasks.receipts import Prepared, digest_files

SPLITS = ("train", "validation", "test")
PARTS = ("samples", "answers", "ids")


@dataclass(frozen=True)
class Split:
    """One part of a dataset, in memory-mapped arrays.

    Args:
        samples: what goes into a model, as stored; images are uint8 (N, H, W, C).
        answers: what should come out; class numbers are int32 (N,).
        ids: int64 (N,), the sample's row in its source.
    """

    samples: np.ndarray
    answers: np.ndarray
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.samples)


def files(split: str) -> list[str]:
    """Names of the files that hold `split`."""
    return [f"{split}_{part}.npy" for part in PARTS]


def receipt(dataset: str) -> Prepared:
    """The receipt of `dataset`, whose files are what it says.

    Raises:
        BadData: if the dataset is not prepared, or a file has changed since.
    """
    folder = places.prepared(dataset)
    found = Prepared.read(folder)
    names = ["spec.json", *(name for split in SPLITS for name in files(split))]
    try:
        digest = digest_files(folder, names)
    except FileNotFoundError as error:
        raise BadData(f"`{folder}` must be whole. Received: no {error.filename}. {repair(dataset)}") from None
    if digest != found.digest:
        raise BadData(
            f"`{folder}` must have the digest of its receipt, {found.digest[:12]}. "
            f"Received: {digest[:12]}. {repair(dataset)}"
        )
    return found


def repair(dataset: str) -> str:
    return f"Run: .venv/bin/dvc repro --force -s prepare@{dataset}"


def read_spec(dataset: str) -> Spec:
    """The shapes and classes of `dataset`."""
    facts = json.loads((places.prepared(dataset) / "spec.json").read_text(encoding="utf-8"))
    return Spec(
        input_shape=tuple(facts["input_shape"]), input_dtype=facts["input_dtype"], classes=tuple(facts["classes"])
    )


def problem(dataset: str) -> str:
    """Which question is asked of `dataset`: a file of tasks/problems."""
    facts = json.loads((places.prepared(dataset) / "spec.json").read_text(encoding="utf-8"))
    return str(facts["problem"])


def read(dataset: str, split: str) -> Split:
    """The train, validation or test part of `dataset`."""
    folder = places.prepared(dataset)
    arrays = (np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in files(split))
    return Split(*arrays)
