"""Promotions, rollbacks, deletions, moves by hand and crashes in any order; `python -m bench.promotion` does more."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.tasks.machine import Machine, unexamined
from tests.tasks.registries import Place

SMALL = settings(
    max_examples=15,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
def test_whatever_happens_the_right_one_is_champion(place: Place) -> None:
    Machine.place = place
    with unexamined():
        run_state_machine_as_test(Machine, settings=SMALL)  # type: ignore[no-untyped-call]
