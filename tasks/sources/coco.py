"""Photographs with boxes as COCO keeps them: an archive of photographs for each set, and one of JSON for all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from tasks.catalogue import Source
from tasks.errors import BadData, BadRequest
from tasks.sources import Raw, contents
from tasks.sources.annotations import Annotations, Rules, coco, pair, samples

TRAIN = "train"
"""How the names of the sets that are trained with begin; all others are exams."""


def read(folder: Path, source: Source) -> Raw:
    """Decode every photograph of the sets, in the order of their paths: file (`<set>/<name>`), split, width, height.

    `split` is the official one: what is no `train` is the exam. Boxes around crowds are left out, and counted: each is
    of many objects, and none of them has one of its own.

    Settings:
        annotations: which of the files holds `annotations/instances_<set>.json`; the others are `<set>.zip`, each with
            the photographs of its set below a folder of that name.
        The others are as tasks/sources/annotations/samples.py has them.
    """
    sides, rules, sets = samples.form(source), samples.rules(source), read_sets(source)
    with contents.joined(folder / file for file in source.files) as archive:
        annotations = together([read_set(archive, each, rules) for each in sets])
        check_members(archive.namelist(), list(annotations.images["file"]), sets)
        images, sizes = samples.decoded(
            list(annotations.images["file"]), lambda name: contents.content(archive, name), sides
        )
    samples.check_sizes(annotations.images, sizes)
    samples.tell(", ".join(source.files), annotations.repairs)
    splits = ["train" if name.startswith(TRAIN) else "test" for name in sizes["file"]]
    return samples.raw(annotations, images, {"split": splits})


def read_sets(source: Source) -> list[str]:
    """Names of the sets whose photographs are there."""
    chosen = str(source.settings["annotations"])
    if chosen not in source.files:
        raise BadRequest(f"`annotations` must be one of {', '.join(source.files)}. Received: {chosen!r}")
    sets = [PurePosixPath(file).stem for file in source.files if file != chosen]
    if not sets:
        raise BadRequest(f"`files` must hold the photographs of a set besides its annotations. Received: {chosen!r}")
    return sets


def read_set(archive: contents.Archive, name: str, rules: Rules) -> Annotations:
    """The annotations of one set, whose images are named by their paths; crowds are left out."""
    file = f"annotations/instances_{name}.json"
    found = coco.parse(contents.content(archive, file, coco.BYTES), file, rules)
    crowds = found.boxes["crowd"].to_numpy(bool)
    told = [f"{file}: {line}" for line in found.repairs]
    if crowds.any():
        told.append(f"{file}: {crowds.sum()} boxes are around crowds, and are left out")
    boxes = found.boxes[~crowds].drop(columns="crowd")
    boxes, images = (table.assign(file=f"{name}/" + table["file"]) for table in (boxes, found.images))
    return Annotations(boxes, images, tuple(told))


def together(sets: Sequence[Annotations]) -> Annotations:
    """The annotations of all sets, images by their paths."""
    return Annotations(
        pd.concat([each.boxes for each in sets], ignore_index=True),
        pd.concat([each.images for each in sets]).sort_values("file", ignore_index=True),
        tuple(line for each in sets for line in each.repairs),
    )


def check_members(members: list[str], annotated: list[str], sets: list[str]) -> None:
    """See that photographs and annotations go in pairs."""
    photographs = [name for name in members if name.partition("/")[0] in sets and not name.endswith("/")]
    if not photographs:
        raise BadData(f"the archives must hold photographs below {', '.join(sets)}. Received: none")
    pair("a photograph", photographs, "annotations of", annotated)
    pair("annotations", annotated, "the photograph", photographs)
