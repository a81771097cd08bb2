"""score: let a version answer a file of samples; every row says which version it was, and from which file."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models.spec import Input, Spec
from tasks import history, measures, objects, places, prepared, records
from tasks.catalogue import NAME
from tasks.errors import BadData, BadRequest
from tasks.measures import Reference
from tasks.outside import registry, tracking
from tasks.problems.vectors import likeness
from tasks.receipts import digest_file

MONITORING, REFERENCE = "monitoring", "reference.npz"
"""Folder of a version's artifacts with what its monitoring needs: its reference, and the dataset's spec.json."""

AT_ONCE = 8192
"""Samples that are asked at once."""

OBJECTS = "objects"
"""Column of a sample's boxes."""

TRANSLATION = "translation"
"""Column of the symbols that answer a sample, as one text."""

NEAREST = "nearest"
"""Column of the words nearest to those of a run, as one text."""

WATCHED = "x."
"""Begins the columns with the measures."""


@dataclass(frozen=True)
class Scored:
    """What came of scoring a file.

    Args:
        file: the answers; `new` tells whether they were made now, or lay there already.
    """

    model: str
    version: int
    rows: int
    file: str
    new: bool


@dataclass(frozen=True)
class Known:
    """What a version tells about itself: its inputs and outputs, its problem, and what is normal for it."""

    spec: Spec
    problem: str
    reference: Reference


def score(model: str, path: Path, *, alias: str = registry.CHAMPION) -> Scored:
    """Answer all samples of a file, and keep the answers below data/scored/<model>.

    The alias is looked up once: all rows are of one version, also if another is promoted meanwhile. The same file is
    not answered twice by the same version.

    Args:
        path: `.npy` of samples as data/prepared/<dataset>/test_samples.npy has them, or `.npz` of `samples` and `ids`;
            where a sample is an image and its proposals, images are enough; where it is a window of characters, their
            text is; where it is a run of words, their numbers one after another are.
        alias: an alias or a version number.

    Raises:
        BadRequest: if there is no such model, version or file.
        BadData: if the samples are not what the version takes.
    """
    name, number, files = history.files_of(f"{model}@{alias}")
    samples, ids = read(path)
    digest = digest_file(path)
    folder = places.scored(name)
    for kept in sorted(folder.glob(f"*-{digest[:12]}-v{number}.parquet")):
        return Scored(name, number, len(samples), str(kept), new=False)
    known = known_of(name, number)
    samples = completed(samples, known.spec, path)
    check(samples, known.spec, path)
    served = registry.served(files)
    given = answers(served, samples)
    now = datetime.now(UTC)
    table = rows(samples, given, known, ids if ids is not None else numbered(digest, len(samples)))
    if known.spec.vectors:
        found = likeness.of_all(partial(answers, served), known.spec)
        table[NEAREST] = likeness.nearest_texts(samples, found, known.spec)
    table = table.assign(model=name, version=number, alias=alias, data=digest, at=now.isoformat())
    kept = folder / f"{now:%Y%m%dT%H%M%S%f}-{digest[:12]}-v{number}.parquet"
    places.write_file(kept, lambda beside: table.to_parquet(beside, index=False))
    return Scored(name, number, len(table), str(kept), new=True)


def read(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Samples, and their ids where the file has them.

    Raises:
        BadRequest: if there is no such file.
        BadData: if it is not one of samples.
    """
    if path.suffix not in (".npy", ".npz") or not path.is_file():
        raise BadRequest(f"`file` must be a .npy or .npz file. Received: {str(path)[:200]!r}")
    try:
        loaded = np.load(path, allow_pickle=False, mmap_mode="r")
        packed = path.suffix == ".npz"
        samples, ids = (loaded["samples"], loaded.get("ids")) if packed else (loaded, None)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise BadData(f"`{path}` must hold samples, and no pickle. Received: {one_line(error)}") from None
    if ids is not None and (len(ids) != len(samples) or len(np.unique(ids)) != len(ids)):
        raise BadData(f"`{path}` must have one id for each sample, each another. Received: {len(ids)} ids")
    if samples.ndim == 0 or not len(samples):
        raise BadData(f"`{path}` must hold samples. Received: an array of shape {samples.shape}")
    return samples, None if ids is None else ids.astype(str)


def numbered(digest: str, count: int) -> np.ndarray:
    """Ids for samples that have none: the file's digest and the row."""
    return np.array([f"{digest[:12]}-{row}" for row in range(count)])


def completed(samples: np.ndarray, spec: Spec, path: Path) -> np.ndarray:
    """The samples, with proposals found as the step prepare finds them where the file has images alone, and with all
    windows where it has a text of characters, and in runs where it has words one after another.

    Raises:
        BadData: if they are no images as the version takes.
    """
    if set(spec.inputs) == {"characters"} and samples.ndim == 1 and len(samples) >= spec.input_shape[0]:
        return np.lib.stride_tricks.sliding_window_view(samples, spec.input_shape[0])
    if spec.vectors and samples.ndim == 1 and samples.dtype == spec.input_dtype:
        return likeness.in_runs(samples, spec)
    if set(spec.inputs) != {"image", "proposals"} or set(samples.dtype.names or ("image",)) != {"image"}:
        return samples
    images = records.part(samples, "image")
    check_input(images, "image", spec.inputs["image"], path)
    from tasks import proposals  # imports scikit-image, which no other version needs

    most = spec.inputs["proposals"].shape[0]
    return records.packed({"image": images, "proposals": proposals.of_images(images, most=most)})


def check(samples: np.ndarray, spec: Spec, path: Path) -> None:
    """Raise BadData unless the samples are what goes into the version, and are numbers."""
    names = samples.dtype.names or tuple(spec.inputs)
    if set(names) != set(spec.inputs) or (samples.dtype.names is None and len(spec.inputs) > 1):
        raise BadData(f"`{path}` must have the inputs {', '.join(spec.inputs)}. Received: {samples.dtype}")
    for name, one in spec.inputs.items():
        check_input(records.part(samples, name), name, one, path)


def check_input(values: np.ndarray, name: str, one: Input, path: Path) -> None:
    if values.shape[1:] != tuple(one.shape) or values.dtype != np.dtype(one.dtype):
        wanted = f"{one.dtype} (N, {', '.join(map(str, one.shape))})"
        raise BadData(f"`{path}`: input {name} must be {wanted}. Received: {values.dtype} {values.shape}")
    if values.dtype.kind == "f" and not (finite := np.isfinite(values)).all():
        row = int(np.argwhere(~finite)[0][0])
        raise BadData(f"`{path}`: input {name} must hold finite numbers. Received: NaN or infinity in row {row}")


def answers(served: Any, samples: np.ndarray) -> np.ndarray:
    """What a version's pyfunc gives to all samples, in order."""
    starts = range(0, len(samples), AT_ONCE)
    return np.concatenate(
        [records.packed(served.predict(records.fed(samples[start : start + AT_ONCE]))) for start in starts]
    )


def rows(samples: np.ndarray, given: np.ndarray, known: Known, ids: np.ndarray) -> pd.DataFrame:
    """A row for each sample: id, answer, and what is watched of both."""
    table = pd.DataFrame({"id": ids})
    if known.spec.boxes:
        table[OBJECTS] = objects.texts(given, known.spec)
    elif known.spec.forecast:
        table[ahead(known.spec)] = given
    elif known.spec.translation:
        from tasks.problems import translation  # imports Matplotlib, which no other version needs

        table[TRANSLATION] = translation.texts(given, known.spec)
    elif known.spec.label:
        label = records.part(given, "label")
        table["class"] = np.array(known.spec.classes)[label.argmax(axis=1)]
        table["probability"] = label.max(axis=1)
    if known.spec.number and not known.spec.steps:
        table[known.spec.number.name] = records.part(given, known.spec.number.name)[:, 0]
    watched = {**measures.of_samples(samples, known.reference.projection), **measures.of_answers(given, known.spec)}
    return table.assign(**{f"{WATCHED}{name}": value.astype(np.float32) for name, value in watched.items()})


def ahead(spec: Spec) -> list[str]:
    """Columns of the values of a forecast: the number's name with the step."""
    return [f"{spec.amount.name}_{step}" for step in range(1, spec.steps + 1)]


def known_of(model: str, number: int) -> Known:
    """What a version tells about itself.

    Raises:
        BadData: if it was registered without that.
    """
    found = registry.version(tracking.connect(), model, number)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        try:
            if not tracking.fetch_files(str(found.run_id), MONITORING, folder):
                raise KeyError(MONITORING)
            return Known(
                prepared.read_spec(model, folder), prepared.problem(model, folder), Reference.read(folder / REFERENCE)
            )
        except (OSError, ValueError, KeyError) as error:
            raise BadData(
                f"version {number} of `{model}` must have been registered with what its monitoring needs. "
                f"Received: {one_line(error)}; run: ./miar run {model}"
            ) from None


def scored(model: str, *, columns: list[str] | None = None) -> pd.DataFrame:
    """All answers to files so far, the oldest first.

    Raises:
        BadRequest: if `model` is no name.
    """
    if not re.fullmatch(NAME, model):
        raise BadRequest(f"`model` must match {NAME}. Received: {model[:80]!r}")
    files = sorted(places.scored(model).glob("*.parquet"))
    tables = [pd.read_parquet(file, columns=columns) for file in files]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
