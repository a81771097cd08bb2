"""How long an answer takes, proposals included."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from tasks import catalogue, places, prepared, proposals, records, speed
from tasks.errors import BadRequest
from tests.models.examples import EXAMPLES, build


def test_the_median_is_that_of_later_calls() -> None:
    naps = iter([0.2, *[0.01] * 4, *[0.03] * 3])
    assert 8 <= speed.median(lambda _: time.sleep(next(naps)), np.zeros(1)) <= 25


def test_proposals_are_a_part_of_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class Network:
        def predict_on_batch(self, fed: records.Fed) -> str:
            asked.append(sorted(fed))
            return "answers"

    monkeypatch.setattr(proposals, "of_images", lambda images, *, most: asked.append((images.shape, most)))
    samples = records.packed(EXAMPLES["scenes and proposals"].samples)[:2]
    known = catalogue.load()
    recipe = known.recipe("ssd_digit_scenes").model_copy(update={"dataset": "digit_scenes_proposals"})
    assert speed.answering(Network(), recipe)(samples) == "answers"
    assert asked == [((2, 64, 64, 1), known.dataset(recipe.dataset).proposals), ["image", "proposals"]]


@pytest.mark.usefixtures("workplace")
def test_a_trained_network_is_timed_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    example = EXAMPLES["image"]
    places.trained("cnn_digits").mkdir(parents=True)
    build("cnn", example.spec)[0].save(places.trained("cnn_digits") / "model.keras")
    exam = prepared.Split(example.samples, example.answers, np.arange(len(example.samples)))  # type: ignore[arg-type]
    monkeypatch.setattr(prepared, "read", lambda *_: exam)
    found = speed.milliseconds("cnn_digits", [1, 32])
    assert set(found) == {1, 32}
    assert 0 < found[32] < found[1] < 5000
    with pytest.raises(BadRequest, match=r"at most the exam's 32 samples. Received: \[64\] for cnn_digits"):
        speed.milliseconds("cnn_digits", [64])
