"""What the command line makes of photographs whose objects are marked wrongly: one line with file and object."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tasks import __main__ as command
from tasks import catalogue, places, prepared, validate
from tasks.catalogue import Dataset, Source
from tests.tasks.annotations.test_readers import COCO, LEFT, VOC, YOLO, instances, jpeg, packed, xml, zipped

Members = Mapping[str, bytes]


class Cells:
    """The source and the dataset `cells`, of photographs a, b and c, two of them with objects."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        monkeypatch.setattr(validate, "sheets", lambda *_: [])  # half of the time, and drawn in other tests
        monkeypatch.setenv("MIAR_MIRROR", str(folder))

    def run(self, reader: str, archives: Mapping[str, Members], *steps: str, samples: int = 3, **settings: Any) -> int:
        """Exit status of the last step, after those before it have ended well."""
        for file, members in archives.items():
            zipped(self.folder / file, dict(members))
        facts = {"reader": reader, "samples": samples, "licence": "made up", "settings": {"size": 8, **settings}}
        known = self.settled(list(archives), facts)
        self.monkeypatch.setattr(catalogue, "load", lambda: known)
        *before, last = steps
        assert [command.attempt([step, "cells"]) for step in before] == [0] * len(before)
        return command.attempt([last, "cells"])

    def settled(self, archives: list[str], facts: dict[str, Any]) -> catalogue.Catalogue:
        digests = {file: hashlib.sha256((self.folder / file).read_bytes()).hexdigest() for file in archives}
        source = Source.model_validate({**facts, "files": digests})
        dataset = Dataset(
            source="cells",
            problem="detection",
            image=[8, 8, 3],
            classes=["cat", "dog"],
            boxes=3,
            validation=0.5,
            test="official",
            seed=0,
            smallest_class=0.0,
            duplicates=2,
        )
        return PROJECT.model_copy(update={"sources": {"cells": source}, "datasets": {"cells": dataset}})


PROJECT = catalogue.load()


@pytest.fixture
def cells(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Cells:
    workplace.mkdir()
    return Cells(workplace, monkeypatch)


def line(capsys: pytest.CaptureFixture[str], step: str = "ingest") -> str:
    """The one line that told what is wrong."""
    errors = [each for each in capsys.readouterr().err.splitlines() if each.startswith("ERROR")]
    assert len(errors) == 1
    start = f"ERROR 3 {step} cells: "
    assert errors[0].startswith(start)
    return errors[0].removeprefix(start)


def voc(*boxes: tuple[object, ...], **changes: bytes) -> Members:
    """With these boxes in a.jpg, of 40 x 30 pixels, and one in b.jpg; `changes` are of Annotations, by name."""
    files = {f"x/Annotations/{name}.xml": content for name, content in changes.items()}
    marked = {"x/Annotations/a.xml": xml("a", *(boxes or [GOOD])), "x/Annotations/b.xml": xml("b", GOOD)}
    return {**VOC, **marked, **files}


GOOD = ("cat", 1, 1, 20, 15)
BOMB = b"<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;'>]><annotation>&b;</annotation>"
SECRET = b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/hostname'>]><annotation>&a;</annotation>"

VOC_CASES: dict[str, tuple[Members, str]] = {
    "outside": (voc(GOOD, ("cat", 1, 1, 60, 15)), "object 1 of `a.jpg` must lie inside its image, but for a pixel"),
    "swapped": (
        voc(GOOD, ("cat", 20, 1, 1, 15)),
        "object 1 of `a.jpg` must have y1 < y2 and x1 < x2, which are swapped",
    ),
    "relative": (
        voc(GOOD, ("cat", 0.1, 0.1, 0.5, 0.5)),
        "object 1 of `a.jpg` must have corners in pixels, not relative",
    ),
    "no area": (voc(GOOD, ("cat", 6, 1, 5, 15)), "object 1 of `a.jpg` must be of some area"),
    "NaN": (
        voc(GOOD, ("cat", "NaN", 1, 5, 15)),
        "`xmin` of `a.xml, object 1` must be a finite number. Received: 'NaN'",
    ),
    "infinity": (voc(GOOD, ("cat", 1, 1, "inf", 15)), "`xmax` of `a.xml, object 1` must be a finite number"),
    "label": (
        voc(GOOD, ("cow", 1, 1, 9, 9)),
        "object 1 of `a.jpg` must have a label of cat, dog. Received: label 'cow'",
    ),
    "of another file": (voc(a=xml("z", GOOD)), "`a.xml` must be about the image of its own name. Received: 'z.jpg'"),
    "of a missing file": (voc(d=xml("d", GOOD)), "there must be a photograph for annotations of `d`. Received: none"),
    "bomb": (voc(a=BOMB), "`a.xml` must declare no types or entities. Received: DTDForbidden"),
    "external entity": (voc(a=SECRET), "`a.xml` must declare no types or entities. Received: DTDForbidden"),
    "501 objects": (voc(*[GOOD] * 501), "`a.jpg` must have at most 500 objects. Received: 501"),
}


@pytest.mark.parametrize("case", VOC_CASES)
def test_voc(cells: Cells, capsys: pytest.CaptureFixture[str], case: str) -> None:
    members, what = VOC_CASES[case]
    assert cells.run("voc", {"a.zip": members}, "ingest", classes=["cat", "dog"]) == 3
    assert line(capsys).startswith(what)
    assert not places.ingested("cells").exists()


def yolo(row: str) -> Members:
    return {**YOLO, "x/detection/labels/two/a.txt": f"1 0.25 0.75 0.5 0.5\n{row}".encode()}


YOLO_CASES = {
    "outside": ("0 0.1 0.5 0.5 0.5", "object 1 of `two/a.jpg` must lie inside its image"),
    "swapped": ("0 0.5 0.5 -0.2 0.5", "object 1 of `two/a.jpg` must have y1 < y2 and x1 < x2, which are swapped"),
    "in pixels": ("0 20 15 10 10", "object 1 of `two/a.jpg` must be relative, 0..1, not in pixels"),
    "no area": ("0 0.5 0.5 0 0.5", "object 1 of `two/a.jpg` must be of some area"),
    "NaN": ("0 nan 0.5 0.5 0.5", "a column of object 1 of `two/a.jpg` must be a finite number. Received: 'nan'"),
    "label": ("2 0.5 0.5 0.5 0.5", "object 1 of `two/a.jpg` must have the number of one of 2 classes. Received: '2'"),
    "501 objects": ("0 0.5 0.5 0.5 0.5\n" * 500, "`two/a.jpg` must have at most 500 objects. Received: 501"),
}


@pytest.mark.parametrize("case", YOLO_CASES)
def test_yolo(cells: Cells, capsys: pytest.CaptureFixture[str], case: str) -> None:
    row, what = YOLO_CASES[case]
    assert cells.run("yolo", {"a.zip": yolo(row)}, "ingest", config="detection/config.yaml") == 3
    assert line(capsys).startswith(what)


COCO_CASES = {
    "outside": ({"bbox": [30, 0, 30, 15]}, "object 1 of `b.jpg` must lie inside its image"),
    "swapped": ({"bbox": [30, 0, -20, 15]}, "object 1 of `b.jpg` must have y1 < y2 and x1 < x2, which are swapped"),
    "relative": ({"bbox": [0.1, 0.1, 0.5, 0.5]}, "object 1 of `b.jpg` must have corners in pixels, not relative"),
    "no area": ({"bbox": [3, 0, 0, 15]}, "object 1 of `b.jpg` must be of some area"),
    "NaN": ({"bbox": [3, 0, float("nan"), 15]}, "`annotations/instances_train2017.json` must be JSON. Received: NaN"),
    "label": (
        {"category_id": 8},
        "`annotations[1].category_id` of `annotations/instances_train2017.json` must be an id",
    ),
    "of a missing file": (
        {"image_id": 5},
        "`annotations[1].image_id` of `annotations/instances_train2017.json` must be",
    ),
}


@pytest.mark.parametrize("case", COCO_CASES)
def test_coco(cells: Cells, capsys: pytest.CaptureFixture[str], case: str) -> None:
    box, what = COCO_CASES[case]
    archives = packed({**COCO, "annotations/instances_train2017.json": instances(LEFT, {**LEFT, **box})})
    assert cells.run("coco", archives, "ingest", annotations="annotations.zip") == 3
    assert line(capsys).startswith(what)


@pytest.mark.parametrize("reader", ["voc", "yolo"])
def test_odd_boxes_can_be_repaired(cells: Cells, capsys: pytest.CaptureFixture[str], reader: str) -> None:
    """One that reaches out is clipped, one without area left out; and both are told."""
    members = {"voc": voc(("cat", 1, 1, 60, 15), ("cat", 6, 1, 5, 15)), "yolo": yolo("0 1 1 1 1\n0 0.5 0.5 0 0.5")}
    config = {"config": "detection/config.yaml"} if reader == "yolo" else {}
    assert cells.run(reader, {"a.zip": members[reader]}, "ingest", odd="repair", **config) == 0
    told = capsys.readouterr().out.splitlines()
    assert "a.zip: 1 boxes reached out of their images, and are clipped" in told
    assert "a.zip: 1 boxes were too small, and are left out" in told


STEPS = ("ingest", "validate", "prepare")


def test_an_image_without_objects_is_a_sample(cells: Cells) -> None:
    empty = {"x/ImageSets/Main/test.txt": b"b\ne", "x/JPEGImages/e.jpg": jpeg((250, 250, 0))}
    assert cells.run("voc", {"a.zip": {**voc(e=xml("e")), **empty}}, *STEPS, samples=4) == 0
    assert prepared.read("cells", "test").answers["labels"].tolist() == [[0, -1, -1], [-1, -1, -1]]


def test_an_exam_without_any_object_is_refused(cells: Cells, capsys: pytest.CaptureFixture[str]) -> None:
    assert cells.run("voc", {"a.zip": voc(b=xml("b"))}, *STEPS[:2]) == 3
    assert "row 'test cat': 0, row 'test dog': 0" in line(capsys, "validate")


def test_500_objects_are_more_than_a_dataset_expects(cells: Cells, capsys: pytest.CaptureFixture[str]) -> None:
    assert cells.run("voc", {"a.zip": voc(*[GOOD] * 500)}, *STEPS[:2]) == 3
    told = line(capsys, "validate")
    assert "column `objects` in table `samples` (max_value=3): received 1 of 3 otherwise, row 0: 500." in told
    assert "Row 0 is `a.jpg`." in told


def test_a_label_that_is_no_class_is_named(cells: Cells, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the source allows any label, and the dataset does not."""
    thing = xml("c", ("dog", 11, 1, 40, 30), ("cow", 1, 1, 9, 9))
    assert cells.run("voc", {"a.zip": voc(c=thing)}, *STEPS[:2]) == 3
    told = line(capsys, "validate")
    assert "received 1 of 4 otherwise, row '2/1': 'cow'." in told
    assert "Row 2 is `c.jpg`." in told
