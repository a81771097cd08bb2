"""The verdict on a version that was made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks import reproduction
from tasks.reproduction import DIVERGED, REPRODUCED, WITHIN, Repeated

STAGES = ("ingest@digits", "prepare@digits", "tune@cnn", "train@cnn", "evaluate@cnn")


def repeated(**new: str) -> list[Repeated]:
    """All stages with the digest `a` then, and now too but for those named."""
    return [Repeated(stage, "a", new.get(stage.partition("@")[0], "a"), 1.0) for stage in STAGES]


@pytest.mark.parametrize(
    ("new", "now", "word", "stage"),
    [
        ({}, {"accuracy": 0.97}, REPRODUCED, ""),
        ({"train": "b", "evaluate": "b"}, {"accuracy": 0.965}, WITHIN, "train@cnn"),
        ({"train": "b", "evaluate": "b"}, {"accuracy": 0.95}, DIVERGED, "train@cnn"),
        ({"tune": "b", "train": "b", "evaluate": "b"}, {"accuracy": 0.97}, WITHIN, "tune@cnn"),
        ({"prepare": "b", "train": "b"}, {"accuracy": 0.97}, DIVERGED, "prepare@digits"),
        ({}, {"accuracy": float("nan")}, DIVERGED, ""),
        ({}, {}, DIVERGED, ""),
    ],
    ids=["same", "close", "far", "another search", "other data", "no number", "no score"],
)
def test_the_first_difference_and_the_scores_decide(
    new: dict[str, str], now: dict[str, float], word: str, stage: str
) -> None:
    verdict = reproduction.judge(repeated(**new), was={"accuracy": 0.97}, now=now, tolerance=0.01, told=["a note"])
    assert (verdict.word, verdict.stage, verdict.notes) == (word, stage, ["a note"])
    assert "accuracy 0.9700 then" in verdict.farthest


def test_what_was_never_known_is_no_difference_but_scores_are() -> None:
    unknown = [Repeated(stage, "", "b", 1.0) for stage in STAGES]
    same = reproduction.judge(unknown, was={"accuracy": 0.97}, now={"accuracy": 0.97}, tolerance=0.01, told=[])
    close = reproduction.judge(unknown, was={"accuracy": 0.97}, now={"accuracy": 0.968}, tolerance=0.01, told=[])
    assert (same.word, close.word) == (REPRODUCED, WITHIN)
    assert "not compared" in unknown[0].told()


def test_of_great_scores_the_relative_difference_counts() -> None:
    far = reproduction.apart(23.3, 23.1)
    assert far == pytest.approx(0.2 / 23.1)
    assert reproduction.apart(0.5, 0.4) == pytest.approx(0.1)


def test_digests_are_those_of_receipts(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "trained" / "cnn"
    folder.mkdir(parents=True)
    assert reproduction.digest(tmp_path, "train@cnn") == ""
    (folder / "receipt.json").write_text('{"digest": "abc", "a field of another time": 1}')
    assert reproduction.digest(tmp_path, "train@cnn") == "abc"
