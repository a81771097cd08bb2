"""The ledger: who was made champion, when, by whom and why, as MLflow runs that nobody changes.

Each model has an experiment `promotions/<model>`, and each record is one run of it, written in one call. A
record carries the sha256 of the one before, so one that was changed, or taken out from between, shows. The last
record alone could be taken away unseen; then the alias in the registry and the ledger disagree, which
`tasks/champions.py` looks for.

A move reads the newest records only, however many there are; `read` walks through all of them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tasks.errors import Refused
from tasks.outside import tracking

if TYPE_CHECKING:
    import mlflow

PENDING, COMMITTED, ABORTED = "pending", "committed", "aborted"
PROMOTE, ROLLBACK, RESTORE, FOUND = "promote", "rollback", "restore", "found"
"""What moved the alias: a gate; a person or a watch going back; a return to what the ledger says; or nobody
known: `found` is a champion that was there before the ledger, or that was set by hand."""

RECORD, DIGEST = "ledger.record", "ledger.sha256"
PAGE = 1000
LONGEST_REASON = 2000


@dataclass(frozen=True)
class Record:
    """One line of the ledger.

    Args:
        number: from 1, without gaps.
        at: when, ISO 8601 in UTC; never before the record before, whatever the clock does.
        action: promote, rollback, restore or found.
        state: pending before the alias moves; committed or aborted once that is settled.
        old: version that was champion before, if any.
        new: version that is champion once this is committed; None where the champion was found to be gone.
        previous: version that had the alias previous-champion before, if any.
        by: who asked: a deployment, or a person's name on this machine.
        before: sha256 of the record before; empty for the first.
    """

    number: int
    at: str
    model: str
    action: str
    state: str
    old: int | None
    new: int | None
    previous: int | None
    by: str
    reason: str
    before: str

    @property
    def champion(self) -> int | None:
        """Who is champion by the ledger once this is its newest record."""
        return self.new if self.state == COMMITTED else self.old

    @property
    def is_move(self) -> bool:
        """Whether this is a champion that this project has made, and not one that was found."""
        return self.state == COMMITTED and self.action != FOUND

    def text(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    def digest(self) -> str:
        return hashlib.sha256(self.text().encode()).hexdigest()


def read(client: mlflow.MlflowClient, model: str) -> list[Record]:
    """All records of `model`, the oldest first.

    Raises:
        Refused: if they are not one chain.
    """
    records: list[Record] = []
    token = None
    while some := page(client, model, order="ASC", count=PAGE, token=token):
        for run in some:
            records.append(following(parsed(model, run), records[-1] if records else None))
        token = some.token
        if not token:
            break
    return records


def newest(client: mlflow.MlflowClient, model: str) -> Record | None:
    """The newest record, checked by itself and against the one before: all that a move has to know.

    Raises:
        Refused: if it is not what was written, or does not follow the one before.
    """
    records = [parsed(model, run) for run in page(client, model, order="DESC", count=2)]
    return following(records[0], records[1] if len(records) > 1 else None) if records else None


def page(client: mlflow.MlflowClient, model: str, *, order: str, count: int, token: str | None = None) -> Any:
    """Some runs of a ledger by the time at which they were written; nothing where there is no ledger.

    Raises:
        Refused: if the ledger's experiment was deleted.
    """
    experiment = client.get_experiment_by_name(name_of(model))
    if not experiment:
        return []
    if experiment.lifecycle_stage == "deleted":
        raise Refused(
            f"the ledger of `{model}`, MLflow's experiment `{name_of(model)}`, must be there. Received: deleted; run: "
            f".venv/bin/mlflow experiments restore --experiment-id {experiment.experiment_id}"
        )
    order_by = [f"attributes.start_time {order}"]
    return client.search_runs([experiment.experiment_id], order_by=order_by, max_results=count, page_token=token)


def parsed(model: str, run: Any) -> Record:
    """The record in a run's tags.

    Raises:
        Refused: if it is not one, or is not what was written.
    """
    where = f"every run of MLflow's experiment `{name_of(model)}` must be a record as it was written"
    try:
        record = Record(**json.loads(run.data.tags[RECORD]))
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(f"{where}. Received: {error!r} in run {run.info.run_id}. {remedy(model)}") from None
    kept = str(run.data.tags.get(DIGEST))
    if record.digest() != kept or record.model != model:
        raise Refused(
            f"{where}. Received: sha256 {record.digest()[:12]} for {kept[:12]} in record {record.number}, "
            f"run {run.info.run_id}. {remedy(model)}"
        )
    return record


def following(record: Record, before: Record | None) -> Record:
    """`record`, which must be the one after `before`.

    Raises:
        Refused: if it is not.
    """
    number, digest = (before.number, before.digest()) if before else (0, "")
    if record.number != number + 1 or record.before != digest:
        raise Refused(
            f"record {record.number} of the ledger of `{record.model}` must follow the one before it. Received: "
            f"{f'record {number}' if before else 'nothing'} before it. {remedy(record.model)}"
        )
    return record


def remedy(model: str) -> str:
    return (
        "Restore the run in MLflow if it was deleted; else begin a new ledger, which keeps this one aside: "
        f"./miar reconcile {model} --anew"
    )


def append(client: mlflow.MlflowClient, model: str, last: Record | None, **facts: Any) -> Record:
    """Write one more record after `last`, the newest; returns it. The caller holds the model's lock.

    The run with all its tags is one write; that it is finished is decoration.
    """
    now = max(datetime.now(UTC), datetime.fromisoformat(last.at)) if last else datetime.now(UTC)
    facts["reason"] = str(facts["reason"])[:LONGEST_REASON]
    number, before = (last.number + 1, last.digest()) if last else (1, "")
    record = Record(number=number, at=now.isoformat(), model=model, before=before, **facts)
    shown = {"action": record.action, "state": record.state, "from": record.old, "to": record.new, "by": record.by}
    written = client.create_run(
        tracking.experiment(client, name_of(model)),
        start_time=starts(client, model),
        tags={RECORD: record.text(), DIGEST: record.digest(), **{name: str(value) for name, value in shown.items()}},
        run_name=f"{record.number} {record.action} {record.state}: {record.old} to {record.new}",
    )
    client.set_terminated(written.info.run_id)
    return record


def starts(client: mlflow.MlflowClient, model: str) -> int:
    """A time in milliseconds after that of every run of the ledger: MLflow orders by it."""
    last = page(client, model, order="DESC", count=1)
    return max(int(time.time() * 1000), last[0].info.start_time + 1 if last else 0)


def lay_aside(client: mlflow.MlflowClient, model: str) -> str:
    """Keep a broken ledger under another name, so that a new one can begin; returns that name."""
    experiment = client.get_experiment_by_name(name_of(model))
    aside = f"{name_of(model)}/until-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    if experiment:
        client.rename_experiment(experiment.experiment_id, aside)
    return aside


def name_of(model: str) -> str:
    """The experiment that holds the ledger of `model`."""
    return f"promotions/{model}"
