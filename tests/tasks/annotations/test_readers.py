"""Readers of annotated photographs: small made-up archives, and the real ones where they are."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks import places
from tasks.catalogue import Source
from tasks.errors import BadData, BadRequest, Refused
from tasks.sources import Raw, coco, contents, voc, yolo
from tasks.sources.annotations import BOX, samples

SHARED = Path(os.environ.get("MIAR_MIRROR") or places.ROOT.parent / "shared" / "datasets")


def source(reader: str, file: str, **settings: object) -> Source:
    return Source.model_validate(
        {"reader": reader, "files": {file: "0" * 64}, "samples": 1, "licence": "made up", "settings": settings}
    )


def jpeg(colour: tuple[int, int, int] = (0, 0, 0), size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "JPEG", quality=95, **options)
    return stream.getvalue()


def zipped(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def xml(name: str, *boxes: tuple[object, ...], width: int = 40) -> bytes:
    things = "".join(
        f"<object><name>{label}</name><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>"
        "</bndbox></object>"
        for label, x1, y1, x2, y2 in boxes
    )
    size = f"<size><width>{width}</width><height>30</height></size>"
    return f"<annotation><filename>{name}.jpg</filename>{size}{things}</annotation>".encode()


VOC = {
    "x/ImageSets/Main/test.txt": b"b\n",
    "x/ImageSets/Main/train.txt": b"c\r\n",
    "x/ImageSets/Main/val.txt": b"a\n",
    "x/ImageSets/Main/trainval.txt": b"a\nc\n",
    "x/JPEGImages/c.jpg": jpeg((250, 0, 0)),
    "x/JPEGImages/b.jpg": jpeg((0, 250, 0)),
    "x/JPEGImages/a.jpg": jpeg((0, 0, 250)),
    "x/Annotations/a.xml": xml("a", ("cat", 1, 1, 20, 15), ("dog", 21, 16, 40, 30)),
    "x/Annotations/b.xml": xml("b"),
    "x/Annotations/c.xml": xml("c", ("dog", 11, 1, 40, 30)),
}


class TestVoc:
    def read(self, folder: Path, changes: dict[str, bytes | None], **settings: object) -> Raw:
        members = {name: content for name, content in {**VOC, **changes}.items() if content is not None}
        zipped(folder / "a.zip", members)
        return voc.read(folder, source("voc", "a.zip", **{"size": "6x8", **settings}))

    def test_samples_come_by_name(self, tmp_path: Path) -> None:
        raw = self.read(tmp_path, {})
        assert raw.images is not None
        assert raw.boxes is not None
        assert raw.images.shape == (3, 6, 8, 3)
        assert raw.images.argmax(axis=3)[:, 3, 3].tolist() == [2, 1, 0]
        assert raw.samples[["file", "set", "split", "label", "width", "height"]].values.tolist() == [
            ["a.jpg", "val", "train", "", 40, 30],
            ["b.jpg", "test", "test", "", 40, 30],
            ["c.jpg", "train", "train", "", 40, 30],
        ]
        assert raw.boxes[["sample", "label", *BOX]].values.tolist() == [
            [0, "cat", 0, 0, 0.5, 0.5],
            [0, "dog", 0.5, 0.5, 1, 1],
            [2, "dog", 0, 0.25, 1, 1],
        ]
        assert raw.boxes.dtypes[["sample", *BOX]].astype(str).tolist() == ["int64"] + ["float32"] * 4

    @pytest.mark.parametrize(
        ("changes", "what"),
        [
            ({"x/JPEGImages/b.jpg": None}, "there must be a photograph for annotations of `b`"),
            ({"x/Annotations/b.xml": None}, "there must be annotations for the photograph `b`"),
            ({"x/ImageSets/Main/val.txt": b"a\nd\n"}, "there must be a photograph for the official name `d`"),
            ({"x/ImageSets/Main/val.txt": b"a\nb\n"}, "`b` must be in one official set. Received: val and test"),
            ({"x/ImageSets/Main/val.txt": None}, r"the archive must hold `x/ImageSets/Main/val\.txt`"),
            ({"x/ImageSets/Main/val.txt": b"\xff"}, r"`x/ImageSets/Main/val\.txt` must be UTF-8"),
            ({"x/ImageSets/Main/test.txt": None}, r"`a\.zip` must hold one ImageSets/Main/test\.txt"),
            ({"y/ImageSets/Main/test.txt": b""}, r"`a\.zip` must hold one ImageSets/Main/test\.txt. Received: 2"),
            ({"x/Annotations/b.xml": xml("b", width=41)}, r"`b\.jpg` must be of 41 x 30 pixels.* Received: 40 x 30"),
            ({"x/JPEGImages/b.jpg": jpeg()[:300]}, r"`b\.jpg` must be a whole photograph"),
            ({f"x/ImageSets/Main/{name}.txt": b"" for name in ("train", "val", "test")}, "there must be photographs"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path: Path, changes: dict[str, bytes | None], what: str) -> None:
        with pytest.raises(BadData, match=what):
            self.read(tmp_path, changes)

    def test_what_is_in_no_set_is_told(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        raw = self.read(tmp_path, {"x/ImageSets/Main/val.txt": b""})
        assert raw.samples["file"].tolist() == ["b.jpg", "c.jpg"]
        assert capsys.readouterr().out == "a.zip: 1 photographs are in no official set, and are left out\n"

    def test_odd_boxes_are_refused_or_repaired(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        changes: dict[str, bytes | None] = {"x/Annotations/b.xml": xml("b", ("cat", 1, 1, 60, 15), ("cat", 5, 5, 5, 5))}
        with pytest.raises(BadData, match=r"object 0 of `b\.jpg` must lie inside"):
            self.read(tmp_path, changes)
        raw = self.read(tmp_path, changes, odd="repair", smallest_side=2)
        assert raw.boxes is not None
        assert raw.boxes[raw.boxes["sample"] == 1][BOX].values.tolist() == [[0, 0, 0.5, 1]]
        assert capsys.readouterr().out.splitlines() == [
            "a.zip: 1 boxes reached out of their images, and are clipped",
            "a.zip: 1 boxes were too small, and are left out",
        ]

    def test_settings_hold(self, tmp_path: Path) -> None:
        with pytest.raises(BadData, match="must have a label of dog"):
            self.read(tmp_path, {}, classes=["dog"])
        with pytest.raises(BadData, match=r"`a\.jpg` must have at most 1 objects"):
            self.read(tmp_path, {}, most_objects=1)

    @pytest.mark.skipif(not (SHARED / "bccd.zip").exists(), reason="the real blood cells are not here")
    def test_the_real_ones_are_as_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Two of their boxes are single pixels, and are all that a least side of 2 refuses."""
        raw = voc.read(SHARED, source("voc", "bccd.zip", size=32))
        assert raw.boxes is not None
        assert raw.boxes["label"].value_counts().to_dict() == {"RBC": 4155, "WBC": 372, "Platelets": 361}
        assert raw.samples["set"].value_counts().to_dict() == {"train": 205, "val": 87, "test": 72}
        assert raw.samples["split"].value_counts().to_dict() == {"train": 292, "test": 72}
        assert raw.samples["file"].is_monotonic_increasing
        assert set(raw.boxes["sample"]) == set(range(364))
        assert raw.boxes[BOX].iloc[0].tolist() == pytest.approx([176 / 480, 259 / 640, 376 / 480, 491 / 640])
        assert capsys.readouterr().out == ""
        with pytest.raises(BadData, match=r"object 12 of `BloodImage_00338\.jpg` .* as wrong are 1 more"):
            voc.read(SHARED, source("voc", "bccd.zip", size=1, smallest_side=2))
        raw = voc.read(SHARED, source("voc", "bccd.zip", size=1, smallest_side=2, odd="repair"))
        assert raw.boxes is not None
        assert raw.boxes["label"].value_counts()["RBC"] == 4153
        assert capsys.readouterr().out == "bccd.zip: 2 boxes were too small, and are left out\n"


Members = dict[str, bytes | tarfile.TarInfo]


def tarred(path: Path, members: Members) -> None:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)


def link(name: str, kind: bytes, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def made(folder: Path) -> Raw:
    """What two tars give."""
    known = source("voc", "one.tar", size="6x8")
    return voc.read(folder, known.model_copy(update={"files": {**known.files, "two.tar": "0" * 64}}))


class TestVocInTwoTars:
    """As its authors have it: train and val in one, test in the other."""

    def read(self, folder: Path, one: Members, two: Members) -> Raw:
        test = {name: content for name, content in VOC.items() if "test" in name or "/b." in name}
        tarred(folder / "one.tar", {name: content for name, content in VOC.items() if name not in test} | one)
        tarred(folder / "two.tar", test | two)
        return made(folder)

    def test_they_are_read_as_one(self, tmp_path: Path) -> None:
        (tmp_path / "zip").mkdir()
        whole, raw = TestVoc().read(tmp_path / "zip", {}), self.read(tmp_path, {}, {})
        assert raw.images is not None
        assert raw.boxes is not None
        np.testing.assert_array_equal(raw.images, whole.images)
        assert raw.samples.equals(whole.samples)
        assert raw.boxes.equals(whole.boxes)

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
    def test_links_and_devices_are_no_members(self, tmp_path: Path, kind: bytes) -> None:
        """A link beside a photograph that is there, and in place of one; the target is there, too."""
        (tmp_path / "secret.jpg").write_bytes(jpeg())
        more = link("x/JPEGImages/d.jpg", kind, str(tmp_path / "secret.jpg"))
        assert len(self.read(tmp_path, {"x/JPEGImages/d.jpg": more}, {}).samples) == 3
        instead = link("x/JPEGImages/b.jpg", kind, "x/JPEGImages/a.jpg")
        with pytest.raises(BadData, match="there must be a photograph for annotations of `b`"):
            self.read(tmp_path, {}, {"x/JPEGImages/b.jpg": instead})

    def test_a_path_that_climbs_out_is_only_a_name(self, tmp_path: Path) -> None:
        before = {"one.tar", "two.tar"}
        self.read(tmp_path, {"../../climbed.jpg": jpeg(), "/tmp/miar-absolute.jpg": jpeg()}, {})
        assert {path.name for path in tmp_path.rglob("*")} == before
        assert not Path("/tmp/miar-absolute.jpg").exists()

    @pytest.mark.parametrize("name", ["one.tar", "two.tar"])
    @pytest.mark.parametrize("size", [0, 1000])
    def test_a_cut_one_is_named(self, tmp_path: Path, name: str, size: int) -> None:
        self.read(tmp_path, {}, {})
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:size])
        with pytest.raises(BadData, match=rf"`{name}` must be a whole tar archive"):
            made(tmp_path)

    def test_no_archive_may_be_too_much(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(contents, "MEMBERS", 6)
        with pytest.raises(Refused, match=r"`one\.tar` must have at most 6 members"):
            self.read(tmp_path, {}, {})
        monkeypatch.setattr(contents, "MEMBERS", 100)
        monkeypatch.setattr(contents, "BYTES", 100)
        with pytest.raises(Refused, match="must have at most 100 bytes"):
            self.read(tmp_path, {}, {})


def test_a_member_that_is_damaged_is_its_archives(tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        zipped(tmp_path / name, {f"{name}.txt": b"some content"})
    damaged = (tmp_path / "one.zip").read_bytes().replace(b"some", b"none")
    (tmp_path / "one.zip").write_bytes(damaged)
    with (
        pytest.raises(BadData, match=r"`one\.zip` must be a whole zip archive.*CRC"),
        contents.joined([tmp_path / "one.zip", tmp_path / "two.zip"]) as archive,
    ):
        contents.content(archive, "one.zip.txt")


def test_of_two_members_of_one_name_the_first_counts(tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        zipped(tmp_path / name, {"a.txt": name.encode()})
    with contents.joined([tmp_path / "two.zip", tmp_path / "one.zip"]) as archive:
        assert contents.content(archive, "a.txt") == b"two.zip"
        assert archive.namelist() == ["a.txt"]


def instances(*boxes: dict[str, object], names: tuple[str, ...] = ("b.jpg", "a.jpg")) -> dict[str, object]:
    """Annotations of images of 40 x 30 pixels, numbered from 0."""
    images = [{"id": row, "file_name": name, "width": 40, "height": 30} for row, name in enumerate(names)]
    things: list[dict[str, object]] = [{"id": row, "category_id": 7, **box} for row, box in enumerate(boxes)]
    return {"images": images, "annotations": things, "categories": [{"id": 7, "name": "cat"}, {"id": 9, "name": "dog"}]}


LEFT = {"image_id": 0, "bbox": [0, 0, 20, 15]}
COCO: dict[str, object] = {
    "annotations/instances_train2017.json": instances(LEFT, {"image_id": 1, "category_id": 9, "bbox": [10, 0, 30, 30]}),
    "annotations/instances_val2017.json": instances({"image_id": 0, "bbox": [20, 15, 20, 15]}, names=("a.jpg",)),
    "train2017/b.jpg": jpeg((250, 0, 0)),
    "train2017/a.jpg": jpeg((0, 250, 0)),
    "val2017/a.jpg": jpeg((0, 0, 250)),
}


def packed(members: Mapping[str, object]) -> dict[str, dict[str, bytes]]:
    """Members by archive, which their first folder names; what is no bytes is JSON, and None is not there."""
    archives: dict[str, dict[str, bytes]] = {f"{each}.zip": {} for each in ("train2017", "val2017", "annotations")}
    for name, content in members.items():
        if content is not None:
            written = content if isinstance(content, bytes) else json.dumps(content).encode()
            archives[f"{name.partition('/')[0]}.zip"][name] = written
    return archives


class TestCoco:
    def read(self, folder: Path, changes: dict[str, object], **settings: object) -> Raw:
        archives = packed({**COCO, **changes})
        for file, members in archives.items():
            zipped(folder / file, members)
        known = source("coco", "a.zip", **{"size": "6x8", "annotations": "annotations.zip", **settings})
        return coco.read(folder, known.model_copy(update={"files": dict.fromkeys(archives, "")}))

    def test_samples_come_by_path(self, tmp_path: Path) -> None:
        raw = self.read(tmp_path, {})
        assert raw.images is not None
        assert raw.boxes is not None
        assert raw.images.shape == (3, 6, 8, 3)
        assert raw.images.argmax(axis=3)[:, 3, 3].tolist() == [1, 0, 2]
        assert raw.samples[["file", "split", "label", "width", "height"]].values.tolist() == [
            ["train2017/a.jpg", "train", "", 40, 30],
            ["train2017/b.jpg", "train", "", 40, 30],
            ["val2017/a.jpg", "test", "", 40, 30],
        ]
        assert sorted(raw.boxes[["sample", "label", *BOX]].values.tolist()) == [
            [0, "dog", 0, 0.25, 1, 1],
            [1, "cat", 0, 0, 0.5, 0.5],
            [2, "cat", 0.5, 0.5, 1, 1],
        ]

    def test_crowds_and_odd_boxes_are_told(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        odd = [{"image_id": 0, "bbox": [30, 0, 30, 15]}, {"image_id": 1, "bbox": [5, 5, 0, 9]}]
        told = instances(LEFT, {**LEFT, "iscrowd": 1}, *odd)
        with pytest.raises(BadData, match=r"object 2 of `b\.jpg` must lie inside"):
            self.read(tmp_path, {"annotations/instances_train2017.json": told})
        raw = self.read(tmp_path, {"annotations/instances_train2017.json": told}, odd="repair")
        assert raw.boxes is not None
        assert raw.boxes["sample"].tolist() == [1, 1, 2]
        archives = "train2017.zip, val2017.zip, annotations.zip: annotations/instances_train2017.json"
        assert capsys.readouterr().out.splitlines() == [
            f"{archives}: 1 boxes reached out of their images, and are clipped",
            f"{archives}: 1 boxes were too small, and are left out",
            f"{archives}: 1 boxes are around crowds, and are left out",
        ]

    @pytest.mark.parametrize(
        ("changes", "what"),
        [
            ({"val2017/a.jpg": None}, r"there must be a photograph for annotations of `val2017/a\.jpg`"),
            ({"val2017/b.jpg": jpeg()}, r"there must be annotations for the photograph `val2017/b\.jpg`"),
            ({"val2017/a.jpg": jpeg()[:300]}, r"`val2017/a\.jpg` must be a whole photograph"),
            ({"val2017/a.jpg": jpeg(size=(30, 40))}, r"`val2017/a\.jpg` must be of 40 x 30 pixels"),
            ({"annotations/instances_val2017.json": None}, r"must hold `annotations/instances_val2017\.json`"),
            ({"annotations/instances_val2017.json": b"{"}, r"`annotations/instances_val2017\.json` must be JSON"),
            (dict.fromkeys(name for name in COCO if name.endswith("jpg")), "photographs below train2017, val2017"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path: Path, changes: dict[str, object], what: str) -> None:
        with pytest.raises(BadData, match=what):
            self.read(tmp_path, changes)

    def test_settings_hold(self, tmp_path: Path) -> None:
        with pytest.raises(BadRequest, match=r"`annotations` must be one of .*val2017\.zip.* Received: 'no\.zip'"):
            self.read(tmp_path, {}, annotations="no.zip")
        with pytest.raises(BadRequest, match="must hold the photographs of a set besides"):
            coco.read(tmp_path, source("coco", "a.zip", size=4, annotations="a.zip"))
        with pytest.raises(BadData, match="must have a label of cat"):
            self.read(tmp_path, {}, classes=["cat"])


CONFIG = b"path: .\ntrain: images/one\nval: images/two\nnames:\n  0: cat\n  1: dog\n"
YOLO = {
    "x/detection/config.yaml": CONFIG,
    "x/other/config.yaml": b"{",
    "x/images/two/a.jpg": jpeg((250, 0, 0)),
    "x/images/one/b.jpg": jpeg((0, 250, 0)),
    "x/images/one/a.JPG": jpeg((0, 0, 250), size=(20, 50)),
    "x/detection/labels/one/a.txt": b"1 0.5 0.5 0.5 0.25\n0 0.5 0.5 1 1\n",
    "x/detection/labels/one/b.txt": b"",
    "x/detection/labels/two/a.txt": b"1 0.25 0.75 0.5 0.5",
}


class TestYolo:
    def read(self, folder: Path, changes: dict[str, bytes | None], **settings: object) -> Raw:
        members = {name: content for name, content in {**YOLO, **changes}.items() if content is not None}
        zipped(folder / "a.zip", members)
        settings = {"size": 4, "config": "detection/config.yaml", **settings}
        return yolo.read(folder, source("yolo", "a.zip", **settings))

    def test_samples_come_by_path(self, tmp_path: Path) -> None:
        raw = self.read(tmp_path, {})
        assert raw.images is not None
        assert raw.boxes is not None
        assert raw.images.shape == (3, 4, 4, 3)
        assert raw.images.argmax(axis=3)[:, 2, 2].tolist() == [2, 1, 0]
        assert raw.samples[["file", "split", "label", "width", "height"]].values.tolist() == [
            ["one/a.JPG", "train", "", 20, 50],
            ["one/b.jpg", "train", "", 40, 30],
            ["two/a.jpg", "test", "", 40, 30],
        ]
        assert raw.boxes[["sample", "label", *BOX]].values.tolist() == [
            [0, "dog", 0.375, 0.25, 0.625, 0.75],
            [0, "cat", 0, 0, 1, 1],
            [2, "dog", 0.5, 0, 1, 0.5],
        ]

    def test_a_list_of_names_and_an_exam_of_its_own(self, tmp_path: Path) -> None:
        config = b"train: one\nval: ../two\ntest: images/three/\nnames: [dog, cat]\n"
        changes: dict[str, bytes | None] = {
            "x/detection/config.yaml": config,
            "x/images/three/a.jpg": jpeg(),
            "x/detection/labels/three/a.txt": b"1 0.5 0.5 1 1",
        }
        raw = self.read(tmp_path, changes)
        assert raw.boxes is not None
        assert raw.samples["split"].tolist() == ["train", "train", "test", "train"]
        assert raw.boxes["label"].tolist() == ["cat", "dog", "cat", "cat"]

    def test_images_may_lie_beside_the_configuration(self, tmp_path: Path) -> None:
        moved: dict[str, bytes | None] = {
            name.replace("x/images", "x/detection/images"): content
            for name, content in YOLO.items()
            if "images" in name
        }
        gone: dict[str, bytes | None] = dict.fromkeys(name for name in YOLO if "images" in name)
        assert len(self.read(tmp_path, {**gone, **moved}).samples) == 3

    @pytest.mark.parametrize(
        ("changes", "what"),
        [
            ({"x/detection/labels/two/a.txt": None}, r"there must be annotations for the image `two/a\.jpg`"),
            ({"x/images/two/a.jpg": None}, r"there must be an image for annotations of `two/a\.txt`"),
            ({"x/images/two/a.jpeg": jpeg()}, r"`two/a\.jpeg` must have a name of its own"),
            ({"x/images/two/a.jpg": jpeg()[:300]}, r"`two/a\.jpg` must be a whole photograph"),
            (
                {"x/detection/labels/two/a.txt": b"2 0 0 1 1"},
                r"object 0 of `two/a\.jpg` must have the number of one of 2",
            ),
            ({"x/detection/config.yaml": None}, r"`a\.zip` must hold one `detection/config\.yaml`. Received: 0"),
            ({"y/detection/config.yaml": b""}, r"`a\.zip` must hold one `detection/config\.yaml`. Received: 2"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path: Path, changes: dict[str, bytes | None], what: str) -> None:
        with pytest.raises(BadData, match=what):
            self.read(tmp_path, changes)

    @pytest.mark.parametrize(
        ("config", "what"),
        [
            (b"{", "must be YAML"),
            (b"[" * 1_000, "must be YAML"),
            (b"\xff", "must be YAML"),
            (b"a: 2017-99-99", "must be YAML"),
            (b"!!python/object/apply:os.getcwd []", "must be YAML"),
            (b"#" * (1024**2 + 1), "must have at most 1048576 bytes"),
            (b"- 1", "must be a mapping. Received: list"),
            (b"train: one\nval: two", "`names` of .* must be a list"),
            (b"train: one\nval: two\nnames: []", "`names` of .* must be a list"),
            (b"train: one\nval: two\nnames: {a: cat}", "`names` of .* must be a list"),
            (b"train: one\nval: two\nnames: [1]", "`names` of .* must be texts. Received: int for 0"),
            (b"train: one\nval: two\nnames: ['']", "every one of `names` .* must be a text"),
            (b'train: one\nval: two\nnames: ["\\ud800"]', "every one of `names` .* must be a text"),
            (b"train: one\nval: two\nnames: [cat, cat]", "`names` of .* must differ"),
            (b"train: one\nnames: [cat]", "must have `train` and `val`. Received: train"),
            (b"train: [one]\nval: two\nnames: [cat]", "`train` of .* must be a folder. Received: list"),
            (b"train: a/one\nval: b/one\nnames: [cat]", "the folders of .* must differ"),
            (b"train: 1/x\nval: 1/y\nnames: [cat]", "there must be photographs"),
        ],
    )
    def test_a_bad_configuration_is_told(self, tmp_path: Path, config: bytes, what: str) -> None:
        with pytest.raises(BadData, match=what) as caught:
            self.read(tmp_path, {"x/detection/config.yaml": config})
        assert len(str(caught.value).splitlines()) == 1

    def test_what_has_no_counterpart_is_told(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        changes: dict[str, bytes | None] = {"x/detection/labels/one/a.txt": None, "x/detection/labels/one/c.txt": b"?"}
        raw = self.read(tmp_path, changes, odd="repair")
        assert raw.boxes is not None
        assert len(raw.samples) == 3
        assert raw.boxes["sample"].tolist() == [2]
        assert capsys.readouterr().out.splitlines() == [
            "a.zip: 1 photographs have no labels, and count as without objects: one/a.JPG",
            "a.zip: 1 files of labels have no photograph, and are left out: one/c.txt",
        ]

    @pytest.mark.skipif(not (SHARED / "coco128.zip").exists(), reason="the real photographs are not here")
    def test_the_real_ones_are_as_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Its files of labels hold 1,839 boxes; 12 of them are of two photographs that it does not have."""
        settings = {"size": 32, "config": "object_detection/config.yaml"}
        with pytest.raises(BadData, match=r"there must be an image for annotations of `train2017/000000000656\.txt`"):
            yolo.read(SHARED, source("yolo", "coco128.zip", **settings))
        raw = yolo.read(SHARED, source("yolo", "coco128.zip", **settings, odd="repair"))
        assert raw.boxes is not None
        assert raw.samples["split"].value_counts().to_dict() == {"train": 128, "test": 128}
        assert len(raw.boxes) == 1839 - 12
        assert raw.boxes["label"].nunique() == 76
        assert Counter(raw.boxes["sample"]).most_common(1)[0][1] == 42
        without = set(range(256)) - set(raw.boxes["sample"])
        assert raw.samples["file"][sorted(without)].tolist() == [
            "train2017/000000000250.jpg",
            "train2017/000000000508.jpg",
        ]
        assert [line[:13] for line in capsys.readouterr().out.splitlines()] == ["coco128.zip: "] * 2


@pytest.mark.parametrize("size", [0, -1, 8193, "8x", "8x0", "x8", "1e3", "8 x 8"])
def test_a_bad_size_is_told(size: object) -> None:
    with pytest.raises(BadRequest, match="`size` must be"):
        samples.form(source("voc", "a.zip", size=size))


@pytest.mark.parametrize(
    "settings",
    [{"odd": "ignore"}, {"classes": "cat"}, {"most_objects": 0}, {"most_objects": 1.5}, {"smallest_side": -1}],
)
def test_a_bad_setting_is_told(settings: dict[str, object]) -> None:
    (name,) = settings
    with pytest.raises(BadRequest, match=f"`{name}` must be"):
        samples.rules(source("voc", "a.zip", **settings))


def test_a_photograph_is_stretched_whole_and_upright() -> None:
    """Its upper half is bright, but the camera lay on its side: the file has 32 x 16 pixels, the photograph 16 x 32."""
    picture = Image.new("RGB", (32, 16))
    picture.paste((255, 255, 255), (0, 0, 16, 16))
    stream, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    picture.save(stream, "JPEG", exif=exif, quality=95)
    image, size = samples.stretched(stream.getvalue(), "a.jpg", 8, 12)
    assert size == (16, 32)
    assert image.shape == (8, 12, 3)
    assert image[:3].min() > 200
    assert image[5:].max() < 60


def test_no_photograph_may_be_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples.contents, "PIXELS", 1199)
    with pytest.raises(samples.Refused, match="at most 1199 pixels"):
        samples.stretched(jpeg(), "a.jpg", 4, 4)


def test_edges_reach_the_edges() -> None:
    """Nothing is cut off, so that relative boxes hold: the left tenth stays a tenth."""
    picture = Image.new("RGB", (400, 100))
    picture.paste((255, 255, 255), (0, 0, 40, 100))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    image, _ = samples.stretched(stream.getvalue(), "a.png", 20, 20)
    np.testing.assert_array_equal(image[:, :2].min(axis=2) > 200, True)
    np.testing.assert_array_equal(image[:, 3:].max(axis=2) < 60, True)
