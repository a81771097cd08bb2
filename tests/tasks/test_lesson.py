"""Lessons: each can be shown, says the same twice, and every number in its tables is what the course has."""

from __future__ import annotations

import struct
from pathlib import Path

import pandas as pd
import pytest

from tasks import catalogue, lessons, places
from tasks.catalogue import Lesson
from tasks.errors import BadRequest
from tasks.lesson import lesson
from tasks.receipts import Taught

KNOWN = catalogue.load()
NAMES = sorted(KNOWN.lessons)


def test_the_catalogue_has_every_lesson_that_is_told() -> None:
    told = {path.stem for path in (places.ROOT / "tasks" / "lessons").glob("*.py")} - {"__init__", "canvas"}
    assert set(NAMES) == told


def size(picture: Path) -> tuple[int, int]:
    """Width and height of a PNG, from its header."""
    return struct.unpack(">II", picture.read_bytes()[16:24])


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_is_a_report_with_pictures_and_tables(name: str, workplace: Path) -> None:
    taught = lesson(name)
    folder = workplace / "lessons" / name
    assert Taught.read(folder) == taught
    assert {path.stem for path in folder.glob("pictures/*.png")} == set(taught.pictures) != set()
    assert {path.stem for path in folder.glob("tables/*.csv")} == set(taught.tables) != set()
    assert all(600 <= size(path)[0] <= 1400 for path in folder.glob("pictures/*.png"))
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert report.count("data:image/png;base64,") == len(taught.pictures)
    assert report.count("<table") == len(taught.tables)
    assert "http" not in report


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_is_the_same_twice_to_the_last_pixel(name: str, workplace: Path) -> None:
    assert workplace
    assert lesson(name).digest == lesson(name).digest


def test_the_seed_is_that_of_the_catalogue(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert workplace
    first = lesson("perceptron")
    changed = KNOWN.model_copy(update={"lessons": {"perceptron": Lesson(seed=1)}})
    monkeypatch.setattr(catalogue, "load", lambda: changed)
    second = lesson("perceptron")
    assert (first.seed, second.seed) == (0, 1)
    assert first.digest != second.digest


def test_an_unknown_lesson_lists_the_known() -> None:
    with pytest.raises(BadRequest, match=r"`lesson` must be one of activations, .*did you mean 'perceptron'"):
        lesson("perceptrn")


def test_a_lesson_that_nobody_tells_is_said() -> None:
    with pytest.raises(BadRequest, match=r"lessons.fly: it must be told by tasks/lessons/fly.py"):
        lessons.load("fly")


def tables(name: str) -> dict[str, pd.DataFrame]:
    return lessons.load(name).show(0).tables


def test_the_worked_example_has_the_golden_numbers() -> None:
    shown = tables("backpropagation")
    values = shown["worked_example"].set_index("what")["value"]
    assert values["error E"] == "0.2748110832"
    assert values["dE/dw, second layer"] == "0.0821670406, 0.0826676278"
    assert values["new w, second layer"] == "0.3589164797, 0.4086661861"
    assert values["dE/dw11, first layer"] == "0.0006683960"
    right = shown["runs"].set_index("network")["four answers right"]
    assert right["2-3-1"] in ("9 of 10", "10 of 10")


def test_the_perceptron_converges_where_it_can() -> None:
    assert list(tables("perceptron")["rule"]["converged"]) == ["yes", "yes", "no"]


def test_an_epoch_has_the_steps_of_the_courses_logs() -> None:
    assert list(tables("batch_size")["steps"]["ceil, as the logs have it"]) == [422, 1250, 811]


def test_the_mnist_network_has_the_courses_sizes() -> None:
    sides = [int(text.split("x")[0]) for text in tables("convolution")["mnist_network"]["output"]]
    assert sides == [28, 26, 13, 11, 5, 3]


def test_over_a_long_gap_the_simple_network_alone_does_not_learn() -> None:
    """By chance a quarter is right."""
    right = tables("long_gap")["accuracy"].set_index(["cell", "longest gap"])["right answers after it"].astype(float)
    assert right.xs(10, level="longest gap").min() > 0.99
    assert right["LSTM", 100] > 0.99
    assert right["GRU", 100] > 0.99
    assert right["simple RNN", 100] < 0.7


def test_the_sentences_have_the_courses_numbers() -> None:
    shown = tables("text")
    assert list(shown["sequences"]["numbers"]) == ["2, 3, 4, 1, 5, 6", "1, 7, 8, 9, 10, 11"]
    assert shown["looked_up"]["numbers"][1] == "10 12 19"
    assert (len(shown["bag_of_words"]), len(shown["bag_with_pairs"])) == (5, 12)
