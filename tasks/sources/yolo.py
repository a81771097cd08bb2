"""Photographs with boxes as YOLO keeps them, in one zip archive: images, labels and a configuration."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from tasks.catalogue import Source
from tasks.errors import BadData
from tasks.sources import Raw, contents
from tasks.sources.annotations import check_bytes, check_texts, samples, yolo

BYTES = 1024**2
"""Most bytes of a configuration."""

ENDINGS = (".jpg", ".jpeg")


def read(folder: Path, source: Source) -> Raw:
    """Decode every photograph, in the order of their paths: file (its path below `images`), split, width, height.

    The configuration names the folders of the splits below `images` and `labels`: `test` is the exam, or `val` where
    there is no `test`. A photograph whose file of labels is empty has no objects. One that has no such file is
    refused, and so are labels that have no photograph; where `odd` is `repair`, the first count as without objects,
    which is what the format's programs make of them, and the second are left out. coco128 is such a case: two
    photographs without (000000000250 and 508, which show nothing of its classes) and labels of two that it does not
    have (000000000656 and 659, 12 of its 1,839 boxes).

    Settings:
        config: path of the configuration, or its end; `labels` lies beside it, `images` there or one folder above.
        The others are as tasks/sources/annotations/samples.py has them.
    """
    (file,) = source.files
    sides, rules = samples.form(source), samples.rules(source)
    with contents.opened(folder / file) as archive:
        config = find_config(archive, str(source.settings["config"]), file)
        document = read_config(contents.content(archive, str(config)), str(config))
        classes, splits = read_names(document, str(config)), read_splits(document, str(config))
        photographs = contents_below(archive, find_images(archive, config), splits, ENDINGS)
        labels = contents_below(archive, config.parent / "labels", splits, (".txt",))
    images, sizes = samples.decoded(sorted(photographs), photographs.__getitem__, sides)
    files = by_photograph(labels, photographs)
    told: list[str] = []
    if rules.repair:
        files, told = completed(files, list(photographs))
    annotations = yolo.parse(files, sizes, classes, rules)
    samples.tell(file, [*told, *annotations.repairs])
    return samples.raw(annotations, images, {"split": [splits[name.partition("/")[0]] for name in sizes["file"]]})


def find_config(archive: contents.Archive, end: str, file: str) -> PurePosixPath:
    """The one member whose path is `end`, or ends so."""
    found = [name for name in archive.namelist() if f"/{name}".endswith(f"/{end}")]
    if len(found) != 1:
        raise BadData(f"`{file}` must hold one `{end}`. Received: {len(found)}")
    return PurePosixPath(found[0])


def read_config(content: bytes, file: str) -> dict[str, Any]:
    """The mapping that a configuration is; nothing in it is made but plain values."""
    check_bytes(content, file, BYTES)
    try:
        document = yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadData(f"`{file}` must be YAML. Received: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(document, dict):
        raise BadData(f"`{file}` must be a mapping. Received: {type(document).__name__}")
    return document


def read_names(document: dict[str, Any], file: str) -> dict[int, str]:
    """Names of the classes by number, which a list has from 0."""
    names = document.get("names")
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not (isinstance(names, dict) and names and all(type(key) is int and key >= 0 for key in names)):
        raise BadData(f"`names` of `{file}` must be a list, or names by number. Received: {type(names).__name__}")
    for number, name in names.items():
        if not isinstance(name, str):
            raise BadData(f"`names` of `{file}` must be texts. Received: {type(name).__name__} for {number}")
    check_texts(f"every one of `names` in `{file}`", names.values())
    if len(set(names.values())) < len(names):
        raise BadData(f"`names` of `{file}` must differ. Received: {len(names) - len(set(names.values()))} again")
    return names


def read_splits(document: dict[str, Any], file: str) -> dict[str, str]:
    """Which split the photographs of a folder belong to, by the folder's name."""
    folders = {key: document[key] for key in ("train", "val", "test") if document.get(key) is not None}
    for key, folder in folders.items():
        if not (isinstance(folder, str) and PurePosixPath(folder).name):
            raise BadData(f"`{key}` of `{file}` must be a folder. Received: {type(folder).__name__}")
    exam = "test" if "test" in folders else "val"
    if not {"train", exam} <= set(folders):
        raise BadData(f"`{file}` must have `train` and `val`. Received: {', '.join(folders) or 'neither'}")
    splits = {PurePosixPath(folder).name: "test" if key == exam else "train" for key, folder in folders.items()}
    if len(splits) < len(folders):
        raise BadData(f"the folders of `{file}` must differ in their last names. Received: {', '.join(splits)}")
    return splits


def find_images(archive: contents.Archive, config: PurePosixPath) -> PurePosixPath:
    """The folder `images` beside the configuration, or else one folder above."""
    beside = config.parent / "images"
    there = any(name.startswith(f"{beside}/") for name in archive.namelist())
    return beside if there else config.parent.parent / "images"


def contents_below(
    archive: contents.Archive, folder: PurePosixPath, splits: Iterable[str], endings: tuple[str, ...]
) -> dict[str, bytes]:
    """What the files in the folders of the splits hold, by their paths below `folder`."""
    parents = {folder / split: split for split in splits}
    found = {path: name for name in archive.namelist() if (path := PurePosixPath(name)).parent in parents}
    return {
        f"{parents[path.parent]}/{path.name}": contents.content(archive, name)
        for path, name in found.items()
        if path.suffix.lower() in endings
    }


def by_photograph(labels: dict[str, bytes], photographs: Iterable[str]) -> dict[str, bytes]:
    """Labels by the photograph that they are of; those that have none keep their own name."""
    known: dict[PurePosixPath, str] = {}
    for name in photographs:
        if (other := known.setdefault(PurePosixPath(name).with_suffix(""), name)) != name:
            raise BadData(f"`{name}` must have a name of its own. Received: `{other}` too")
    return {known.get(PurePosixPath(name).with_suffix(""), name): content for name, content in labels.items()}


def completed(files: dict[str, bytes], photographs: list[str]) -> tuple[dict[str, bytes], list[str]]:
    """Empty labels for photographs that have none, no labels without a photograph; and what was done."""
    without, lone = sorted(set(photographs) - set(files)), sorted(set(files) - set(photographs))
    told = []
    if without:
        told.append(f"{len(without)} photographs have no labels, and count as without objects: {', '.join(without)}")
    if lone:
        told.append(f"{len(lone)} files of labels have no photograph, and are left out: {', '.join(lone)}")
    return {name: files.get(name, b"") for name in photographs}, told
