"""The map of the whole image is computed once; what lies under each proposed box is pooled from it to one size.

R-CNN runs its network on every proposal; here all of them share the convolutions, and one loss trains the whole.

Lesson: Fast R-CNN, its projection of regions on the map and its two answers.
Paper: Girshick, "Fast R-CNN", ICCV 2015, with VGG16. Departures: no dropout; as many images at once as a batch has,
where the paper has two; images come as they are stored; a narrow network may read a map of step 8, may normalise each
convolution, since it has no weights of ImageNet to start from, and learns also from proposals that no box touches.

Input shape: `image` (B, H, W, C), uint8, 0 to 255, C 1 or 3; `proposals` (B, P, 4), rows of zeros where there are
fewer.
Output shape: `predict` gives `boxes` (B, R, 4), `labels` and `scores` (B, R); called, `map` (B, h, w, D) and
`proposals`.
Score: map_50 0.984 (VOC 2007: 0.932) on digit scenes with 64 proposals of selective search after 12 epochs of the
narrow network, 545,791 parameters (recipe fast_rcnn_digit_scenes_proposals, 450 s on two CPU cores). 0.625 on 72
photographs of blood cells with 256 proposals (fast_rcnn_bccd_cells_proposals, 317 s).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
from keras import layers

from models.parts import vgg
from models.parts.detectors import HEAD, compile_detector
from models.parts.pretrained import door
from models.parts.second_stage import RegionDetector, Regions

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec


def fast_rcnn(
    *,
    input_shape: tuple[int, ...] = (600, 1000, 3),
    proposals: int = 2000,
    classes: int = 20,
    width: float = 1.0,
    units: int = 4096,
    step: int = 16,
    normalised: bool = False,
    least: float = 0.1,
) -> keras.Model:
    """The published network at these defaults: 134,690,729 parameters for VOC's 20 classes.

    Args:
        input_shape: `(H, W, C)`.
        proposals: rows of boxes that an image comes with, P.
        classes: number of classes, K.
        width: filters, of those that VGG16 has.
        units: of both dense layers.
        step: from a cell of the map to the next, in pixels: 8 or 16.
        normalised: whether batch normalisation follows each convolution.
        least: IoU with some box, below which a proposal is not learnt from as nothing.
    """
    image = layers.Input(input_shape, dtype="uint8", name="image")
    proposed = layers.Input((proposals, 4), dtype="float32", name="proposals")
    x = layers.Rescaling(1 / 128, offset=-1)(image) if normalised else door(image)
    features = vgg.vgg16(x, width=width, normalised=normalised)[step]
    head = Regions(classes=classes, units=(units, units), least=least, name=HEAD)
    inputs = {"image": image, "proposals": proposed}
    return RegionDetector(inputs, head([features, proposed]), name="fast_rcnn")


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`: the paper's, but for its widths, its map and what it learns from.

    Hyperparameters:
        width: filters, of those that the paper has, 0.0625 to 1.
        units: of both dense layers, 64 to 4096; the paper has 4096.
        step: from a cell of the map to the next, 8 or 16 pixels; the paper has 16.
        normalised: whether batch normalisation follows each convolution.
        least: IoU below which a proposal is not learnt from as nothing, 0 to 0.2; the paper has 0.1.
        learning_rate, decay_steps, clip: as `compile_detector` has them.
    """
    spec.check(inputs=("image", "proposals"), classes=True, boxes=True)
    model = fast_rcnn(
        input_shape=spec.inputs["image"].shape,
        proposals=spec.inputs["proposals"].shape[0],
        classes=len(spec.classes),
        width=hp.Choice("width", [0.0625, 0.125, 0.25, 0.5, 1.0], default=0.125),
        units=hp.Int("units", 64, 4096, step=64, default=128),
        step=hp.Choice("step", [8, 16], default=8),
        normalised=hp.Boolean("normalised", default=True),
        least=hp.Float("least", 0.0, 0.2, step=0.05, default=0.0),
    )
    return compile_detector(model, hp, rate=1e-3)
