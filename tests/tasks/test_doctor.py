"""An installation that is well, harmed in one way after the other: the doctor names each harm, and no other."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks import doctor, janitor, places, prepared
from tasks.outside import registry, tracking
from tasks.receipts import Prepared, Trained, digest_files, seal
from tests.tasks.conftest import Bench
from tests.tasks.test_lifecycle import NAME, champion

Harm = Callable[[], contextlib.AbstractContextManager[None]]


@pytest.fixture
def well(bench: Bench, tmp_path: Path) -> None:
    """A champion, registered by every rule."""
    bench.kept = tmp_path / "kept"
    assert champion(bench).champion == 1


def found() -> dict[str, list[str]]:
    """What does not hold, by the number of the check."""
    wrong = {check.name.partition(" ")[0]: [one.what for one in check.findings] for check in doctor.examine_all()}
    return {name: whats for name, whats in wrong.items() if whats}


@contextlib.contextmanager
def another_content(path: Path) -> Iterator[None]:
    kept = path.read_bytes()
    path.write_bytes(kept[:-4] + bytes(byte ^ 1 for byte in kept[-4:]))
    yield
    path.write_bytes(kept)


def a_changed_network() -> contextlib.AbstractContextManager[None]:
    files = registry.fetch(tracking.connect(), NAME, 1)
    return another_content(files / "artifacts" / "network.onnx")


@contextlib.contextmanager
def a_forged_report() -> Iterator[None]:
    kept = registry.version(tracking.connect(), NAME, 1).tags["gate.report_sha256"]
    registry.tag(NAME, 1, {"gate.report_sha256": "0" * 64})
    yield
    registry.tag(NAME, 1, {"gate.report_sha256": kept})


@contextlib.contextmanager
def a_lost_commit() -> Iterator[None]:
    kept = registry.version(tracking.connect(), NAME, 1).tags["git.commit"]
    registry.tag(NAME, 1, {"git.commit": "f" * 40})
    yield
    registry.tag(NAME, 1, {"git.commit": kept})


@contextlib.contextmanager
def a_deleted_alias() -> Iterator[None]:
    registry.unpoint(NAME, registry.CHAMPION)
    yield
    registry.point(NAME, registry.CHAMPION, 1)


def a_flipped_bit() -> contextlib.AbstractContextManager[None]:
    return another_content(places.prepared("digits") / "train_samples.npy")


@contextlib.contextmanager
def a_torn_checkpoint() -> Iterator[None]:
    folder = places.SCRATCH / "training" / "abc" / "epoch-0001"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(json.dumps({"history": [], "sha256": "0" * 64}))
    (folder / "model.weights.h5").write_bytes(b"half of i")
    yield
    shutil.rmtree(folder.parent)


@contextlib.contextmanager
def a_run_of_the_dead() -> Iterator[None]:
    client = tracking.connect()
    run = client.create_run(tracking.experiment(client, NAME), tags={tracking.HOST: socket.gethostname()})
    yield
    client.set_terminated(run.info.run_id)


@contextlib.contextmanager
def a_second_version_of_it() -> Iterator[None]:
    client = tracking.connect()
    first = registry.version(client, NAME, 1)
    tags = {name: value for name, value in first.tags.items() if name != "prefect.flow_run_id"}
    registry.create(client, NAME, run=str(first.run_id), model_id=tags["mlflow.model_id"], tags=tags, text="")
    yield
    client.delete_model_version(NAME, "2")


@contextlib.contextmanager
def a_half_written_folder() -> Iterator[None]:
    path = places.DATA / "trained" / f".{NAME}.part"
    path.mkdir()
    os.utime(path, (time.time() - 7200,) * 2)
    yield
    assert janitor.sweep() == [path]
    assert not path.exists()


@contextlib.contextmanager
def other_data_than_validated() -> Iterator[None]:
    folder = places.trained(NAME)
    receipt = Trained.read(folder)
    receipt.model_copy(update={"data": "1" * 64}).write(folder)
    yield
    receipt.write(folder)


@contextlib.contextmanager
def an_exam_that_was_seen() -> Iterator[None]:
    folder = places.prepared("digits")
    path = folder / "test_samples.npy"
    kept, receipt, trained = path.read_bytes(), Prepared.read(folder), Trained.read(places.trained(NAME))
    samples = np.load(path)
    samples[7] = np.load(folder / "train_samples.npy")[3]
    np.save(path, samples)
    whole = seal(folder, prepared.all_files())
    exam = digest_files(folder, prepared.files("test"))
    receipt.model_copy(update={"digest": whole, "exam": exam}).write(folder)
    trained.model_copy(update={"data": whole}).write(places.trained(NAME))
    yield
    path.write_bytes(kept)
    seal(folder, prepared.all_files())
    receipt.write(folder)
    trained.write(places.trained(NAME))


HARMS: list[tuple[Harm, str, str]] = [
    (a_changed_network, "I1", "must have the sha256 they were registered with"),
    (a_forged_report, "I2", "is not the one that was written"),
    (a_lost_commit, "I3", "commit ffffffffffff is not in this repository"),
    (a_deleted_alias, "I4", "champion is nobody, the ledger knows version 1"),
    (a_flipped_bit, "I5", "changed since: train_samples.npy"),
    (a_torn_checkpoint, "I6", "it is damaged"),
    (a_run_of_the_dead, "I7", "no process of this machine works at it"),
    (a_second_version_of_it, "I8", "it has the same miar.identity as version"),
    (a_half_written_folder, "I10", "left behind: half-written"),
    (other_data_than_validated, "I11", "other data than was validated"),
    (an_exam_that_was_seen, "I12", "0 samples of the exam have a number, 1 a copy among those to learn from"),
]


def test_each_harm_is_named_and_no_other(well: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SPACE", 0)
    assert found() == {}
    for harm, check, told in HARMS:
        with harm():
            wrong = found()
            assert list(wrong) == [check], harm.__name__
            assert told in wrong[check][0], harm.__name__
            assert len(wrong[check]) == 1, harm.__name__
        assert found() == {}, f"{harm.__name__} was taken back"
    assert well is None


def test_a_full_disk_is_told(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert workplace
    monkeypatch.setattr(doctor, "SPACE", 1e18)
    (finding,) = [one for one in doctor.disk_is_clean(doctor.Ward()) if one]
    assert "GB are free, 1000000000 should be" in finding.what


def test_other_packages_than_locked_are_told(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert workplace
    lock = tmp_path / "requirements.lock"
    text = places.REQUIREMENTS.read_text(encoding="utf-8")
    lock.write_text(text.replace("\nprefect==", "\nprefect==99."), encoding="utf-8")
    monkeypatch.setattr(places, "REQUIREMENTS", lock)
    (finding,) = [one for one in doctor.packages_are_locked(doctor.Ward()) if one]
    assert finding.where == "prefect"
    assert "is locked" in finding.what


def test_what_is_young_or_held_is_nobody_s_leftover(workplace: Path) -> None:
    old = time.time() - 30 * 24 * 3600
    for path in (workplace / "tuned" / ".x.part", places.SCRATCH / "tmpabcd1234", places.SCRATCH / "training" / "abc"):
        path.mkdir(parents=True)
    assert janitor.leftovers() == {}
    for path in (workplace / "tuned" / ".x.part", places.SCRATCH / "tmpabcd1234", places.SCRATCH / "training" / "abc"):
        os.utime(path, (old, old))
    (places.SCRATCH / "training" / "abc.lock").touch()
    from filelock import FileLock

    with FileLock(places.SCRATCH / "training" / "abc.lock"):
        assert sorted(path.name for path in janitor.leftovers()) == [".x.part", "tmpabcd1234"]
    assert sorted(janitor.leftovers().values()) == ["checkpoints", "half-written", "temporary"]


def test_a_check_that_cannot_be_made_is_a_finding(workplace: Path) -> None:
    def broken(_: Any) -> Iterator[None]:
        raise ValueError("no such table")
        yield

    check = doctor.made("I0", broken, doctor.Ward())
    assert [one.what for one in check.findings] == ["no such table"]
    assert workplace
