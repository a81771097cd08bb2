"""Who answers for a box, and what it says: by hand, and by loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from models.parts import anchors, boxes, cells, matching

TWO = anchors.Anchors(maps=((2, 2),), steps=((0.5, 0.5),), sizes=(((0.2, 0.2), (0.6, 0.6)),))
"""2x2 cells with a small and a large anchor."""

TWO_MAPS = anchors.Anchors(
    maps=((2, 4), (1, 2)),
    steps=((0.5, 0.25), (1.0, 0.5)),
    sizes=(((0.1, 0.1), (0.3, 0.1)), ((0.5, 0.5), (0.4, 0.9), (1.0, 1.0))),
)
"""2x4 cells of two anchors, and 1x2 of three: 22."""


def array(given: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(given))


def owners(layout: anchors.Anchors, some: list[tuple[float, ...]], labels: list[int]) -> dict[int, int]:
    """Which box each positive anchor of one image has."""
    match = cells.owned(layout, np.array([some], np.float32), np.array([labels], np.int32))
    index, state = array(match.index)[0], array(match.state)[0]
    assert set(state) <= {matching.POSITIVE, matching.NEGATIVE}
    return {int(place): int(index[place]) for place in np.flatnonzero(state == matching.POSITIVE)}


@pytest.mark.parametrize(
    ("box", "place"),
    [
        ((0.1, 0.6, 0.3, 0.8), 2),  # centre (0.2, 0.7): row 0, column 1; small
        ((0.6, 0.1, 0.8, 0.3), 4),  # row 1, column 0; small
        ((0.21, 0.3, 0.8, 1.0), 7),  # centre (0.505, 0.65): row 1, column 1; large
        ((0.25, 0.0, 0.75, 0.5), 5),  # centre on the border of the rows: the lower one's
        ((0.875, 0.875, 1.125, 1.125), 6),  # centre on the corner of the image
        ((1.3, -0.4, 1.5, -0.2), 4),  # outside
    ],
)
def test_the_cell_of_the_centre_owns_the_box_by_hand(box: tuple[float, ...], place: int) -> None:
    assert owners(TWO, [box], [0]) == {place: 0}


def test_the_best_of_all_maps_answers_by_hand() -> None:
    small = (0.55, 0.8, 0.65, 0.9)  # row 1, column 3 of 2x4, first of two: (1 * 4 + 3) * 2
    upright = (0.05, 0.3, 0.35, 0.4)  # row 0, column 1, second of two
    wide = (0.35, 0.1, 0.7, 0.95)  # 0.35x0.85, like 0.4x0.9: column 1 of 1x2, second of three, after 16
    assert owners(TWO_MAPS, [small, upright, wide], [0, 1, 2]) == {14: 0, 3: 1, 16 + 3 + 1: 2}


def test_the_last_of_several_boxes_has_the_anchor() -> None:
    box, alike, elsewhere = (0.1, 0.1, 0.3, 0.3), (0.15, 0.1, 0.35, 0.3), (0.6, 0.6, 0.8, 0.8)
    assert owners(TWO, [box, alike, elsewhere], [1, 0, 1]) == {0: 1, 6: 2}
    assert owners(TWO, [alike, box, elsewhere], [1, 0, 1]) == {0: 1, 6: 2}
    assert owners(TWO, [box, alike, elsewhere], [1, -1, 1]) == {0: 0, 6: 2}


def test_no_boxes_have_no_owners() -> None:
    assert owners(TWO, [(0.0,) * 4] * 3, [-1] * 3) == {}


def by_loops(layout: anchors.Anchors, truth: np.ndarray) -> int:
    """The place of a box's anchor, cell by cell."""
    best, place, answer = -1.0, 0, 0
    height, width = truth[2] - truth[0], truth[3] - truth[1]
    for (rows, columns), sizes in zip(layout.maps, layout.sizes, strict=True):
        for rank, (high, wide) in enumerate(sizes):
            shared = min(high, height) * min(wide, width)
            overlap = shared / (high * wide + height * width - shared)
            if overlap > best + 1e-6:
                row = min(int((truth[0] + truth[2]) / 2 * rows), rows - 1)
                column = min(int((truth[1] + truth[3]) / 2 * columns), columns - 1)
                best, answer = overlap, place + (row * columns + column) * len(sizes) + rank
        place += rows * columns * len(sizes)
    return answer


@settings(max_examples=50, deadline=None)
@given(st.tuples(*[st.integers(0, 2**10 - 1)] * 2, *[st.integers(1, 2**10)] * 2), st.sampled_from([TWO, TWO_MAPS]))
def test_owners_by_loops(numbers: tuple[int, ...], layout: anchors.Anchors) -> None:
    top, left, height, width = (number / 2**10 for number in numbers)
    box = np.array([top, left, min(1, top + height), min(1, left + width)])
    [(place, _)] = owners(layout, [tuple(box)], [0]).items()
    extents = layout.boxes()[:, 2:] - layout.boxes()[:, :2]
    wanted = by_loops(layout, box)
    assert place == wanted or np.allclose(*(sized(box, extents[one]) for one in (place, wanted)), atol=1e-5)


def sized(box: np.ndarray, size: np.ndarray) -> float:
    """IoU of sizes."""
    own = box[2:] - box[:2]
    shared = np.minimum(own, size).prod()
    return float(shared / (own.prod() + size.prod() - shared))


def test_cells_by_hand() -> None:
    at = cells.cells(TWO_MAPS)
    assert at.corners.shape == at.steps.shape == at.sizes.shape == (22, 2)
    np.testing.assert_allclose(
        at.corners[[0, 1, 2, 14, 16, 21]], [[0, 0], [0, 0], [0, 0.25], [0.5, 0.75], [0, 0], [0, 0.5]], atol=1e-6
    )
    np.testing.assert_allclose(at.steps[[0, 15, 16, 21]], [[0.5, 0.25], [0.5, 0.25], [1, 0.5], [1, 0.5]])
    np.testing.assert_allclose(at.sizes[[0, 1, 17, 21]], [[0.1, 0.1], [0.3, 0.1], [0.4, 0.9], [1, 1]], atol=1e-6)
    assert cells.anchors_per_map(TWO_MAPS) == [16, 6]


def test_published_cells_begin_at_whole_pixels() -> None:
    for layout in (anchors.yolo_v2(), anchors.yolo_v3()):
        at = cells.cells(layout)
        np.testing.assert_allclose(416 * at.corners, np.round(416 * at.corners), atol=1e-3)
        assert at.corners.min() == pytest.approx(0, abs=1e-6)
        assert (at.corners + at.steps).max() == pytest.approx(1, abs=1e-6)


def test_offsets_by_hand() -> None:
    """A box of 0.4x0.6 at (0.6, 0.25), of the cell from (0.5, 0) on: 0.2 and 0.5 of it, 2 and 1 of the anchor."""
    at = cells.Cells(*(np.array([one], np.float32) for one in ((0.5, 0.0), (0.5, 0.5), (0.2, 0.6))))
    found = array(cells.encode(np.array([[0.4, -0.05, 0.8, 0.55]], np.float32), at))
    np.testing.assert_allclose(found, [[0.2, 0.5, np.log(2), 0]], atol=1e-6)
    box = array(cells.decode(np.array([[np.log(0.25), 0.0, np.log(2), 0.0]], np.float32), at))
    np.testing.assert_allclose(box, [[0.4, -0.05, 0.8, 0.55]], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_decoding_undoes_encoding(seed: int) -> None:
    rng = np.random.default_rng(seed)
    at = cells.cells(TWO_MAPS)
    centres = at.corners + rng.uniform(0.02, 0.98, at.corners.shape) * at.steps
    truth = np.concatenate([centres, rng.uniform(0.01, 1, at.corners.shape)], axis=1).astype(np.float32)
    truth = array(boxes.corners(truth))
    offsets = array(cells.encode(truth, at))
    logits = np.log(offsets[:, :2] / (1 - offsets[:, :2]))
    np.testing.assert_allclose(array(cells.decode(np.c_[logits, offsets[:, 2:]], at)), truth, atol=1e-5)


def test_no_box_makes_offsets_or_answers_infinite() -> None:
    at = cells.cells(TWO)
    for box in ((0, 0, 0, 0), (1, 1, 1, 1), (0.5, 0.5, 0.2, 0.2), (2, 2, 3, 3)):
        found = array(cells.encode(np.tile(np.float32(box), (8, 1)), at))
        assert np.isfinite(found).all()
        assert (found[:, :2] >= 0).all()
        assert (found[:, :2] <= 1).all()
    for number in (-1e9, 1e9):
        found = array(cells.decode(np.full((8, 4), number, np.float32), at))
        assert np.isfinite(found).all()
        assert np.abs(found).max() < 63


def test_overlaps_by_hand() -> None:
    """Two answers: a half of box 0, which the first one owns, and box 1, which it does not."""
    truth = np.array([[[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0, 0.25, 0.5]]], np.float32)
    found = np.array([[[0, 0, 0.25, 0.5], [0.5, 0.5, 1, 1]]], np.float32)
    match = matching.Match(index=np.array([[0, 0]], np.int32), state=np.array([[1, 0]], np.int32))
    near = cells.judged(found, truth, np.array([[0, 0, -1]]), match)
    np.testing.assert_allclose(array(near.own), [[0.5, 0]], atol=1e-6)
    np.testing.assert_allclose(array(near.best), [[0.5, 1]], atol=1e-6)
    assert (array(cells.judged(found, truth, np.array([[-1] * 3]), match).best) == -1).all()


def test_squares_grow_by_one_factor() -> None:
    found = cells.squares((200, 100), smallest=0.1, largest=0.4, count=3)
    np.testing.assert_allclose(found, [(10, 10), (20, 20), (40, 40)])
    np.testing.assert_allclose(cells.squares((200, 100), smallest=0.1, largest=0.4, count=1), [(10, 10)])


def test_sums_and_factors_by_hand() -> None:
    assert float(cells.mean_of_images(ops.array([[1.0, 2.0], [4.0, 5.0]]))) == 6
    np.testing.assert_allclose(array(cells.small_counts_more(np.array([[0, 0, 0.5, 0.5], [0, 0, 1, 1]]))), [1.75, 1])
