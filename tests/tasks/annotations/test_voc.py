"""PASCAL VOC: written by hand, at random, and by those who mean no good."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import BadData
from tasks.sources.annotations import BOX, Rules, voc

HEAD = "<annotation><filename>a.jpg</filename><size><width>100</width><height>200</height><depth>3</depth></size>"


def thing(label: str, *corners: object, more: str = "") -> str:
    """An object, its corners as xmin, ymin, xmax, ymax."""
    names = ("xmin", "ymin", "xmax", "ymax")
    box = "".join(f"<{name}>{corner}</{name}>" for name, corner in zip(names, corners, strict=True))
    return f"<object><name>{label}</name>{more}<bndbox>{box}</bndbox></object>"


def parsed(*things: str, rules: Rules | None = None) -> voc.Annotations:
    return voc.parse({"a.xml": (HEAD + "".join(things) + "</annotation>").encode()}, rules or Rules())


def test_by_hand() -> None:
    """Pixels 11..60 of 100 and 21..120 of 200 are all that lies between 10 and 60, 20 and 120."""
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part><difficult> 1 </difficult>"
    found = parsed(thing("cat", 11, 21, 60, 120), thing("dog", 1, 1, 100, 200, more=part))
    assert found.boxes.values.tolist() == [
        ["a.jpg", "cat", 0.1, 0.1, 0.6, 0.6, False],
        ["a.jpg", "dog", 0.0, 0.0, 1.0, 1.0, True],
    ]
    assert found.boxes.columns.tolist() == ["file", "label", *BOX, "difficult"]
    assert found.boxes.dtypes[[*BOX, "difficult"]].astype(str).tolist() == ["float64"] * 4 + ["bool"]
    assert found.images.values.tolist() == [["a.jpg", 100, 200]]


def test_a_single_pixel_is_a_box() -> None:
    assert parsed(thing("cat", 5, 5, 5, 5)).boxes[BOX].iloc[0].tolist() == [0.02, 0.04, 0.025, 0.05]
    with pytest.raises(BadData, match="at least 2 pixels"):
        parsed(thing("cat", 5, 5, 5, 5), rules=Rules(smallest_side=2))


def test_counting_from_0_is_clipped() -> None:
    assert parsed(thing("cat", 0, 0, 50, 50)).boxes[BOX].iloc[0].tolist() == [0, 0, 0.25, 0.5]


def test_an_image_without_objects_is_kept() -> None:
    found = parsed()
    assert found.images["file"].tolist() == ["a.jpg"]
    assert len(found.boxes) == 0
    assert found.boxes.dtypes[BOX].astype(str).tolist() == ["float64"] * 4


whole = st.integers(1, 400)
corners = st.tuples(whole, whole, whole, whole).map(lambda box: (*sorted(box[:2]), *sorted(box[2:])))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(corners, st.booleans()), max_size=6))
def test_boxes_come_back(written: list[tuple[tuple[int, ...], bool]]) -> None:
    """Written as pixels of an image of 400 x 400, they are the same ones when read."""
    things = "".join(
        thing("cat", x1, y1, x2, y2, more=f"<difficult>{int(hard)}</difficult>") for (y1, y2, x1, x2), hard in written
    )
    head = HEAD.replace(">100<", ">400<").replace(">200<", ">400<")
    found = voc.parse({"a.xml": f"{head}{things}</annotation>".encode()}, Rules())
    for row, ((y1, y2, x1, x2), hard) in zip(found.boxes.itertuples(), written, strict=True):
        assert [400 * row.y1 + 1, 400 * row.y2, 400 * row.x1 + 1, 400 * row.x2] == pytest.approx([y1, y2, x1, x2])
        assert row.difficult == hard


@pytest.mark.parametrize(
    ("box", "what"),
    [
        (("nan", 1, 5, 5), r"`xmin` of `a\.xml, object 1` must be a finite number"),
        ((60, 21, 11, 120), r"object 1 of `a\.jpg` .*swapped"),
        ((11, 120, 60, 21), r"object 1 of `a\.jpg` .*swapped"),
        ((12, 21, 11, 120), r"object 1 of `a\.jpg` must be of some area"),
        ((11, 21, 102, 120), r"object 1 of `a\.jpg` must lie inside"),
        ((-1, 21, 60, 120), r"object 1 of `a\.jpg` must lie inside"),
        ((0.1, 0.2, 0.5, 0.7), r"object 1 of `a\.jpg` .*in pixels, not relative"),
        ((0, 0, 1, 1), r"object 1 of `a\.jpg` .*in pixels, not relative"),
    ],
)
def test_a_bad_box_is_named(box: tuple[object, ...], what: str) -> None:
    with pytest.raises(BadData, match=what):
        parsed(thing("cat", 1, 1, 50, 50), thing("cat", *box))


def test_rules_hold() -> None:
    with pytest.raises(BadData, match=r"object 0 of `a\.jpg` must have a label of dog"):
        parsed(thing("cat", 1, 1, 50, 50), rules=Rules(classes=("dog",)))
    with pytest.raises(BadData, match="at most 1 objects"):
        parsed(thing("cat", 1, 1, 50, 50), thing("cat", 1, 1, 50, 50), rules=Rules(most_objects=1))
    assert parsed(thing("cat", 1, 1, 200, 50), rules=Rules(repair=True)).repairs != ()


BOMB = "<!DOCTYPE x [<!ENTITY a 'aaaaaaaa'>" + "".join(
    f"<!ENTITY {here} '{f'&{before};' * 10}'>" for before, here in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (f"{BOMB}]>{HEAD}<x>&i;</x></annotation>".encode(), "must declare no types or entities"),
        (f"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/hostname'>]>{HEAD}&a;</annotation>".encode(), "must declare no"),
        (f"<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x.dtd'>{HEAD}</annotation>".encode(), "must declare no"),
        (f"<!DOCTYPE annotation>{HEAD}</annotation>".encode(), "must declare no"),
        (f"{HEAD}&a;</annotation>".encode(), "must be whole XML"),
        (b" " * 50 * 1024**2, "must have at most 1048576 bytes"),
        (b"a cat and a dog", "must be whole XML"),
        (b"", "must be whole XML"),
        (HEAD.encode(), "must be whole XML"),
        (b"\xff\xfe\x00", "must be whole XML"),
        (b"<?xml version='1.0' encoding='klingon'?><annotation/>", "must be whole XML"),
        (b"<?xml version='1.0' encoding='utf-7'?><annotation/>", "must be whole XML"),
        (f"{HEAD}<object><name>\xe9</name></object></annotation>".encode("latin-1"), "must be whole XML"),
        (b"<html/>", "must be an `annotation`"),
        (b"<annotation/>", "must have one `filename`"),
        (f"{HEAD}</annotation>".replace("a.jpg", "b.jpg").encode(), "must be about the image of its own name"),
        (f"{HEAD}<size/></annotation>".encode(), "must have one `size`"),
        (f"{HEAD}</annotation>".replace("100", "0").encode(), r"`width` of `a\.xml` must be whole pixels"),
        (f"{HEAD}</annotation>".replace("200", "1e9").encode(), r"`height` of `a\.xml` must be whole pixels"),
        (f"{HEAD}</annotation>".replace("200", "99.5").encode(), r"`height` of `a\.xml` must be whole pixels"),
        (f"{HEAD}</annotation>".replace("200", "tall").encode(), r"`height` of `a\.xml` must be a finite number"),
        (f"{HEAD}<object><name>cat</name></object></annotation>".encode(), "must have one `bndbox`"),
        (f"{HEAD}<object><bndbox/></object></annotation>".encode(), "object 0` must have one `ymin`"),
        (f"{HEAD}{thing('', 1, 1, 9, 9)}</annotation>".encode(), "must have a label that can be shown"),
        (
            f"{HEAD}{thing('cat', 1, 1, 9, 9, more='<difficult>very</difficult>')}</annotation>".encode(),
            "`difficult` of .* must be 0 or 1",
        ),
    ],
)
def test_a_bad_file_is_named(content: bytes, what: str) -> None:
    with pytest.raises(BadData, match=what) as caught:
        voc.parse({"a.xml": content}, Rules())
    assert re.search(r"a\.(xml|jpg)`", str(caught.value).replace(", object 0", ""))
    assert len(str(caught.value).splitlines()) == 1


def test_two_files_about_one_image_are_refused() -> None:
    content = f"{HEAD}</annotation>".encode()
    with pytest.raises(BadData, match=r"`a\.jpg` must be annotated once"):
        voc.parse({"1/a.xml": content, "2/a.xml": content}, Rules())


def test_depth_does_no_harm() -> None:
    deep = "<x>" * 100_000 + "</x>" * 100_000
    assert len(parsed(deep).boxes) == 0


@settings(max_examples=50, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text("<>/annotionbjecsz& ;![]", max_size=80).map(str.encode)))
def test_no_bytes_do_anything_else(content: bytes) -> None:
    with pytest.raises(BadData):
        voc.parse({"a.xml": content}, Rules())
