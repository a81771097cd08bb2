"""Class activation maps: where in an image the evidence for a class lies."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from models.views.gradients import gradient
from models.views.saliency import stretched
from models.views.twins import last_maps, twin


def grad_cam(model: keras.Model, samples: np.ndarray, classes: np.ndarray, *, layer: str | None = None) -> np.ndarray:
    """The maps of a layer, each weighed by the mean gradient of the class's logit with respect to it, where positive.

    Args:
        classes: whose evidence is shown, int (B,).
        layer: whose maps are weighed; the last one that has any.

    Returns:
        Float (B, H, W), 0 to 1 in each image, of the size of the image.

    Source: Selvaraju et al., "Grad-CAM", ICCV 2017, equations 1 and 2.
    """
    copy = twin(model)
    tensor = copy.get_layer(layer or last_maps(copy)).output
    before = keras.Model(copy.inputs, tensor)
    behind = keras.Model([tensor, *copy.inputs], copy.output)  # other branches may begin at the image
    images = np.asarray(samples, dtype=np.float32)
    maps = before.predict(images, verbose=0)
    chosen = np.eye(copy.output.shape[-1], dtype=np.float32)[classes]
    _, slope = gradient(
        lambda x: ops.sum(behind([x, ops.convert_to_tensor(images)], training=False) * chosen, axis=-1), maps
    )
    weights = slope.mean(axis=(1, 2))  # (B, maps), equation 1
    return enlarged(np.maximum(np.einsum("bhwc,bc->bhw", maps, weights), 0), samples.shape[1:3])


def cam(model: keras.Model, samples: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The maps before a global average pooling, each weighed as the dense layer behind it weighs its mean.

    Returns:
        Float (B, H, W), 0 to 1 in each image, of the size of the image; what speaks against the class is 0.

    Raises:
        ValueError: unless the network ends in global average pooling and one dense layer.

    Source: Zhou et al., "Learning deep features for discriminative localization", CVPR 2016, equation 2.
    """
    copy = twin(model)
    kinds = [layer for layer in copy.layers if not isinstance(layer, layers.Dropout)]
    if not (isinstance(kinds[-1], layers.Dense) and isinstance(kinds[-2], layers.GlobalAveragePooling2D)):
        raise ValueError("a class activation map needs global average pooling and one dense layer at the end")
    maps = keras.Model(copy.inputs, kinds[-2].input).predict(np.asarray(samples, dtype=np.float32), verbose=0)
    weights = ops.convert_to_numpy(kinds[-1].kernel)[:, classes].T  # (B, maps)
    return enlarged(np.maximum(np.einsum("bhwc,bc->bhw", maps, weights), 0), samples.shape[1:3])


def enlarged(heat: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Heat (B, h, w) stretched to 0..1 and, bilinearly, to the size of the image."""
    large = ops.image.resize(stretched(heat)[..., np.newaxis], size, interpolation="bilinear")
    return np.asarray(ops.convert_to_numpy(large))[..., 0]


def pointing_game(heat: np.ndarray, objects: np.ndarray) -> float:
    """The share of samples whose hottest pixel lies on the object, 0 to 1.

    Args:
        heat: of any of the views, (B, H, W).
        objects: which pixels are the object's, bool (B, H, W).

    Source: Zhang et al., "Top-down neural attention by excitation backprop", ECCV 2016, section 4.2; theirs also
    counts a point within 15 pixels of the object, this does not.
    """
    hottest = heat.reshape(len(heat), -1).argmax(axis=1)
    return float(objects.reshape(len(objects), -1)[np.arange(len(heat)), hottest].mean())


def overlay(samples: np.ndarray, heat: np.ndarray, *, share: float = 0.45) -> np.ndarray:
    """Heat (B, H, W) in the colours of jet over the images: uint8 (B, H, W, 3).

    Args:
        share: of the heat's colours, 0 to 1.
    """
    images = np.broadcast_to(samples, (*samples.shape[:3], 3)).astype(np.float32)
    return np.round((1 - share) * images + share * 255 * jet(heat)).astype(np.uint8)


def jet(heat: np.ndarray) -> np.ndarray:
    """Blue, cyan, yellow, red for 0 to 1: float (..., 3)."""
    places = np.array([3, 2, 1]) / 4  # where red, green and blue are brightest
    return np.clip(1.5 - np.abs(4 * (heat[..., np.newaxis] - places)), 0, 1)
