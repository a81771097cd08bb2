"""The reader of series, and what the steps ingest, validate and prepare say of good and bad ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tasks import catalogue, ingest, places, prepare, prepared, validate
from tasks.catalogue import Dataset, Source
from tasks.errors import BadData, BadRequest
from tasks.sources import Raw, series

GOOD = [f"2020-01-{day:02d}, {day % 5}, {day / 2}" for day in range(1, 31)]
HEADER = "Moment,Heat max, wind"


def read(folder: Path, lines: list[str], **settings: str | int | list[str]) -> Raw:
    (folder / "a.csv").write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    asked = {"moment": "Moment", "columns": ["Heat max", "wind"], "every": "day", "gap": 2, **settings}
    source = Source(reader="series", files={"a.csv": "0" * 64}, samples=1, licence="made up", settings=asked)
    return series.read(folder, source)


def test_moments_and_numbers_are_read(tmp_path: Path) -> None:
    table = read(tmp_path, ["2020-02-28,1,2.5", "2020-02-29,2,3"]).samples
    assert table["moment"].tolist() == ["2020-02-28T00:00:00", "2020-02-29T00:00:00"]
    assert table[["heat_max", "wind", "made"]].to_numpy().tolist() == [[1, 2.5, False], [2, 3, False]]


def test_months_are_apart_by_the_calendar(tmp_path: Path) -> None:
    table = read(tmp_path, ["2019-12-01,1,1", "2020-01-01,2,2", "2020-02-01,3,3"], every="month").samples
    assert len(table) == 3


def test_a_short_gap_is_filled_along_a_line(tmp_path: Path) -> None:
    """Two days are not there, and a number of the day behind them is not."""
    table = read(tmp_path, ["2020-01-01,1,9", "2020-01-04,4,", "2020-01-05,5,1"], gap=3).samples
    assert table["heat_max"].tolist() == [1, 2, 3, 4, 5]
    assert table["wind"].tolist() == [9, 7, 5, 3, 1]
    assert table["made"].tolist() == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["2020-01-01,1,1", "2020-01-05,1,1"], r"column `heat_max` must miss at most 2 .*Received: 3 from 2020-01-02"),
        (["2020-01-01,,1", "2020-01-02,1,1"], r"none at an end. Received: 1 from 2020-01-01"),
        (["2020-01-02,1,1", "2020-01-01,1,1"], r"line 3: column `Moment` must be later .*'2020-01-01'"),
        (["2020-01-01,1,1", "2020-01-01,1,1"], r"line 3: column `Moment` must be later"),
        (["2020-01-01,1,1", "soon,1,1"], r"line 3: column `Moment` must be a moment .*'soon'"),
        (["2020-01-01,1,1", "2020-01-02T05:00,1,1"], r"line 3: moments must be a day apart .*T05:00"),
        (["2020-01-01,1,warm", "2020-01-02,1,1"], r"line 2: column `wind` must be a finite number .*'warm'"),
        (["2020-01-01,1,1", "2020-01-02,inf,1"], r"line 3: column `Heat max` must be a finite number .*'inf'"),
        (["2020-01-01,1,1", "2020-01-02,nan,1"], r"line 3: column `Heat max` must be a finite number .*'nan'"),
        (["2020-01-01,1,1", "2020-01-02,1,1,1"], r"`a.csv` must"),
        ([], r"at least 2 rows. Received: 0"),
    ],
)
def test_what_is_no_series_is_refused_with_its_line(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(BadData, match=words):
        read(tmp_path, lines)


def test_settings_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"`every` must be one of hour, day, week, month. Received: 'year'"):
        read(tmp_path, GOOD, every="year")
    with pytest.raises(BadData, match=r"must have the columns Moment, rain. Received: no rain"):
        read(tmp_path, GOOD, columns=["rain"])


def settle(lines: list[str], samples: int, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the mirror have a file of `lines`, and the catalogue a source and a dataset `weather` of it."""
    mirror = workplace.parent / "mirror"
    mirror.mkdir(exist_ok=True)
    content = "\n".join([HEADER, *lines]) + "\n"
    (mirror / "a.csv").write_text(content, encoding="utf-8")
    monkeypatch.setenv("MIAR_MIRROR", str(mirror))
    digest = hashlib.sha256(content.encode()).hexdigest()
    settings = {"moment": "Moment", "columns": ["Heat max", "wind"], "every": "day", "gap": 2}
    source = Source(reader="series", files={"a.csv": digest}, samples=samples, licence="made up", settings=settings)
    dataset = Dataset(
        source="weather",
        problem="forecasting",
        numbers={"wind": [0, 20], "heat_max": [-10, 10]},
        answer={"heat_max": [-10, 10]},
        series={"past": 4, "ahead": 2, "season": 3},  # type: ignore[arg-type]
        validation=0.3,
        test=0.3,
        seed=0,
    )
    known = catalogue.load().model_copy(update={"sources": {"weather": source}, "datasets": {"weather": dataset}})
    monkeypatch.setattr(catalogue, "load", lambda: known)


def test_a_series_goes_through_the_steps(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(GOOD, 30, workplace, monkeypatch)
    ingest.ingest("weather")
    assert validate.validate("weather").splits == {"train": 15, "validation": 6, "test": 9}
    receipt = prepare.prepare("weather")
    assert receipt.samples == {"train": 10, "validation": 1, "test": 4}
    exam, spec = prepared.read("weather", "test"), prepared.read_spec("weather")
    assert exam.samples.shape == (4, 4, 2)
    assert exam.ids.tolist() == [25, 26, 27, 28]
    assert exam.answers[0].tolist() == [26 % 5, 27 % 5]
    assert exam.samples[0, :, 1].tolist() == [11, 11.5, 12, 12.5]
    assert (spec.inputs["series"].lowest, spec.inputs["series"].highest) == ((0, 0.5), (4, 7.5))
    assert spec.naive is not None
    assert (spec.steps, spec.naive.season, len(spec.naive.seasonal)) == (2, 3, 2)
    train = prepared.read("weather", "train")
    assert spec.naive.last[0] == pytest.approx(np.abs(train.answers[:, 0] - train.samples[:, -1, 0]).mean())


def out_of_range(lines: list[str]) -> list[str]:
    return [*lines[:7], "2020-01-08, 50, 4", *lines[8:]]


def constant(lines: list[str]) -> list[str]:
    return [f"{line.split(',')[0]}, 3, 1" if place > 20 else line for place, line in enumerate(lines)]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (out_of_range(GOOD), r"heat_max"),
        (constant(GOOD), r"spread"),
        (GOOD[:18], r"split_samples"),
    ],
    ids=["out_of_range", "constant", "too_short"],
)
def test_a_series_that_breaks_its_promise_is_named(
    lines: list[str], words: str, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(lines, len(lines), workplace, monkeypatch)
    ingest.ingest("weather")
    with pytest.raises(BadData, match=words):
        validate.validate("weather")
    assert not places.prepared("weather").exists()
