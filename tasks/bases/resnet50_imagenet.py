"""ResNet50 with Keras's weights for ImageNet, as TensorFlow.js keeps them: a manifest and shards of float32."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np

from models import resnet50
from tasks.errors import BadData

MANIFEST = "model.json"
BRANCHES = {"1": "0", "2a": "1", "2b": "2", "2c": "3"}
OLD = re.compile(r"(?P<kind>res|bn)(?P<stage>[2-5])(?P<block>[a-f])_branch(?P<branch>1|2[abc])")
ENDS = {"conv1": "conv1_conv", "bn_conv1": "conv1_bn", "fc1000": "predictions"}


def network(folder: Path) -> keras.Model:
    """The whole network, its weights read from `folder`.

    Raises:
        BadData: if they are not all there, or not of its shapes.
    """
    model = resnet50.imagenet()
    arrays = read(folder)
    for layer in model.layers:
        for weight in layer.weights:
            name = f"{layer.name}/{weight.name}"
            if name not in arrays or arrays[name].shape != tuple(weight.shape):
                received = arrays[name].shape if name in arrays else "none"
                raise BadData(f"`{MANIFEST}` must have {name} of shape {tuple(weight.shape)}. Received: {received}")
            weight.assign(arrays.pop(name))
    if arrays:
        raise BadData(f"`{MANIFEST}` must have the network's weights alone. Received: also {', '.join(arrays)[:200]}")
    return model


def read(folder: Path) -> dict[str, np.ndarray]:
    """Every array by `layer/variable`, with the names that keras.applications has for them today."""
    groups = manifest(folder / MANIFEST)
    found: dict[str, np.ndarray] = {}
    for group in groups:
        content = b"".join(shard(folder, str(path)) for path in group["paths"])
        start = 0
        for entry in group["weights"]:
            array, start = take(entry, content, start)
            found[today(str(entry["name"]))] = array
        if start != len(content):
            raise BadData(f"the shards must hold {start} bytes. Received: {len(content)}")
    return found


def manifest(path: Path) -> list[dict[str, Any]]:
    """The groups of weights that the manifest lists."""
    try:
        groups = json.loads(path.read_text(encoding="utf-8"))["weightsManifest"]
        if all({"paths", "weights"} <= set(group) for group in groups):
            return list(groups)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadData(f"`{path.name}` must be a TensorFlow.js model. Received: {type(error).__name__}") from None
    raise BadData(f"`{path.name}` must list paths and weights. Received: other keys")


def shard(folder: Path, name: str) -> bytes:
    """The bytes of one shard, which lies in `folder` whatever path its name pretends."""
    path = folder / Path(name).name
    try:
        return path.read_bytes()
    except OSError:
        raise BadData(f"`{MANIFEST}` must list shards that are there. Received: no {path.name}") from None


def take(entry: dict[str, Any], content: bytes, start: int) -> tuple[np.ndarray, int]:
    """The array that `entry` tells of, at `start` of `content`, and where the next one begins."""
    shape = [int(size) for size in entry["shape"]]
    count = math.prod(shape)
    if entry.get("dtype") != "float32" or "quantization" in entry:
        raise BadData(f"{entry['name']} must be plain float32. Received: {entry.get('dtype')}, perhaps quantised")
    if start + 4 * count > len(content):
        raise BadData(f"{entry['name']} must have {4 * count} bytes. Received: {len(content) - start}")
    return np.frombuffer(content, "<f4", count, start).reshape(shape), start + 4 * count


def today(name: str) -> str:
    """`res2a_branch2b/kernel` as `conv2_block1_2_conv/kernel`."""
    layer, _, variable = name.partition("/")
    if layer in ENDS:
        return f"{ENDS[layer]}/{variable}"
    match = OLD.fullmatch(layer)
    if not match:
        raise BadData(f"`{MANIFEST}` must hold layers of ResNet50. Received: {layer!r}")
    kind = "conv" if match["kind"] == "res" else "bn"
    block = "abcdef".index(match["block"]) + 1
    return f"conv{match['stage']}_block{block}_{BRANCHES[match['branch']]}_{kind}/{variable}"
