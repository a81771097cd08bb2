"""init: make what every first step would otherwise have to wait for."""

from __future__ import annotations

from tasks.outside import tracking


def init() -> None:
    """Make MLflow's database, or bring an older one up to date.

    Raises:
        Unavailable: if MLflow does not answer.
    """
    tracking.connect()
