"""From a tuned recipe to a champion, with the real trainer and MLflow's real registry on SQLite."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks import evaluate, places, promote, register, train, tune
from tasks.errors import BadData, BadRequest, Refused, Unavailable
from tasks.outside import registry, tracking
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
        with pytest.raises(BadData, match="must have the digest of its receipt"):
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
        trained(bench, train={"seed": 1})
        assert register.register(NAME).version == 2

    def test_refuses_an_evaluation_of_other_data(self, bench: Bench) -> None:
        trained(bench)
        bench.prepare(seed=1)
        with pytest.raises(Refused, match="must be on the exam that lies here"):
            register.register(NAME)

    def test_a_server_that_is_not_there_is_told_in_seconds(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        trained(bench)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        with pytest.raises(Unavailable, match=r"MLflow must answer at MLFLOW_TRACKING_URI \(http://127.0.0.1:9\)"):
            register.register(NAME)
        assert not places.registered(NAME).exists()


class TestPromote:
    def test_the_first_version_becomes_champion(self, bench: Bench) -> None:
        receipt = champion(bench)
        assert (receipt.verdict, receipt.champion, receipt.previous) == ("passed", 1, None)
        assert aliases() == {"champion": 1}
        assert tags(1)["gate.verdict"] == "passed"
        assert "there was no champion" in tags(1)["gate.reasons"]

    def test_a_better_one_replaces_it_and_a_worse_one_does_not(self, bench: Bench) -> None:
        poor = champion(bench, train={"epochs": 2}, gate={"at_least": 0.0})
        good = champion(bench, train={"epochs": 12}, gate={"at_least": 0.0})
        assert good.champion_score is not None
        assert poor.champion_score is not None
        assert good.champion_score > poor.champion_score
        assert aliases() == {"champion": 2, "previous-champion": 1}
        worse = champion(bench, train={"epochs": 1, "seed": 3}, gate={"at_least": 0.0})
        assert worse.verdict == "failed"
        assert worse.champion == 2
        assert aliases() == {"champion": 2, "previous-champion": 1, "challenger": 3}
        assert "must be at least that of champion version 2" in worse.reasons[-1]
        assert tags(3)["gate.verdict"] == "failed"
        assert worse.reasons[-1] in tags(3)["gate.reasons"]

    def test_an_equal_one_replaces_it_and_a_margin_forgives(self, bench: Bench) -> None:
        champion(bench, train={"epochs": 12})
        assert champion(bench, train={"epochs": 2}, gate={"at_least": 0.0, "margin": 1.0}).champion == 2

    def test_again_changes_nothing(self, bench: Bench) -> None:
        champion(bench)
        again = promote.promote(NAME)
        assert again.verdict == "passed"
        assert again.reasons[-1] == "version 1 is the champion already"
        assert aliases() == {"champion": 1}

    def test_below_the_floor_nothing_becomes_champion(self, bench: Bench) -> None:
        receipt = champion(bench, train={"epochs": 1}, gate={"at_least": 0.999})
        assert (receipt.verdict, receipt.champion) == ("failed", None)
        assert aliases() == {"challenger": 1}
        assert "accuracy must be at least 0.999, it is 0." in receipt.reasons[0]

    def test_a_score_that_is_no_number_never_passes(self, bench: Bench) -> None:
        trained(bench, gate={"at_least": 0.0})
        register.register(NAME)
        client = tracking.connect()
        for score in ("nan", "inf", "-inf"):
            client.set_model_version_tag(NAME, "1", "score.accuracy", score)
            assert promote.promote(NAME).verdict == "failed", score
        client.delete_model_version_tag(NAME, "1", "score.accuracy")
        assert promote.promote(NAME).verdict == "failed"
        assert "champion" not in aliases()

    def test_on_another_exam_the_champion_sits_it_too(self, bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
        champion(bench, train={"epochs": 12})
        recorded = float(tags(1)["score.accuracy"])
        bench.prepare(seed=1)
        receipt = champion(bench, train={"epochs": 13})
        assert "champion version 1 sits it now" in capsys.readouterr().out
        assert receipt.champion in {1, 2}
        assert "that of champion version 1" in receipt.reasons[-1]
        assert float(tags(1)["score.accuracy"]) == recorded

    def test_a_champion_that_cannot_be_read_keeps_its_place(self, bench: Bench) -> None:
        champion(bench)
        for file in places.MLFLOW_ARTIFACTS.rglob("model.keras"):
            file.unlink()
        bench.prepare(seed=1)
        receipt = champion(bench, train={"epochs": 12})
        assert receipt.verdict == "failed"
        assert "must be comparable on the same exam. Received:" in receipt.reasons[-1]
        assert aliases() == {"champion": 1, "challenger": 2}

    def test_two_at_once_leave_one_champion(self, bench: Bench) -> None:
        trained(bench)
        register.register(NAME)
        failures: list[BaseException] = []

        def one() -> None:
            try:
                promote.promote(NAME)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=one) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert aliases() == {"champion": 1}

    def test_before_register_is_told(self, bench: Bench) -> None:
        bench.set()
        with pytest.raises(BadData, match=r"receipt of the step register.*python -m tasks register mlp_digits"):
            promote.promote(NAME)


def test_receipts_read_back(bench: Bench) -> None:
    champion(bench)
    assert Registered.read(places.registered(NAME)).version == 1
    assert Promoted.read(places.promoted(NAME)).champion == 1
    assert [path.name for path in places.registered(NAME).iterdir()] == ["receipt.json"]
