"""Each check by itself, with what it looks at given; the whole gate on real versions is in test_lifecycle.py."""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from models.spec import Input, Spec
from tasks import gates, places, promote, verdicts
from tasks.catalogue import Gate
from tasks.compare import Interval, Slice
from tasks.errors import BadData
from tasks.examine import Examined
from tasks.outside import registry, versioning
from tasks.promote import Approval
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
        "spec": Spec({"image": Input((2, 2, 1), "uint8")}, ("a", "b")),
    }
    return SimpleNamespace(**{**usual, **facts})


def examined(**facts: Any) -> dict[int, Examined]:
    sound = {"trouble": "", "distance": 0.0, "milliseconds": 1.0, "megabytes": 1.0, "signature": "in, out"}
    return {2: Examined(2, **{**sound, **facts}), 1: Examined(1, **sound)}


def with_exam(*, samples: int = 60, scores: dict[str, float] | None = None, **facts: Any) -> Any:
    """A case with an exam; `scores` are those of the trivial answers, by name, and the score `now` of the version."""
    given = scores or {}
    return case(
        problem=SimpleNamespace(baselines=lambda *_: {name: name for name in given if name != "now"}),
        split=lambda _: Exam(samples),
        spec=None,
        answers=lambda _: "now",
        score=lambda name: given[name],
        **facts,
    )


class Exam:
    """As much of a split as a check counts."""

    def __init__(self, count: int) -> None:
        self.samples = np.arange(count)

    def __len__(self) -> int:
        return len(self.samples)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_what_is_no_number_passes_nowhere(value: float) -> None:
    assert at_least(value, 0.0) == FAILED
    assert at_most(value, 0.0) == FAILED
    assert at_least(0.0, value) == FAILED
    assert gates.above_floor(case(recorded=value)).verdict == FAILED
    assert gates.loads_and_repeats(case(examined=examined(distance=value))).verdict == FAILED
    assert gates.latency(case(examined=examined(milliseconds=value))).verdict == FAILED
    assert gates.size(case(examined=examined(megabytes=value))).verdict == FAILED
    for parts in product((0.0, value), repeat=3):
        if value in parts:
            assert gates.no_worse_than_champion(case(interval=Interval(*parts))).verdict == FAILED, parts
    for recorded, best in ((value, 0.1), (0.9, value)):
        trivial = with_exam(scores={"most frequent class": best}, recorded=recorded)
        assert gates.better_than_trivial(trivial).verdict == FAILED
        assert gates.repeats_its_score(with_exam(scores={"now": best}, recorded=recorded)).verdict == FAILED


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


def found_version(monkeypatch: pytest.MonkeyPatch, version: Any) -> Any:
    """A case whose version is `version` as MLflow has it."""
    monkeypatch.setattr(registry, "look", lambda *_: version)
    return case(client=None)


def test_one_that_may_be_champion_is_there_ready_and_not_quarantined(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = SimpleNamespace(status="READY", tags={})
    assert gates.may_be_champion(found_version(monkeypatch, ready)) == (PASSED, "yes", "yes", "")
    answers = {
        "there is no such version": None,
        "its status is PENDING_REGISTRATION": SimpleNamespace(status="PENDING_REGISTRATION", tags={}),
        "it is a version of cnn": SimpleNamespace(status="READY", tags={registry.MODEL: "cnn"}),
        "it is quarantined: it bites": SimpleNamespace(status="READY", tags={"quarantined": "it bites"}),
    }
    for why, version in answers.items():
        answer = gates.may_be_champion(found_version(monkeypatch, version))
        assert (answer.verdict, answer.value) == (FAILED, why)


def test_lineage_is_whole_or_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [*gates.REQUIRED, "dvc.data.digits"]
    tags = dict.fromkeys(names, "known")
    recipe = SimpleNamespace(dataset="digits")
    monkeypatch.setattr(versioning, "has", lambda _: True)
    answer = gates.lineage_complete(case(tags=tags, recipe=recipe))
    assert answer == (PASSED, len(names), len(names), "code is commit known")
    for name, value in product(names, ("", versioning.UNKNOWN, None)):
        broken = {key: one for key, one in {**tags, name: value}.items() if one is not None}
        answer = gates.lineage_complete(case(tags=broken, recipe=recipe))
        assert (answer.verdict, answer.value) == (FAILED, len(names) - 1)
        assert answer.evidence.startswith(f"without {name}; ")
    monkeypatch.setattr(versioning, "has", lambda _: False)
    answer = gates.lineage_complete(case(tags=tags, recipe=recipe))
    assert (answer.verdict, answer.evidence) == (FAILED, "commit known must be in this repository; run: git fetch")


def test_an_exam_sample_that_it_learnt_from_is_a_leak() -> None:
    def seen(exam: list[int]) -> gates.Answer:
        parts = {"train": [1, 2, 3], "validation": [4, 5], "test": exam}
        samples = {name: np.array(values, np.uint8).reshape(-1, 1, 1, 1) for name, values in parts.items()}
        return gates.no_leakage(case(split=lambda part: SimpleNamespace(samples=samples[part])))

    assert seen([6, 7]) == (PASSED, 0, 0, "of 2 exam samples have a copy in train or validation")
    assert seen([1, 5, 7])[:3] == (FAILED, 2, 0), "one was in train, one in validation"


@pytest.mark.parametrize(("recorded", "verdict"), [(0.51, PASSED), (0.5, FAILED), (0.49, FAILED)])
def test_the_best_of_the_trivial_must_be_beaten(recorded: float, verdict: str) -> None:
    scores = {"most frequent class": 0.1, "nearest mean sample": 0.5}
    answer = gates.better_than_trivial(with_exam(scores=scores, recorded=recorded))
    assert answer == (verdict, recorded, 0.5, "accuracy of: nearest mean sample")


@pytest.mark.parametrize("samples", [60, 797])
def test_a_score_may_differ_by_two_samples_and_by_no_more(samples: int) -> None:
    for right, apart in product(range(samples - 3), (0, 1, 2, 3)):
        again = with_exam(samples=samples, scores={"now": right / samples}, recorded=(right + apart) / samples)
        assert gates.repeats_its_score(again).verdict == (PASSED if apart <= 2 else FAILED), (right, apart)


def test_limits_hold_up_to_themselves() -> None:
    assert gates.above_floor(case(recorded=0.5, tags={"exam.samples": "60"})) == (
        PASSED,
        0.5,
        0.5,
        "accuracy on 60 samples",
    )
    assert gates.above_floor(case(recorded=0.4999)).verdict == FAILED
    for question, fact, limit in ((gates.latency, "milliseconds", 10.0), (gates.size, "megabytes", 5.0)):
        for value, verdict in ((limit, PASSED), (limit + 0.001, FAILED)):
            assert question(case(examined=examined(**{fact: value})))[:3] == (verdict, value, limit)
    assert gates.loads_and_repeats(case(examined=examined(distance=1e-5))).verdict == PASSED
    assert gates.loads_and_repeats(case(examined=examined(distance=1.1e-5))).verdict == FAILED
    assert gates.loads_and_repeats(case(examined=examined(trouble="torn")))[:3] == (FAILED, "torn", "sound")
    assert gates.same_signature(case()) == (PASSED, "the same", "the champion's", "")


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


def test_a_version_that_is_not_there_is_asked_nothing_more() -> None:
    gate = Gate(metric="accuracy", at_least=0.5, mode="dry_run")

    def client(*_: Any) -> Any:
        raise BadData("no such version")

    broken = SimpleNamespace(get_model_version=client)
    assert [check.name for check in gates.ask(gates.CHECKS, case(gate=gate, client=broken))] == ["may be champion"]


def test_what_costs_least_is_asked_first() -> None:
    names = [gates.name_of(question) for question in gates.CHECKS]
    tags = {"may be champion", "lineage complete", "data valid", "above floor"}
    files = {"no leakage", "better than trivial"}
    process = {"loads and repeats", "same signature", "repeats its score", "latency", "size"}
    assert set(names[:4]) == tags
    assert set(names[4:6]) == files
    assert set(names[6:11]) == process
    assert names[11:] == ["no worse than champion", "no part worse"]


@pytest.mark.parametrize("mode", ["enforce", "dry_run", "off"])
def test_the_mode_decides_what_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setattr(places, "SCRATCH", tmp_path)
    monkeypatch.setattr(gates, "Case", lambda *_: SimpleNamespace(exam="e" * 64))
    monkeypatch.setattr(gates, "ask", lambda questions, _: asked.extend(questions) or [])
    asked: list[gates.Question] = []
    recipe: Any = SimpleNamespace(gate=Gate.model_validate({"metric": "accuracy", "at_least": 0.5, "mode": mode}))
    made = gates.judge(None, "mlp_digits", 2, champion=1, recipe=recipe)
    assert tuple(asked) == (gates.SOUND if mode == "off" else gates.CHECKS)
    assert made.not_asked == [gates.name_of(question) for question in asked]
    assert (made.verdict, made.mode, made.interval, made.slices) == (FAILED, mode, None, [])


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


def test_numbers_that_are_none_survive_the_writing(tmp_path: Path) -> None:
    checks = [Check(name=str(value), verdict=FAILED, value=value, limit=0.5) for value in (NAN, INF, -INF)]
    made = report(interval=Interval(NAN, -INF, INF)).model_copy(update={"checks": checks})
    made.write(tmp_path)
    again = verdicts.read(tmp_path)
    assert again.digest() == made.digest()
    assert [float(check.value) for check in again.checks] == pytest.approx([NAN, INF, -INF], nan_ok=True)
    assert again.interval is not None
    assert math.isnan(again.interval.difference)
    assert (again.interval.low, again.interval.high) == (-INF, INF)


def test_a_page_runs_nothing_that_a_name_brings_along(tmp_path: Path) -> None:
    evil = "<script src=//evil.example>"
    made = report(PASSED, slices=[Slice(evil, 50, 0.8, 0.9, 0.01)], interval=Interval(0.0, 0.0, 0.0))
    made.model_copy(update={"model": evil, "exam": evil, "not_asked": [evil]}).write(tmp_path)
    page = (tmp_path / verdicts.HTML).read_text()
    assert "<script" not in page
    assert "&lt;script" in page


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1000.0, "1000"),
        (0, "0"),
        (0.93125, "0.9313"),
        (1e-5, "1e-05"),
        (-0.01, "-0.0100"),
        (NAN, "nan"),
        (-INF, "-inf"),
        (12_345_678.0, "1.23e+07"),
        ("the same", "the same"),
    ],
)
def test_values_are_shown_for_people(value: float | str, told: str) -> None:
    assert verdicts.shown(value) == told


@pytest.mark.parametrize("parts", [0, 2, 10, 40])
@pytest.mark.parametrize("compared", [True, False])
def test_no_text_of_the_picture_is_cut_or_covers_another(parts: int, compared: bool) -> None:
    names = [gates.name_of(question) for question in gates.CHECKS]
    told = "inputs: Tensor('float32', (-1, 28, 28, 1)) outputs: Tensor('float32', (-1, 10))"
    checks = [Check(name=name, verdict=PASSED, value=told, limit=told) for name in names[:7]]
    made = report(
        not_asked=names[7:],
        interval=Interval(-0.0123, -0.0311, 0.004) if compared else None,
        slices=[Slice(f"class a thing with a rather long name {part}", 40, 0.9, 0.91, 0.9) for part in range(parts)],
    ).model_copy(update={"checks": checks, "model": "resnet_" + "fashion_" * 7})
    figure = verdicts.picture(made)
    boxes = drawn_texts(figure)
    assert len(boxes) > len(names)
    whole = figure.bbox
    for text, box in boxes:
        assert whole.x0 - 1 <= box.x0 and box.x1 <= whole.x1 + 1, f"cut: {text}"  # noqa: PT018
    for (text, box), (other, its) in ((one, two) for at, one in enumerate(boxes) for two in boxes[at + 1 :]):
        across = min(box.x1, its.x1) - max(box.x0, its.x0)
        along = min(box.y1, its.y1) - max(box.y0, its.y0)
        assert min(across, along) <= 1, f"{text} covers {other}"  # a pixel of empty rim is no text


def drawn_texts(figure: Figure) -> list[tuple[str, Any]]:
    """Every text of a figure with the pixels that it takes."""
    figure.draw_without_rendering()
    shown = [axes for axes in figure.axes if axes.axison]
    ticks = [label for axes in shown for axis in (axes.xaxis, axes.yaxis) for label in within(axis)]
    texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts), *ticks]
    texts += [axes.xaxis.label for axes in shown]
    return [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]


def within(axis: Any) -> list[Any]:
    """The labels of the ticks that lie in an axis' view: matplotlib makes one more on each side."""
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


def sound_report(verdict: str, *, sound: bool = True) -> Report:
    names = [gates.name_of(question) for question in gates.SOUND]
    checks = [Check(name=name, verdict=PASSED if sound else FAILED, value="", limit="") for name in names]
    return report().model_copy(update={"checks": [*checks, Check(name="x", verdict=verdict, value=0, limit=0)]})


@pytest.mark.parametrize(
    ("verdict", "mode", "approval", "without", "with_yes"),
    [
        (PASSED, "enforce", "inconclusive", "champion", "champion"),
        (PASSED, "enforce", "never", "champion", "champion"),
        (PASSED, "enforce", "always", "waits", "champion"),
        (PASSED, "dry_run", "always", "waits", "champion"),
        (PASSED, "off", "always", "waits", "champion"),
        (INCONCLUSIVE, "enforce", "inconclusive", "waits", "champion"),
        (INCONCLUSIVE, "enforce", "always", "waits", "champion"),
        (INCONCLUSIVE, "enforce", "never", "challenger", "champion"),
        (INCONCLUSIVE, "dry_run", "inconclusive", "champion", "champion"),
        (FAILED, "enforce", "inconclusive", "challenger", "challenger"),
        (FAILED, "enforce", "always", "challenger", "challenger"),
        (FAILED, "dry_run", "never", "champion", "champion"),
        (FAILED, "dry_run", "always", "waits", "champion"),
    ],
)
def test_what_becomes_of_a_version(verdict: str, mode: str, approval: str, without: str, with_yes: str) -> None:
    gate = Gate.model_validate({"metric": "accuracy", "at_least": 0.5, "mode": mode, "approval": approval})
    yes, made = Approval("Ada", "seen", against=1), sound_report(verdict)
    assert promote.decide(made, gate, None, is_champion=False) == without
    assert promote.decide(made, gate, yes, is_champion=False) == with_yes
    unsound = sound_report(verdict, sound=False)
    assert {promote.decide(unsound, gate, one, is_champion=False) for one in (None, yes)} == {"challenger"}
