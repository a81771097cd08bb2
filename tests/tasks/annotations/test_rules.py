"""What every annotation must keep to, whatever its format."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import BadData
from tasks.sources.annotations import BOX, Rules, check_objects, number, refuse_relative, settle

IMAGES = pd.DataFrame({"file": ["a.jpg", "b.jpg"], "width": [100, 50], "height": [200, 50]})
GOOD = [("a.jpg", "cat", 0.1, 0.2, 0.3, 0.4), ("b.jpg", "dog", 0.0, 0.0, 1.0, 1.0)]


def boxes(*rows: tuple[object, ...]) -> pd.DataFrame:
    return pd.DataFrame.from_records(list(rows), columns=["file", "label", *BOX])


def test_sound_boxes_stay_as_they_are() -> None:
    settled = settle(boxes(*GOOD), IMAGES, Rules())
    assert list(settled.boxes.itertuples(index=False, name=None)) == GOOD
    assert settled.images.equals(IMAGES)
    assert settled.repairs == ()


@pytest.mark.parametrize(
    ("box", "rule"),
    [
        ((np.nan, 0.1, 0.2, 0.3), "must have finite corners"),
        ((0.1, 0.1, np.inf, 0.3), "must have finite corners"),
        ((0.3, 0.1, 0.2, 0.3), "swapped"),
        ((0.1, 0.4, 0.2, 0.3), "swapped"),
        ((0.1, 0.1, 0.1, 0.3), "must be of some area"),
        ((0.1, 0.1, 0.2, 0.1), "must be of some area"),
        ((-0.0051, 0.1, 0.2, 0.3), "must lie inside its image"),
        ((0.1, -0.0101, 0.2, 0.3), "must lie inside its image"),
        ((0.1, 0.1, 1.0051, 0.3), "must lie inside its image"),
        ((0.1, 0.1, 0.2, 1.0101), "must lie inside its image"),
        ((-0.004, 0.1, -0.001, 0.3), "must be of some area"),
    ],
)
def test_a_bad_box_is_named(box: tuple[float, ...], rule: str) -> None:
    """It is the second object of the image of 100 x 200 pixels, and the third of all."""
    with pytest.raises(BadData, match=rf"object 1 of `a\.jpg` .*{rule}.*\. Received: label 'cat', y1=") as caught:
        settle(boxes(*GOOD, ("a.jpg", "cat", *box)), IMAGES, Rules())
    assert len(str(caught.value).splitlines()) == 1


def test_others_that_are_as_wrong_are_counted() -> None:
    flat = ("a.jpg", "cat", 0.1, 0.1, 0.1, 0.3)
    with pytest.raises(BadData, match=r"object 0 of .*; as wrong are 2 more"):
        settle(boxes(flat, flat, flat), IMAGES, Rules())


@pytest.mark.parametrize("pixels", [0.5, 1.0])
def test_up_to_a_pixel_is_clipped(pixels: float) -> None:
    """A pixel is 1/200 high and 1/100 wide."""
    high, wide = pixels / 200, pixels / 100
    settled = settle(boxes(("a.jpg", "cat", -high, -wide, 1 + high, 1 + wide)), IMAGES, Rules())
    assert settled.boxes[BOX].iloc[0].tolist() == [0, 0, 1, 1]
    assert settled.repairs == ()


REPAIRABLE = boxes(
    ("a.jpg", "cat", -0.2, 0.5, 0.5, 1.7),
    ("a.jpg", "cat", 0.5, 0.5, 0.5, 0.5),
    ("a.jpg", "cat", 1.1, 0.1, 1.2, 0.2),
    ("b.jpg", "dog", 0.1, 0.1, 0.2, 0.2),
)


def test_repairs_are_told() -> None:
    settled = settle(REPAIRABLE, IMAGES, Rules(repair=True))
    assert settled.boxes[BOX].values.tolist() == [[0, 0.5, 0.5, 1], [0.1, 0.1, 0.2, 0.2]]
    assert settled.boxes["label"].tolist() == ["cat", "dog"]
    assert settled.repairs == (
        "2 boxes reached out of their images, and are clipped",
        "2 boxes were too small, and are left out",
    )


@pytest.mark.parametrize("box", [(0.3, 0.1, 0.2, 0.3), (np.nan, 0.1, 0.2, 0.3)])
def test_what_cannot_be_repaired_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(BadData, match="object 0 of"):
        settle(boxes(("a.jpg", "cat", *box)), IMAGES, Rules(repair=True))


@pytest.mark.parametrize(("side", "fits"), [(4.0, False), (5.0, True), (6.0, True)])
def test_the_smallest_side_is_in_pixels(side: float, fits: bool) -> None:
    box = boxes(("a.jpg", "cat", 0.1, 0.1, 0.1 + side / 200, 0.1 + side / 100), ("a.jpg", "cat", 0, 0, 1, 1))
    if fits:
        assert len(settle(box, IMAGES, Rules(smallest_side=5)).boxes) == 2
    else:
        with pytest.raises(BadData, match=r"object 0 of .* at least 5 pixels"):
            settle(box, IMAGES, Rules(smallest_side=5))
    repaired = settle(box, IMAGES, Rules(smallest_side=5, repair=True))
    assert len(repaired.boxes) == 1 + fits


@pytest.mark.parametrize(
    ("row", "rules", "what"),
    [
        (("c.jpg", "cat"), Rules(), r"there must be an image for objects of `c\.jpg`"),
        (("a.jpg", "cow"), Rules(classes=("cat", "dog")), r"object 1 of `a\.jpg` must have a label of cat, dog.*'cow'"),
        (("a.jpg", ""), Rules(), r"object 1 of `a\.jpg` must have a label that can be shown"),
        (("a.jpg", "c\nat"), Rules(), r"object 1 of `a\.jpg` must have a label that can be shown"),
        (("a.jpg", "cat"), Rules(most_objects=1), r"`a\.jpg` must have at most 1 objects\. Received: 2"),
    ],
)
def test_objects_are_checked(row: tuple[str, str], rules: Rules, what: str) -> None:
    check_objects(boxes(*GOOD), IMAGES, rules)
    with pytest.raises(BadData, match=what):
        check_objects(boxes(*GOOD, (*row, 0.1, 0.1, 0.2, 0.2)), IMAGES, rules)


@pytest.mark.parametrize(
    ("image", "what"),
    [
        (("a.jpg", 100, 200), r"`a\.jpg` must be annotated once"),
        (("", 100, 200), "the name of an image must be a text"),
        (("c.jpg", 0, 200), r"`c\.jpg` must have 1\.\."),
        (("c.jpg", 100, 10**400), r"`c\.jpg` must have 1\.\."),
    ],
)
def test_images_are_checked(image: tuple[object, ...], what: str) -> None:
    images = pd.concat([IMAGES.astype(object), pd.DataFrame([image], columns=IMAGES.columns, dtype=object)])
    with pytest.raises(BadData, match=what):
        check_objects(boxes(*GOOD), images, Rules())


def test_relative_corners_are_not_pixels() -> None:
    """Of 100 x 200 pixels: a box that ends within the first pixel, the first pixel itself, and one beyond."""
    refuse_relative(boxes(("a.jpg", "cat", 0, 0, 1 / 200, 1 / 100), ("a.jpg", "cat", 0, 0, 0.006, 0.006)), IMAGES)
    with pytest.raises(BadData, match=r"object 0 of .* in pixels, not relative"):
        refuse_relative(boxes(("a.jpg", "cat", 0.1 / 200, 0.2 / 100, 0.5 / 200, 0.9 / 100)), IMAGES)


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "", "1_0", "0x1", "١", "1,5", "1 2"])
def test_what_is_no_number_is_told(text: str) -> None:
    with pytest.raises(BadData, match="`x` must be a finite number"):
        number(text, "`x`")


@settings(max_examples=50, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_is_read(value: float) -> None:
    assert number(repr(value), "x") == value


quarters = st.integers(-10, 60)
"""A corner in quarters of a pixel."""


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(quarters, quarters, quarters, quarters), max_size=3))
def test_a_box_is_settled_or_refused_as_counted_by_hand(rows: list[tuple[int, ...]]) -> None:
    """In an image of 10 x 12 pixels, whose boxes must be 2 pixels high and wide at least."""
    images = pd.DataFrame({"file": ["a.jpg"], "width": [12], "height": [10]})
    found = boxes(*(("a.jpg", "cat", y1 / 40, x1 / 48, y2 / 40, x2 / 48) for y1, x1, y2, x2 in rows))
    inside = [[max(y1, 0), max(x1, 0), min(y2, 40), min(x2, 48)] for y1, x1, y2, x2 in rows]
    sound = [
        min(y1, x1) >= -4 and y2 <= 44 and x2 <= 52 and bottom - top >= 8 and right - left >= 8
        for (y1, x1, y2, x2), (top, left, bottom, right) in zip(rows, inside, strict=True)
    ]
    if all(sound):
        settled = settle(found, images, Rules(smallest_side=2)).boxes[BOX].to_numpy() * [40, 48, 40, 48]
        np.testing.assert_allclose(settled, np.array(inside).reshape(-1, 4), atol=1e-9)
    else:
        with pytest.raises(BadData, match=r"of `a\.jpg`"):
            settle(found, images, Rules(smallest_side=2))
