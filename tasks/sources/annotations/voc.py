"""PASCAL VOC: an XML file for each image (M. Everingham et al., 2010)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException, ElementTree

from tasks.errors import BadData
from tasks.sources.annotations import (
    BOX,
    LARGEST_SIDE,
    Annotations,
    Rules,
    check_bytes,
    check_objects,
    number,
    refuse_relative,
    settle,
    table,
)

BYTES = 1024**2
"""Most bytes of a file: 500 objects need a fifth of them."""

FLAGS = {"0": False, "1": True}

Row = tuple[object, ...]


def parse(files: Mapping[str, bytes], rules: Rules) -> Annotations:
    """Parse the annotations of one image from each of `files`, by name; boxes have `difficult`.

    Pixels are counted from 1 and the last one belongs to the box, as the format's authors have it, so a box covers
    xmin - 1 .. xmax of an image that reaches from 0 to its width. In the 4,888 boxes of BCCD the least xmin and ymin
    are 1 (237 and 388 times, never 0) and the greatest xmax and ymax 640 and 480 (237 and 318 times), the image's
    sides: they count so too. Two of them are a single pixel (BloodImage_00338, object 12; BloodImage_00343, object 3),
    which `smallest_side` can refuse. Files that count from 0 stay within the pixel that is clipped, and are moved by
    one.

    Args:
        files: `<name>.xml`, each about an image of the same name.

    Raises:
        BadData: if a file is not XML without declarations of its own, or not of this format, or breaks a rule.

    Source: M. Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 88 (2010); its development kit.
    """
    parsed = [parse_file(content, file) for file, content in files.items()]
    images = table([image for image, _ in parsed], ["file", "width", "height"])
    boxes = table([box for _, found in parsed for box in found], ["file", "label", *BOX, "difficult"])
    boxes = boxes.astype({"difficult": bool})
    check_objects(boxes, images, rules)
    refuse_relative(boxes, images)
    return settle(boxes, images, rules)


def parse_file(content: bytes, file: str) -> tuple[Row, list[Row]]:
    """The image of a file (its name, width and height), and its boxes."""
    root = read_xml(content, file)
    image = text(root, "filename", file)
    if PurePosixPath(image).stem != PurePosixPath(file).stem:
        raise BadData(f"`{file}` must be about the image of its own name. Received: {image!r}")
    size = only(root, "size", file)
    width, height = side(size, "width", file), side(size, "height", file)
    found = [parse_object(each, f"{file}, object {index}") for index, each in enumerate(root.findall("object"))]
    boxes: list[Row] = [
        (image, label, (y1 - 1) / height, (x1 - 1) / width, y2 / height, x2 / width, difficult)
        for label, y1, x1, y2, x2, difficult in found
    ]
    return (image, width, height), boxes


def parse_object(element: Element, where: str) -> tuple[str, float, float, float, float, bool]:
    """Label, ymin, xmin, ymax, xmax as the file has them, and whether the object is difficult."""
    box = only(element, "bndbox", where)
    ymin, xmin, ymax, xmax = (
        number(text(box, name, where), f"`{name}` of `{where}`") for name in ("ymin", "xmin", "ymax", "xmax")
    )
    difficult = (element.findtext("difficult") or "0").strip()
    if difficult not in FLAGS:
        raise BadData(f"`difficult` of `{where}` must be 0 or 1. Received: {difficult[:40]!r}")
    return text(element, "name", where), ymin, xmin, ymax, xmax, FLAGS[difficult]


def read_xml(content: bytes, file: str) -> Element:
    """The `annotation` that a file is; nothing that it declares or refers to is ever read."""
    check_bytes(content, file, BYTES)
    try:
        root: Element = ElementTree.fromstring(content, forbid_dtd=True)
    except DefusedXmlException as error:
        raise BadData(f"`{file}` must declare no types or entities. Received: {type(error).__name__}") from None
    except (ParseError, ValueError, LookupError) as error:
        raise BadData(f"`{file}` must be whole XML. Received: {error}") from None
    if root.tag != "annotation":
        raise BadData(f"`{file}` must be an `annotation`. Received: {root.tag[:40]!r}")
    return root


def only(element: Element, name: str, where: str) -> Element:
    """The one child of that name."""
    found = element.findall(name)
    if len(found) != 1:
        raise BadData(f"`{where}` must have one `{name}`. Received: {len(found)}")
    return found[0]


def text(element: Element, name: str, where: str) -> str:
    return (only(element, name, where).text or "").strip()


def side(size: Element, name: str, file: str) -> int:
    """Pixels of an image's side."""
    pixels = number(text(size, name, file), f"`{name}` of `{file}`")
    if not (1 <= pixels <= LARGEST_SIDE and pixels == int(pixels)):
        raise BadData(f"`{name}` of `{file}` must be whole pixels, 1..{LARGEST_SIDE}. Received: {pixels:g}")
    return int(pixels)
