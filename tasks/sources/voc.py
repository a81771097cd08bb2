"""Photographs with boxes as PASCAL VOC keeps them, in a zip or tar archive: JPEGImages, Annotations and ImageSets.

Its authors have them in two, one of training and validation and one of the test, which are read as one.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from tasks.catalogue import Source
from tasks.errors import BadData
from tasks.sources import Raw, contents
from tasks.sources.annotations import pair, samples, voc

SPLITS = {"train": "train", "val": "train", "test": "test"}
"""Which split the samples of each official set belong to."""


def read(folder: Path, source: Source) -> Raw:
    """Decode every photograph of the official sets, in the order of their names: file, split, set, width, height.

    `split` is the official one: `test` is the exam. Boxes have `difficult`.

    Settings:
        as tasks/sources/annotations/samples.py has them.
    """
    file = ", ".join(source.files)
    sides, rules = samples.form(source), samples.rules(source)
    with contents.joined(folder / each for each in source.files) as archive:
        root = find_root(archive, file)
        sets = read_sets(archive, root)
        told = check_members(archive.namelist(), root, sets)
        annotations = voc.parse(
            {f"{name}.xml": contents.content(archive, f"{root}Annotations/{name}.xml") for name in sorted(sets)}, rules
        )
        images, sizes = samples.decoded(
            list(annotations.images["file"]),
            lambda name: contents.content(archive, f"{root}JPEGImages/{name}"),
            sides,
        )
    samples.check_sizes(annotations.images, sizes)
    samples.tell(file, [*told, *annotations.repairs])
    official = [sets[name] for name in sorted(sets)]
    return samples.raw(annotations, images, {"set": official, "split": [SPLITS[each] for each in official]})


def find_root(archive: contents.Archive, file: str) -> str:
    """The folder above the three, empty or with a slash at its end."""
    found = [
        match[1] for name in archive.namelist() if (match := re.fullmatch(r"((?:.*/)?)ImageSets/Main/test\.txt", name))
    ]
    if len(found) != 1:
        raise BadData(f"`{file}` must hold one ImageSets/Main/test.txt. Received: {len(found)}")
    return found[0]


def read_sets(archive: contents.Archive, root: str) -> dict[str, str]:
    """The official set of each photograph, by its name without the ending."""
    sets: dict[str, str] = {}
    for each in SPLITS:
        member = f"{root}ImageSets/Main/{each}.txt"
        try:
            names = contents.content(archive, member).decode("utf-8").split()
        except UnicodeDecodeError as error:
            raise BadData(f"`{member}` must be UTF-8. Received: {error.reason} at {error.start}") from None
        for name in names:
            if name in sets:
                raise BadData(f"`{name}` must be in one official set. Received: {sets[name]} and {each}")
            sets[name] = each
    return sets


def check_members(members: list[str], root: str, sets: dict[str, str]) -> list[str]:
    """See that photographs and annotations go in pairs; tell of those that no set has."""
    photographs = names_in(members, f"{root}JPEGImages/")
    annotated = names_in(members, f"{root}Annotations/")
    pair("annotations", annotated, "the photograph", photographs)
    pair("a photograph", photographs, "annotations of", annotated)
    pair("a photograph", photographs, "the official name", sets)
    extra = len(photographs - set(sets))
    return [f"{extra} photographs are in no official set, and are left out"] if extra else []


def names_in(members: list[str], folder: str) -> set[str]:
    """Names of the files of a folder, without their endings."""
    return {PurePosixPath(name).stem for name in members if name.startswith(folder) and not name.endswith("/")}
