"""Moving the alias champion in MLflow's real registry on SQLite: by the rules, by hand, killed, and all at once."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tasks import champions, examine
from tasks.champions import Moved, Overtaken
from tasks.errors import BadRequest, Refused
from tasks.outside import ledger, registry, tracking
from tests import invariants
from tests.tasks import crashes, races, registries
from tests.tasks.registries import Place

NAME = "mlp_digits"


class Shelf:
    """One model with three versions, in the database of this process."""

    def __init__(self, place: Place) -> None:
        self.database = place.database
        self.client: Any = tracking.connect()
        self.examined: list[int] = []
        for number in (1, 2, 3):
            registries.add(self.client, NAME, identity=f"network {number}")

    def promote(self, *numbers: int) -> None:
        for number in numbers:
            expected = champions.champion(self.client, NAME)
            champions.move(self.client, NAME, number, expected=expected, action=ledger.PROMOTE, reason="better")

    def by_hand(self, number: int) -> None:
        self.client.set_registered_model_alias(NAME, "champion", str(number))

    def sql(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.database)) as connection, connection:
            assert connection.execute(statement, values).rowcount == 1

    def aliases(self) -> dict[str, int]:
        return invariants.named(self.database, NAME)

    def records(self) -> list[tuple[str, str, int | None, int | None]]:
        """Action, state, from and to of each record."""
        found = invariants.records(self.database, NAME)
        return [(one["action"], one["state"], one["old"], one["new"]) for one in found]

    def run(self, number: int) -> str:
        """The run of a record."""
        (experiment,) = self.client.search_experiments(filter_string=f"name = 'promotions/{NAME}'")
        runs = self.client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
        return str(runs[number - 1].info.run_id)

    def check(self, *, fit: bool = True) -> None:
        invariants.check(self.database, NAME, fit=fit)


@pytest.fixture
def shelf(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """Versions 1 to 3; rollbacks examine no network, and every test ends with all invariants."""
    found = Shelf(place)
    monkeypatch.setattr(examine, "check", lambda _model, number: found.examined.append(number))
    yield found
    found.check()


class TestMove:
    def test_the_first(self, shelf: Shelf) -> None:
        shelf.promote(1)
        assert shelf.aliases() == {"champion": 1}
        assert shelf.records() == [("promote", "pending", None, 1), ("promote", "committed", None, 1)]

    def test_another_replaces_it(self, shelf: Shelf) -> None:
        shelf.promote(1, 2, 3)
        assert shelf.aliases() == {"champion": 3, "previous-champion": 2}
        assert shelf.records()[-2:] == [("promote", "pending", 2, 3), ("promote", "committed", 2, 3)]

    def test_the_record_says_who_and_why(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MIAR_DEPLOYMENT", "retrain-nightly")
        shelf.promote(1)
        record = invariants.records(shelf.database, NAME)[-1]
        assert (record["by"], record["reason"]) == ("deployment retrain-nightly", "better")

    def test_a_challenger_that_wins_is_none_any_more(self, shelf: Shelf) -> None:
        registry.point(NAME, registry.CHALLENGER, 1)
        shelf.promote(1)
        assert shelf.aliases() == {"champion": 1}

    def test_evidence_against_another_champion_is_void(self, shelf: Shelf) -> None:
        shelf.promote(1, 2)
        told = r"must still be version 1 for version 3 .* it moved to version 2; ask again: \./miar promote"
        with pytest.raises(Overtaken, match=told):
            champions.move(shelf.client, NAME, 3, expected=1, action=ledger.PROMOTE, reason="better")
        with pytest.raises(Overtaken, match=r"must still be nobody for version 3 .* it moved to version 2"):
            champions.move(shelf.client, NAME, 3, expected=None, action=ledger.PROMOTE, reason="better")
        assert shelf.aliases() == {"champion": 2, "previous-champion": 1}
        assert len(shelf.records()) == 4

    def test_a_quarantined_version_is_refused(self, shelf: Shelf) -> None:
        registry.tag(NAME, 1, {champions.QUARANTINED: "it forgets sevens"})
        with pytest.raises(Refused, match=r"version 1 .* must be fit .* it is quarantined: it forgets sevens"):
            shelf.promote(1)
        assert (shelf.aliases(), shelf.records()) == ({}, [])

    def test_a_version_that_is_not_ready_is_refused(self, shelf: Shelf) -> None:
        shelf.sql("UPDATE model_versions SET status = 'PENDING_REGISTRATION' WHERE name = ? AND version = 1", NAME)
        with pytest.raises(Refused, match="its status is PENDING_REGISTRATION"):
            shelf.promote(1)
        assert (shelf.aliases(), shelf.records()) == ({}, [])

    def test_a_version_of_another_model_is_refused(self, shelf: Shelf) -> None:
        number = registries.add(shelf.client, NAME, identity="another", tags={"miar.model": "cnn_digits"})
        with pytest.raises(Refused, match="it is a version of cnn_digits"):
            shelf.promote(number)
        assert (shelf.aliases(), shelf.records()) == ({}, [])

    def test_a_version_that_is_not_there_is_refused(self, shelf: Shelf) -> None:
        shelf.client.delete_model_version(NAME, "3")
        for number in (3, 9):
            with pytest.raises(Refused, match="there is no such version"):
                shelf.promote(number)


class TestRollback:
    def test_goes_back_to_the_one_before_and_quarantines(self, shelf: Shelf) -> None:
        shelf.promote(1, 2, 3)
        answer = champions.rollback(NAME, reason=" it forgets sevens ", by="Ada")
        assert answer == Moved(NAME, 3, 2)
        assert shelf.examined == [2]
        assert shelf.aliases() == {"champion": 2, "previous-champion": 1}, (
            "what is quarantined is nothing to fall back on"
        )
        assert registry.version(shelf.client, NAME, 3).tags["quarantined"] == "it forgets sevens"
        record = invariants.records(shelf.database, NAME)[-1]
        assert (record["action"], record["by"], record["reason"]) == ("rollback", "Ada", "it forgets sevens")

    def test_again_goes_further_back(self, shelf: Shelf) -> None:
        shelf.promote(1, 2, 3)
        champions.rollback(NAME, reason="it forgets sevens")
        assert champions.rollback(NAME, reason="so does this").new == 1
        told = "must have had another champion that is still fit to be one. Received: version 1 and none before"
        with pytest.raises(Refused, match=told):
            champions.rollback(NAME, reason="and this")

    def test_to_a_given_version(self, shelf: Shelf) -> None:
        shelf.promote(1, 2, 3)
        assert champions.rollback(NAME, to=1, reason="it forgets sevens") == Moved(NAME, 3, 1)
        shelf.check()

    def test_passes_over_one_that_is_gone(self, shelf: Shelf) -> None:
        shelf.promote(1, 2, 3)
        shelf.client.delete_model_version(NAME, "2")
        assert champions.rollback(NAME, reason="it forgets sevens").new == 1

    def test_wants_a_reason(self, shelf: Shelf) -> None:
        shelf.promote(1, 2)
        with pytest.raises(BadRequest, match="`reason` must say why"):
            champions.rollback(NAME, reason=" ")
        assert shelf.aliases()["champion"] == 2

    @pytest.mark.parametrize("numbers", [(), (1,)])
    def test_with_nothing_to_go_back_to_is_refused(self, shelf: Shelf, numbers: tuple[int, ...]) -> None:
        shelf.promote(*numbers)
        with pytest.raises(Refused, match="must have had another champion"):
            champions.rollback(NAME, reason="it forgets sevens")

    def test_to_the_champion_is_refused(self, shelf: Shelf) -> None:
        shelf.promote(1, 2)
        with pytest.raises(Refused, match=r"must go back to another version than its champion. Received: 2"):
            champions.rollback(NAME, to=2, reason="it forgets sevens")

    def test_to_a_quarantined_version_is_refused(self, shelf: Shelf) -> None:
        shelf.promote(1, 2)
        champions.rollback(NAME, reason="it forgets sevens")
        with pytest.raises(Refused, match="it is quarantined: it forgets sevens"):
            champions.rollback(NAME, to=2, reason="it was not so bad")

    def test_to_one_that_cannot_be_read_moves_nothing(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        def unsound(model: str, number: int) -> None:
            raise Refused(f"{model} {number} must be sound")

        shelf.promote(1, 2)
        monkeypatch.setattr(examine, "check", unsound)
        with pytest.raises(Refused, match="must be sound"):
            champions.rollback(NAME, reason="it forgets sevens")
        assert shelf.aliases() == {"champion": 2, "previous-champion": 1}


class TestByHand:
    """What the ledger does not know: `deleted` takes the alias away, and the version with it."""

    def hand(self, shelf: Shelf, how: str) -> int | None:
        shelf.promote(1, 2)
        if how == "moved":
            shelf.by_hand(3)
            return 3
        if how == "alias deleted":
            shelf.client.delete_registered_model_alias(NAME, "champion")
        else:
            shelf.client.delete_model_version(NAME, "2")
        return None

    @pytest.mark.parametrize("how", ["moved", "alias deleted", "version deleted"])
    def test_is_told_and_left(self, shelf: Shelf, how: str) -> None:
        now = self.hand(shelf, how)
        found = champions.settle(NAME)
        assert found is not None
        assert (found.champion, found.expected, found.restored) == (now, 2, None)
        assert f"it named {champions.told(now)}, the ledger knows version 2; it was left so" in str(found)
        assert f"./miar rollback {NAME} --to <version>" in str(found)
        assert shelf.records()[-1] == ("found", "committed", 2, now)
        assert shelf.aliases().get("champion") == now
        shelf.check()
        assert champions.settle(NAME) is None

    @pytest.mark.parametrize(("how", "back"), [("moved", 2), ("alias deleted", 2), ("version deleted", 1)])
    def test_is_put_back_where_that_is_wanted(self, shelf: Shelf, how: str, back: int) -> None:
        now = self.hand(shelf, how)
        found = champions.settle(NAME, restore=True)
        assert found is not None
        assert (found.champion, found.expected, found.restored) == (now, 2, back)
        assert f"it named {champions.told(now)}, the ledger knows version 2; version {back} is champion" in str(found)
        assert shelf.aliases() == {"champion": back, "previous-champion": 1}
        assert shelf.records()[-1] == ("restore", "committed", 2, back)
        assert invariants.records(shelf.database, NAME)[-1]["reason"] == str(found)
        shelf.check()
        assert champions.settle(NAME, restore=True) is None

    def test_a_rollback_writes_it_down_first(self, shelf: Shelf) -> None:
        self.hand(shelf, "moved")
        assert champions.rollback(NAME, reason="nobody asked for 3") == Moved(NAME, 3, 2)
        assert [action for action, *_ in shelf.records()[-3:]] == ["found", "rollback", "rollback"]

    def test_a_champion_from_before_the_ledger_is_taken_over(self, shelf: Shelf) -> None:
        shelf.by_hand(3)
        assert champions.settle(NAME, restore=True) is None
        assert shelf.records() == [("found", "committed", None, 3)]


class TestLedger:
    def test_a_changed_record_is_told_and_a_new_ledger_helps(self, shelf: Shelf) -> None:
        shelf.promote(1, 2)
        run, old = shelf.run(4), invariants.records(shelf.database, NAME)[3]
        text = json.dumps({**old, "by": "somebody else"}, sort_keys=True)
        shelf.sql("UPDATE tags SET value = ? WHERE run_uuid = ? AND key = 'ledger.record'", text, run)
        told = rf"sha256 \w+ for \w+ in record 4, run {run}\. .*\./miar reconcile {NAME} --anew"
        for asked in (champions.settle, lambda name: champions.rollback(name, reason="worse")):
            with pytest.raises(Refused, match=told):
                asked(NAME)
        with pytest.raises(Refused, match=told):
            shelf.promote(3)
        assert shelf.aliases() == {"champion": 2, "previous-champion": 1}
        champions.settle(NAME, anew=True)
        assert shelf.records() == [("found", "committed", None, 2)]
        kept = shelf.client.search_experiments(filter_string=f"name LIKE 'promotions/{NAME}/until-%'")
        assert len(kept) == 1
        shelf.promote(3)

    def test_what_is_no_record_is_told(self, shelf: Shelf) -> None:
        shelf.promote(1)
        run = shelf.run(2)
        shelf.sql("DELETE FROM tags WHERE run_uuid = ? AND key = 'ledger.record'", run)
        with pytest.raises(Refused, match=rf"KeyError\('ledger.record'\) in run {run}"):
            champions.settle(NAME)
        champions.settle(NAME, anew=True)

    def test_one_that_is_missing_shows(self, shelf: Shelf) -> None:
        shelf.promote(1, 2)
        run = shelf.run(3)
        shelf.client.delete_run(run)
        told = "record 4 .* must follow the one before it. Received: record 2 before it. Restore the run"
        with pytest.raises(Refused, match=told):
            champions.settle(NAME)
        shelf.client.restore_run(run)
        assert champions.settle(NAME) is None

    def test_one_that_is_missing_further_back_shows_where_all_are_read(self, shelf: Shelf) -> None:
        shelf.promote(1, 2, 3)
        run = shelf.run(2)
        shelf.client.delete_run(run)
        with pytest.raises(Refused, match=r"record 3 .* must follow the one before it. Received: record 1 before it"):
            champions.rollback(NAME, reason="worse")
        assert shelf.aliases()["champion"] == 3
        shelf.client.restore_run(run)

    def test_a_deleted_experiment_is_told(self, shelf: Shelf) -> None:
        shelf.promote(1)
        (experiment,) = shelf.client.search_experiments(filter_string=f"name = 'promotions/{NAME}'")
        shelf.client.delete_experiment(experiment.experiment_id)
        with pytest.raises(Refused, match=rf"mlflow experiments restore --experiment-id {experiment.experiment_id}"):
            champions.settle(NAME)
        shelf.client.restore_experiment(experiment.experiment_id)


@pytest.mark.slow
@pytest.mark.parametrize("name", crashes.OPERATIONS)
def test_killed_anywhere_the_next_start_makes_good(name: str, empty_place: Place, tmp_path: Path) -> None:
    """SIGKILL before and after every commit that writes; promote's recovery too is killed at each of its commits."""
    tally = crashes.every(crashes.OPERATIONS[name], empty_place, tmp_path, reads=False, twice=name == "promote")
    print(tally)  # noqa: T201, how many of how many is what one wants to see
    assert tally.failures == []
    assert (tally.held, tally.held_twice) == (tally.points, tally.twice)
    assert tally.points >= 2


@pytest.mark.slow
def test_promoted_at_once_none_is_lost(place: Place) -> None:
    result = races.run(place, 10)
    print(result)  # noqa: T201, as above
    assert result.failures == []
    assert result.lost == 0
    assert result.won >= 10
    assert result.overtaken > 0


class TestInvariants:
    """That the checker sees what is wrong."""

    def wrong(self, shelf: Shelf) -> str:
        return "; ".join(invariants.broken(shelf.database, NAME))

    def test_a_champion_that_the_chain_does_not_know(self, shelf: Shelf) -> None:
        shelf.promote(1)
        shelf.by_hand(2)
        assert self.wrong(shelf) == "the alias champion names 2, the chain 1"
        shelf.by_hand(1)

    def test_a_champion_that_is_not_fit(self, shelf: Shelf) -> None:
        shelf.promote(1)
        shelf.client.set_model_version_tag(NAME, "1", "quarantined", "by hand")
        assert self.wrong(shelf) == "champion 1 is quarantined"
        assert invariants.broken(shelf.database, NAME, fit=False) == []
        shelf.client.delete_model_version_tag(NAME, "1", "quarantined")

    def test_a_network_that_has_two_numbers(self, shelf: Shelf) -> None:
        number = registries.add(shelf.client, NAME, identity="network 1")
        assert self.wrong(shelf) == "two versions are network 1"
        shelf.client.delete_model_version(NAME, str(number))

    def test_a_record_that_is_missing(self, shelf: Shelf) -> None:
        shelf.promote(1, 2)
        run = shelf.run(3)
        shelf.client.delete_run(run)
        assert re.search("record 4 stands where 3 should; record 3 does not follow.*was never begun", self.wrong(shelf))
        shelf.client.restore_run(run)
