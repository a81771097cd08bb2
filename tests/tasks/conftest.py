"""A workplace for steps: the project's data folders, moved to where a test may write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks import places


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `data` folder that every path of tasks/places.py is below; no mirror is set."""
    data = tmp_path / "data"
    scratch = data / "scratch"
    for name, path in {"DATA": data, "SCRATCH": scratch, "LOCKS": scratch / "locks"}.items():
        monkeypatch.setattr(places, name, path)
    monkeypatch.delenv("MIAR_MIRROR", raising=False)
    return data
