"""YOLO's text: written by hand, at random, and by those who mean no good."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import BadData
from tasks.sources.annotations import BOX, Rules, yolo

IMAGES = pd.DataFrame({"file": ["a.jpg", "b.jpg"], "width": [100, 50], "height": [200, 50]})
CLASSES = {0: "cat", 1: "dog", 5: "cow"}


def parsed(content: bytes, rules: Rules | None = None) -> yolo.Annotations:
    """What a.jpg's annotations are; b.jpg has none."""
    return yolo.parse({"a.jpg": content, "b.jpg": b""}, IMAGES, CLASSES, rules or Rules())


def test_by_hand() -> None:
    found = parsed(b"0 0.5 0.25 0.5 0.125\r\n\n  5 0.5 0.5 1 1e0\n")
    assert found.boxes.values.tolist() == [
        ["a.jpg", "cat", 0.1875, 0.25, 0.3125, 0.75],
        ["a.jpg", "cow", 0.0, 0.0, 1.0, 1.0],
    ]
    assert found.boxes.columns.tolist() == ["file", "label", *BOX]
    assert found.boxes.dtypes[BOX].astype(str).tolist() == ["float64"] * 4
    assert found.images["file"].tolist() == ["a.jpg", "b.jpg"]


def test_no_objects_are_welcome() -> None:
    found = parsed(b"")
    assert len(found.boxes) == 0
    assert len(found.images) == 2
    assert found.boxes.dtypes[BOX].astype(str).tolist() == ["float64"] * 4


within = st.floats(0, 1)
box = st.tuples(within, within, within, within).map(lambda each: (*sorted(each[:2]), *sorted(each[2:])))


@settings(max_examples=50, deadline=None)
@given(st.lists(box.filter(lambda each: each[1] - each[0] > 1e-6 and each[3] - each[2] > 1e-6), max_size=6))
def test_boxes_come_back(written: list[tuple[float, ...]]) -> None:
    rows = [f"1 {(x1 + x2) / 2!r} {(y1 + y2) / 2!r} {x2 - x1!r} {y2 - y1!r}" for y1, y2, x1, x2 in written]
    found = parsed("\n".join(rows).encode())
    for row, corners in zip(found.boxes.itertuples(), written, strict=True):
        assert [row.y1, row.y2, row.x1, row.x2] == pytest.approx(corners, abs=1e-15)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("0 0.5 0.5 0.5", "must have five columns.*Received: 4"),
        ("0 0.5 0.5 0.5 0.5 0.9", "must have five columns.*Received: 6"),
        ("cat 0.5 0.5 0.5 0.5", "must have the number of one of 3 classes. Received: 'cat'"),
        ("2 0.5 0.5 0.5 0.5", "must have the number of one of 3 classes. Received: '2'"),
        ("6 0.5 0.5 0.5 0.5", "must have the number of one of 3 classes"),
        ("-1 0.5 0.5 0.5 0.5", "must have the number of one of 3 classes"),
        ("1.0 0.5 0.5 0.5 0.5", "must have the number of one of 3 classes"),
        ("1" * 5000 + " 0.5 0.5 0.5 0.5", "must have the number of one of 3 classes"),
        ("0 nan 0.5 0.5 0.5", "must be a finite number. Received: 'nan'"),
        ("0 0.5 0.5 inf 0.5", "must be a finite number"),
        ("0 0.5 0.5 1e999 0.5", "must be a finite number"),
        ("0 50 100 20 20", "must be relative, 0..1, not in pixels"),
        ("0 0.5 0.5 1.1 0.5", "must be relative, 0..1, not in pixels"),
        ("0 0.5 0.5 -0.2 0.5", "swapped"),
        ("0 0.5 0.5 0 0.5", "must be of some area"),
        ("0 0.1 0.5 0.5 0.5", "must lie inside its image"),
        ("0 0.5 0.8 0.5 0.5", "must lie inside its image"),
    ],
)
def test_a_bad_row_is_named(row: str, what: str) -> None:
    with pytest.raises(BadData, match=rf"object 1 of `a\.jpg` ?.*{what}") as caught:
        parsed(f"1 0.5 0.5 0.5 0.5\n{row}\n".encode())
    assert len(str(caught.value).splitlines()) == 1


def test_text_that_is_cut_at_6_digits_is_clipped() -> None:
    found = parsed(b"0 0.250001 0.749999 0.500003 0.500003\n")
    assert found.boxes[BOX].iloc[0].tolist() == pytest.approx([0.4999975, 0.0, 1.0, 0.5000025])
    assert found.boxes["x1"].iloc[0] == 0
    assert found.boxes["y2"].iloc[0] == 1


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"0 0.5 0.5 0.5 0.5\n\xff", r"the annotations of `a\.jpg` must be UTF-8. Received: .* at 18"),
        (b" " * (1024**2 + 1), r"`annotations of a\.jpg` must have at most 1048576 bytes"),
        (b"\x00\x01", "must have five columns"),
        ("٠ 0.5 0.5 0.5 0.5".encode(), "must have the number of one of"),
    ],
)
def test_a_bad_file_is_named(content: bytes, what: str) -> None:
    with pytest.raises(BadData, match=what):
        parsed(content)


def test_images_and_annotations_go_in_pairs() -> None:
    with pytest.raises(BadData, match=r"there must be annotations for the image `b\.jpg`. Received: none$"):
        yolo.parse({"a.jpg": b""}, IMAGES, CLASSES, Rules())
    extra = dict.fromkeys(["a.jpg", "b.jpg", "c.jpg", "d.jpg"], b"")
    with pytest.raises(
        BadData, match=r"there must be an image for annotations of `c\.jpg`. Received: none, and 1 more"
    ):
        yolo.parse(extra, IMAGES, CLASSES, Rules())


def test_rules_hold() -> None:
    with pytest.raises(BadData, match="must have a label of cat"):
        parsed(b"1 0.5 0.5 0.5 0.5", Rules(classes=("cat",)))
    with pytest.raises(BadData, match="at most 2 objects"):
        parsed(b"1 0.5 0.5 0.5 0.5\n" * 3, Rules(most_objects=2))
    found = parsed(b"1 0.1 0.5 0.4 0.5\n1 0.5 0.5 0 0.5\n", Rules(repair=True))
    assert found.boxes[BOX].values.tolist() == [[0.25, 0.0, 0.75, pytest.approx(0.3)]]
    assert len(found.repairs) == 2


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60).filter(bytes.strip))
def test_no_bytes_do_anything_else(content: bytes) -> None:
    with pytest.raises(BadData, match=r"a\.jpg"):
        parsed(content)
