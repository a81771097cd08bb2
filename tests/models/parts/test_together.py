"""The parts composed into a small detector: it must train and predict, compiled, with what a batch is padded with."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from models.parts import anchors, boxes, losses, matching, suppression
from tests.models.examples import hits, scenes

VARIANCES = (0.1, 0.1, 0.2, 0.2)
SIDE, CLASSES, MOST = 32, 2, 3
LAYOUT = anchors.Anchors(maps=((4, 4),), steps=((0.25, 0.25),), sizes=(((0.3, 0.3), (0.5, 0.5)),))
ANCHORS = LAYOUT.boxes()


class Detector(keras.Model):
    """One map, SSD's loss; what predicts is offsets and logits, and only `predict` decodes them."""

    def compute_loss(self, _: Any, y: Any, y_pred: Any, *__: Any) -> Any:
        match = matching.match_every(ANCHORS, y["boxes"], y["labels"], positive=0.5, negative=0.5)
        offsets = boxes.encode(matching.assigned(y["boxes"], match), ANCHORS, variances=VARIANCES)
        labels = matching.assigned_labels(y["labels"], match) + 1
        by_class = ops.sparse_categorical_crossentropy(labels, y_pred[..., 4:], from_logits=True)
        return losses.multibox(
            by_class,
            losses.smooth_l1(offsets, y_pred[..., :4]),
            positive=match.state == matching.POSITIVE,
            negative=matching.hard_negatives(by_class, match.state, ratio=3),
        )

    def predict_step(self, *args: Any) -> Any:
        given = super().predict_step(*args)
        return (decoded(given[0]), *given[1:]) if isinstance(given, tuple) else decoded(given)  # JAX gives its state


def decoded(given: Any) -> dict[str, Any]:
    some = boxes.clipped(boxes.decode(given[..., :4], ANCHORS, variances=VARIANCES))
    scores = ops.softmax(given[..., 4:])[..., 1:]
    return suppression.suppress(some, scores, overlap=0.45, score=0.3, most=MOST)._asdict()


def detector() -> Detector:
    keras.utils.set_random_seed(0)
    inputs = layers.Input((SIDE, SIDE, 1), dtype="uint8")
    x = layers.Rescaling(1 / 255)(inputs)
    for _ in range(3):
        x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(LAYOUT.per_cell[0] * (4 + 1 + CLASSES), 3, padding="same")(x)
    return Detector(inputs, layers.Reshape((len(ANCHORS), 4 + 1 + CLASSES))(x))


def samples(count: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    return scenes(np.random.default_rng(0), SIDE, MOST, count)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_detector_learns_a_small_set_by_heart(compiled: bool) -> None:
    """Compiled, to the end; as a graph, a step or two, the last batch smaller."""
    images, truth = samples(16 if compiled else 5)
    model = detector()
    model.compile(optimizer=keras.optimizers.Adam(3e-3), jit_compile=compiled)
    before = model.evaluate(images, truth, batch_size=4, verbose=0)
    model.fit(images, truth, epochs=60 if compiled else 1, batch_size=4, verbose=0)
    after = model.evaluate(images, truth, batch_size=4, verbose=0)
    assert np.isfinite(after)
    found = model.predict(images, batch_size=4, verbose=0)
    assert found["boxes"].shape == (len(images), MOST, 4)
    if compiled:
        assert after < before / 5
        assert hits(found, truth) > 0.9


def test_right_answers_have_no_loss() -> None:
    """Offsets as they are encoded and logits that are sure: nothing is lost, and nothing changes."""
    _, truth = samples(8)
    match = matching.match_every(ANCHORS, truth["boxes"], truth["labels"], positive=0.5, negative=0.5)
    offsets = boxes.encode(matching.assigned(truth["boxes"], match), ANCHORS, variances=VARIANCES)
    labels = matching.assigned_labels(truth["labels"], match) + 1
    given = ops.concatenate([offsets, 50.0 * ops.one_hot(labels, CLASSES + 1)], axis=-1)
    assert float(ops.convert_to_numpy(detector().compute_loss(None, truth, given))) == pytest.approx(0, abs=1e-5)
