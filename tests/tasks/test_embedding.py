"""Embedding: the score by hand, what chance gets, who is nearest, and what becomes of vectors later."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.spec import Input, Spec
from tasks import gates, measures, score, watch
from tasks.errors import BadData, Refused
from tasks.prepared import Split
from tasks.problems import embedding
from tasks.problems.vectors import analogies, likeness, pairs, rivals
from tasks.score import Known
from tasks.verdicts import FAILED, PASSED

KNOWN = 20
SPEC = Spec(
    {"words": Input((4,), "int32", sizes=(KNOWN + 2,), counts=(5,) * KNOWN)},
    tuple(f"w{number}" for number in range(KNOWN)),
    neighbours=2,
)
"""Of twenty words the two most frequent tell nothing."""


def companies(seed: int = 0, texts: int = 12) -> Split:
    """Texts of thirty words that are all of the first or all of the second half of those that tell something."""
    rng = np.random.default_rng(seed)
    rows = [rng.integers(2, 11, 30) + 9 * (number % 2) for number in range(texts)]
    return Split(*pairs.cut([row.astype(np.int32) for row in rows], length=4, neighbours=2))


def given_by(table: np.ndarray, split: Split) -> np.ndarray:
    """What a network with such a table gives."""
    filled = np.concatenate([np.zeros((2, table.shape[1]), table.dtype), table])
    return filled[np.asarray(split.samples)]


def right(split: Split) -> np.ndarray:
    return np.asarray(split.answers)


TELLING = np.where(np.arange(KNOWN)[:, np.newaxis] >= 11, [[0.0, 1.0]], [[1.0, 0.0]])
"""Vectors that say which company a word is of."""


def test_the_score_by_hand() -> None:
    """Neighbours are of one company, so as near as can be; of other words half are: a tie, which is half a win."""
    exam = companies()
    found = embedding.scores(right(exam), given_by(TELLING, exam), SPEC)
    assert found == pytest.approx({"neighbourhood": 0.5 * 0.5 + 0.5}, abs=0.03)
    wrong = embedding.scores(right(exam), given_by(np.eye(KNOWN), exam), SPEC)
    assert wrong["neighbourhood"] == 0.5  # all words are equally near but themselves


def test_few_words_by_hand() -> None:
    """Of two words each is held against itself or the other one, which are all undecided."""
    answers = np.array([[-1, -1, 2, 3, -1, -1, -1, -1]], np.int32)
    exam = Split(np.array([[4, 5, 0, 0]], np.int32), answers, np.array([0]))
    found = embedding.judged(answers, given_by(TELLING, exam), SPEC)
    assert found.pairs.tolist() == [2]
    assert found.won.tolist() == [1]


@settings(deadline=None)
@given(st.integers(0, 5), st.floats(0.1, 10))
def test_neither_length_nor_rotation_counts(seed: int, scale: float) -> None:
    exam = companies()
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(KNOWN, 3))
    turned = scale * table @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    first, second = (embedding.scores(right(exam), given_by(one, exam), SPEC) for one in (table, turned))
    assert first == pytest.approx(second)
    assert 0 <= first["neighbourhood"] <= 1


def test_the_mean_of_the_runs_is_near_the_score_and_frequent_words_do_not_count() -> None:
    exam = companies()
    each = embedding.quality(right(exam), given_by(TELLING, exam), SPEC)
    assert each.mean() == pytest.approx(0.75, abs=0.05)
    frequent = np.array([[-1, -1, 0, 1, 0, 1, -1, -1]], np.int32)
    assert embedding.quality(frequent, np.ones((1, 4, 2)), SPEC).tolist() == [0.5]
    assert embedding.scores(frequent, np.ones((1, 4, 2)), SPEC) == {"neighbourhood": 0.5}


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (np.ones((2, 4)), r"shape \(samples, words, any\) \(96, 4\). Received: \(2, 4\)"),
        (None, r"finite. Received: 1 of"),
    ],
)
def test_what_is_no_answer_is_refused(broken: np.ndarray | None, words: str) -> None:
    exam = companies()
    if broken is None:
        broken = given_by(TELLING, exam).copy()
        broken[3, 0, 0] = np.nan
    with pytest.raises(BadData, match=words):
        embedding.scores(right(exam), broken, SPEC)


def test_trivial_vectors_are_no_better_than_chance() -> None:
    exam = companies()
    given_ = embedding.baselines(companies(1), np.asarray(exam.samples), SPEC)
    assert set(given_) == {"chance", "frequency"}
    told = {name: embedding.scores(right(exam), one, SPEC)["neighbourhood"] for name, one in given_.items()}
    assert told["chance"] == pytest.approx(0.5, abs=0.08)
    assert told["frequency"] > 0.6  # the companies of this text are of words of like frequency


def test_counting_and_gensim_find_the_companies() -> None:
    text, exam = right(companies(1, texts=100)), companies()
    there = np.ones(KNOWN, bool)
    ways = {
        "counting": rivals.counted(text, 2, KNOWN, 4),
        "gensim": rivals.gensim(text, 2, KNOWN, size=8, skip_gram=True, epochs=30),
    }
    for found in ways.values():
        one = embedding.compared(right(exam), found, there, SPEC)
        assert one.won.sum() / one.pairs.sum() > 0.68


def test_counting_in_pieces_is_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    text = right(companies())
    whole = rivals.counted(text, 2, KNOWN, 4)
    monkeypatch.setattr(rivals, "CHUNK", 7)
    np.testing.assert_allclose(np.abs(rivals.counted(text, 2, KNOWN, 4)), np.abs(whole), atol=1e-8)
    exam, table = companies(2), np.random.default_rng(0).normal(size=(KNOWN, 3))
    before = embedding.scores(right(exam), given_by(table, exam), SPEC)
    monkeypatch.setattr(embedding, "CHUNK", 11)
    assert embedding.scores(right(exam), given_by(table, exam), SPEC) == before


def test_gensim_reads_each_text_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "SENTENCE", 2)
    rows = [np.array(row, np.int32) for row in ([3, 1, 4], [], [5])]
    assert rivals.sentences(pairs.cut(rows, 2, 1)[1], 1) == [[3, 1], [4], [5]]


def test_the_report_beside_others_and_its_pictures() -> None:
    exam = companies()
    given_ = given_by(TELLING, exam)
    told = embedding.judge(exam, given_, SPEC)
    assert set(told.pictures) == {"words", "neighbourhoods", "analogies"}
    assert told.predictions["words"][0].split() == [SPEC.classes[word] for word in right(exam)[0, 2:6]]
    assert told.predictions["words"].tolist()[7].count(" ") == 1  # thirty words are seven runs, and two words
    table = embedding.beside(companies(1), exam, given_, SPEC, epochs=2)["beside others"]
    assert table["way"].tolist()[0] == "this network"
    assert len(table) == 4
    assert table["neighbourhood"].between(0, 1).all()


def test_nearest_by_hand() -> None:
    vectors = np.array([[2.0, 0.0], [1.0, 0.1], [0.0, 5.0], [-1.0, 0.0]])
    assert likeness.nearest(vectors, vectors[:1], 3, but=np.array([[0]])).tolist() == [[1, 2, 3]]
    assert likeness.unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[0.6, 0.8], [0.0, 0.0]]


def test_the_vectors_of_all_words_are_asked_for_in_runs() -> None:
    asked: list[np.ndarray] = []

    def ask(runs: np.ndarray) -> np.ndarray:
        asked.append(runs)
        return np.repeat(runs[..., np.newaxis], 3, axis=2).astype(np.float32)

    spec = Spec({"words": Input((4,), "int32", sizes=(8,), counts=(1,) * 6)}, tuple("abcdef"), neighbours=1)
    assert likeness.of_all(ask, spec)[:, 0].tolist() == [2, 3, 4, 5, 6, 7]
    assert asked[0].tolist() == [[2, 3, 4, 5], [6, 7, 0, 0]]


def test_an_analogy_by_hand() -> None:
    """Women are men and something; of the other words only the last is one of both."""
    names = ("hombre", "mujer", "señor", "señora", "agua")
    spec = Spec({"words": Input((4,), "int32", sizes=(7,), counts=(1,) * 5)}, names, neighbours=1)
    table = np.array([[1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1], [0, 0, -1]], float)
    told = analogies.table(table, spec)
    assert told[["first", "is to", "as", "is to this"]].to_numpy().tolist() == [list(names[:4])]
    assert told["rank"].tolist() == [1]
    assert told["nearest"][0].startswith("señora")
    assert analogies.questions(spec, np.array([True, True, True, False, True])).shape == (0, 4)


def test_challenger_and_champion_sit_the_same_resamples() -> None:
    exam = companies()
    good, chance = given_by(TELLING, exam), embedding.baselines(exam, np.asarray(exam.samples), SPEC)["chance"]
    better = embedding.differences(right(exam), good, chance, SPEC, metric="neighbourhood", times=50)
    wanted = [embedding.scores(right(exam), one, SPEC)["neighbourhood"] for one in (good, chance)]
    assert better.mean() == pytest.approx(wanted[0] - wanted[1], abs=0.02)
    assert (better > 0).all()
    same = embedding.differences(right(exam), good, good, SPEC, metric="neighbourhood", times=5)
    assert same.tolist() == [0] * 5
    parts = embedding.slices(right(exam), SPEC)
    assert sum(part.sum() for part in parts.values()) == len(exam)


def known() -> Known:
    exam = companies()
    reference = measures.refer(np.asarray(exam.samples), given_by(TELLING, exam), SPEC, np.ones(len(exam)))
    return Known(SPEC, "embedding", reference)


def test_what_is_watched_of_vectors() -> None:
    given_ = np.array([[[3.0, 4.0], [0.0, 0.0], [4.0, 3.0], [0.0, 0.0]]])
    told = measures.of_answers(given_, SPEC)
    assert told["answer.length"].tolist() == [5]
    assert told["answer.alike"] == pytest.approx([np.hypot(1.4, 1.4) / 2])
    assert "answer.class" not in known().reference.edges
    table = score.rows(np.array([[4, 1, 5, 0]], np.int32), given_, known(), np.array(["x"]))
    assert table["x.words.unknown"].tolist() == [pytest.approx(1 / 3)]
    assert "class" not in table


def test_a_file_of_words_is_answered_with_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words 2 to 21 are w0 to w19; each vector's direction is the word's number, so its neighbours are nearest."""
    angles = np.arange(KNOWN) / KNOWN
    table = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    served = SimpleNamespace(predict=lambda runs: np.concatenate([np.zeros((2, 2)), table])[runs])
    monkeypatch.setattr(score.history, "files_of", lambda _: ("vectors", 3, "files"))
    monkeypatch.setattr(score.registry, "served", lambda _: served)
    monkeypatch.setattr(score, "known_of", lambda *_: known())
    monkeypatch.setattr(score.places, "scored", lambda name: tmp_path / name)
    path = tmp_path / "words.npy"
    np.save(path, np.array([2, 3, 1, 21, 7], np.int32))
    done = score.score("vectors", path)
    told = pd.read_parquet(done.file)
    first, second = (row.split() for row in told["nearest"])
    assert (first[0], first[2], second) in [("w1", "w18", ["w4"]), ("w1", "w18", ["w6"])]  # w5 is between them
    assert done.rows == 2
    np.save(path, np.array([2.0, 3.0]))
    with pytest.raises(BadData, match=r"input words must be int32 \(N, 4\). Received: float64 \(2,\)"):
        score.score("vectors", path)


def test_vectors_have_no_right_answers_to_come_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch.history, "connected", lambda _: None)
    monkeypatch.setattr(watch.history, "version_of", lambda *_: SimpleNamespace(version=1))
    monkeypatch.setattr(watch.score, "known_of", lambda *_: known())
    with pytest.raises(Refused, match=r"whose answers can be right. Received: `skip_gram_books`, of vectors"):
        watch.add("skip_gram_books", Path("a.csv"))
    answered = pd.DataFrame({"id": ["x"], "version": 1, "nearest": "w1"})
    monkeypatch.setattr(score, "scored", lambda _, columns: answered[columns])
    assert watch.quality_of("skip_gram_books", 1, known()).tolist() == []


def leaking(share: int) -> Any:
    """A case whose exam is one text of which the first `share` of forty words are also learnt from."""
    rng = np.random.default_rng(0)
    learnt, others = rng.integers(0, KNOWN, 40), rng.integers(0, KNOWN, 40)
    exam = np.concatenate([learnt[:share], others[share:]])
    parts = {"train": [others[::-1], learnt], "validation": [others[:4]], "test": [exam]}
    cut = {part: Split(*pairs.cut([row.astype(np.int32) for row in rows], 4, 2)) for part, rows in parts.items()}
    return SimpleNamespace(spec=SPEC, split=cut.__getitem__)


@pytest.mark.parametrize(("share", "verdict"), [(0, PASSED), (15, PASSED), (30, FAILED), (40, FAILED)])
def test_a_text_that_was_learnt_from_is_no_exam(share: int, verdict: str) -> None:
    found = gates.no_leakage(leaking(share))
    assert found.verdict == verdict
    assert found.value == (verdict == FAILED)
    assert "of 1 exam texts" in found.evidence
