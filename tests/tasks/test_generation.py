"""Generation: scores and baselines by hand, temperature as it should be, and texts that follow what was learnt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.spec import Input, Spec
from tasks import windows
from tasks.catalogue import Characters
from tasks.errors import BadData
from tasks.prepared import Split
from tasks.problems import generation
from tasks.windows import Windows

SPEC = Spec({"characters": Input((4,), "uint8", sizes=(3,))}, (" ", "a", "b"))
RIGHT = np.array([0, 1, 1, 2])
GIVEN = np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0, 1, 0], [0.25, 0.5, 0.25]])


def split(text: str) -> Split:
    codes, following, starts = windows.cut([text], list(" ab"), Characters(vocabulary=3, length=4))
    return Split(Windows(codes, starts, 4), following, starts)  # type: ignore[arg-type]


def codes(split: Split) -> np.ndarray:
    return split.samples.text  # type: ignore[attr-defined, no-any-return]


def test_scores_by_hand() -> None:
    """The right characters take 1, 2, 0 and 2 bits."""
    found = generation.scores(RIGHT, GIVEN, SPEC)
    assert found == pytest.approx(
        {"bits_per_character": 1.25, "perplexity": 2**1.25, "likelihood": 2**-1.25, "accuracy": 0.5}
    )


def test_chances_count_by_their_share() -> None:
    assert generation.scores(RIGHT, 3 * GIVEN, SPEC) == generation.scores(RIGHT, GIVEN, SPEC)


def test_what_was_held_impossible_and_comes_costs_much_but_not_all() -> None:
    assert generation.surprise(np.array([1]), np.array([[1.0, 0, 0]]), SPEC) == pytest.approx(-np.log2(1e-9))


@pytest.mark.parametrize("wrong", [GIVEN[:3], GIVEN[:, :2], np.full((4, 3), np.nan)])
def test_what_is_no_answer_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(BadData, match=r"predictions must (have the shape|be finite)"):
        generation.scores(RIGHT, wrong, SPEC)


@pytest.mark.parametrize(
    ("temperature", "wanted"),
    [(0.5, (0.657895, 0.236842, 0.105263)), (1.0, (0.5, 0.3, 0.2)), (2.0, (0.415446, 0.321803, 0.262751))],
)
def test_temperature_by_hand(temperature: float, wanted: tuple[float, ...]) -> None:
    assert generation.tempered(np.array([0.5, 0.3, 0.2]), temperature) == pytest.approx(wanted, abs=1e-6)


@given(arrays.arrays(np.float64, (2, 5), elements=st.floats(0, 1)), st.floats(0.05, 5))
def test_tempered_chances_are_chances_in_the_same_order(chances: np.ndarray, temperature: float) -> None:
    found = generation.tempered(chances, temperature)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    order = np.argsort(chances, axis=1)
    assert (np.diff(np.take_along_axis(found, order, axis=1), axis=1) >= -1e-12).all()


def test_a_unigram_is_what_occurs() -> None:
    """Of eight characters two are spaces, four a, two b, and four more count for a third of each."""
    found = generation.baselines(split("aab  aab"), np.zeros((2, 4), np.uint8), SPEC)["unigram"]
    wanted = (np.array([2, 4, 2]) + 4 / 3) / (8 + 4)
    np.testing.assert_allclose(found, [wanted, wanted])


def test_a_bigram_by_hand() -> None:
    """Behind a, text `aab  aab` has two a and two b; behind b, a space once."""
    text, asked = split("aab  aab"), np.array([[0, 0, 0, 1], [0, 0, 0, 2]], np.uint8)
    single = (np.array([2, 4, 2]) + 4 / 3) / 12
    found = generation.followers(codes(text), asked, 3, 2)
    np.testing.assert_allclose(found[0], (np.array([0, 2, 2]) + 4 * single) / (4 + 4))
    np.testing.assert_allclose(found[1], (np.array([1, 0, 0]) + 4 * single) / (1 + 4))


@given(st.text(" ab", min_size=12, max_size=60), st.integers(1, 5))
def test_runs_are_counted_as_python_counts_them(text: str, order: int) -> None:
    one = split(text)
    asked = np.asarray(one.samples[:5])
    found = generation.counted(codes(one), asked, 3, order - 1)
    for window, counts in zip(asked, found, strict=True):
        before = generation.spelt(window, SPEC)[4 - (order - 1) :]
        for character, count in zip(SPEC.classes, counts, strict=True):
            run = before + character
            assert count == sum(text[place : place + order] == run for place in range(len(text)))


def test_longer_runs_say_more() -> None:
    text = split("ab ba " * 40)
    bits = [
        generation.surprise(np.asarray(text.answers), chances, SPEC).mean()
        for chances in generation.baselines(text, np.asarray(text.samples), SPEC).values()
    ]
    assert bits[0] > 1.5
    assert bits[1] < 0.2


def after(window: np.ndarray) -> np.ndarray:
    """A network that holds the successor of the last character for twice as likely as each other."""
    return (1 + np.eye(3)[(window[:, -1] + 1) % 3]) / 4


def test_cold_writing_follows_the_likeliest_and_hot_writing_all() -> None:
    starts = np.zeros((2, 4), np.uint8)
    written = generation.write(after, starts, np.array([0.02, 1e6]), 300, np.random.default_rng(0))
    np.testing.assert_array_equal(written[0], (1 + np.arange(300)) % 3)
    assert np.bincount(written[1], minlength=3).min() > 70


def test_writing_draws_as_often_as_the_network_says() -> None:
    written = generation.write(after, np.zeros((1, 4), np.uint8), np.ones(1), 4000, np.random.default_rng(0))[0]
    followed = (np.diff(written.astype(int), prepend=0) % 3 == 1).mean()
    assert followed == pytest.approx(0.5, abs=0.03)


def test_the_exam_shows_what_was_written_behind_what() -> None:
    text = split("ab ba " * 20)
    table = generation.further(after, text, SPEC)["written"]
    assert len(table) == generation.SEEDS * len(generation.TEMPERATURES)
    assert table["beginning"].iloc[0] == "ab b"
    assert set(table["goes on"].str.len()) == {generation.LENGTH}
    exam = generation.judge(text, after(np.asarray(text.samples)), SPEC)
    assert exam.tables["characters"]["samples"].sum() == len(text)
    assert set(exam.tables["characters"]["character"]) == {"space", "a", "b"}


@pytest.mark.parametrize("metric", generation.GATES)
def test_differences_are_around_the_difference(metric: str) -> None:
    rng = np.random.default_rng(1)
    answers = rng.integers(0, 3, 400)
    ours, theirs = (np.eye(3)[answers] * sure + rng.random((400, 3)) for sure in (1.0, 0.4))
    one, other = (generation.scores(answers, given_, SPEC)[metric] for given_ in (ours, theirs))
    found = generation.differences(answers, ours, theirs, SPEC, metric=metric, times=200)
    assert found.mean() == pytest.approx(one - other, abs=0.02)
    assert 0 < found.std() < 0.1
    assert (generation.differences(answers, ours, ours, SPEC, metric=metric, times=5) == 0).all()
