"""What a detector's surest answers need: of a detector that is known, it is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.spec import Input, Spec
from tasks import needs, records
from tasks.prepared import Split

SPEC = Spec({"image": Input((40, 40, 1), "uint8")}, ("a", "b"), boxes=1)
BOX = np.array([0.25, 0.5, 0.5, 0.75], np.float32)
ELSEWHERE = np.array([0.5, 0.0, 0.75, 0.25], np.float32)


class Lamp:
    """Answers with a box of class 1, as surely as the image is bright in it; the box is the sample's own, if it has."""

    def __init__(self, place: np.ndarray) -> None:
        self.place = place

    def predict(self, fed: Any, **_: Any) -> dict[str, np.ndarray]:
        images = fed["image"] if isinstance(fed, dict) else fed
        boxes = fed["proposals"] if isinstance(fed, dict) else np.repeat(BOX[np.newaxis, np.newaxis], len(images), 0)
        top, left, bottom, right = (self.place * 40).astype(int)
        scores = images[:, top:bottom, left:right, 0].mean(axis=(1, 2)) / 255
        return {"boxes": boxes, "labels": np.ones((len(images), 1), np.int32), "scores": scores[:, np.newaxis]}


def exam(*, proposed: bool) -> Split:
    """Black images with two bright squares, each image brighter than the one before."""
    images = np.zeros((8, 40, 40, 1), np.uint8)
    for top, left, bottom, right in ((BOX * 40).astype(int), (ELSEWHERE * 40).astype(int)):
        images[:, top:bottom, left:right] = np.arange(180, 260, 10)[:, np.newaxis, np.newaxis, np.newaxis]
    boxes = np.repeat(BOX[np.newaxis, np.newaxis], 8, axis=0)
    samples = records.packed({"image": images, "proposals": boxes}) if proposed else images
    return Split(samples, boxes, np.arange(8))


@pytest.mark.parametrize("proposed", [False, True])
@pytest.mark.parametrize(("place", "share"), [(BOX, 1.0), (ELSEWHERE, 0.0)])
def test_the_greatest_need_is_where_the_network_looks(place: np.ndarray, share: float, *, proposed: bool) -> None:
    network, asked = Lamp(place), exam(proposed=proposed)
    given = records.packed(network.predict(records.fed(asked.samples)))
    figures, facts = needs.look(network, asked, given, SPEC)
    assert facts == {"needs within the box": share}
    surest = np.sort(given["scores"][:, 0])[::-1][: needs.SHOWN]
    titles = [axes.get_title() for axes in figures["what_answers_need"].axes if axes.get_title()]
    assert titles == [f"b {score:.2f}" for score in surest]


def test_where_nothing_is_found_there_is_nothing_to_see() -> None:
    network, asked = Lamp(BOX), exam(proposed=False)
    given = records.packed(network.predict(asked.samples))
    given["labels"] = -1
    assert needs.look(network, asked, given, SPEC) == ({}, {})
