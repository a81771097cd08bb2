"""Which hyperparameters a search's scores hang on, and the picture of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks import importance, pictures


def table(count: int, *, failed: int = 0, names: int = 6) -> pd.DataFrame:
    """Generated trials whose score hangs on the rate, and a little on the kind."""
    rng = np.random.default_rng(count)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        kind = ["valid", "same", "none"][rng.integers(3)]
        values = {
            "rate": float(10 ** rng.uniform(-4, -2)),
            "kind": kind,
            "units": int(rng.integers(1, 64) * 16),
            "bias": bool(rng.integers(2)),
            "layers": int(rng.integers(1, 6)),
            "drop": float(rng.integers(5) / 10) if number % 2 else None,
        }
        score = abs(np.log10(values["rate"]) + 2) + 0.3 * (kind == "same")
        lost = number >= count - failed
        rows.append(
            {
                "trial": number + 1,
                "status": "FAILED" if lost else "COMPLETED",
                "score": np.nan if lost else score,
                "epochs": None,
                "defaults": number == 0,
                **dict(list(values.items())[:names]),
            }
        )
    return pd.DataFrame(rows)


def of(scores: list[float], **columns: list[Any]) -> importance.Importance:
    count = len(scores)
    facts = {"trial": range(count), "status": "COMPLETED", "score": scores, "epochs": None, "defaults": False}
    return importance.of(pd.DataFrame({**facts, **columns}))


def test_a_few_trials_are_told_by_rank_correlation() -> None:
    """Ranks 1 2 3 4 against 1 2 3 4 correlate with 1, against 2 1 4 3 with 0.6: shares 1/1.6 and 0.6/1.6."""
    found = of([0.1, 0.2, 0.3, 9.0], rate=[1e-4, 1e-3, 1e-2, 1e-1], units=[32, 16, 64, 48], fixed=[1, 1, 1, 1])
    assert found.how == "by rank correlation"
    assert found.shares == pytest.approx({"rate": 0.625, "units": 0.375})


def test_a_text_counts_by_the_value_that_matters_most() -> None:
    """Whether it is `a`, 0 0 1, correlates with the ranks 1 2 3 by sqrt(3)/2, whether it is `c`, 0 1 0, not at all."""
    found = of([0.1, 0.2, 0.3], kind=["b", "c", "a"], bias=[True, False, True], units=[2, 1, 3])
    one, other = 3**0.5 / 2, 0.5
    assert found.shares == pytest.approx({"kind": one / (one + other), "units": other / (one + other), "bias": 0.0})


def test_more_trials_are_told_by_a_forest() -> None:
    found = importance.of(table(30, failed=3))
    assert (found.how, found.trials) == ("by permutation, random forest", 27)
    assert next(iter(found.shares)) == "rate"
    assert found.shares["rate"] > 0.6
    assert sum(found.shares.values()) == pytest.approx(1)
    assert importance.of(table(30, failed=3)) == found, "its chance has a seed"


def test_what_cannot_be_told_is_not_told() -> None:
    for found in (of([0.1, 0.2], rate=[1, 2]), of([0.5] * 9, rate=list(range(9)))):
        assert (found.shares, found.how) == ({"rate": 0.0}, "it cannot be told")
    assert importance.of(pd.DataFrame(columns=["trial", "score", "defaults"])).shares == {}
    assert importance.of(table(9, names=0)).shares == {}


def test_epochs_count_where_a_search_varies_them() -> None:
    rows = table(12)
    assert "epochs" not in importance.of(rows).shares
    assert "epochs" in importance.of(rows.assign(epochs=[1, 3, 9] * 4)).shares


@pytest.mark.parametrize("count", [1, 3, 12, 40])
@pytest.mark.parametrize("names", [0, 1, 3, 6])
def test_the_picture_shows_every_trial_and_every_name(tmp_path: Path, count: int, names: int) -> None:
    rows = table(count, failed=count // 3, names=names)
    found = importance.of(rows)
    figure = pictures.space(rows, "val_loss", found)
    figure.savefig(tmp_path / "space.png")
    assert (tmp_path / "space.png").stat().st_size > 4000
    if found.shares:
        lines, shares = figure.axes
        assert {text.get_text() for text in lines.texts} > {*found.shares, "val_loss"}
        drawn = [line for line in lines.lines if line.get_marker() == "."]
        assert len(drawn) == count
        assert sum(line.get_linestyle() == ":" for line in drawn) == count // 3
        assert found.how in shares.get_title(loc="left")


def test_a_coordinate_lies_between_0_and_1() -> None:
    rates = pictures.Coordinate.of(pd.Series([1e-4, 1e-3, 1e-2]))
    assert list(rates.heights) == pytest.approx([0, 0.5, 1]), "it spans 100 times: by logarithm"
    units = pictures.Coordinate.of(pd.Series([16, 24, 32, None]))
    assert list(units.with_none().heights) == pytest.approx([0, 0.5, 1, -0.12])
    assert [text for _, text in units.with_none().ticks] == ["16", "32", "24", "none"]
    kinds = pictures.Coordinate.of(pd.Series(["b", "a", "b"]))
    assert list(kinds.heights) == pytest.approx([0.75 - 0.1 / 3, 0.25, 0.75 + 0.1 / 3])
    assert kinds.ticks == [(0.25, "a"), (0.75, "b")]
