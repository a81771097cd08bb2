"""COCO's JSON: written by hand, at random, and by those who mean no good."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import BadData
from tasks.sources.annotations import BOX, Rules, coco

DOCUMENT: dict[str, Any] = {
    "info": {"year": 2017},
    "images": [
        {"id": 7, "file_name": "b.jpg", "width": 100, "height": 200, "license": 1},
        {"id": 3, "file_name": "a.jpg", "width": 50, "height": 50},
        {"id": 5, "file_name": "empty.jpg", "width": 10, "height": 20},
    ],
    "categories": [{"id": 1, "name": "cat"}, {"id": 90, "name": "toothbrush", "supercategory": "indoor"}],
    "annotations": [
        {"id": 100, "image_id": 3, "category_id": 90, "bbox": [0, 0, 50, 50], "iscrowd": 1},
        {"id": 101, "image_id": 7, "category_id": 1, "bbox": [10, 20, 50, 100], "iscrowd": 0},
        {"id": 102, "image_id": 3, "category_id": 1, "bbox": [0.5, 1.5, 10.25, 20.0]},
    ],
}


def parsed(document: object, rules: Rules | None = None) -> coco.Annotations:
    return coco.parse(json.dumps(document).encode(), "instances.json", rules or Rules())


def changed(part: str, index: int, **changes: object) -> dict[str, Any]:
    """DOCUMENT with one record that is another."""
    rows = [dict(row) for row in DOCUMENT[part]]
    rows[index] |= changes
    return {**DOCUMENT, part: rows}


def test_by_hand() -> None:
    """Objects are those of an image together, in the order of the images."""
    found = parsed(DOCUMENT)
    assert found.boxes.values.tolist() == [
        ["b.jpg", "cat", 0.1, 0.1, 0.6, 0.6, False],
        ["a.jpg", "toothbrush", 0.0, 0.0, 1.0, 1.0, True],
        ["a.jpg", "cat", 0.03, 0.01, 0.43, 0.215, False],
    ]
    assert found.boxes.columns.tolist() == ["file", "label", *BOX, "crowd"]
    assert found.boxes.dtypes[[*BOX, "crowd"]].astype(str).tolist() == ["float64"] * 4 + ["bool"]
    assert found.images.values.tolist() == [["b.jpg", 100, 200], ["a.jpg", 50, 50], ["empty.jpg", 10, 20]]


def test_objects_of_an_image_keep_their_order() -> None:
    things = [
        {"id": number, "image_id": (3, 7)[number % 2], "category_id": 1, "bbox": [0, 0, 2, 2 + number]}
        for number in range(40)
    ]
    found = parsed({**DOCUMENT, "annotations": things}).boxes
    assert found["file"].tolist() == ["b.jpg"] * 20 + ["a.jpg"] * 20
    assert found.groupby("file")["y2"].agg(lambda each: each.is_monotonic_increasing).all()


def test_no_objects_are_welcome() -> None:
    found = parsed({**DOCUMENT, "annotations": []})
    assert len(found.images) == 3
    assert len(found.boxes) == 0


within = st.floats(0, 300, width=32)
box = st.tuples(within, within, within, within).map(lambda each: (*sorted(each[:2]), *sorted(each[2:])))


@settings(max_examples=50, deadline=None)
@given(st.lists(box.filter(lambda each: each[1] - each[0] > 1 and each[3] - each[2] > 1), max_size=6))
def test_boxes_come_back(written: list[tuple[float, ...]]) -> None:
    things = [
        {"id": index, "image_id": 1, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
        for index, (y1, y2, x1, x2) in enumerate(written)
    ]
    images = [{"id": 1, "file_name": "a.jpg", "width": 300, "height": 300}]
    found = parsed({"images": images, "categories": DOCUMENT["categories"], "annotations": things})
    for row, (y1, y2, x1, x2) in zip(found.boxes.itertuples(), written, strict=True):
        assert [300 * row.y1, 300 * row.y2, 300 * row.x1, 300 * row.x2] == pytest.approx([y1, y2, x1, x2], abs=1e-4)


@pytest.mark.parametrize(
    ("bbox", "what"),
    [
        ([10, 20, -5, 100], r"object 0 of `b\.jpg` .*swapped"),
        ([10, 20, 0, 100], r"object 0 of `b\.jpg` must be of some area"),
        ([10, 20, 91.5, 100], r"object 0 of `b\.jpg` must lie inside"),
        ([-2, 20, 50, 100], r"object 0 of `b\.jpg` must lie inside"),
        ([0.1, 0.2, 0.3, 0.4], r"object 0 of `b\.jpg` .*in pixels, not relative"),
        ([1e308, 0, 1e308, 1], r"object 0 of `b\.jpg` must have finite corners"),
        ([10, 20, 50], r"`annotations\[1\]\.bbox` of `instances\.json` must be four finite numbers"),
        ([10, 20, 50, "1"], r"`annotations\[1\]\.bbox` .* must be four finite numbers"),
        ([10, 20, 50, True], r"`annotations\[1\]\.bbox` .* must be four finite numbers"),
        ([10, 20, 50, 10**400], r"`annotations\[1\]\.bbox` .* must be four finite numbers"),
        ([10, 20, 50, None], r"`annotations\[1\]\.bbox` .* must be four finite numbers"),
    ],
)
def test_a_bad_box_is_named(bbox: list[object], what: str) -> None:
    with pytest.raises(BadData, match=what):
        parsed(changed("annotations", 1, bbox=bbox))


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ([], "must be an object of JSON"),
        ({}, "`images` of `instances.json` must be a list"),
        ({**DOCUMENT, "images": None}, "`images` of .* must be a list"),
        ({**DOCUMENT, "annotations": {}}, "`annotations` of .* must be a list"),
        ({**DOCUMENT, "annotations": [3]}, r"`annotations\[0\]` of .* must be an object"),
        (changed("images", 1, id="3"), r"`images\[1\]\.id` .* must be a whole number. Received: '3'"),
        (changed("images", 1, id=True), r"`images\[1\]\.id` .* must be a whole number"),
        (changed("images", 1, width=50.0), r"`images\[1\]\.width` .* must be a whole number"),
        (changed("images", 1, width=0), r"`a\.jpg` must have 1\.\."),
        (changed("images", 1, height=10**400), r"`a\.jpg` must have 1\.\."),
        (changed("images", 1, file_name=3), r"`images\[1\]\.file_name` .* must be a text"),
        (changed("images", 1, file_name="\ud800"), "every `file_name` .* must be a text that can be shown"),
        (changed("images", 1, file_name="b.jpg"), r"`b\.jpg` must be annotated once"),
        (changed("images", 1, id=7), "`images` of .* must have ids of their own. Received: id 7"),
        (changed("categories", 1, id=1), "`categories` of .* must have ids of their own. Received: id 1"),
        (changed("categories", 1, name="cat"), "the categories of .* must have names of their own"),
        (changed("categories", 1, name=""), "every `name` .* must be a text"),
        (changed("annotations", 1, id=100), "`annotations` of .* must have ids of their own. Received: id 100"),
        (changed("annotations", 1, image_id=8), r"`annotations\[1\]\.image_id` .* must be an id that is there.*: 8"),
        (changed("annotations", 1, category_id=2), r"`annotations\[1\]\.category_id` .* must be an id that is there"),
        (changed("annotations", 1, bbox="10"), r"`annotations\[1\]\.bbox` .* must be a list"),
        (changed("annotations", 1, iscrowd=2), r"`annotations\[1\]\.iscrowd` .* must be 0 or 1"),
        (changed("annotations", 1, iscrowd=False), r"`annotations\[1\]\.iscrowd` .* must be 0 or 1"),
    ],
)
def test_a_bad_document_is_told(document: object, what: str) -> None:
    with pytest.raises(BadData, match=what) as caught:
        parsed(document)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"[" * 200_000, "must be JSON of a few levels"),
        (b'{"images": ' * 200_000, "must be JSON of a few levels"),
        (b'{"images": [NaN]}', "must be JSON. Received: NaN"),
        (b'{"images": [-Infinity]}', "must be JSON. Received: -Infinity"),
        (b'{"images": [' + b"1" * 5000 + b"]}", "must be JSON"),
        (b'{"images"', "must be JSON"),
        (b"", "must be JSON"),
        (b'{"images": "\xff"}', "must be JSON"),
    ],
)
def test_what_is_no_json_is_told(content: bytes, what: str) -> None:
    with pytest.raises(BadData, match=rf"`instances\.json` {what}"):
        coco.parse(content, "instances.json", Rules())


def test_a_number_too_large_for_its_type_is_no_coordinate() -> None:
    content = json.dumps(changed("annotations", 1, bbox=[0, 0, 77.5, 1])).replace("77.5", "1e999").encode()
    with pytest.raises(BadData, match=r"bbox` .* must be four finite numbers"):
        coco.parse(content, "instances.json", Rules())


def test_no_file_may_be_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco, "BYTES", 100)
    with pytest.raises(BadData, match="at most 100 bytes"):
        parsed(DOCUMENT)


def test_rules_hold() -> None:
    with pytest.raises(BadData, match="must have a label of cat"):
        parsed(DOCUMENT, Rules(classes=("cat",)))
    with pytest.raises(BadData, match=r"`a\.jpg` must have at most 1 objects"):
        parsed(DOCUMENT, Rules(most_objects=1))
    assert len(parsed(changed("annotations", 1, bbox=[0, 0, 0, 9]), Rules(repair=True)).boxes) == 2


leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
anything = st.recursive(leaf, lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=3), part))


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from([(part, key) for part in ("images", "categories", "annotations") for key in DOCUMENT[part][0]]),
    anything,
)
def test_any_value_is_read_or_refused(place: tuple[str, str], value: object) -> None:
    try:
        found = parsed(changed(place[0], 0, **{place[1]: value}))
    except BadData:
        return
    assert len(found.boxes) == 3
