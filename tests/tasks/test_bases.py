"""Where weights start: another recipe's network, a base, or nothing; and the reader of ImageNet's files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from tasks import bases, catalogue, places
from tasks.bases import resnet50_imagenet
from tasks.errors import BadData, BadRequest
from tasks.receipts import Based
from tests.models.examples import EXAMPLES, build


def small(classes: int, name: str) -> keras.Model:
    return keras.Sequential(
        [layers.Input((4,)), layers.Dense(8), layers.BatchNormalization(), layers.Dense(classes, name=name)]
    )


def keep(model: keras.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `model` be the base called `elsewhere`."""
    bases.weights.cache_clear()
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
