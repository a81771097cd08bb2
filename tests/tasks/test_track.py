"""track and enrol: footage whose tracks are known by hand, and a detector that is no more than a rule."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import mlflow
import numpy as np
import pandas as pd
import pytest
from keras import ops

from tasks import bouncing, catalogue, enrol, examine, footage, places, track
from tasks.catalogue import Footage, Tracker
from tasks.errors import BadData, BadRequest, MiarError, Refused
from tasks.outside import registry, tracking, versioning
from tasks.receipts import Enrolled, Tracked, Trained, digest_file
from tests.tasks.registries import Place
from tests.tasks.test_mot import zipped

PROJECT = catalogue.load()
DETECTOR, SIDE = "ssd_digit_scenes", 64
LONE = {"clips": 1, "digits": 1, "frames": 12, "side": SIDE, "seed": 3}
"""A clip of one digit: whatever finds its ink has found it."""

LABEL = int(bouncing.clip(3, digits=1, frames=1, side=SIDE).truth["label"][0])


def let(patch: pytest.MonkeyPatch, footage: dict[str, Any], **settings: Any) -> None:
    """Let the catalogue have one footage and one tracker, called `one`."""
    asked = {"detector": "truth", "footage": "shown", "gate": {"metric": "mota", "at_least": 0.95}, **settings}
    changes = {
        "footage": {"shown": Footage.model_validate(footage)},
        "trackers": {"one": Tracker.model_validate(asked)},
    }
    patch.setattr(catalogue, "load", lambda: PROJECT.model_copy(update=changes))


def test_true_boxes_are_followed(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let(monkeypatch, {"bouncing": {"clips": 2, "digits": 3, "frames": 10, "side": SIDE, "seed": 0}})
    found = track.track("one")
    folder = workplace / "tracked" / "one"
    assert found == Tracked.read(folder)
    assert min(found.scores.values()) >= 0.95
    assert found.clips == {"seed_0": 10, "seed_1": 10}
    metrics = json.loads((folder / track.METRICS).read_text())
    assert {name: metrics[name] for name in found.scores} == found.scores
    assert metrics["boxes"] == 60 == sum(clip["boxes"] for clip in metrics["clips"].values())
    table = pd.read_csv(folder / track.TRACKS)
    assert table.columns.tolist() == ["clip", "frame", "id", "label", "score", "y1", "x1", "y2", "x2"]
    assert (table.groupby(["clip", "id"]).size() == 10).all()
    report = (folder / "report.html").read_text()
    assert report.count("data:image/gif;base64,") == len(list(folder.glob("clips/*.gif"))) == 2
    assert "mota of at least 0.95: reached" in report
    assert track.track("one").digest == found.digest


def test_given_boxes_are_those_of_the_file(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of three boxes are given: one miss, so MOTA is 2/3. The last of them is too unsure to be taken."""
    rows = {"gt": "{},7,11,11,20,20,1,-1,-1,-1\n", "det": "{},-1,11,11,20,20,{},-1,-1,-1\n"}
    truth = "".join(rows["gt"].format(frame) for frame in (1, 2, 3)).encode()
    boxes = "".join(rows["det"].format(frame, score) for frame, score in ((1, 5), (2, 4), (3, -3))).encode()
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    file = zipped(mirror / "a.zip", **{"gt/gt.txt": truth, "det/det.txt": boxes})
    asked = {"files": {"a.zip": digest_file(file)}, "clips": ["A"], "licence": "none", "origins": {}}
    let(monkeypatch, {"mot": asked}, detector="given", sort={"score": 0})
    monkeypatch.setenv("MIAR_MIRROR", str(mirror))
    assert track.track("one").scores["mota"] == pytest.approx(2 / 3)
    assert pd.read_csv(workplace / "tracked" / "one" / track.TRACKS)["label"].tolist() == ["person"] * 2
    asked["clips"] = ["B"]
    let(monkeypatch, {"mot": asked}, detector="given")
    with pytest.raises(BadData, match=r"the archive must hold one `B/seqinfo\.ini`\. Received: 0"):
        track.track("one")


def test_clips_are_scored_together_as_one() -> None:
    """Of two clips with two boxes each, one is followed and one not: their frames and numbers are the same."""
    box = {"label": 0, "y1": 0.0, "x1": 0.0, "y2": 1.0, "x2": 1.0}
    truth = pd.DataFrame([{"frame": frame, "track": 1, **box} for frame in (0, 1)])
    clips = [footage.Clip(name, 1, 2, 8, 8, lambda: iter(()), truth) for name in "ab"]
    scores = track.judge(clips, [truth, truth.iloc[:0]])
    assert [scores[name].mota for name in ("a", "b", track.ALL)] == [1, 0, 0.5]
    assert scores[track.ALL].idf1 == pytest.approx(2 * 2 / (4 + 2))
    assert scores[track.ALL].switches == 0


def ink_finder(side: int = SIDE, *, swapped: bool = False) -> keras.Model:
    """A detector that finds one box around all ink, of the lone digit's label."""
    inputs = keras.Input((side, side, 1), dtype="uint8")
    ink = ops.cast(ops.greater_equal(ops.squeeze(inputs, -1), bouncing.INK), "float32")
    ends = []
    for axis in (2, 1):
        line = ops.max(ink, axis=axis)
        place = ops.cumsum(ops.ones_like(line), axis=1)
        low = ops.min(ops.where(ops.greater(line, 0), place, side), axis=1)
        ends.append((ops.subtract(low, 1), ops.max(ops.multiply(place, line), axis=1)))
    (top, bottom), (left, right) = ends
    corners = [bottom, left, top, right] if swapped else [top, left, bottom, right]
    boxes = ops.expand_dims(ops.divide(ops.stack(corners, axis=1), side), 1)
    scores = ops.ones_like(boxes[:, :, 0])
    labels = ops.add(ops.cast(ops.multiply(scores, 0), "int32"), LABEL)
    return keras.Model(inputs, {"boxes": boxes, "labels": labels, "scores": scores})


def keep(network: keras.Model) -> None:
    """Let the network be the trained one of DETECTOR."""
    folder = places.trained(DETECTOR)
    folder.mkdir(parents=True, exist_ok=True)
    network.save(folder / "model.keras")
    fit = {"data": "", "base": "", "carried": 0, "parameters": 0, "epochs": 1, "best_epoch": 1, "seed": 0}
    Trained(name=DETECTOR, digest="0" * 64, device="CPU", threads=1, seconds=1.0, **fit).write(folder)


@pytest.mark.usefixtures("workplace")
def test_a_detector_sees_every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    let(monkeypatch, {"bouncing": LONE}, detector=DETECTOR)
    keep(ink_finder())
    found = track.track("one")
    assert found.scores["mota"] == 1
    assert (found.detector, set(found.frames_per_second)) == ("0" * 64, {"tracker", DETECTOR})


@pytest.mark.parametrize(
    ("network", "error", "rule"),
    [
        (None, BadData, r"model\.keras` must be a Keras model"),
        (ink_finder(32), BadRequest, r"`footage` must have frames of \(32, 32, 1\).*Received: \(64, 64, 1\) in seed_3"),
        (ink_finder(swapped=True), BadData, r"clip seed_3: detection 0 must have y1 <= y2"),
    ],
)
def test_a_wrong_detector_is_told(
    network: keras.Model | None, error: type[MiarError], rule: str, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let(monkeypatch, {"bouncing": LONE}, detector=DETECTOR)
    if network is not None:
        keep(network)
    with pytest.raises(error, match=rule):
        track.track("one")
    assert not (workplace / "tracked" / "one").exists()


@pytest.fixture
def registered(place: Place, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The detector is trained here, and its version 1 is champion; returns MLflow's client."""
    assert place
    monkeypatch.setattr(examine, "apart", examine.here)
    monkeypatch.setattr(versioning, "commit", lambda: versioning.git("rev-parse", "HEAD"))
    let(monkeypatch, {"bouncing": LONE}, detector=DETECTOR)
    network, client = ink_finder(), tracking.connect()
    keep(network)
    samples = bouncing.clip(3, digits=1, frames=4, side=SIDE).frames[..., np.newaxis]
    with tracking.run(client, DETECTOR) as run:
        model_id = tracking.log_network(network, samples, {"map_50": 1.0}, ["numpy"])
    tags = {registry.MODEL_DIGEST: registry.digest(registry.logged(model_id)), "hw.device": "CPU", "gx.success": "true"}
    tags |= {registry.MODEL: DETECTOR, registry.IDENTITY: "0", "data.sha256": "d" * 64, "tuner.kind": "random"}
    registry.create(client, DETECTOR, run=run, model_id=model_id, tags=tags, text="")
    registry.point(DETECTOR, registry.CHAMPION, 1)
    track.track("one")
    return client


def test_a_tracker_is_registered_once_and_says_where_it_came_from(registered: Any, workplace: Path) -> None:
    found = enrol.enrol("one")
    assert found == Enrolled.read(workplace / "enrolled" / "one")
    assert (found.version, found.new, found.detector, found.decision) == (1, True, 1, "champion")
    tags = registry.version(registered, "one", 1).tags
    assert (tags["detector"], tags["data.sha256"], tags["gx.success"]) == (f"{DETECTOR} version 1", "d" * 64, "true")
    assert "tuner.kind" not in tags
    assert tags["gate.verdict"] == "passed"
    assert float(tags["score.mota"]) == Tracked.read(workplace / "tracked" / "one").scores["mota"]
    served = registry.served(registry.fetch(registered, "one", 1))
    for frames in (np.zeros((0, SIDE, SIDE, 1), np.uint8), np.zeros((2, 9, 9, 1), np.uint8)):
        with pytest.raises(mlflow.exceptions.MlflowException):
            served.predict(frames)
    again = enrol.enrol("one")
    assert (again.version, again.new, again.decision) == (1, False, "champion")


def test_it_gives_the_same_tracks_where_the_project_is_not(registered: Any, workplace: Path, tmp_path: Path) -> None:
    enrol.enrol("one")
    path = registry.fetch(registered, "one", 1)
    away = tmp_path / "away"
    shutil.copytree(path, away / "version")
    frames = bouncing.clip(3, digits=1, frames=12, side=SIDE).frames[..., np.newaxis]
    np.save(away / "frames.npy", frames)
    code = (
        "import mlflow, numpy as np, pandas as pd, sys\n"
        "given = mlflow.pyfunc.load_model('version').predict(np.load('frames.npy'))\n"
        "pd.DataFrame(given).to_csv('tracks.csv', index=False, float_format='%.6f')\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('tasks', 'models', 'flows', 'keras')])\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=away, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    ours = pd.read_csv(workplace / "tracked" / "one" / track.TRACKS).drop(columns="clip").assign(label=LABEL)
    pd.testing.assert_frame_equal(pd.read_csv(away / "tracks.csv"), ours)
    assert not list((away / "version").rglob("*.pkl"))
    assert str(places.ROOT) not in (away / "version" / "MLmodel").read_text()


def test_one_that_is_worse_stays_challenger(registered: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of all overlaps are too few for one; for another the floor is too high."""
    enrol.enrol("one")
    let(
        monkeypatch, {"bouncing": LONE}, detector=DETECTOR, sort={"score": 2.0}, gate={"metric": "mota", "at_least": -1}
    )
    track.track("one")
    assert enrol.enrol("one").decision == "challenger"
    assert registry.aliases(registered, "one") == {"champion": 1, "challenger": 2}
    assert registry.version(registered, "one", 2).tags["gate.reasons"].startswith("no worse than champion: 0 against 1")
    let(monkeypatch, {"bouncing": LONE}, detector=DETECTOR, sort={"score": 2.0, "max_age": 2})
    track.track("one")
    enrol.enrol("one")
    assert "above floor: 0 against 0.95" in registry.version(registered, "one", 3).tags["gate.reasons"]


def test_what_cannot_be_registered_is_told(registered: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.unpoint(DETECTOR, registry.CHAMPION)
    with pytest.raises(Refused, match=rf"`{DETECTOR}` must have a champion.*Run: \./miar run {DETECTOR}"):
        enrol.enrol("one")
    assert registry.aliases(registered, "one") == {}
    let(monkeypatch, {"bouncing": LONE})
    with pytest.raises(BadRequest, match=r"`detector` must be a recipe's.*Received: 'truth'"):
        enrol.enrol("one")
