"""Answers with their origin, what is normal for them, shifts that are found, and champions that fall and come back."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from models.spec import Spec
from tasks import champions, drift, history, measures, places, prepared, proposals, records, score, watch
from tasks.catalogue import Monitoring
from tasks.errors import BadData, BadRequest
from tasks.outside import ledger, registry, tracking
from tasks.receipts import digest_file
from tests.models.examples import EXAMPLES, build
from tests.tasks.conftest import Bench, move
from tests.tasks.test_lifecycle import NAME, champion, trained

WATCH = Monitoring(window=60, windows=4, over=2)


class TestNumbers:
    def test_the_index_is_that_of_the_formula(self) -> None:
        expected, actual = np.array([50, 30, 20]), np.array([20, 30, 50])
        e, a = (expected + 0.5) / 101.5, (actual + 0.5) / 101.5
        by_hand = sum((a[k] - e[k]) * np.log(a[k] / e[k]) for k in range(3))
        assert drift.psi(expected, actual) == pytest.approx(by_hand)
        assert drift.psi(np.array([0, 100]), np.array([0, 100])) == pytest.approx(0)

    def test_the_distance_is_one_where_nothing_is_in_common(self) -> None:
        assert drift.js(np.array([10, 0]), np.array([0, 7])) == pytest.approx(1)
        assert drift.js(np.array([10, 30]), np.array([1, 3])) == pytest.approx(0, abs=1e-7)
        half = drift.js(np.array([1, 1]), np.array([1, 0]))
        by_hand = np.sqrt((0.5 * np.log2(0.5 / 0.75) + 0.5 * np.log2(0.5 / 0.25)) / 2 + np.log2(1 / 0.75) / 2)
        assert half == pytest.approx(by_hand)

    @given(some.integers(0, 10_000), some.sampled_from([60, 200, 500]), some.integers(2, 10))
    @settings(max_examples=60, deadline=None)
    def test_without_a_shift_the_limit_of_chance_holds(self, seed: int, window: int, bins: int) -> None:
        rng = np.random.default_rng(seed)
        share = rng.dirichlet(np.full(bins, 5.0))
        counts = rng.multinomial(1000, share), rng.multinomial(window, share)
        assert drift.psi(*counts) <= drift.by_chance(*counts, 1e-5) * 1.5

    @given(some.lists(some.floats(-1e6, 1e6), min_size=1, max_size=300))
    @settings(deadline=None)
    def test_every_value_is_in_one_bin(self, values: list[float]) -> None:
        array = np.array(values)
        edges = measures.quantiles(array)
        assert (np.diff(edges) > 0).all()
        assert measures.binned(array, edges).sum() == len(values)
        assert measures.binned(np.array([-1e9, 1e9]), edges).sum() == 2


@pytest.mark.parametrize("kind", list(EXAMPLES))
def test_of_every_kind_of_sample_something_is_watched(kind: str, tmp_path: Path) -> None:
    example = EXAMPLES[kind]
    samples, spec = records.packed(example.samples), example.spec
    given_answers = answers_of(spec, len(samples))
    reference = measures.refer(samples, given_answers, spec, np.ones(len(samples)))
    reference.write(tmp_path / "reference.npz")
    again = measures.Reference.read(tmp_path / "reference.npz")
    found = measures.of_samples(samples, again.projection) | measures.of_answers(given_answers, spec)
    assert set(found) == set(again.edges) == set(again.counts)
    assert all(value.shape == (len(samples),) and np.isfinite(value).all() for value in found.values())
    for name, values in found.items():
        assert measures.binned(values, again.edges[name]).tolist() == again.counts[name].tolist()


def answers_of(spec: Spec, count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    if spec.vectors:
        return rng.random((count, *spec.input_shape, 3), np.float32)
    if spec.boxes:
        corners = np.sort(rng.random((count, spec.boxes, 2, 2), np.float32), axis=2)
        return records.packed(
            {
                "boxes": corners.reshape(count, spec.boxes, 4),
                "labels": rng.integers(0, len(spec.classes), (count, spec.boxes), np.int32),
                "scores": -np.sort(-rng.random((count, spec.boxes), np.float32)),
            }
        )
    label = rng.dirichlet(np.ones(max(len(spec.classes), 1)), count).astype(np.float32)
    if not spec.number:
        return label
    number = rng.random((count, 1), np.float32)
    return records.packed({"label": label, spec.number.name: number}) if spec.classes else number


def test_of_boxes_the_sure_ones_are_watched() -> None:
    given = {
        "boxes": np.array([[[0, 0, 0.5, 0.5], [0.5, 0, 1, 0.2], [0, 0, 1, 1]], np.zeros((3, 4))], np.float32),
        "labels": np.array([[1, 0, 1], [0, 0, 0]], np.int32),
        "scores": np.array([[0.9, 0.5, 0.49], [0.3, 0, 0]], np.float32),
    }
    found = measures.of_boxes(records.packed(given), EXAMPLES["scenes"].spec)
    wanted = {
        "answer.objects": [2, 0],
        "answer.confidence": [0.9, 0.3],
        "answer.area": [(0.25 + 0.1) / 2, 0],
        "answer.of_a": [1, 0],
        "answer.of_b": [1, 0],
    }
    assert set(found) == set(wanted)
    for name, values in wanted.items():
        assert found[name].tolist() == pytest.approx(values), name


def test_of_proposals_their_number_and_area_are_watched() -> None:
    nothing, quarter, tenth = [0.0] * 4, [0, 0, 0.5, 0.5], [0.5, 0, 1, 0.2]
    proposals = np.array([[quarter, tenth, nothing], [tenth, nothing, nothing], [nothing] * 3], np.float32)
    samples = records.packed({"image": np.zeros((3, 4, 4, 1), np.uint8), "proposals": proposals})
    found = measures.of_samples(samples, None)
    assert found["proposals.count"].tolist() == [2, 1, 0]
    assert found["proposals.area"].tolist() == pytest.approx([(0.25 + 0.1) / 2, 0.1, 0])
    assert {name for name in found if not name.startswith("image.")} == {"proposals.count", "proposals.area"}


PROPOSING = EXAMPLES["scenes and proposals"]


def test_where_images_come_alone_their_proposals_are_found(tmp_path: Path) -> None:
    samples = records.packed(PROPOSING.samples)
    images, path = samples["image"][:3], tmp_path / "batch.npy"
    wanted = proposals.of_images(images, most=16)
    for alone in (images, records.packed({"image": images})):
        found = score.completed(alone, PROPOSING.spec, path)
        score.check(found, PROPOSING.spec, path)
        np.testing.assert_array_equal(found["image"], images)
        np.testing.assert_array_equal(found["proposals"], wanted)
    assert score.completed(samples, PROPOSING.spec, path) is samples
    assert score.completed(images, EXAMPLES["scenes"].spec, path) is images
    with pytest.raises(BadData, match=r"input image must be uint8 \(N, 64, 64, 1\)\. Received: uint8 \(3, 7,"):
        score.completed(images[:, :7], PROPOSING.spec, path)


def test_a_file_of_images_is_answered_as_one_with_their_proposals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "scored", lambda model: tmp_path / model)
    network, _ = build("fast_rcnn", PROPOSING.spec)
    samples, spec = records.packed(PROPOSING.samples), PROPOSING.spec
    reference = measures.refer(samples, answers_of(spec, len(samples)), spec, np.ones(len(samples)))
    monkeypatch.setattr(history, "files_of", lambda _: ("fast_rcnn", 1, tmp_path))
    monkeypatch.setattr(registry, "served", lambda _: network)
    monkeypatch.setattr(score, "known_of", lambda *_: score.Known(spec, "detection", reference))
    images = samples["image"][:4]
    whole = records.packed({"image": images, "proposals": proposals.of_images(images, most=16)})
    one, other = (
        pd.read_parquet(score.score("fast_rcnn", file_of(some, tmp_path / f"{number}.npy")).file)
        for number, some in enumerate((images, whole))
    )
    same = [score.OBJECTS, *(name for name in one if name.startswith(score.WATCHED))]
    pd.testing.assert_frame_equal(one[same], other[same])
    assert one["x.proposals.count"].min() >= 1


@pytest.fixture(scope="module")
def in_use(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A champion that all tests here ask."""
    folder = tmp_path_factory.mktemp("in-use")
    with pytest.MonkeyPatch.context() as patch:
        move(folder, patch)
        bench = Bench(patch)
        bench.kept = folder / "kept"
        assert champion(bench).champion == 1
        bench.set(monitoring=WATCH.model_dump())
        yield bench


@pytest.fixture
def used(in_use: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The champion, with a place of the test's own for what it is asked."""
    for name in ("scored", "labels", "drifted"):
        monkeypatch.setattr(places, name, lambda model, kind=name: tmp_path / kind / model)
    return in_use


def file_of(samples: np.ndarray, path: Path) -> Path:
    np.save(path, samples)
    return path


def drawn(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples like those of the exam, and their classes."""
    exam = prepared.read("digits", "test")
    rows = np.random.default_rng(seed).integers(0, len(exam), count)
    return np.asarray(exam.samples)[rows], np.asarray(exam.answers)[rows]


class TestScore:
    def test_each_row_says_by_which_version_and_from_which_file(self, used: Bench, tmp_path: Path) -> None:
        samples, _ = drawn(70, seed=1)
        path = file_of(samples, tmp_path / "batch.npy")
        found = score.score(NAME, path)
        table = pd.read_parquet(found.file)
        assert len(table) == found.rows == 70
        assert set(table["version"]) == {1}
        assert set(table["data"]) == {digest_file(path)}
        assert table["id"].is_unique
        network = registry.read(registry.fetch(tracking.connect(), NAME, 1))
        wanted = network.predict(samples, verbose=0)
        assert [int(name) for name in table["class"]] == wanted.argmax(axis=1).tolist()
        np.testing.assert_allclose(table["probability"], wanted.max(axis=1), atol=1e-5)
        assert used is not None

    def test_the_same_file_is_answered_once_by_each_version(self, used: Bench, tmp_path: Path) -> None:
        path = file_of(drawn(60, seed=1)[0], tmp_path / "batch.npy")
        first, again = score.score(NAME, path), score.score(NAME, path)
        assert (first.new, again.new, again.file) == (True, False, first.file)
        assert len(score.scored(NAME)) == 60
        assert used is not None

    def test_ids_are_kept(self, used: Bench, tmp_path: Path) -> None:
        np.savez(tmp_path / "batch.npz", samples=drawn(60, seed=1)[0], ids=np.arange(500, 560))
        score.score(NAME, tmp_path / "batch.npz", alias="1")
        assert score.scored(NAME)["id"].tolist() == [str(number) for number in range(500, 560)]
        assert used is not None

    @pytest.mark.parametrize(
        ("spoil", "error", "told"),
        [
            (
                lambda samples: samples[:, :7],
                BadData,
                r"must be uint8 \(N, 8, 8, 1\)\. Received: uint8 \(5, 7",
            ),
            (lambda samples: samples.astype(float), BadData, "Received: float64"),
            (lambda samples: samples[:0], BadData, "must hold samples"),
            (lambda _: np.array([{"a": 1}], dtype=object), BadData, "and no pickle"),
        ],
        ids=["shape", "type", "empty", "pickle"],
    )
    def test_what_it_does_not_take_is_told(
        self, used: Bench, tmp_path: Path, spoil: Callable[[np.ndarray], np.ndarray], error: type[Exception], told: str
    ) -> None:
        np.save(tmp_path / "batch.npy", spoil(drawn(5, seed=1)[0]), allow_pickle=True)
        with pytest.raises(error, match=told):
            score.score(NAME, tmp_path / "batch.npy")
        assert score.scored(NAME).empty
        assert used is not None

    def test_no_file_and_no_model_are_told(self, used: Bench, tmp_path: Path) -> None:
        with pytest.raises(BadRequest, match=r"must be a \.npy or \.npz file"):
            score.score(NAME, tmp_path / "nothing.npy")
        with pytest.raises(BadRequest, match="must be in the registry"):
            score.score("nobody", tmp_path / "nothing.npy")
        assert used is not None


class TestDrift:
    def test_is_not_found_where_there_is_none(self, used: Bench, tmp_path: Path) -> None:
        for seed in range(4):
            score.score(NAME, file_of(drawn(60, seed)[0], tmp_path / f"{seed}.npy"))
        found = drift.drift(NAME)
        assert (found.drifted, found.windows) == (False, [[], [], [], []])
        assert (places.drifted(NAME) / "drift.png").stat().st_size > 10_000
        assert "is steady" in (places.drifted(NAME) / "report.html").read_text()
        assert used is not None

    @pytest.mark.parametrize("shift", ["turned", "noisy", "skewed"])
    def test_is_found_in_images_that_are_others(self, used: Bench, tmp_path: Path, shift: str) -> None:
        for seed in range(4):
            samples, answers = drawn(60 if seed < 2 else 2000, seed)
            if seed >= 2:
                changed = {
                    "turned": np.rot90(samples, axes=(1, 2)),
                    "noisy": np.clip(samples + np.random.default_rng(seed).normal(0, 60, samples.shape), 0, 255),
                    "skewed": samples[answers < 2],
                }
                samples = np.ascontiguousarray(changed[shift][:60], dtype=np.uint8)
            score.score(NAME, file_of(samples, tmp_path / f"{seed}.npy"))
        found = drift.drift(NAME)
        assert found.drifted, found.worst
        assert [bool(window) for window in found.windows] == [False, False, True, True]
        assert used is not None

    def test_without_answers_or_reference_it_says_what_to_run(
        self, used: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert used is not None
        with pytest.raises(BadData, match=r"must have answered samples.*run: \./miar score"):
            drift.drift(NAME)
        score.score(NAME, file_of(drawn(60, 1)[0], tmp_path / "batch.npy"))
        monkeypatch.setattr(score, "MONITORING", "elsewhere")
        with pytest.raises(BadData, match=r"registered with what its monitoring needs.*run: \./miar run"):
            drift.drift(NAME)


def answered(count: int, seed: int, wrong: float, folder: Path) -> None:
    """Score a batch, and let right answers come in, of which a share is not what the champion said."""
    path = file_of(drawn(count, seed)[0], folder / f"{seed}.npy")
    table = pd.read_parquet(score.score(NAME, path).file)
    said = table["class"].astype(int)
    other = np.random.default_rng(seed).random(count) < wrong
    labels = pd.DataFrame({"id": table["id"], "class": np.where(other, (said + 1) % 10, said)})
    labels.to_csv(folder / f"{seed}.csv", index=False)
    assert watch.add(NAME, folder / f"{seed}.csv") == count


@contextlib.contextmanager
def harmed(folder: Path, harm: str) -> Iterator[None]:
    """Let a version's network be gone or changed."""
    aside = folder.parent.with_name("aside")
    shutil.copytree(folder, aside)
    if harm == "gone":
        shutil.rmtree(folder.parent / "artifacts")
    else:
        (folder / "network.onnx").write_bytes(b"another network")
    yield
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)


class TestWatch:
    def test_waits_for_answers_and_holds_while_they_are_good(self, used: Bench, tmp_path: Path) -> None:
        assert watch.watch(NAME).found == watch.WAITS
        promised = score.known_of(NAME, 1).reference.quality
        answered(240, 1, wrong=1 - promised, folder=tmp_path)
        found = watch.watch(NAME)
        assert (found.found, found.bad, len(found.means)) == (watch.HOLDS, 0, 4)
        assert "holds" in found.headline()
        assert used is not None

    def test_says_so_where_nobody_was_champion_before(self, used: Bench, tmp_path: Path) -> None:
        answered(240, 1, wrong=0.95, folder=tmp_path)
        found = watch.watch(NAME)
        assert (found.found, found.back) == (watch.FELL, None)
        assert "it stays champion: `mlp_digits` must have had another champion" in found.headline()
        assert used is not None

    @pytest.mark.parametrize(
        ("rows", "told"),
        [
            ("id,class\na,11\n", "each answer must be a class of 0, 1"),
            ("id,class\na,1\na,2\n", "each id must have one answer. Received: two of 'a'"),
            ("id,klass\na,1\n", "must have the columns id, class. Received: no class"),
        ],
    )
    def test_answers_that_are_none_are_told(self, used: Bench, tmp_path: Path, rows: str, told: str) -> None:
        (tmp_path / "labels.csv").write_text(rows)
        with pytest.raises(BadData, match=told):
            watch.add(NAME, tmp_path / "labels.csv")
        assert watch.labels(NAME).empty
        assert used is not None

    def test_an_answer_that_comes_twice_is_kept_once(self, used: Bench, tmp_path: Path) -> None:
        (tmp_path / "labels.csv").write_text("id,class\na,1\nb,2\n")
        assert [watch.add(NAME, tmp_path / "labels.csv") for _ in range(2)] == [2, 0]
        (tmp_path / "more.csv").write_text("id,class\nb,2\nc,3\n")
        assert watch.add(NAME, tmp_path / "more.csv") == 1
        (tmp_path / "other.csv").write_text("id,class\nb,7\n")
        with pytest.raises(BadData, match="two of 'b'"):
            watch.add(NAME, tmp_path / "other.csv")
        assert watch.labels(NAME)["id"].tolist() == ["a", "b", "c"]
        assert json.dumps(watch.labels(NAME)["class"].tolist()) == '["1", "2", "3"]'
        assert used is not None

    def test_lets_the_one_before_come_back_when_it_falls(self, used: Bench, tmp_path: Path) -> None:
        trained(used, train={"seed": 3}, monitoring=WATCH.model_dump())
        from tasks import promote, register

        assert register.register(NAME).version == 2
        client = tracking.connect()
        if champions.champion(client, NAME) != 2:
            promote.promote(NAME)
        with champions.locked("promote", NAME):
            if champions.champion(client, NAME) != 2:
                champions.move(client, NAME, 2, expected=1, action=ledger.PROMOTE, reason="for the test", by="a test")
        files = registry.fetch(client, NAME, 2)
        for harm in ("gone", "changed"):
            with harmed(files / "artifacts", harm):
                batch = file_of(drawn(60, seed=len(harm))[0], tmp_path / f"{harm}.npy")
                assert score.score(NAME, batch).version == 1, "the champion before answers"
        answered(240, 1, wrong=0.95, folder=tmp_path)

        found = watch.watch(NAME)

        assert (found.found, found.back) == (watch.FELL, 1)
        assert champions.champion(client, NAME) == 1
        assert "4 of its last 4 windows are worse" in registry.version(client, NAME, 2).tags[champions.QUARANTINED]
        newest = ledger.newest(client, NAME)
        assert newest is not None
        assert (newest.action, newest.by) == (ledger.ROLLBACK, "watch")
        assert watch.watch(NAME).found == watch.WAITS, "the one that is back has answered nothing yet"


def test_more_windows_over_than_there_are_is_no_setting() -> None:
    with pytest.raises(ValueError, match="`over` must be at most `windows`, 5"):
        Monitoring(over=6)
