"""How long an answer takes, from a sample's own facts: what is worked out of an image before the network counts too."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tasks import bases, catalogue, prepared, records
from tasks.catalogue import Recipe
from tasks.errors import BadRequest

ROUNDS = 7
"""Calls of which the median is told, after a first one that compiles."""


def milliseconds(name: str, batches: list[int]) -> dict[int, float]:
    """Median time of an answer by Keras on this machine, for each number of samples that are asked about at once.

    Args:
        name: of a trained recipe.
        batches: numbers of samples, each at most the exam's; the time is told for one of them.

    Raises:
        BadRequest: if the exam has fewer samples.
    """
    recipe = catalogue.load().recipe(name)
    exam = prepared.read(recipe.dataset, "test").samples
    if len(exam) < max(batches):
        raise BadRequest(f"`batches` must be at most the exam's {len(exam)} samples. Received: {batches} for {name}")
    answer = answering(bases.network(name), recipe)
    return {batch: median(answer, np.asarray(exam[:batch])) / batch for batch in batches}


def answering(network: Any, recipe: Recipe) -> Callable[[np.ndarray], object]:
    """What a user waits for."""
    most = catalogue.load().dataset(recipe.dataset).proposals

    def answer(samples: np.ndarray) -> object:
        if most:
            from tasks import proposals

            proposals.of_images(records.part(samples, "image"), most=most)
        return network.predict_on_batch(records.fed(samples))

    return answer


def median(answer: Callable[[np.ndarray], object], samples: np.ndarray) -> float:
    """Milliseconds of a call."""
    answer(samples)
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer(samples)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)
