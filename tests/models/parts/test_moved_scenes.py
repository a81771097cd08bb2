"""Scenes that are moved in training: the boxes go where their objects go."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from models.parts import augmentation
from models.parts.augmentation import MovedScenes, followed, transform
from tests.models.examples import EXAMPLES, build

SIDE = 64


def scene(top: int, left: int, bottom: int, right: int) -> tuple[np.ndarray, dict[str, Any]]:
    image = np.zeros((1, SIDE, SIDE, 1), np.float32)
    image[:, top:bottom, left:right] = 255
    box = np.array([[[top, left, bottom, right]]], np.float32) / SIDE
    return image, {"boxes": box, "labels": np.zeros((1, 1), np.int32)}


def extent(image: Any) -> np.ndarray:
    """Where an image is bright, (y1, x1, y2, x2), relative."""
    rows, columns = np.nonzero(np.asarray(ops.convert_to_numpy(image))[..., 0] > 127)
    return np.array([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]) / SIDE


@pytest.mark.parametrize(
    "moves",
    [
        (1.0, 1.0, 0.0, 0.0),
        (1.0, 1.0, 8 / SIDE, -4 / SIDE),
        (1.0, -1.0, 0.0, 1.0),
        (1.5, 1.5, -0.25, -0.25),
        (0.5, -0.5, 0.25, 0.75),
    ],
)
def test_a_box_follows_its_object(moves: tuple[float, ...]) -> None:
    image, truth = scene(16, 24, 32, 48)
    drawn = np.array([moves], np.float32)
    moved = ops.image.affine_transform(image, transform(drawn, (SIDE, SIDE)), fill_value=0.0)
    box = np.asarray(ops.convert_to_numpy(followed(truth, drawn)["boxes"]))[0, 0]
    np.testing.assert_allclose(extent(moved[0]), box, atol=0.51 / SIDE)


def test_moves_are_what_they_say_by_hand() -> None:
    """Mirrored and half as large about the centre: x = 24 to 48 of 64 becomes 24 to 36."""
    _, truth = scene(16, 24, 32, 48)
    given = followed(truth, np.array([[0.5, -0.5, 0.25, 0.75]], np.float32))
    np.testing.assert_allclose(np.asarray(given["boxes"])[0, 0] * SIDE, [24, 24, 32, 36], atol=1e-4)


def test_an_object_whose_centre_is_gone_is_gone_and_one_at_the_edge_is_cut() -> None:
    boxes = np.array([[[0.0, 0.0, 0.4, 0.4], [0.0, 0.0, 0.2, 0.2], [0, 0, 0, 0]]], np.float32)
    truth = {"boxes": boxes, "labels": np.array([[1, 2, -1]], np.int32)}
    given = followed(truth, np.array([[1, 1, -0.15, 0.0]], np.float32))
    assert np.asarray(given["labels"]).tolist() == [[1, -1, -1]]
    np.testing.assert_allclose(np.asarray(given["boxes"])[0, 0], [0, 0, 0.25, 0.4], atol=1e-6)


def test_scenes_are_moved_in_training_alone_each_in_its_own_way() -> None:
    keras.utils.set_random_seed(0)
    layer = MovedScenes(zoom=0.2, shift=0.1, mirror=True)
    images = np.repeat(scene(16, 24, 32, 48)[0], 64, axis=0).astype(np.uint8)
    same, still = layer(images, training=False)
    np.testing.assert_array_equal(np.asarray(ops.convert_to_numpy(same)), images)
    assert np.unique(np.asarray(ops.convert_to_numpy(still)), axis=0).tolist() == [[1, 1, 0, 0]]
    moved, moves = (np.asarray(ops.convert_to_numpy(one)) for one in layer(images, training=True))
    assert len(np.unique(moves, axis=0)) == 64
    assert 0.25 < (moves[:, 1] < 0).mean() < 0.75
    assert np.abs(moves[:, 0]).min() >= 0.8
    assert np.abs(moves[:, 0]).max() <= 1.2
    middle = 0.5 * moves[:, :2] + moves[:, 2:] - 0.5
    assert 0.05 < np.abs(middle).max() <= 0.1 + 1e-6
    for one, move in zip(moved[:8], moves[:8], strict=True):
        box = followed(scene(16, 24, 32, 48)[1], move[np.newaxis])["boxes"]
        np.testing.assert_allclose(extent(one), np.asarray(ops.convert_to_numpy(box))[0, 0], atol=1.01 / SIDE)


def test_nothing_moves_where_nothing_is_asked() -> None:
    x = keras.Input((8, 8, 1))
    assert augmentation.moved_scenes(x) == (x, [])


@pytest.mark.parametrize("name", ["ssd", "yolo_v1", "yolo_v2", "yolo_v3", "faster_rcnn"])
def test_a_detector_sees_nothing_but_the_moved_scene_and_tells_the_moves(name: str) -> None:
    model, _ = build(name, EXAMPLES["scenes"].spec, zoom=0.2, shift=0.1)
    image = model.inputs[0]._keras_history.operation
    assert [node.operation.name for node in image._outbound_nodes] == ["moved"]
    moves = np.asarray(ops.convert_to_numpy(model(EXAMPLES["scenes"].samples, training=True)[1]))
    assert len(np.unique(moves, axis=0)) == len(moves)
    still, _ = build(name, EXAMPLES["scenes"].spec)
    assert (model.is_moved, still.is_moved) == (True, False)


@pytest.mark.parametrize("name", ["ssd", "faster_rcnn"])
def test_a_detector_learns_from_moved_scenes_and_answers_to_still_ones(name: str, tmp_path: Any) -> None:
    example = EXAMPLES["scenes"]
    model, _ = build(name, example.spec, zoom=0.2, shift=0.1, mirror=True)
    first = model.fit(example.samples, example.answers, batch_size=8, verbose=0).history["loss"][0]
    last = model.fit(example.samples, example.answers, epochs=10, batch_size=8, verbose=0).history["loss"][-1]
    assert last < first / 2
    given = model.predict(example.samples, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=True).predict(example.samples, verbose=0)
    for key, one in given.items():
        np.testing.assert_array_equal(again[key], one)
