"""The list of what must not be kept: what may stand on it, and what is added."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tasks import places, removed
from tasks.errors import BadRequest
from tasks.removed import Removed

SHA256 = "0123456789abcdef" * 4
ADDRESS = "https://example.org/a.jpg"


@pytest.fixture(autouse=True)
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the list is; there is none yet."""
    monkeypatch.setattr(places, "REMOVED", tmp_path / "data" / "removed.txt")
    return places.REMOVED


def write(text: str) -> None:
    places.write_whole(places.REMOVED, text)


def test_without_a_list_nothing_is_on_it() -> None:
    assert removed.read() == Removed(frozenset(), frozenset())
    assert removed.digest() == ""


def test_a_line_is_an_address_or_a_sha256_and_then_why() -> None:
    write(f"# why they are here\n\n{ADDRESS} its owner asked\n   \n{SHA256}\nfile:cat/1.jpg\n")
    assert removed.read() == Removed(frozenset({ADDRESS, "file:cat/1.jpg"}), frozenset({SHA256}))


def test_any_of_several_names_is_enough() -> None:
    write(f"{ADDRESS}\n{SHA256}\n")
    assert removed.read().has("https://example.org/b.jpg", SHA256)
    assert removed.read().has(ADDRESS)
    assert not removed.read().has("https://example.org/b.jpg", "")


@pytest.mark.parametrize(
    "bad",
    ["example.org/a.jpg", "ftp://example.org/a.jpg", SHA256[:-1], SHA256.upper(), "0" * 65, "please remove " + ADDRESS],
)
def test_a_line_that_says_nothing_is_named_by_its_number(bad: str) -> None:
    write(f"# a comment\n\n{ADDRESS}\n{bad}\n")
    with pytest.raises(BadRequest, match=r"line 4 of .*Received: ") as error:
        removed.read()
    assert bad.split()[0] in str(error.value)


@pytest.mark.parametrize("what", [ADDRESS, SHA256, "http://example.org/ñ.jpg", "file:cat/1.jpg"])
def test_what_is_added_is_on_the_list_once(what: str) -> None:
    write("# of others\nhttps://example.org/first.jpg\n")
    assert removed.add(what, "its owner\nasked  us")
    assert not removed.add(what, "again")
    assert removed.read().has(what)
    lines = places.REMOVED.read_text(encoding="utf-8").splitlines()
    assert lines == ["# of others", "https://example.org/first.jpg", f"{what} its owner asked us"]


def test_the_first_makes_the_list() -> None:
    assert removed.add(ADDRESS, "")
    assert places.REMOVED.read_text(encoding="utf-8") == f"{ADDRESS}\n"
    assert list(places.REMOVED.parent.iterdir()) == [places.REMOVED]


def test_a_list_whose_last_line_has_no_end_is_not_garbled() -> None:
    write(ADDRESS)
    assert removed.add(SHA256, "asked")
    assert removed.read() == Removed(frozenset({ADDRESS}), frozenset({SHA256}))


@pytest.mark.parametrize("bad", ["", "cat", "example.org/a.jpg", "https://exa mple.org", f"{SHA256}\n", SHA256[1:]])
def test_what_is_neither_is_not_added(bad: str) -> None:
    with pytest.raises(BadRequest, match="must be an address or a sha256"):
        removed.add(bad, "asked")
    assert not places.REMOVED.exists()


def test_the_digest_is_that_of_the_file() -> None:
    removed.add(ADDRESS, "asked")
    assert removed.digest() == hashlib.sha256(places.REMOVED.read_bytes()).hexdigest()
