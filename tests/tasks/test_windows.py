"""Windows of characters: what is cut, that they behave as an array, and what they cost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import trainer, windows
from tasks.catalogue import Characters
from tasks.errors import BadData
from tasks.prepared import Split
from tasks.windows import Windows

KNOWN = list("abc ñ")


def asked(**changes: int) -> Characters:
    return Characters(**{"vocabulary": 5, "length": 3, "step": 1, **changes})


def test_the_alphabet_is_sorted_and_as_large_as_promised() -> None:
    assert windows.alphabet(["ba", "ñ b"], asked(vocabulary=4)) == [" ", "a", "b", "ñ"]
    with pytest.raises(BadData, match=r"`characters.vocabulary`.*4.*Received: 5"):
        windows.alphabet(["ba", "ñ b"], asked())


def test_capitals_become_small_only_where_asked_for() -> None:
    table = pd.DataFrame({"text": ["Ab", None]})
    assert windows.texts_of(table, Characters(vocabulary=2, length=1)) == ["Ab", ""]
    assert windows.texts_of(table, Characters(vocabulary=2, length=1, lower=True)) == ["ab", ""]


def test_windows_and_what_follows_them_by_hand() -> None:
    codes, following, starts = windows.cut(["abcab", "ca", "babc"], list("abc"), asked())
    assert codes.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 0, 1, 2]
    assert starts.tolist() == [0, 1, 7]  # none begins in the second text, nor spans two
    assert following.tolist() == [0, 1, 2]
    assert Windows(codes, starts, 3)[:].tolist() == [[0, 1, 2], [1, 2, 0], [1, 0, 1]]


def test_the_step_leaves_windows_out() -> None:
    _, _, starts = windows.cut(["abcabcabc"], list("abc"), asked(step=3))
    assert starts.tolist() == [0, 3]


@given(st.lists(st.text(KNOWN, max_size=20), min_size=1), st.integers(1, 5), st.integers(1, 4))
def test_every_window_is_in_a_text_before_what_follows_it(texts: list[str], length: int, step: int) -> None:
    known = sorted(KNOWN)
    codes, following, starts = windows.cut(texts, known, asked(length=length, step=step))
    assert len(starts) == sum(len(range(0, len(text) - length, step)) for text in texts)
    for window, code in zip(Windows(codes, starts, length), following, strict=True):
        shown = "".join(known[number] for number in [*window, code])
        assert any(shown in text for text in texts)


def test_they_behave_as_the_array_of_them() -> None:
    text, starts = np.arange(20, dtype=np.uint8), np.array([0, 4, 11])
    held = Windows(text, starts, 5)
    whole = np.stack([text[start : start + 5] for start in starts])
    np.testing.assert_array_equal(np.asarray(held), whole)
    np.testing.assert_array_equal(held[1:], whole[1:])
    np.testing.assert_array_equal(held[1], whole[1])
    np.testing.assert_array_equal(held[np.array([True, False, True])], whole[[0, 2]])
    assert (held.shape, held.dtype, len(held)) == (whole.shape, whole.dtype, 3)


def test_the_trainer_feeds_windows_and_arrays_alike() -> None:
    codes, following, starts = windows.cut(["abcabcaabbcc" * 5, "cba" * 9], list("abc"), asked(step=2))
    held = Windows(codes, starts, 3)
    fit = trainer.Fit(epochs=2, batch_size=8, seed=3, objective="val_loss")
    for one in (trainer.in_order, None):
        fed = [
            one(Split(samples, following, starts), 8)
            if one
            else trainer.batches(Split(samples, following, starts), fit=fit, start=0)  # type: ignore[arg-type]
            for samples in (held, np.asarray(held))
        ]
        batches = [[(np.asarray(x), np.asarray(y)) for x, y in batch] for batch in fed]
        assert len(batches[0]) == len(batches[1]) > 1
        for (windowed, right), (plain, wanted) in zip(*batches, strict=True):
            np.testing.assert_array_equal(windowed, plain)
            np.testing.assert_array_equal(right, wanted)
