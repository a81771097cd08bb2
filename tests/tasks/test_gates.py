"""Each check by itself, with what it looks at given; the whole gate on real versions is in test_lifecycle.py."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks import gates, verdicts
from tasks.catalogue import Gate
from tasks.compare import Interval, Slice
from tasks.errors import BadData
from tasks.examine import Examined
from tasks.verdicts import FAILED, INCONCLUSIVE, PASSED, Check, Report, at_least, at_most

NAN, INF = float("nan"), float("inf")


def case(**facts: Any) -> Any:
    """What a check sees, all of it in order unless `facts` say otherwise."""
    sound = Examined(2, trouble="", distance=0.0, milliseconds=1.0, megabytes=1.0, signature="in, out", answers="a.npy")
    usual = {
        "gate": Gate(metric="accuracy", at_least=0.5, margin=0.01, milliseconds=10.0, megabytes=5.0),
        "number": 2,
        "champion": 1,
        "model": "mlp_digits",
        "tags": {},
        "recorded": 0.9,
        "examined": {2: sound, 1: sound},
        "interval": Interval(0.0, -0.005, 0.005),
        "slices": [Slice("class a", 50, 0.9, 0.9, 1.0)],
    }
    return SimpleNamespace(**{**usual, **facts})


def examined(**facts: Any) -> dict[int, Examined]:
    sound = {"trouble": "", "distance": 0.0, "milliseconds": 1.0, "megabytes": 1.0, "signature": "in, out"}
    return {2: Examined(2, **{**sound, **facts}), 1: Examined(1, **sound)}


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_what_is_no_number_passes_nowhere(value: float) -> None:
    assert at_least(value, 0.0) == FAILED
    assert at_most(value, 0.0) == FAILED
    assert at_least(0.0, value) == FAILED
    assert gates.above_floor(case(recorded=value)).verdict == FAILED
    assert gates.loads_and_repeats(case(examined=examined(distance=value))).verdict == FAILED
    assert gates.latency(case(examined=examined(milliseconds=value))).verdict == FAILED
    assert gates.size(case(examined=examined(megabytes=value))).verdict == FAILED
    for interval in (Interval(value, value, value), Interval(0.0, value, value)):
        assert gates.no_worse_than_champion(case(interval=interval)).verdict == FAILED


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        (Interval(0.02, 0.01, 0.03), PASSED),
        (Interval(0.0, -0.01, 0.01), PASSED),
        (Interval(-0.005, -0.02, 0.01), INCONCLUSIVE),
        (Interval(0.0, -0.0101, -0.01), INCONCLUSIVE),
        (Interval(-0.05, -0.07, -0.03), FAILED),
    ],
)
def test_no_worse_means_the_whole_interval_above_the_margin(interval: Interval, verdict: str) -> None:
    answer = gates.no_worse_than_champion(case(interval=interval))
    assert (answer.verdict, answer.value, answer.limit) == (verdict, interval.difference, -0.01)
    assert "accuracy less that of champion version 1 on the same exam" in answer.evidence


def test_without_a_champion_there_is_nothing_to_be_worse_than() -> None:
    for question in (gates.no_worse_than_champion, gates.no_part_worse, gates.same_signature):
        answer = question(case(champion=None))
        assert (answer.verdict, answer.evidence) == (PASSED, gates.NO_CHAMPION)


def test_a_champion_that_cannot_be_read_decides_nothing() -> None:
    found = {**examined(), 1: Examined(1, trouble="no such file")}
    for question in (gates.no_worse_than_champion, gates.no_part_worse):
        assert question(case(examined=found)).verdict == INCONCLUSIVE
    assert "./miar rollback mlp_digits" in gates.no_worse_than_champion(case(examined=found)).evidence


@pytest.mark.parametrize(
    ("slices", "verdict", "value"),
    [
        ([Slice("a", 50, 0.9, 0.9, 1.0), Slice("b", 50, 0.5, 0.9, 0.001)], FAILED, 0.001),
        ([Slice("a", 50, 0.9, 0.9, 1.0), Slice("b", 50, 0.85, 0.9, 0.2)], PASSED, 0.2),
        ([Slice("a", 5, 0.9, 0.9, NAN)], PASSED, "none tested"),
        ([Slice("a", 5, 1.0, 0.9, NAN)], PASSED, "none tested"),
        ([Slice("a", 5, 0.5, 0.9, NAN)], INCONCLUSIVE, "none tested"),
    ],
)
def test_no_part_worse(slices: list[Slice], verdict: str, value: float | str) -> None:
    answer = gates.no_part_worse(case(slices=slices))
    assert (answer.verdict, answer.value) == (verdict, value)


def test_a_signature_must_be_the_champion_s() -> None:
    answer = gates.same_signature(case(examined=examined(signature="float32 (-1, 8)")))
    assert (answer.verdict, answer.value, answer.limit) == (FAILED, "float32 (-1, 8)", "in, out")


def test_the_data_must_have_been_judged() -> None:
    assert gates.data_valid(case()).verdict == FAILED
    assert gates.data_valid(case(tags={"gx.success": "false"})).verdict == FAILED
    assert gates.data_valid(case(tags={"gx.success": "true"})).verdict == PASSED


def test_a_check_that_breaks_has_failed() -> None:
    def is_broken(_: Any) -> gates.Answer:
        raise ZeroDivisionError("by zero")

    def is_refused(_: Any) -> gates.Answer:
        raise BadData("the exam must be there. Received: none")

    assert gates.answered(is_broken, case()) == Check(
        name="is broken",
        verdict=FAILED,
        value="cannot be asked",
        limit="an answer",
        evidence="ZeroDivisionError: by zero",
    )
    assert gates.answered(is_refused, case()).evidence == "the exam must be there. Received: none"


def test_the_first_failure_ends_the_questions_but_in_a_dry_run() -> None:
    questions = (gates.above_floor, gates.latency, gates.size)
    poor = {"recorded": 0.1}
    assert [check.name for check in gates.ask(questions, case(**poor))] == ["above floor"]
    dry = Gate(metric="accuracy", at_least=0.5, mode="dry_run")
    assert [check.verdict for check in gates.ask(questions, case(gate=dry, **poor))] == [FAILED, PASSED, PASSED]


def test_a_bare_off_of_yaml_is_a_mode() -> None:
    assert Gate.model_validate({"metric": "accuracy", "at_least": 0.5, "mode": False}).mode == "off"


def report(*found: str, **facts: Any) -> Report:
    checks = [
        Check(name=f"check {number}", verdict=verdict, value=0.5, limit=NAN, evidence="<b>seen</b>")
        for number, verdict in enumerate(found)
    ]
    usual = {"champion": 1, "exam": "e" * 64, "mode": "enforce", "at": "2026-11-25T00:00:00+00:00", "not_asked": []}
    return Report(model="mlp_digits", version=2, checks=checks, **{**usual, **facts})


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ([], FAILED),
        ([PASSED, PASSED], PASSED),
        ([PASSED, INCONCLUSIVE], INCONCLUSIVE),
        ([INCONCLUSIVE, FAILED, PASSED], FAILED),
    ],
)
def test_the_worst_verdict_is_that_of_the_gate(found: list[str], verdict: str) -> None:
    assert report(*found).verdict == verdict


def test_only_what_passed_both_checks_is_sound() -> None:
    names = [gates.name_of(question) for question in gates.SOUND]
    checks = [Check(name=name, verdict=PASSED, value="yes", limit="yes") for name in names]
    assert gates.is_sound(report().model_copy(update={"checks": checks}))
    assert not gates.is_sound(report().model_copy(update={"checks": checks[:1]}))


def test_a_report_is_written_whole_and_reads_back(tmp_path: Path) -> None:
    made = report(
        PASSED,
        INCONCLUSIVE,
        not_asked=["size"],
        interval=Interval(-0.01, -0.02, 0.005),
        slices=[Slice("class a", 50, 0.8, 0.9, 0.01), Slice("class b", 3, 1.0, 0.9, NAN)],
    )
    made.write(tmp_path)
    again = verdicts.read(tmp_path)
    assert (again.digest(), again.verdict) == (made.digest(), INCONCLUSIVE)
    assert json.loads((tmp_path / verdicts.JSON).read_text())["checks"][0]["limit"] == "NaN"
    page = (tmp_path / verdicts.HTML).read_text()
    assert "<b>seen" not in page
    assert "&lt;b&gt;seen" in page
    assert "http" not in page
    assert "not asked" in page
    assert (tmp_path / verdicts.PICTURE).read_bytes().startswith(b"\x89PNG")
