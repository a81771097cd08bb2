"""docs/large_sources.yaml: sound in params.yaml, and read to the end on small archives of the published layout."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from tasks import catalogue, ingest, ingested, places, prepare, prepared, validate
from tasks.catalogue import Catalogue, Origins
from tests.tasks.test_sources import files, serving
from tests.tasks.test_stages import DECLARED, closure, fill

LARGE = yaml.safe_load((places.ROOT / "docs" / "large_sources.yaml").read_text(encoding="utf-8"))
WIDTH, HEIGHT = 64, 48


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """The catalogue of params.yaml with every block of the file in its place."""
    content = yaml.safe_load(places.PARAMS.read_text(encoding="utf-8"))
    for kind, blocks in LARGE.items():
        assert not content[kind].keys() & blocks.keys(), "a plain `dvc repro` would fetch it"
        content[kind] |= blocks
    path = tmp_path_factory.mktemp("merged") / "params.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return catalogue.load(path)


def test_its_blocks_fit_params(merged: Catalogue) -> None:
    for name, block in LARGE["datasets"].items():
        dataset, source = merged.dataset(name), merged.source(block["source"])
        assert name == f"{block['source']}_objects"
        assert dataset.image == [source.settings["size"]] * 2 + [3]
    assert [len(merged.dataset(name).classes or []) for name in LARGE["datasets"]] == [20, 80, 80]
    assert merged.dataset("coco2017_objects").classes == merged.dataset("coco128_objects").classes


@pytest.mark.parametrize("name", LARGE["sources"])
def test_dvc_sees_what_its_readers_import(name: str) -> None:
    reader = LARGE["sources"][name]["reader"]
    deps = [fill(dep, name, {"reader": reader}) for dep in DECLARED["ingest"]["do"]["deps"]]
    used = closure(places.ROOT / "tasks" / "sources" / f"{reader}.py", places.ROOT) - {"tasks/__init__.py"}
    assert not {one for one in used if not any(one == dep or one.startswith(f"{dep}/") for dep in deps)} - {
        "tasks/outside/__init__.py"
    }


def photograph(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def voc_xml(name: str, classes: list[str]) -> bytes:
    """Annotations as the VOC's own, with a part of a person; object n covers the n + 1 pixels of the upper left."""
    things = "".join(
        f"<object><name>{label}</name><pose>Left</pose><truncated>1</truncated><difficult>{row % 2}</difficult>"
        f"<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>{row + 1}</xmax><ymax>{row + 1}</ymax></bndbox>"
        "<part><name>head</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>3</xmax><ymax>3</ymax></bndbox></part>"
        "</object>"
        for row, label in enumerate(classes)
    )
    return (
        f"<annotation><folder>VOC2007</folder><filename>{name}.jpg</filename><source><database>The VOC2007 Database"
        f"</database></source><size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
        f"<segmented>0</segmented>{things}</annotation>"
    ).encode()


def voc_members(sets: dict[str, list[str]], classes: list[str]) -> dict[str, bytes]:
    root = "VOCdevkit/VOC2007"
    members = {f"{root}/ImageSets/Main/{each}.txt": "\n".join(names).encode() for each, names in sets.items()}
    members[f"{root}/ImageSets/Main/cat_{next(iter(sets))}.txt"] = b"000001 -1\n"
    for name in {name for names in sets.values() for name in names}:
        members[f"{root}/JPEGImages/{name}.jpg"] = photograph(int(name))
        members[f"{root}/Annotations/{name}.xml"] = voc_xml(name, classes)
        members[f"{root}/SegmentationClass/{name}.png"] = b"not looked at"
    return members


def voc2007(classes: list[str]) -> dict[str, bytes]:
    """By address: 16 photographs of training and validation, 4 of the test."""
    train, val, test = ([f"{number:06}" for number in numbers] for numbers in (range(10), range(10, 16), range(16, 20)))
    return {
        "one/VOCtrainval_06-Nov-2007.tar": tarred(
            voc_members({"train": train, "val": val, "trainval": [*train, *val]}, classes)
        ),
        "two/VOCtest_06-Nov-2007.tar": tarred(voc_members({"test": test}, classes)),
    }


def coco_json(numbers: range, classes: list[str]) -> bytes:
    """Two boxes and a crowd in each image but the first, which shows nothing."""
    images = [
        {"license": 1, "file_name": f"{number:012}.jpg", "height": HEIGHT, "width": WIDTH, "id": number}
        for number in reversed(numbers)
    ]
    boxes = [
        {"image_id": number, "category_id": 10 * (number % 80) + 1, "bbox": [x, 0, 16.0, 24], "iscrowd": crowd}
        for number in numbers[1:]
        for x, crowd in ((0, 0), (32.0, 0), (1.5, 1))
    ]
    things = [{"segmentation": [], "area": 1, "id": row, **box} for row, box in enumerate(boxes)]
    categories = [{"supercategory": "x", "id": 10 * row + 1, "name": label} for row, label in enumerate(classes)]
    return json.dumps({"info": {}, "images": images, "annotations": things, "categories": categories}).encode()


def coco2017(classes: list[str], sets: dict[str, range]) -> dict[str, bytes]:
    made = {
        f"one/{each}.zip": zipped({f"{each}/{number:012}.jpg": photograph(number) for number in numbers})
        for each, numbers in sets.items()
    }
    told = {f"annotations/instances_{each}.json": coco_json(numbers, classes) for each, numbers in sets.items()}
    return {**made, "two/annotations_trainval2017.zip": zipped({**told, "annotations/captions_val2017.json": b"{}"})}


def small(monkeypatch: pytest.MonkeyPatch, merged: Catalogue, name: str, served: dict[str, bytes], **facts: Any) -> str:
    """Let the catalogue's source `name` be of what is served; returns its dataset's name."""
    digests = {Path(path).name: hashlib.sha256(content).hexdigest() for path, content in served.items()}
    source = merged.source(name)
    assert digests.keys() == source.files.keys()
    changed = merged.model_copy(
        update={"sources": {name: source.model_copy(update={**facts, "files": {**source.files, **digests}})}}
    )
    monkeypatch.setattr(catalogue, "load", lambda: changed)
    monkeypatch.setattr(validate, "sheets", lambda *_: [])  # half of the time, and drawn in other tests
    return f"{name}_objects"


def run(name: str) -> dict[str, int]:
    """Prepared samples of each split of a dataset, after the steps up to there."""
    ingest.ingest(catalogue.load().dataset(name).source)
    assert validate.validate(name).success
    return prepare.prepare(name).samples


@pytest.mark.usefixtures("workplace")
def test_voc_is_read_to_the_end(merged: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    classes = list(merged.dataset("voc2007_objects").classes or [])
    served = voc2007(classes)
    with serving(files(served)) as (address, _):
        official = Origins(official=[f"{address}/one", f"{address}/two"])
        name = small(monkeypatch, merged, "voc2007", served, samples=20, origins=official)
        assert run(name) == {"train": 14, "validation": 2, "test": 4}
    boxes = ingested.boxes("voc2007")
    assert boxes.groupby("sample")["label"].agg(list).tolist() == [classes] * 20
    assert boxes["y2"][:3].tolist() == pytest.approx([1 / HEIGHT, 2 / HEIGHT, 3 / HEIGHT])
    truth = prepared.read(name, "test").answers
    assert truth["labels"][0, :21].tolist() == [*range(20), -1]


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    ("name", "sets", "splits"),
    [
        ("coco2017", {"val2017": range(100, 130)}, {"train": 22, "validation": 2, "test": 6}),
        (
            "coco2017_whole",
            {"train2017": range(50), "val2017": range(100, 110)},
            {"train": 48, "validation": 2, "test": 10},
        ),
    ],
)
def test_coco_is_read_to_the_end(
    merged: Catalogue,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    sets: dict[str, range],
    splits: dict[str, int],
) -> None:
    classes = list(merged.dataset("coco2017_objects").classes or [])
    served, count = coco2017(classes, sets), sum(map(len, sets.values()))
    with serving(files(served)) as (address, _):
        official = Origins(official=[f"{address}/one", f"{address}/two"])
        dataset = small(monkeypatch, merged, name, served, samples=count, origins=official)
        assert run(dataset) == splits
    boxes = ingested.boxes(name)
    told = capsys.readouterr().out
    for each, many in sets.items():
        assert f"instances_{each}.json: {len(many) - 1} boxes are around crowds, and are left out\n" in told
    assert len(boxes) == 2 * (count - len(sets))
    assert boxes[["y1", "x1", "y2", "x2"]][:2].values.tolist() == [[0, 0, 0.5, 0.25], [0, 0.5, 0.5, 0.75]]
    numbers = [number for each in sets.values() for number in each]
    assert boxes["label"].tolist() == [classes[numbers[sample] % 80] for sample in boxes["sample"]]
