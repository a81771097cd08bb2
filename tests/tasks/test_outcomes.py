"""Outcomes: every candidate ends in exactly one, the right one, and the totals add up."""

from __future__ import annotations

import itertools
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import brought, catalogue, outcomes
from tasks.catalogue import Collection
from tasks.cleaning import Cleaned
from tasks.outside.fetcher import Fetched
from tasks.outside.providers import Candidate
from tasks.removed import Removed

COLLECTION: Collection = catalogue.load().collection("flowers").model_copy(update={"near": 4, "placeholder": 3})
NOTHING = Removed(frozenset(), frozenset())
COLUMNS = ["label", *(field.name for field in fields(Candidate))]


def asked(*rows: tuple[str, str], licence: str = "by") -> pd.DataFrame:
    """Candidates by label and address."""
    table = pd.DataFrame([{"label": label, "url": url, "license": licence} for label, url in rows], columns=COLUMNS)
    return table.astype({"width": "Int64", "height": "Int64"})


def came(**sha256s: str) -> dict[str, Fetched]:
    """What came from each address: bytes, called by a word."""
    return {
        url: Fetched(url, "fetched", sha256=digest, fetched_at=f"2026-01-{day:02}")
        for day, (url, digest) in enumerate(sha256s.items(), 1)
    }


def good(sha256: str, phash: int) -> Cleaned:
    return Cleaned("", sha256, f"{phash:016x}", "RGB", 200, 100, 400, 200, 1000)


def verdicts(table: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(table["outcome"], table["reason"], strict=True))


FAR = 0xFFFF_0000_FFFF_0000
"""A hash that is 32 bits from 0."""


def test_each_candidate_gets_the_first_verdict_that_is_true() -> None:
    candidates = asked(("a", "fine"), ("a", "robots"), ("a", "down"), ("a", "away"), ("a", "broken"), ("a", "same"))
    brought = {
        **came(fine="1", broken="2", same="1"),
        "robots": Fetched("robots", "rejected", "robots"),
        "down": Fetched("down", "failed", "timeout"),
        "away": Fetched("away", "gone", "http_410"),
    }
    seen = {"1": good("x", 0), "2": Cleaned("decode")}
    table = outcomes.settle(candidates, brought, seen, COLLECTION, NOTHING)
    assert dict(zip(table["url"], verdicts(table), strict=True)) == {
        "fine": ("kept", ""),
        "robots": ("rejected", "robots"),
        "down": ("failed", "timeout"),
        "away": ("gone", "http_410"),
        "broken": ("rejected", "decode"),
        "same": ("duplicate", "same_bytes"),
    }


def test_one_picture_under_two_labels_is_quarantined_with_all_that_show_the_same() -> None:
    candidates = asked(("a", "one"), ("b", "two"), ("a", "near"), ("b", "other"))
    seen = {"1": good("x", 0), "2": good("y", 0b1111), "3": good("z", FAR)}
    brought = came(one="1", two="1", near="2", other="3")
    table = outcomes.settle(candidates, brought, seen, COLLECTION, NOTHING)
    assert verdicts(table) == [("quarantined", "two_labels")] * 3 + [("kept", "")]


def test_near_duplicates_are_kept_in_one_group_and_one_split() -> None:
    candidates = asked(("a", "one"), ("a", "near"), ("a", "far"))
    seen = {"1": good("x", 0), "2": good("y", 0b1111), "3": good("z", 0b11111)}
    table = outcomes.settle(candidates, came(one="1", near="2", far="3"), seen, COLLECTION, NOTHING)
    assert verdicts(table) == [("kept", "")] * 3
    assert table["group_id"].tolist() == ["x", "x", "x"]  # the last is 5 bits from the first, and 1 from the second
    assert table["split"].nunique() == 1
    alone = outcomes.settle(candidates.iloc[[0, 2]], came(one="1", far="3"), seen, COLLECTION, NOTHING)
    assert alone["group_id"].tolist() == ["x", "z"]


def test_what_many_addresses_give_stands_for_a_missing_picture() -> None:
    candidates = asked(("a", "one"), ("a", "two"), ("b", "three"), ("b", "four"))
    seen = {"1": good("x", 0), "2": good("y", FAR)}
    table = outcomes.settle(candidates, came(one="1", two="1", three="1", four="2"), seen, COLLECTION, NOTHING)
    assert verdicts(table) == [("rejected", "placeholder")] * 3 + [("kept", "")]


@pytest.mark.parametrize("listed", ["one", "1" * 64, "e" * 64], ids=["address", "what came", "what was stored"])
def test_what_was_removed_is_not_kept_whatever_names_it(listed: str) -> None:
    gone = Removed(frozenset({listed}), frozenset({listed}))
    brought = came(one="1" * 64, two="2" * 64)
    seen = {"1" * 64: good("e" * 64, 0), "2" * 64: good("f" * 64, FAR)}
    table = outcomes.settle(asked(("a", "one"), ("a", "two")), brought, seen, COLLECTION, gone)
    assert verdicts(table) == [("rejected", "removed"), ("kept", "")]


def test_neither_a_removed_address_nor_another_licence_is_asked_for() -> None:
    candidates = pd.concat([asked(("a", "one"), ("a", "two")), asked(("a", "three"), licence="by-nc")])
    gone = Removed(frozenset({"one"}), frozenset())
    assert brought.asked(candidates, COLLECTION, gone).tolist() == ["two"]
    table = outcomes.settle(candidates, came(two="1"), {"1": good("x", 0)}, COLLECTION, gone)
    assert verdicts(table) == [("rejected", "removed"), ("kept", ""), ("rejected", "licence")]


def test_nothing_that_came_is_a_table_too() -> None:
    brought = {"one": Fetched("one", "failed", "dns")}
    assert verdicts(outcomes.settle(asked(("a", "one")), brought, {}, COLLECTION, NOTHING)) == [("failed", "dns")]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[pd.DataFrame, dict[str, Fetched], dict[str, Cleaned]]:
    """Candidates, whatever came of them, and whatever was found."""
    hashes = [0, 1, 0b11, FAR, FAR ^ 1, 2**63]
    seen = {str(number): draw(st.sampled_from([good(f"s{number}", one) for one in hashes] + [Cleaned("decode")]))
            for number in range(5)}  # fmt: skip
    urls = [f"u{number}" for number in range(draw(st.integers(1, 14)))]
    ends = [Fetched("", "rejected", "robots"), Fetched("", "failed", "dns"), Fetched("", "gone", "http_404")]
    brought = {}
    for url in urls:
        end = draw(st.sampled_from([*ends, *(Fetched("", "fetched", sha256=one, fetched_at=one) for one in seen)]))
        brought[url] = Fetched(url, end.state, end.reason, end.sha256, fetched_at=end.fetched_at)
    pairs = draw(st.lists(st.sampled_from(list(itertools.product("ab", urls))), min_size=1, unique=True))
    return asked(*pairs), brought, seen


@settings(deadline=None)
@given(worlds())
def test_whatever_comes_every_candidate_ends_in_one_outcome(
    world: tuple[pd.DataFrame, dict[str, Fetched], dict[str, Cleaned]],
) -> None:
    candidates, brought, seen = world
    table = outcomes.settle(candidates, brought, seen, COLLECTION, NOTHING)
    assert len(table) == len(candidates)
    assert table["outcome"].isin(outcomes.OUTCOMES).all()
    assert ((table["outcome"] == "kept") == (table["reason"] == "")).all()
    kept = table[table["outcome"] == "kept"]
    assert not kept.duplicated("sha256").any()
    assert (kept.groupby("group_id")[["label", "split"]].nunique() == 1).all(axis=None)
    assert table["outcome"].value_counts().sum() == len(candidates)


def test_more_candidates_move_nothing_that_was_there() -> None:
    rng = np.random.default_rng(0)
    hashes = [int(one) for one in rng.integers(0, 2**62, 60)]
    seen = {f"b{number}": good(f"s{number}", one) for number, one in enumerate(hashes)}
    brought = {
        f"u{number}": Fetched(f"u{number}", "fetched", sha256=f"b{number}", fetched_at=f"{number:03}")
        for number in range(60)
    }
    few = outcomes.settle(asked(*(("a", f"u{n}") for n in range(30))), brought, seen, COLLECTION, NOTHING)
    many = outcomes.settle(asked(*(("a", f"u{n}") for n in range(60))), brought, seen, COLLECTION, NOTHING)
    assert many[:30][["group_id", "split"]].equals(few[["group_id", "split"]])
    assert set(many["split"]) == {"train", "test"}
