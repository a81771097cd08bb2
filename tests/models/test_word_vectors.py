"""The parts of word2vec by hand: bands, chances, and costs; and what the two networks ask."""

from __future__ import annotations

from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import cbow, skip_gram
from models.parts import word_vectors
from models.parts.word_vectors import HEAD
from models.spec import Input, Spec

SPEC = Spec({"words": Input((3,), "int32", sizes=(5,), counts=(8, 1, 1))}, tuple("abc"), neighbours=1)
RUN = np.array([[-1, 0, 1, 2, 0]], np.int32)
"""The words a, b and c, before them nothing and behind them an a."""

TABLE = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
OTHER = np.array([[0.5, 0.0], [0.0, 2.0], [1.0, -1.0]])
NEAR = [(0, 1), (1, 0), (1, 2), (2, 1), (2, 0)]
"""The pairs of the run, by their words."""


def number(tensor: Any) -> float:
    return float(keras.ops.convert_to_numpy(tensor))


def known(network: Any, **settings: Any) -> keras.Model:
    """A network whose tables are `TABLE` and `OTHER`."""
    model = network(spec=SPEC, size=2, subsample=0.0, **settings)
    model.get_layer(HEAD).set_weights([TABLE, OTHER])
    return model


def log_softmax(scores: np.ndarray) -> np.ndarray:
    return scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def test_a_band_by_hand() -> None:
    assert word_vectors.band(3, 1).tolist() == [[1, 0, 1, 0, 0], [0, 1, 0, 1, 0], [0, 0, 1, 0, 1]]


def test_chances_by_hand() -> None:
    """Shares of 0.8, 0.1 and 0.1; 16 to the power of 3/4 is 8."""
    np.testing.assert_allclose(word_vectors.kept((8, 1, 1), 0.2), [0.5, 1, 1])
    np.testing.assert_allclose(word_vectors.kept((8, 1, 1), 0.0), [1, 1, 1])
    np.testing.assert_allclose(word_vectors.noise_until((16, 1, 1)), [0.8, 0.9, 1])


@settings(deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20), st.floats(1e-5, 0.1))
def test_frequent_words_are_left_out_most(counts: list[int], threshold: float) -> None:
    chances = word_vectors.kept(tuple(sorted(counts)), threshold)
    assert ((chances > 0) & (chances <= 1)).all()
    assert (np.diff(chances) <= 1e-6).all()
    until = word_vectors.noise_until(tuple(counts))
    assert (np.diff(until) > 0).all()
    assert until[-1] == pytest.approx(1)


def test_skip_gram_by_softmax_by_hand() -> None:
    """Each word of the run against each of its neighbours, among all three words."""
    told = log_softmax(TABLE @ OTHER.T)
    wanted = -np.mean([told[word, other] for word, other in NEAR])
    model = known(skip_gram.skip_gram, negatives=0)
    assert number(model.get_layer(HEAD).cost(RUN, training=True)) == pytest.approx(wanted, rel=1e-5)


def test_cbow_by_softmax_by_hand() -> None:
    """a has the neighbour b; b has a and c; c has b and a."""
    means = np.stack([TABLE[1], (TABLE[0] + TABLE[2]) / 2, (TABLE[1] + TABLE[0]) / 2])
    wanted = -np.mean(np.diag(log_softmax(means @ OTHER.T)))
    model = known(cbow.cbow, negatives=0)
    assert number(model.get_layer(HEAD).cost(RUN, training=True)) == pytest.approx(wanted, rel=1e-5)


def test_negative_sampling_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two noise words of the run, b and c, stand for four."""
    model = known(skip_gram.skip_gram, negatives=4, noise=2)
    head = model.get_layer(HEAD)
    monkeypatch.setattr(head, "drawn", lambda _: np.array([[1, 2]]))
    products = TABLE @ OTHER.T
    right = [np.log(sigmoid(products[word, other])) for word, other in NEAR]
    wrong = [2 * np.log(sigmoid(-products[word, noise])) for word, _ in NEAR for noise in (1, 2)]
    wanted = -(np.sum(right) + np.sum(wrong)) / len(NEAR)
    assert number(head.cost(RUN, training=False)) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("network", [skip_gram.skip_gram, cbow.cbow])
def test_before_it_has_learnt_a_softmax_costs_the_logarithm_of_the_vocabulary(network: Any) -> None:
    model = network(spec=SPEC, size=2, negatives=0, subsample=0.0)
    assert number(model.get_layer(HEAD).cost(RUN, training=False)) == pytest.approx(np.log(3), rel=1e-5)
    assert model.count_params() == 2 * 3 * 2


def test_words_that_nothing_stands_near_cost_nothing() -> None:
    alone = np.array([[-1, 0, -1, -1, -1]], np.int32)
    for network in (skip_gram.skip_gram, cbow.cbow):
        assert number(known(network, negatives=0).get_layer(HEAD).cost(alone, training=True)) == 0


def test_noise_is_drawn_as_often_as_it_should() -> None:
    model = skip_gram.skip_gram(spec=SPEC, size=2, noise=50)
    drawn = keras.ops.convert_to_numpy(model.get_layer(HEAD).drawn(400))
    weights = np.array([8, 1, 1]) ** 0.75
    assert drawn.shape == (400, 50)
    np.testing.assert_allclose(
        np.bincount(drawn.ravel(), minlength=3) / drawn.size, weights / weights.sum(), atol=0.015
    )


def test_words_are_left_out_in_training_alone() -> None:
    """Of a run of the most frequent word, each is kept at one in ten, and a pair at one in a hundred."""
    spec = Spec({"words": Input((50,), "int32", sizes=(4,), counts=(100, 1))}, tuple("ab"), neighbours=1)
    head = skip_gram.skip_gram(spec=spec, size=2, negatives=0, subsample=0.01).get_layer(HEAD)
    asked: list[np.ndarray] = []
    own = head.pairs

    def seen(run: Any, near: Any) -> Any:
        asked.append(keras.ops.convert_to_numpy(near))
        return own(run, near)

    head.pairs = seen
    run = np.zeros((400, 52), np.int32)
    head.cost(run, training=True)
    head.cost(run, training=False)
    assert asked[0].sum() / asked[1].sum() == pytest.approx(0.01, rel=0.25)
    assert asked[1].sum() == 400 * 50 * 2


def test_nothing_and_unknown_words_have_a_vector_of_zeros() -> None:
    given_ = known(skip_gram.skip_gram).predict(np.array([[2, 4, 0], [1, 3, 2]], np.int32), verbose=0)
    np.testing.assert_allclose(given_, [[[1, 0], [1, 1], [0, 0]], [[0, 0], [0, 1], [1, 0]]])


def test_other_datasets_are_refused() -> None:
    spec = Spec(SPEC.inputs, SPEC.classes)
    with pytest.raises(ValueError, match=r"answers with classes and vectors. Received a dataset that asks for classes"):
        skip_gram.build(spec, keras_tuner.HyperParameters())
