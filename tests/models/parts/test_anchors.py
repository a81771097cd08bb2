"""Anchors against published tables and plain loops; sizes found by k-means against planted ones."""

from __future__ import annotations

import numpy as np
import pytest

from models.parts import anchors


def test_two_maps_by_hand() -> None:
    """Two cells with one size, then one cell with two: maps first, then cells, then sizes."""
    layout = anchors.Anchors(
        maps=((1, 2), (1, 1)), steps=((0.5, 0.5), (1, 1)), sizes=(((0.2, 0.4),), ((1, 1), (0.5, 2))), offset=0.5
    )
    expected = [[0.15, 0.05, 0.35, 0.45], [0.15, 0.55, 0.35, 0.95], [0, 0, 1, 1], [0.25, -0.5, 0.75, 1.5]]
    assert layout.boxes().dtype == np.float32
    np.testing.assert_allclose(layout.boxes(), expected, atol=1e-7)
    assert layout.per_cell == (1, 2)


def test_the_offset_moves_the_centre() -> None:
    found = anchors.tiled((2, 1), (0.5, 1), [(0.2, 0.2)], offset=0.0)
    np.testing.assert_allclose(found, [[-0.1, -0.1, 0.1, 0.1], [0.4, -0.1, 0.6, 0.1]])


def test_order_is_that_of_predictions() -> None:
    """What a map predicts for row 1, column 2, size 1 comes where its anchor is."""
    layout = anchors.Anchors(maps=((3, 4),), steps=((1, 10),), sizes=(((0, 0), (0.5, 0.5)),))
    predicted = np.arange(3 * 4 * 2).reshape(3, 4, 2)
    place = predicted[1, 2, 1]
    np.testing.assert_allclose(layout.boxes()[place], [1.25, 24.75, 1.75, 25.25])


@pytest.mark.parametrize(
    ("layout", "count"),
    [
        (anchors.ssd300(), 8_732),
        (anchors.ssd512(), 24_564),
        (anchors.yolo_v2(), 845),
        (anchors.yolo_v3(), 10_647),
        (anchors.yolo_v3((320, 320)), 6_300),
        (anchors.yolo_v3((608, 608)), 22_743),
        (anchors.rpn((600, 1000), (38, 63)), 9 * 38 * 63),
    ],
)
def test_published_counts(layout: anchors.Anchors, count: int) -> None:
    found = layout.boxes()
    assert found.shape == (count, 4)
    assert len(np.unique(found, axis=0)) == count
    centres = (found[:, :2] + found[:, 2:]) / 2
    assert (centres > 0).all()
    assert (centres < 1.04).all()  # SSD300's 38 steps of 8 pixels, and 63 of 16, are more than the image


def test_ssd300_by_loops() -> None:
    """Caffe's order: the square, the one between, then 2 and 1/2, then 3 and 1/3; width is the greater of 2."""
    smallest, largest = [30, 60, 111, 162, 213, 264], [60, 111, 162, 213, 264, 315]
    maps, steps = [38, 19, 10, 5, 3, 1], [8, 16, 32, 64, 100, 300]
    ratios = [[2, 1 / 2], [2, 1 / 2, 3, 1 / 3], [2, 1 / 2, 3, 1 / 3], [2, 1 / 2, 3, 1 / 3], [2, 1 / 2], [2, 1 / 2]]
    expected = []
    for cells, step, low, high, shapes in zip(maps, steps, smallest, largest, ratios, strict=True):
        sizes = [(low, low), (np.sqrt(low * high),) * 2, *((low / np.sqrt(one), low * np.sqrt(one)) for one in shapes)]
        for row in range(cells):
            for column in range(cells):
                y, x = (row + 0.5) * step, (column + 0.5) * step
                expected += [(y - h / 2, x - w / 2, y + h / 2, x + w / 2) for h, w in sizes]
    np.testing.assert_allclose(anchors.ssd300().boxes(), np.array(expected) / 300, atol=1e-6)
    assert anchors.ssd300().per_cell == (4, 6, 6, 6, 4, 4)


def test_ssd512_s_first_and_last() -> None:
    found = 512 * anchors.ssd512().boxes()
    np.testing.assert_allclose(found[0], [4 - 17.92, 4 - 17.92, 4 + 17.92, 4 + 17.92], atol=1e-3)
    high, wide = 460.8 * 2**0.5, 460.8 / 2**0.5
    np.testing.assert_allclose(found[-1], [256 - high / 2, 256 - wide / 2, 256 + high / 2, 256 + wide / 2], atol=1e-3)
    assert anchors.ssd512().per_cell == (4, 6, 6, 6, 6, 4, 4)


def test_rpn_s_table() -> None:
    """As published: (x1, y1, x2, y2), pixels counted from 1, the last one included."""
    published = [
        (-83, -39, 100, 56),
        (-175, -87, 192, 104),
        (-359, -183, 376, 200),
        (-55, -55, 72, 72),
        (-119, -119, 136, 136),
        (-247, -247, 264, 264),
        (-35, -79, 52, 96),
        (-79, -167, 96, 184),
        (-167, -343, 184, 360),
    ]
    height, width = 600, 1000
    found = anchors.rpn((height, width), (37, 62)).boxes() * [height, width, height, width]
    first = found[:9, [1, 0, 3, 2]] + [1, 1, 0, 0]
    np.testing.assert_allclose(first, published, atol=1e-3)
    np.testing.assert_allclose(found[9 * 62 :][:9] - found[:9], np.tile([16, 0, 16, 0], (9, 1)), atol=1e-3)
    np.testing.assert_allclose(found[9:18] - found[:9], np.tile([0, 16, 0, 16], (9, 1)), atol=1e-3)


def test_yolo_sizes() -> None:
    """In the middle cell of 13x13: five sizes in cells; and of the three maps the finest comes first."""
    found = 13 * anchors.yolo_v2().boxes()[5 * (6 * 13 + 6) :][:5]
    sizes = [(1.3221, 1.73145), (3.19275, 4.00944), (5.05587, 8.09892), (9.47112, 4.84053), (11.2364, 10.0071)]
    np.testing.assert_allclose((found[:, 2:] - found[:, :2])[:, ::-1], sizes, rtol=1e-5)
    np.testing.assert_allclose((found[:, :2] + found[:, 2:]) / 2, 6.5, rtol=1e-5)
    found = 416 * anchors.yolo_v3().boxes()
    ends = found[[0, 1, 2, 3 * 52**2, 3 * 52**2 + 1, 3 * 52**2 + 2, -3, -2, -1]]
    sizes = [(10, 13), (16, 30), (33, 23), (30, 61), (62, 45), (59, 119), (116, 90), (156, 198), (373, 326)]
    np.testing.assert_allclose((ends[:, 2:] - ends[:, :2])[:, ::-1], sizes, rtol=1e-4)
    np.testing.assert_allclose((ends[:, :2] + ends[:, 2:])[[0, 3, 6]] / 2, [[4, 4], [8, 8], [400, 400]], rtol=1e-4)


def test_yolo_s_sizes_are_in_pixels_whatever_the_image() -> None:
    small, large = (anchors.yolo_v2((side, 2 * side)).boxes() * np.tile([side, 2 * side], 2) for side in (64, 416))
    np.testing.assert_allclose(small[:5], large[:5], rtol=1e-4)


def test_yolo_needs_whole_cells() -> None:
    with pytest.raises(ValueError, match=r"multiple of 32.*\(416, 400\)"):
        anchors.yolo_v3((416, 400))


class TestKMeans:
    planted = np.array([[0.1, 0.1], [0.2, 0.6], [0.7, 0.3], [0.8, 0.9]])

    def drawn(self, share: float = 0.03) -> np.ndarray:
        rng = np.random.default_rng(1)
        return self.planted[rng.integers(4, size=400)] * rng.uniform(1 - share, 1 + share, (400, 2))

    @pytest.mark.parametrize("seed", range(5))
    def test_finds_what_was_planted(self, seed: int) -> None:
        found, mean = anchors.k_means(self.drawn(), 4, seed=seed)
        np.testing.assert_allclose(found, self.planted, rtol=0.02)
        assert 0.95 < mean < 1

    def test_mean_overlap_by_loops(self) -> None:
        sizes = self.drawn(share=0.5)
        found, mean = anchors.k_means(sizes, 3, seed=0)

        def overlap(one: np.ndarray, other: np.ndarray) -> float:
            both = min(one[0], other[0]) * min(one[1], other[1])
            return float(both / (one[0] * one[1] + other[0] * other[1] - both))

        best = [max(overlap(one, other) for other in found) for one in sizes]
        assert mean == pytest.approx(np.mean(best))
        assert (np.diff(found.prod(axis=1)) > 0).all()

    def test_the_same_seed_gives_the_same_sizes(self) -> None:
        first, again = (anchors.k_means(self.drawn(share=0.5), 5, seed=3) for _ in range(2))
        np.testing.assert_array_equal(first[0], again[0])

    def test_as_many_as_there_are(self) -> None:
        found, mean = anchors.k_means(np.repeat(self.planted, 3, axis=0), 4, seed=0)
        np.testing.assert_allclose(found, self.planted)
        assert mean == pytest.approx(1)

    def test_distance_is_not_that_of_points(self) -> None:
        """A large box and one a tenth larger are nearer than two small ones; Euclid says otherwise."""
        sizes = np.array([[0.02, 0.02], [0.06, 0.06], [0.8, 0.8], [0.88, 0.88]])
        found, _ = anchors.k_means(sizes, 3, seed=0)
        np.testing.assert_allclose(found, [[0.02, 0.02], [0.06, 0.06], [0.84, 0.84]])

    def test_it_says_what_it_cannot_do(self) -> None:
        with pytest.raises(ValueError, match="at least 5 different"):
            anchors.k_means(np.repeat(self.planted, 3, axis=0), 5, seed=0)
        with pytest.raises(ValueError, match="positive"):
            anchors.k_means(np.array([[0.1, 0.0], [0.2, 0.2]]), 1, seed=0)
