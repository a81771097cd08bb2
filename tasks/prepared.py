"""Reading what the step prepare wrote: arrays mapped from the disk, checked against their digest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def receipt(dataset: str, folder: Path | None = None) -> Prepared:
    """The receipt of `dataset`, whose files are what it says.

    Args:
        folder: where the dataset lies, here as in the functions below; left out, where prepare wrote it.

    Raises:
        BadData: if the dataset is not prepared, or a file has changed since.
    """
    folder = folder or places.prepared(dataset)
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


def read_spec(dataset: str, folder: Path | None = None) -> Spec:
    """The shapes and classes of `dataset`."""
    facts = described(dataset, folder)
    return Spec(
        input_shape=tuple(facts["input_shape"]), input_dtype=facts["input_dtype"], classes=tuple(facts["classes"])
    )


def problem(dataset: str, folder: Path | None = None) -> str:
    """Which question is asked of `dataset`: a file of tasks/problems."""
    return str(described(dataset, folder)["problem"])


def described(dataset: str, folder: Path | None) -> dict[str, Any]:
    text = ((folder or places.prepared(dataset)) / "spec.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def read(dataset: str, split: str, folder: Path | None = None) -> Split:
    """The train, validation or test part of `dataset`."""
    folder = folder or places.prepared(dataset)
    arrays = (np.load(folder / name, mmap_mode="r", allow_pickle=False) for name in files(split))
    return Split(*arrays)
