"""What an answer of a detector needs: of a network that is known, it is known."""

from __future__ import annotations

import numpy as np
import pytest

from models.views import occlusion

BOX = np.array([0.25, 0.5, 0.5, 0.75], np.float32)
SIDE = 40


def lamp(images: np.ndarray) -> dict[str, np.ndarray]:
    """Sees one object, as surely as its own place is bright."""
    top, left, bottom, right = (BOX * SIDE).astype(int)
    scores = images[:, top:bottom, left:right, 0].mean(axis=(1, 2)) / 255
    count = len(images)
    return {
        "boxes": np.repeat(BOX[np.newaxis, np.newaxis], count, axis=0),
        "labels": np.full((count, 1), 3),
        "scores": scores[:, np.newaxis],
    }


def image() -> np.ndarray:
    made = np.zeros((SIDE, SIDE, 1), np.uint8)
    top, left, bottom, right = (BOX * SIDE).astype(int)
    made[top:bottom, left:right] = 250
    return made


def test_the_heat_is_where_the_answer_comes_from() -> None:
    heat = occlusion.of_box(lamp, image(), BOX, 3)
    assert heat.shape == (SIDE, SIDE)
    assert (heat.min(), heat.max()) == (0, 1)
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert BOX[0] <= (row + 0.5) / SIDE <= BOX[2]
    assert BOX[1] <= (column + 0.5) / SIDE <= BOX[3]
    inside = heat[10:20, 20:30].mean()
    assert inside > 2 * heat[25:, :15].mean()


@pytest.mark.parametrize(("label", "box", "left"), [(3, BOX, 0.5), (2, BOX, 0.0), (3, BOX + 0.5, 0.0)])
def test_likeness_is_of_place_label_and_score(label: int, box: np.ndarray, left: float) -> None:
    given = {"boxes": BOX[np.newaxis, np.newaxis], "labels": np.array([[3]]), "scores": np.array([[0.5]])}
    assert occlusion.likeness(given, np.asarray(box, np.float32), label).tolist() == pytest.approx([left])


def test_masks_cover_half_and_differ() -> None:
    covers = occlusion.masks((SIDE, 30), np.random.default_rng(0))
    assert covers.shape == (occlusion.MASKS, SIDE, 30)
    assert 0 <= covers.min() <= covers.max() <= 1
    assert abs(covers.mean() - occlusion.OPEN) < 0.02
    assert covers.std(axis=0).min() > 0.2
