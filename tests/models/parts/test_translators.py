"""Translators: what is told and asked in training, greedy decoding by hand, and both as one."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from models.parts import translators
from models.spec import Input, Spec
from tests.models.examples import EXAMPLES, build

END, START = 3, 4


class Counting:
    """Answers with the symbol after the one before; of its state it counts the steps."""

    classes, steps = 3, 4

    def begin(self, source: Any) -> tuple[Any, Any]:
        return source, (ops.zeros_like(source),)

    def step(self, place: Any, previous: Any, held: Any, state: Any) -> tuple[Any, Any]:
        del place
        following = ops.where(previous == START, held, previous + 1)
        return ops.one_hot(following, END + 1), (state[0] + 1,)


def numbers(tensor: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


def test_a_lesson_by_hand() -> None:
    """The end is asked for where there is room for it, and nothing behind it counts."""
    told = translators.lesson(np.array([[2, 0, -1, -1], [1, 1, 1, 1], [-1, -1, -1, -1]], np.int32), END)
    assert numbers(told.previous).tolist() == [[START, 2, 0, END], [START, 1, 1, 1], [START, END, END, END]]
    assert numbers(told.wanted).tolist() == [[2, 0, END, END], [1, 1, 1, 1], [END, END, END, END]]
    assert numbers(told.counted).tolist() == [[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 0, 0]]


def test_greedy_decoding_by_hand() -> None:
    given = translators.greedy(Counting(), ops.convert_to_tensor([0, 2, 3], dtype="int32"))
    assert numbers(given).tolist() == [[0, 1, 2, -1], [2, -1, -1, -1], [-1, -1, -1, -1]]


@pytest.mark.parametrize("name", ["transformer", "lstm_seq2seq"])
class TestTranslators:
    def test_exact_is_what_decoding_gets_right(self, name: str) -> None:
        """Half learnt, so that some answers are right and some are not."""
        example = EXAMPLES["symbols"]
        model, _ = build(name, example.spec, learning_rate=0.01, depth=1)
        for _ in range(40):
            model.fit(example.samples, example.answers, epochs=5, batch_size=8, verbose=0)
            right = (model.predict(example.samples, verbose=0) == example.answers).all(axis=1).mean()
            if 0.2 < right < 0.9:
                break
        told = model.evaluate(example.samples, example.answers, verbose=0, return_dict=True)
        assert 0.2 < right < 0.9
        assert told["exact"] == pytest.approx(right)

    def test_padding_of_the_source_changes_nothing(self, name: str) -> None:
        example = EXAMPLES["symbols"]
        model, _ = build(name, example.spec)
        longer = Spec({"symbols": Input((9,), "int32", sizes=(8,))}, example.spec.classes, steps=example.spec.steps)
        other, _ = build(name, longer)
        other.set_weights(model.get_weights())
        padded = np.pad(example.samples, [(0, 0), (0, 9 - example.spec.input_shape[0])])
        one = model.evaluate(example.samples, example.answers, verbose=0)
        assert other.evaluate(padded, example.answers, verbose=0) == pytest.approx(one, rel=1e-5)

    def test_the_loss_of_no_knowledge_is_that_of_chance(self, name: str) -> None:
        """All logits zero: the logarithm of 7 symbols, whatever lies behind the end."""
        example = EXAMPLES["symbols"]
        model, _ = build(name, example.spec)
        scores = model.get_layer(translators.HEAD).scores
        scores.set_weights([np.zeros_like(one) for one in scores.get_weights()])
        loss = model.evaluate(example.samples, example.answers, verbose=0, return_dict=True)["loss"]
        assert loss == pytest.approx(np.log(len(example.spec.classes) + 1), rel=1e-5)


def test_the_source_is_read_backwards_or_not() -> None:
    """Backwards, the first symbols are read last: with what is forgotten at once, only they count."""
    example = EXAMPLES["symbols"]
    given = {}
    for backwards in (True, False):
        model, _ = build("lstm_seq2seq", example.spec, backwards=backwards)
        given[backwards] = keras.tree.map_structure(numbers, model(example.samples))
    assert not np.allclose(given[True][0], given[False][0])
    turned = model_of(example.samples[example.samples.min(axis=1) > 0][:, ::-1], backwards=True)
    straight = model_of(example.samples[example.samples.min(axis=1) > 0], backwards=False)
    np.testing.assert_allclose(turned, straight, atol=1e-6)


def model_of(samples: np.ndarray, *, backwards: bool) -> np.ndarray:
    """The state that an encoder ends in."""
    model, _ = build("lstm_seq2seq", EXAMPLES["symbols"].spec, backwards=backwards)
    return numbers(model(samples)[0])
