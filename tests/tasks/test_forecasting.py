"""Forecasting: windows and splits by hand, scores by hand, honest resamples, and what is kept of a forecast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.spec import Input, Naive, Number, Spec
from tasks import measures, score, series, split, watch, windows
from tasks.catalogue import Dataset, Series
from tasks.errors import BadData
from tasks.measures import Reference
from tasks.prepared import Split
from tasks.problems import forecasting
from tasks.score import Known

SPEC = Spec(
    {"series": Input((4, 1), "float32", lowest=(0.0,), highest=(10.0,))},
    number=Number("heat", 0.0, 5.0, 10.0),
    steps=2,
    naive=Naive((2.0, 4.0), (1.0, 2.0), 4),
)
RIGHT = np.array([[1, 2], [3, 5]], np.float32)
GIVEN = np.array([[1, 4], [4, 5]], np.float32)
ASKED: dict[str, Any] = {
    "source": "x",
    "problem": "forecasting",
    "numbers": {"wind": [0, 9], "heat": [0, 99]},
    "answer": {"heat": [0, 99]},
    "series": {"past": 3, "ahead": 2},
    "validation": 0.5,
    "test": 0.2,
    "seed": 0,
}


def exam(count: int) -> Split:
    """A series that rises by 1, and falls back every 4 moments."""
    values = (np.arange(count + 5) % 4).astype(np.float32)[:, np.newaxis]
    return Split(*series.windowed(values, 100, Series(past=4, ahead=2, season=4)))


def test_the_last_moments_are_the_exam_and_those_before_it_the_validation() -> None:
    assert split.by_time(10, validation=0.5, test=0.2).tolist() == ["train"] * 4 + ["validation"] * 4 + ["test"] * 2


def test_windows_and_what_follows_them_by_hand_never_over_a_border() -> None:
    table = pd.DataFrame({"heat": range(18), "wind": range(50, 68)})
    splits = np.repeat(["train", "validation", "test"], 6)
    made = series.cut(table, splits, Series(past=3, ahead=2))
    past, ahead, ids = made["validation"]
    assert past[..., 0].tolist() == [[6, 7, 8], [7, 8, 9]]
    assert past[..., 1].tolist() == [[56, 57, 58], [57, 58, 59]]
    assert ahead.tolist() == [[9, 10], [10, 11]]
    assert ids.tolist() == [9, 10]
    assert (past.dtype, ahead.dtype, ids.dtype) == (np.float32, np.float32, np.int64)


def test_a_split_too_short_for_a_window_is_refused() -> None:
    splits = np.repeat(["train", "validation", "test"], [6, 4, 6])
    with pytest.raises(BadData, match=r"`series.ahead` moments, 5. Received: split validation with 4"):
        series.cut(pd.DataFrame({"heat": range(16)}), splits, Series(past=3, ahead=2))


def test_the_simplest_forecasts_by_hand() -> None:
    samples = np.array([[[1], [2], [3], [4]]], np.float32)
    assert windows.last(samples, 3).tolist() == [[4, 4, 4]]
    assert windows.season_ago(samples, 5, 3).tolist() == [[2, 3, 4, 2, 3]]
    found = series.naive(samples, np.array([[5, 7]], np.float32), Series(past=4, ahead=2, season=4))
    assert found == Naive((1.0, 3.0), (4.0, 5.0), 4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"series": {"past": 3, "ahead": 2, "season": 4}}, r"`season` must be at most `past`, 3. Received: 4"),
        ({"answer": {"rain": [0, 1]}}, r"`answer` of a `series` must be one of `numbers`"),
        ({"answer": {"heat": [0, 1]}}, r"`answer` of a `series` must be one of `numbers`"),
        ({"test": "official"}, r"as `test` a fraction"),
        ({"series": None}, r"forecasting needs answer and series"),
    ],
)
def test_a_dataset_that_is_no_series_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Dataset(**{**ASKED, **changes})


def test_the_column_that_is_asked_for_comes_first() -> None:
    dataset = Dataset(**ASKED)
    assert dataset.in_series == ["heat", "wind"]
    assert sorted(dataset.columns) == ["heat", "moment", "wind"]


def test_scores_by_hand() -> None:
    """Off by 0, 2, 1 and 0, of 3 that persistence is off, and 1.5 the season; squares 5 of a spread of 8.75."""
    found = forecasting.scores(RIGHT, GIVEN, SPEC)
    wanted = {"skill": 0.75, "r2": 1 - 5 / 8.75, "mase": 0.5, "mae": 0.75, "rmse": np.sqrt(1.25)}
    assert found == pytest.approx(wanted)
    assert forecasting.quality(RIGHT, GIVEN, SPEC) == pytest.approx([1 - 1 / 3, 1 - 0.5 / 3])


@pytest.mark.parametrize("wrong", [GIVEN[:1], GIVEN[:, :1], np.full((2, 2), np.nan)])
def test_what_is_no_forecast_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(BadData, match=r"predictions must (have the shape|be finite)"):
        forecasting.scores(RIGHT, wrong, SPEC)


def test_a_series_that_never_changes_cannot_be_scored() -> None:
    still = Spec(SPEC.inputs, number=SPEC.number, steps=2, naive=Naive((0.0, 0.0)))
    with pytest.raises(BadData, match=r"a series must change"):
        forecasting.scores(RIGHT, GIVEN, still)


def test_an_exam_says_how_the_simplest_do_in_it() -> None:
    """The season repeats itself; the last value is off by 1, or by 3 where it falls back, and by 2 after two steps."""
    one = exam(8)
    found = forecasting.judge(one, np.asarray(one.answers) + 0.5, SPEC)
    assert found.scores["mae"] == pytest.approx(0.5)
    assert found.scores["mae_persistence"] == pytest.approx((1.5 + 2) / 2)
    assert found.scores["mae_seasonal"] == 0
    assert found.tables["steps"]["persistence"].tolist() == [1.5, 2.0]
    assert found.predictions["id"].tolist() == list(range(104, 112))
    assert found.predictions["predicted_2"].iloc[0] == pytest.approx(1.5)
    assert set(found.pictures) == {"forecasts", "steps"}


def test_baselines_answer_as_networks_do() -> None:
    one = exam(8)
    given = forecasting.baselines(one, np.asarray(one.samples), SPEC)
    assert set(given) == {"persistence", "seasonal", "mean"}
    assert forecasting.scores(np.asarray(one.answers), given["seasonal"], SPEC)["skill"] == 1
    assert given["mean"].tolist() == [[1.5, 1.5]] * 8


@pytest.mark.parametrize("metric", forecasting.GATES)
def test_resamples_are_those_of_a_plain_loop(metric: str) -> None:
    rng = np.random.default_rng(1)
    right = rng.normal(5, 2, (30, 2))
    ours, theirs = (right + rng.normal(0, size, (30, 2)) for size in (0.5, 1.0))
    found = forecasting.differences(right, ours, theirs, SPEC, metric=metric, times=20)
    for counts, difference in zip(forecasting.blocks(30, 2, 20), found, strict=True):
        rows = np.repeat(np.arange(30), counts)
        first, second = (forecasting.scores(right[rows], one[rows], SPEC)[metric] for one in (ours, theirs))
        assert difference == pytest.approx(first - second)


def test_blocks_are_whole_and_every_sample_is_as_likely() -> None:
    drawn = forecasting.blocks(12, 3, 6000)
    assert (drawn.sum(axis=1) == 12).all()
    assert drawn.mean(axis=0) == pytest.approx(np.ones(12), abs=0.05)
    assert ((drawn > 0).sum(axis=1) >= 6).all()


def test_slices_are_quarters_in_time() -> None:
    parts = forecasting.slices(np.zeros((8, 2)), SPEC)
    assert np.flatnonzero(parts["quarter 2 of 4 in time"]).tolist() == [2, 3]


def known(spec: Spec) -> Known:
    one = exam(60)
    samples, answers = np.asarray(one.samples), np.asarray(one.answers)
    return Known(spec, "forecasting", measures.refer(samples, answers, spec, np.ones(len(answers))))


def test_a_forecast_is_kept_with_a_column_for_each_step() -> None:
    one = exam(3)
    table = score.rows(np.asarray(one.samples), GIVEN[[0, 1, 0]], known(SPEC), np.array(["a", "b", "c"]))
    assert table[["id", "heat_1", "heat_2"]].iloc[1].tolist() == ["b", 4, 5]
    assert {"x.series.0.last", "x.series.0.rise", "x.answer.first", "x.answer.last"} <= set(table)
    assert table["x.series.0.last"].tolist() == [3, 0, 1]
    assert table["x.answer.last"].tolist() == [4, 5, 4]


def test_right_answers_come_later_and_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("id,heat_1,heat_2\n7,1,2\n8,3,5\n")
    right = watch.read(tmp_path / "a.csv", SPEC)
    assert right.loc[1, ["heat_1", "heat_2"]].tolist() == [3, 5]
    given = pd.DataFrame({"id": ["7", "8"], "version": 1, "heat_1": GIVEN[:, 0], "heat_2": GIVEN[:, 1]})
    monkeypatch.setattr(score, "scored", lambda _, columns: given[columns])
    monkeypatch.setattr(watch, "labels", lambda _: right)
    reference = Reference({}, {}, None, 1.0, 10)
    found = watch.quality_of("m", 1, Known(SPEC, "forecasting", reference))
    assert found == pytest.approx([1 - 1 / 3, 1 - 0.5 / 3])
    (tmp_path / "b.csv").write_text("id,heat_1,heat_2\n7,1,x\n")
    with pytest.raises(BadData, match=r"each answer must be a finite number. Received: 'x' in row 0"):
        watch.read(tmp_path / "b.csv", SPEC)
