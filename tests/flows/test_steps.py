"""Steps that share a process: each ends with its own status, and the end of the process is one too."""

from __future__ import annotations

import pytest

from flows import stages
from tests.flows.conftest import ROOT


def test_each_step_fails_with_its_own_line_and_the_next_can_still_run() -> None:
    said: list[str] = []
    with stages.steps(root=ROOT, environment={}) as steps:
        for name in ("nobody", "no_one"):
            with pytest.raises(stages.StepFailed, match=rf"^ERROR 2 register {name}: ") as failed:
                steps.run("register", name, said.append)
            assert failed.value.code == 2
    assert [line.split()[3] for line in said] == ["nobody:", "no_one:"]


def test_a_process_that_is_gone_is_a_failed_step() -> None:
    with stages.steps(root=ROOT, environment={}) as steps:
        steps.process.kill()
        steps.process.wait()
        with pytest.raises(stages.StepFailed, match=r"^ERROR 1 promote cnn_digits: .* exit status -9"):
            steps.run("promote", "cnn_digits", print)
