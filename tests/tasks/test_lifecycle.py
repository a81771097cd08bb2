"""From a tuned recipe to a champion, with the real trainer and MLflow's real registry on SQLite."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from tasks import cases, champions, evaluate, gates, places, promote, receipts, register, train, tune, verdicts
from tasks.errors import BadData, BadRequest, Refused, Unavailable
from tasks.outside import ledger, registry, tracking, versioning
from tasks.receipts import Evaluated, Prepared, Promoted, Registered, Trained, Validated
from tests.tasks.conftest import Bench

NAME = "mlp_digits"


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry's database as MLflow makes it at first, which takes it seconds."""
    path = tmp_path_factory.mktemp("registry") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr(places, "MLFLOW_DATABASE", path)
        tracking.connect()
    return path


@pytest.fixture(autouse=True)
def registry_here(workplace: Path, empty_registry: Path) -> None:
    assert workplace
    shutil.copy(empty_registry, places.MLFLOW_DATABASE)


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was trained before, by settings and data: training is the same every time, which a test shows."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def bench(bench: Bench, kept: Path) -> Bench:
    bench.kept = kept
    return bench


def trained(bench: Bench, **changes: dict[str, Any]) -> Evaluated:
    """Tune, train and evaluate with no search, as the DVC stages would, or take what that gave before."""
    recipe = bench.set(search={"trials": 0}, **changes)
    data = Prepared.read(places.prepared("digits")).digest
    settings = f"{recipe.model_dump_json(exclude={'gate'})} {data}"
    folder = bench.kept / hashlib.sha256(settings.encode()).hexdigest()
    if folder.exists():
        shutil.copytree(folder, places.DATA, dirs_exist_ok=True)
        return Evaluated.read(places.evaluated(NAME))
    receipt = trained_now()
    for place in (places.validated("digits"), places.tuned(NAME), places.trained(NAME), places.evaluated(NAME)):
        shutil.copytree(place, folder / place.relative_to(places.DATA))
    return receipt


def trained_now() -> Evaluated:
    Validated(
        name="digits",
        digest="0" * 64,
        ingested="0" * 64,
        samples=320,
        expectations=14,
        result_id="f" * 64,
        success=True,
        splits={},
    ).write(places.validated("digits"))
    (places.validated("digits") / "report.html").write_text("<p>judged</p>")
    tune.tune(NAME)
    train.train(NAME)
    return evaluate.evaluate(NAME)


def champion(bench: Bench, **changes: dict[str, Any]) -> Promoted:
    trained(bench, **changes)
    register.register(NAME)
    return promote.promote(NAME)


def aliases() -> dict[str, int]:
    return registry.aliases(tracking.connect(), NAME)


def tags(version: int) -> dict[str, str]:
    return dict(registry.version(tracking.connect(), NAME, version).tags)


class TestTrainAndEvaluate:
    def test_write_what_they_promise(self, bench: Bench) -> None:
        receipt = trained(bench)
        folder = places.evaluated(NAME)
        assert receipt.scores["accuracy"] > 0.5
        assert json.loads((folder / "metrics.json").read_text()) == receipt.scores
        rows = pd.read_parquet(folder / "predictions.parquet")
        assert (rows["actual"] == rows["predicted"]).mean() == pytest.approx(receipt.scores["accuracy"])
        assert receipt.pictures == ["confusion.png", "learning_curves.png", "mistakes.png"]
        report = (folder / "report.html").read_text()
        assert report.count("data:image/png;base64,") == 3
        assert "http" not in report.replace("http-equiv", "")
        history = pd.read_csv(places.trained(NAME) / "history.csv")
        assert list(history["epoch"]) == [1, 2, 3, 4, 5, 6]
        assert list((places.SCRATCH / "training").glob("*/")) == []

    def test_twice_is_the_same(self, bench: Bench) -> None:
        first = trained(bench)
        weights = Trained.read(places.trained(NAME)).digest
        assert trained_now() == first
        assert Trained.read(places.trained(NAME)).digest == weights

    def test_a_broken_network_is_told(self, bench: Bench) -> None:
        trained(bench)
        (places.trained(NAME) / "model.keras").write_bytes(b"not a network")
        with pytest.raises(BadData, match=r"model.keras` must be a Keras model"):
            evaluate.evaluate(NAME)

    def test_a_score_that_the_problem_lacks_is_told(self, bench: Bench) -> None:
        trained(bench)
        bench.set(gate={"metric": "log_loss"})
        with pytest.raises(BadRequest, match=r"`gate.metric` must be one of accuracy, .*'log_loss'"):
            evaluate.evaluate(NAME)

    def test_changed_data_is_told(self, bench: Bench) -> None:
        trained(bench)
        path = places.prepared("digits") / "test_answers.npy"
        np.save(path, np.load(path)[::-1])
        with pytest.raises(BadData, match=r"must be what prepare wrote.*changed since: test_answers\.npy"):
            evaluate.evaluate(NAME)


class TestRegister:
    def test_stores_a_network_that_answers_the_same_in_a_fresh_process(self, bench: Bench) -> None:
        trained(bench)
        receipt = register.register(NAME)
        assert receipt.version == 1
        assert receipt.new
        code = (
            "import mlflow, numpy, sys; mlflow.set_tracking_uri(sys.argv[1]);"
            "model = mlflow.pyfunc.load_model('models:/mlp_digits/1');"
            "samples = numpy.load(sys.argv[2]); print(model.predict(samples).argmax(axis=1).tolist());"
            "print(model.metadata.signature.inputs.to_dict(), model.input_example.shape)"
        )
        samples = places.prepared("digits") / "test_samples.npy"
        command = [sys.executable, "-c", code, tracking.address(), str(samples)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=places.DATA)
        given, signature = done.stdout.splitlines()[-2:]
        predicted = pd.read_parquet(places.evaluated(NAME) / "predictions.parquet")["predicted"]
        assert json.loads(given) == [int(one) for one in predicted]
        assert "'uint8', 'shape': (-1, 8, 8, 1)" in signature
        assert "(2, 8, 8, 1)" in signature

    def test_keeps_where_it_came_from(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MIAR_FLOW_RUN", "run-7")
        monkeypatch.setenv("MIAR_DEPLOYMENT", "retrain-nightly")
        scores = trained(bench).scores
        receipt = register.register(NAME)
        kept = tags(1)
        for name in ("git.commit", "git.dirty", "dvc.lock_sha256", "dvc.data.digits", "env.lock_sha256"):
            assert kept[name], name
        assert kept["gx.result_id"] == "f" * 64
        assert kept["prefect.flow_run_id"] == "run-7"
        assert kept["prefect.deployment"] == "retrain-nightly"
        assert kept["seed"] == "0"
        assert float(kept["score.accuracy"]) == scores["accuracy"]
        assert kept["mlflow.model_id"].startswith("m-")
        run = tracking.connect().get_run(receipt.run_id)
        assert run.info.status == "FINISHED"
        assert run.data.params["units"] == "16"
        assert run.data.params["train.epochs"] == "6"
        assert run.data.metrics["test_accuracy"] == pytest.approx(scores["accuracy"])
        curve = tracking.connect().get_metric_history(receipt.run_id, "val_loss")
        history = pd.read_csv(places.trained(NAME) / "history.csv")
        assert [point.step for point in curve] == [1, 2, 3, 4, 5, 6]
        assert [point.value for point in curve] == pytest.approx(list(history["val_loss"]))
        stored = {path.name for path in Path(run.info.artifact_uri.removeprefix("file://")).rglob("*.*")}
        assert {"confusion.png", "report.html", "trials.png", "params.yaml", "history.csv"} <= stored

    def test_the_same_network_is_the_same_version(self, bench: Bench) -> None:
        trained(bench)
        first = register.register(NAME)
        again = register.register(NAME)
        assert (again.version, again.new, again.run_id) == (1, False, first.run_id)
        trained(bench, train={"seed": 2})
        assert register.register(NAME).version == 2

    def test_refuses_an_evaluation_of_other_data(self, bench: Bench) -> None:
        trained(bench)
        bench.prepare(seed=1)
        with pytest.raises(Refused, match="must be on the exam that lies here"):
            register.register(NAME)

    def test_refuses_a_network_that_learnt_from_other_data(self, bench: Bench) -> None:
        trained(bench)
        receipt = Trained.read(places.trained(NAME))
        receipt.model_copy(update={"data": "1" * 64}).write(places.trained(NAME))
        with pytest.raises(Refused, match=r"must have been trained on the data that lies here, .* on 111111111111"):
            register.register(NAME)

    def test_a_server_that_is_not_there_is_told_in_seconds(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        trained(bench)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        with pytest.raises(Unavailable, match=r"MLflow must answer at MLFLOW_TRACKING_URI \(http://127.0.0.1:9\)"):
            register.register(NAME)
        assert not places.registered(NAME).exists()

    def test_an_mlflow_that_fails_on_the_way_is_one_line(self, bench: Bench) -> None:
        trained(bench)

        def refuse(_: str) -> Path:
            raise MlflowException("too many 500 error responses")

        bench.monkeypatch.setattr(registry, "logged", refuse)
        with pytest.raises(Unavailable, match="too many 500 error responses"):
            register.register(NAME)


class TestTrials:
    """A search's trials are children of the run of the version that came of it."""

    def test_are_runs_below_the_version_s(self, bench: Bench) -> None:
        searched(bench)
        receipt = register.register(NAME)
        first, second, third = children()
        assert {run.data.tags["mlflow.parentRunId"] for run in (first, second, third)} == {receipt.run_id}
        assert [run.info.status for run in (first, second, third)] == ["FINISHED", "FAILED", "FINISHED"]
        assert [run.info.run_name for run in (first, second, third)] == ["trial 1", "trial 2", "trial 3"]
        assert [run.data.metrics for run in (first, second, third)] == [{"score": 0.5}, {}, {"score": 0.25}]
        assert [run.data.tags["defaults"] for run in (first, second, third)] == ["true", "false", "false"]
        assert first.data.params == {"units": "16", "learning_rate": "0.001"}
        assert third.data.params == {"units": "16", "learning_rate": "0.0001", "kind": "None", "width": "8"}
        assert first.info.end_time is not None

    def test_are_there_once_however_often_it_is_registered(self, bench: Bench) -> None:
        searched(bench)
        register.register(NAME)
        before = [run.info.run_id for run in children()]
        register.register(NAME)
        assert [run.info.run_id for run in children()] == before

    @pytest.mark.parametrize("moment", ["log_network", "log_data"])
    def test_of_a_register_that_failed_are_not_left(self, bench: Bench, moment: str) -> None:
        searched(bench)
        with bench.monkeypatch.context() as patch:
            patch.setattr(tracking, moment, forbidden)
            with pytest.raises(AssertionError):
                register.register(NAME)
        assert len(children()) == 3
        client = tracking.connect()
        dead = children()[0].data.tags["mlflow.parentRunId"]
        left = {"mlflow.parentRunId": dead, tracking.HOST: socket.gethostname(), "trial": "4"}
        client.create_run(tracking.experiment(client, NAME), tags=left)  # as a kill between two calls would leave it
        receipt = register.register(NAME)
        assert [run.data.tags["trial"] for run in children()] == ["1", "2", "3"]
        assert {run.data.tags["mlflow.parentRunId"] for run in children()} == {receipt.run_id}
        assert not client.search_runs([tracking.experiment(client, NAME)], "attributes.status = 'RUNNING'", 3)

    def test_of_another_version_stay(self, bench: Bench) -> None:
        searched(bench)
        register.register(NAME)
        searched(bench, train={"seed": 2})
        assert register.register(NAME).version == 2
        assert len(children()) == 6

    def test_and_the_defaults_are_in_the_report(self, bench: Bench) -> None:
        trained(bench)
        assert "There was none: the architecture" in (places.evaluated(NAME) / "report.html").read_text()
        searched(bench)
        part = evaluate.search(NAME)
        assert "<h2>Search, random, 3 trials</h2>" in part
        cells = [row.split("</td>") for row in part.split("<tr>")[1:] if "<td>" in row]
        shown = [[cell.split("<td>")[-1] for cell in row[:4]] for row in cells]
        assert shown == [["the defaults", "1", "COMPLETED", "0.5000"], ["the best", "3", "COMPLETED", "0.2500"]]
        assert part.count("data:image/png;base64,") == 2


def searched(bench: Bench, **changes: dict[str, Any]) -> None:
    """Trained as before, with a search's results beside it."""
    trained(bench, **changes)
    best = {"units": 16, "learning_rate": 1e-4, "kind": "None", "width": 8}
    rows = [
        (1, "COMPLETED", 0.5, None, {"units": 16, "learning_rate": 1e-3}, True),
        (2, "FAILED", None, None, {"units": 16, "learning_rate": 1e-2}, False),
        (3, "COMPLETED", 0.25, None, best, False),
    ]
    columns = ["trial", "status", "score", "epochs", "hyperparameters", "defaults"]
    tune.write(NAME, bench.set(search={"trials": 3}, **changes), best, pd.DataFrame(rows, columns=columns))


def children() -> list[Any]:
    """The runs of trials that are not deleted, in order."""
    client = tracking.connect()
    found = client.search_runs([tracking.experiment(client, NAME)], "tags.trial LIKE '%'")
    return sorted(found, key=lambda run: (run.info.start_time, run.data.tags["trial"]))


class TestPromote:
    def test_the_first_version_becomes_champion(self, bench: Bench) -> None:
        bench.in_fresh_processes()
        receipt = champion(bench)
        assert (receipt.verdict, receipt.decision, receipt.champion) == ("passed", "champion", 1)
        assert aliases() == {"champion": 1}
        kept = tags(1)
        assert (kept["gate.verdict"], kept["gate.against"]) == ("passed", "no champion")
        folder = places.promoted(NAME)
        report = verdicts.read(folder)
        assert report.digest() == kept["gate.report_sha256"] == receipts.digest_file(folder / "report.json")
        assert [check.verdict for check in report.checks] == ["passed"] * len(gates.CHECKS)
        assert (folder / "gate.png").stat().st_size > 10_000
        found = registry.version(tracking.connect(), NAME, 1)
        stored = Path(tracking.connect().get_run(found.run_id).info.artifact_uri.removeprefix("file://"))
        assert (stored / kept["gate.report"] / "report.html").is_file()
        assert "passed: above floor" in found.description
        assert "The whole lineage: `./miar explain" in found.description

    def test_again_changes_nothing_and_asks_nothing(self, bench: Bench) -> None:
        champion(bench)
        before, records = tags(1), ledger.read(tracking.connect(), NAME)
        bench.monkeypatch.setattr(gates, "judge", forbidden)
        again = promote.promote(NAME)
        assert (again.verdict, again.decision, again.champion) == ("passed", "champion", 1)
        assert verdicts.read(places.promoted(NAME)).digest() == before["gate.report_sha256"]
        assert (tags(1), ledger.read(tracking.connect(), NAME)) == (before, records)

    def test_a_champion_whose_report_is_gone_is_judged_again(self, bench: Bench) -> None:
        champion(bench)
        first = tags(1)["gate.report"]
        found = registry.version(tracking.connect(), NAME, 1)
        stored = Path(tracking.connect().get_run(found.run_id).info.artifact_uri.removeprefix("file://"))
        shutil.rmtree(stored / first)
        again = promote.promote(NAME)
        assert (again.decision, again.champion) == ("champion", 1)
        assert (stored / tags(1)["gate.report"] / "report.json").is_file()

    def test_a_better_one_replaces_it_and_a_clearly_worse_one_does_not(self, bench: Bench) -> None:
        champion(bench, train={"epochs": 2}, gate={"at_least": 0.0})
        good = champion(bench, train={"epochs": 30}, gate={"at_least": 0.0})
        assert (good.decision, good.champion, good.previous) == ("champion", 2, 1)
        worse = champion(bench, train={"epochs": 1}, gate={"at_least": 0.0})
        assert (worse.verdict, worse.decision, worse.champion) == ("failed", "challenger", 2)
        assert aliases() == {"champion": 2, "previous-champion": 1, "challenger": 3}
        assert "no worse than champion: -0." in tags(3)["gate.reasons"]
        assert "less that of champion version 2 on the same exam" in worse.reasons[-1]

    def test_what_chance_could_have_made_waits_for_a_person(self, bench: Bench) -> None:
        champion(bench, train={"epochs": 6})
        close = champion(bench, train={"epochs": 6, "seed": 2}, gate={"margin": 0.1, "at_least": 0.2})
        assert (close.verdict, close.decision, close.champion) == ("inconclusive", "waits", 1)
        assert aliases() == {"champion": 1, "challenger": 2}
        bench.set(train={"epochs": 6, "seed": 2}, gate={"margin": 0.1, "approval": "never", "at_least": 0.2})
        assert promote.promote(NAME).decision == "challenger"
        bench.set(train={"epochs": 6, "seed": 2}, gate={"margin": 0.1, "at_least": 0.2})
        stale = promote.Approval("Ada", "seen", against=7)
        folder = places.promoted(NAME)
        assert promote.ask(NAME, 2, folder=folder, approval=stale).decision == "waits", "she saw another champion"
        approved = promote.Approval("Ada", "seen", against=1)
        assert promote.ask(NAME, None, folder=folder, approval=approved).decision == "champion"
        last = ledger.newest(tracking.connect(), NAME)
        assert last
        assert (last.new, last.by, last.reason) == (2, "Ada", "approved: seen")
        assert tags(2)["approval.by"] == "Ada"

    def test_a_recipe_may_always_want_a_person(self, bench: Bench) -> None:
        receipt = champion(bench, gate={"approval": "always"})
        assert (receipt.verdict, receipt.decision, receipt.champion) == ("passed", "waits", None)
        promote.refuse(NAME, 1, by="Ada", reason="not on a Friday")
        assert tags(1)["gate.decision"] == "refused"
        assert aliases() == {"challenger": 1}

    @pytest.mark.parametrize(("mode", "asked"), [("dry_run", len(gates.CHECKS)), ("off", len(gates.SOUND))])
    def test_other_modes_let_a_sound_version_through(self, bench: Bench, mode: str, asked: int) -> None:
        receipt = champion(bench, train={"epochs": 1}, gate={"at_least": 0.999, "mode": mode})
        assert (receipt.decision, receipt.champion) == ("champion", 1)
        assert receipt.verdict == ("failed" if mode == "dry_run" else "passed")
        assert len(verdicts.read(places.promoted(NAME)).checks) == asked
        assert tags(1)["gate.mode"] == mode

    def test_below_the_floor_nothing_becomes_champion(self, bench: Bench) -> None:
        receipt = champion(bench, train={"epochs": 1}, gate={"at_least": 0.999})
        assert (receipt.verdict, receipt.champion) == ("failed", None)
        assert aliases() == {"challenger": 1}
        assert receipt.reasons[0].startswith("above floor: 0.")
        assert "no worse than champion" in verdicts.read(places.promoted(NAME)).not_asked

    def test_a_score_that_is_no_number_never_passes(self, bench: Bench) -> None:
        trained(bench, gate={"at_least": 0.0})
        register.register(NAME)
        client = tracking.connect()
        for score in ("nan", "inf", "-inf", "good"):
            client.set_model_version_tag(NAME, "1", "score.accuracy", score)
            assert promote.promote(NAME).verdict == "failed", score
        client.delete_model_version_tag(NAME, "1", "score.accuracy")
        assert promote.promote(NAME).verdict == "failed"
        assert "champion" not in aliases()

    def test_on_another_exam_the_champion_sits_it_too(self, bench: Bench) -> None:
        champion(bench, train={"epochs": 12})
        recorded = tags(1)["score.accuracy"]
        bench.prepare(seed=1)
        exam = Prepared.read(places.prepared("digits")).exam
        champion(bench, train={"epochs": 13}, gate={"margin": 1.0})
        report = verdicts.read(places.promoted(NAME))
        assert (report.exam, report.champion) == (exam, 1)
        assert report.interval is not None
        assert exam != tags(1)["exam.sha256"]
        assert tags(1)["score.accuracy"] == recorded

    def test_an_exam_that_lies_here_no_more_comes_from_its_commit(self, bench: Bench) -> None:
        champion(bench)
        aside = places.DATA / "aside"
        shutil.copytree(places.prepared("digits"), aside)
        bench.prepare(seed=1)
        asked: list[str] = []

        def restore(path: str, made: str, folder: Path) -> None:
            asked.extend((path, made))
            shutil.copytree(aside, folder, dirs_exist_ok=True)

        bench.monkeypatch.setattr(versioning, "restore", restore)
        bench.monkeypatch.setattr(places, "ROOT", places.DATA.parent)
        with_exam = cases.Case(tracking.connect(), NAME, 1, None, bench.set(), places.SCRATCH)
        assert Prepared.read(with_exam.data).exam == tags(1)["exam.sha256"]
        assert asked == ["data/prepared/digits", tags(1)["git.commit"]]

    def test_what_was_found_against_another_champion_is_void(self, bench: Bench) -> None:
        champion(bench, train={"epochs": 6})
        trained(bench, train={"epochs": 30})
        register.register(NAME)
        trained(bench, train={"epochs": 12})
        register.register(NAME)
        bench.set(gate={"margin": 1.0})
        judged = gates.judge
        overtaken: list[int | None] = []

        def overtake(client: Any, model: str, number: int, **facts: Any) -> verdicts.Report:
            if not overtaken:
                champions.move(client, model, 2, expected=1, action=ledger.PROMOTE, reason="the other was quicker")
            overtaken.append(facts["champion"])
            return judged(client, model, number, **facts)

        bench.monkeypatch.setattr(gates, "judge", overtake)
        receipt = promote.promote(NAME)
        assert overtaken == [1, 2]
        assert "must still be version 1" in receipt.reasons[0]
        assert "it moved to version 2" in receipt.reasons[0]
        assert (receipt.champion, receipt.previous) == (3, 2)

    def test_two_at_once_leave_one_champion(self, bench: Bench) -> None:
        trained(bench)
        register.register(NAME)
        failures: list[BaseException] = []

        def one(number: int) -> None:
            folder = places.SCRATCH / f"promoter-{number}"
            folder.mkdir(parents=True)
            try:
                promote.ask(NAME, 1, folder=folder)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=one, args=[number]) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert aliases() == {"champion": 1}
        assert [one.state for one in ledger.read(tracking.connect(), NAME)] == ["pending", "committed"]

    def test_two_steps_at_once_both_end_with_a_receipt(self, bench: Bench) -> None:
        trained(bench)
        register.register(NAME)
        judged, both = gates.judge, threading.Barrier(2, timeout=60)
        begun: list[int] = []

        def together(*given: Any, **facts: Any) -> verdicts.Report:
            report = judged(*given, **facts)
            begun.append(1)
            both.wait()
            return report

        bench.monkeypatch.setattr(gates, "judge", together)
        failures: list[BaseException] = []

        def one() -> None:
            try:
                promote.promote(NAME)
            except BaseException as error:
                both.abort()
                failures.append(error)

        threads = [threading.Thread(target=one) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert len(begun) == 2, "what is champion already is not judged again"
        assert Promoted.read(places.promoted(NAME)).champion == 1
        assert verdicts.read(places.promoted(NAME)).version == 1
        assert aliases() == {"champion": 1}

    def test_a_champion_that_never_stays_is_told(self, bench: Bench) -> None:
        trained(bench)
        register.register(NAME)
        judged: list[int] = []
        report = verdicts.Report(
            model=NAME, version=1, champion=None, exam="e", mode="off", at="now", checks=[], not_asked=[]
        )

        def judge(*_: Any, **__: Any) -> verdicts.Report:
            judged.append(1)
            return report

        def overtaken(*_: Any, **__: Any) -> None:
            raise champions.Overtaken(NAME, 1, None, len(judged))

        bench.monkeypatch.setattr(gates, "judge", judge)
        bench.monkeypatch.setattr(promote, "carry_out", overtaken)
        with pytest.raises(Refused, match=r"it moved to version 5; ask again: ./miar promote mlp_digits --version 1"):
            promote.promote(NAME)
        assert len(judged) == promote.TRIES
        assert not places.promoted(NAME).exists()

    def test_a_yes_against_another_champion_is_not_written_down(self, bench: Bench) -> None:
        trained(bench)
        register.register(NAME)
        stale = promote.Approval("Ada", "seen", against=7)
        answer = promote.ask(NAME, 1, folder=scratch(), approval=stale, by="Bob")
        assert answer.decision == "champion", "it needs no person"
        last = ledger.newest(tracking.connect(), NAME)
        assert last
        assert (last.by, last.reason.split(":")[0]) == ("Bob", "all 13 checks passed; above floor")
        assert "approval.by" not in tags(1)

    def test_a_yes_that_is_overtaken_is_void(self, bench: Bench) -> None:
        """Ada has seen it against nobody; meanwhile version 2 became champion, and it passes against that too."""
        trained(bench)
        register.register(NAME)
        trained(bench, train={"epochs": 2})
        register.register(NAME)
        bench.set(gate={"margin": 1.0, "smallest_slice": 1})
        judged = gates.judge

        def overtake(client: Any, model: str, number: int, **facts: Any) -> verdicts.Report:
            if facts["champion"] is None:
                champions.move(client, model, 2, expected=None, action=ledger.PROMOTE, reason="the other was quicker")
            return judged(client, model, number, **facts)

        bench.monkeypatch.setattr(gates, "judge", overtake)
        approval = promote.Approval("Ada", "seen", against=None)
        answer = promote.ask(NAME, 1, folder=scratch(), approval=approval, by="Bob")
        last = ledger.newest(tracking.connect(), NAME)
        assert last
        assert (len(answer.overtaken), answer.decision) == (1, "champion")
        assert (last.old, last.new, last.by) == (2, 1, "Bob")
        assert "approval.by" not in tags(1)

    def test_a_yes_and_a_no_belong_to_their_own_judgement(self, bench: Bench) -> None:
        yes = promote.Approval("Ada", "seen", against=None)
        trained(bench, gate={"at_least": 0.999})
        register.register(NAME)
        assert promote.ask(NAME, 1, folder=scratch(), approval=yes).decision == "challenger", "a yes mends no failure"
        assert tags(1)["approval.by"] == "Ada"
        promote.refuse(NAME, 1, by="Bob", reason="not on a Friday")
        bench.set()
        assert promote.promote(NAME).decision == "champion"
        kept = tags(1)
        assert (kept["gate.decision"], kept["refusal.by"]) == ("champion", "Bob")
        assert "approval.by" not in kept, "nobody approved what made it champion"
        assert "approval.reason" not in kept

    def test_a_champion_that_was_deleted_by_hand_is_compared_with_no_more(self, bench: Bench) -> None:
        champion(bench)
        tracking.connect().delete_model_version(NAME, "1")
        receipt = champion(bench, train={"epochs": 12})
        assert (receipt.decision, receipt.champion, receipt.previous) == ("champion", 2, None)
        assert "it named nobody, the ledger knows version 1" in str(receipt.found)
        assert tags(2)["gate.against"] == "no champion"

    def test_a_champion_s_score_that_is_no_number_is_none(self, bench: Bench) -> None:
        trained(bench, gate={"mode": "off"})
        register.register(NAME)
        tracking.connect().set_model_version_tag(NAME, "1", "score.accuracy", "good")
        receipt = promote.promote(NAME)
        assert (receipt.decision, receipt.champion, receipt.champion_score) == ("champion", 1, None)

    def test_before_register_is_told(self, bench: Bench) -> None:
        bench.set()
        with pytest.raises(BadData, match=r"receipt of the step register.*python -m tasks register mlp_digits"):
            promote.promote(NAME)


def forbidden(*_: Any, **__: Any) -> Any:
    raise AssertionError("this must not be asked again")


class TestBadVersions:
    """What must not become champion, each told with what, where and what to do."""

    def test_without_lineage(self, bench: Bench) -> None:
        trained(bench)
        register.register(NAME)
        tracking.connect().delete_model_version_tag(NAME, "1", "git.commit")
        receipt = promote.promote(NAME)
        assert receipt.verdict == "failed"
        assert (
            "without git.commit; a run registers versions with all of it: ./miar run mlp_digits" in receipt.reasons[0]
        )

    def test_not_ready_or_another_model_s(self, bench: Bench) -> None:
        trained(bench)
        register.register(NAME)
        set_status("PENDING_REGISTRATION")
        receipt = promote.promote(NAME)
        assert receipt.verdict == "failed"
        assert receipt.reasons == ["may be champion: its status is PENDING_REGISTRATION against yes"]
        set_status("READY")
        tracking.connect().set_model_version_tag(NAME, "1", registry.MODEL, "cnn_mnist")
        bench.set(gate={"mode": "off"})
        receipt = promote.promote(NAME)
        assert (receipt.verdict, receipt.decision, receipt.champion) == ("failed", "challenger", None)
        assert receipt.reasons == ["may be champion: it is a version of cnn_mnist against yes"]

    def test_an_exam_that_is_no_digest_leads_out_of_no_folder(self, bench: Bench) -> None:
        trained(bench)
        register.register(NAME)
        bench.monkeypatch.setattr(versioning, "restore", lambda *_: None)
        bench.monkeypatch.setattr(places, "ROOT", places.DATA.parent)
        before = sorted(path.name for path in places.prepared("digits").iterdir())
        for exam in ("../../prepared/digits", "/etc", "", "none", "F" * 64):
            tracking.connect().set_model_version_tag(NAME, "1", "exam.sha256", exam)
            case = cases.Case(tracking.connect(), NAME, 1, None, bench.set(), places.SCRATCH)
            with pytest.raises(BadData, match=r"`exam.sha256` of version 1 of `mlp_digits` must be a sha256"):
                assert case.data
        assert sorted(path.name for path in places.prepared("digits").iterdir()) == before

    def test_quarantined_and_approved_all_the_same(self, bench: Bench) -> None:
        champion(bench)
        tracking.connect().delete_registered_model_alias(NAME, "champion")
        tracking.connect().set_model_version_tag(NAME, "1", champions.QUARANTINED, "it bites")
        bench.set(gate={"mode": "dry_run"})
        approval = promote.Approval("Ada", "I like it", against=None)
        answer = promote.ask(NAME, 1, folder=places.promoted(NAME), approval=approval)
        assert (answer.decision, answer.report.checks[0].value) == ("challenger", "it is quarantined: it bites")
        assert answer.found is not None
        assert "it named nobody, the ledger knows version 1" in str(answer.found)
        assert aliases() == {}

    def test_files_changed_on_disk(self, bench: Bench) -> None:
        bench.in_fresh_processes()
        trained(bench)
        register.register(NAME)
        spoil(1)
        receipt = promote.promote(NAME)
        assert receipt.verdict == "failed"
        assert "must have the sha256 they were registered with" in receipt.reasons[0]

    def test_a_champion_whose_files_have_changed_leaves_it_to_a_person(self, bench: Bench) -> None:
        champion(bench)
        spoil(1)
        receipt = champion(bench, train={"epochs": 12})
        assert (receipt.verdict, receipt.decision) == ("inconclusive", "waits")
        assert "champion unreadable" in receipt.reasons[0]
        assert "a person decides, or: ./miar rollback mlp_digits" in receipt.reasons[0]
        assert aliases() == {"champion": 1, "challenger": 2}

    def test_weights_that_are_no_numbers(self, bench: Bench) -> None:
        trained(bench)
        put(bench, lambda network: network.set_weights([weight * np.nan for weight in network.get_weights()]))
        receipt = promote.promote(NAME)
        assert receipt.verdict == "failed"
        assert "its weights hold NaN or infinity" in receipt.reasons[0]

    def test_another_signature_than_the_champion_s(self, bench: Bench) -> None:
        champion(bench)
        put(bench, lambda network: keras.Model(network.inputs, keras.layers.Dense(11)(network.layers[-2].output)))
        receipt = promote.promote(NAME)
        assert receipt.verdict == "failed"
        assert receipt.reasons[0].startswith("same signature: ")
        assert "(-1, 11)" in receipt.reasons[0]
        assert "(-1, 10)" in receipt.reasons[0]

    def test_one_that_is_not_there(self, bench: Bench) -> None:
        champion(bench)
        with pytest.raises(BadRequest, match=r"`version` must be one of `mlp_digits`. Received: 9, which is not there"):
            promote.ask(NAME, 9, folder=places.promoted(NAME))


def scratch() -> Path:
    """A folder for a report."""
    folder = places.SCRATCH / "asked"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def set_status(status: str) -> None:
    """Let MLflow's database say so of version 1; its own client sets no status."""
    with closing(sqlite3.connect(places.MLFLOW_DATABASE)) as connection:
        connection.execute("UPDATE model_versions SET status = ? WHERE version = 1", [status])
        connection.commit()


def spoil(number: int) -> None:
    """Change a byte of a version's network on the disk."""
    path = registry.logged(tags(number)["mlflow.model_id"])
    (network,) = path.rglob("*.keras")
    content = bytearray(network.read_bytes())
    content[len(content) // 2] ^= 1
    network.write_bytes(content)


def put(bench: Bench, change: Callable[[Any], Any]) -> None:
    """Register another network in place of the trained one, with all that says where it came from."""
    load = keras.models.load_model

    def changed(path: Any) -> Any:
        network = load(path)
        return change(network) or network

    bench.monkeypatch.setattr(keras.models, "load_model", changed)
    bench.monkeypatch.setattr(register, "identify", lambda *_: "f" * 64)
    bench.monkeypatch.setattr(register, "record_reference", lambda *_: None)  # it would refuse such answers
    register.register(NAME)
    bench.monkeypatch.setattr(keras.models, "load_model", load)


def test_receipts_read_back(bench: Bench) -> None:
    champion(bench)
    assert Registered.read(places.registered(NAME)).version == 1
    assert Promoted.read(places.promoted(NAME)).champion == 1
    names = {path.name for path in places.promoted(NAME).iterdir()}
    assert names == {"receipt.json", "report.json", "report.html", "gate.png"}
    assert [path.name for path in places.registered(NAME).iterdir()] == ["receipt.json"]
