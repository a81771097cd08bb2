"""track: the verb scores a tracker by its stage, and says what is left of it where it has no detector of its own."""

from __future__ import annotations

import pytest

from tests.flows.conftest import Project


@pytest.mark.slow
def test_a_tracker_is_scored_once_and_a_wrong_one_is_told(project: Project) -> None:
    first, again, wrong = (project.miar("track", name) for name in ("sort_bouncing_truth",) * 2 + ("sort_nothing",))
    assert first.returncode == 0, first.stderr
    told = first.stdout.strip().splitlines()[-1]
    assert told.startswith("sort_bouncing_truth: mota 1.0000, idf1 1.0000, hota 0.")
    assert told.endswith("; not registered, it has no detector of its own")
    assert (project.root / "data" / "tracked" / "sort_bouncing_truth" / "report.html").is_file()
    assert again.stdout.strip().splitlines()[-1] == told
    assert "Running stage" not in again.stdout + again.stderr
    assert wrong.returncode == 2
    assert "ERROR 2 track: `tracker` must be one of sort_bouncing_truth (params.yaml)" in wrong.stderr
    assert "track@sort_bouncing_truth" not in project.dvc("status").stdout
