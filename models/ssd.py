"""Boxes of many sizes and shapes around every cell of several maps: the network says of each what is in it, at once.

Shallow maps answer for small objects, deep ones for large ones; nothing is proposed first and nothing looked at twice.

Lesson: SSD, its default boxes and its table of maps.
Paper: Liu et al., "SSD: Single shot multibox detector", ECCV 2016, with VGG16's convolutions, fc6 and fc7 as
convolutions, and the extra layers of its figure 2. Six maps answer, not five as the course has it. Departures: images
come as they are stored; both predictors of a map are one convolution; a narrow network may normalise each convolution,
since it has no weights of ImageNet to start from.

Input shape: (B, H, W, C), uint8, 0 to 255, C 1 or 3.
Output shape: `predict` gives `boxes` (B, R, 4), `labels` and `scores` (B, R); called, (B, A, 4 + 1 + K).
Score: map_50 0.986 (VOC 2007: 0.954) on digit scenes after 12 epochs of the narrow network, 9 minutes on two CPU cores
that did other work besides; 3.3 ms an answer. 0.877 on 72 photographs of blood cells of 240x320 pixels, after 50 epochs
of 248 others (recipe ssd_bccd_cells, 853 s).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
from keras import layers, ops

from models.parts import anchors, boxes, losses, matching, suppression, vgg
from models.parts.augmentation import moved_scenes
from models.parts.convolutions import L2Normalization
from models.parts.detectors import HEAD, AnchorHead, compile_detector, detector, moves
from models.parts.pretrained import door

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec

VARIANCES = (0.1, 0.1, 0.2, 0.2)
"""What the offsets are divided by, so that all learn at one rate."""


class Extra(NamedTuple):
    """A 1x1 convolution to half the depth and one more, whose map answers.

    Args:
        filters: of the second one, at full width.
        size: of its window.
        strides: 1 or 2.
        margin: cells that the map is padded by before it.
    """

    filters: int
    size: int
    strides: int
    margin: int


EXTRAS_300 = (Extra(512, 3, 2, 1), Extra(256, 3, 2, 1), Extra(256, 3, 1, 0), Extra(256, 3, 1, 0))
EXTRAS_512 = (Extra(512, 3, 2, 1), *(Extra(256, 3, 2, 1),) * 3, Extra(256, 4, 1, 1))


@keras.saving.register_keras_serializable(package="miar")
class MultiBox(AnchorHead):
    """What each default box says: offsets, and logits of nothing and the K classes."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.defaults = self.anchors.boxes()

    def loss(self, truth: dict[str, Any], given: Any) -> Any:
        """The paper's section 2.2: every box has a default box, three hard negatives for each positive one."""
        match = matching.match_every(self.defaults, truth["boxes"], truth["labels"], positive=0.5, negative=0.5)
        offsets = boxes.encode(matching.assigned(truth["boxes"], match), self.defaults, variances=VARIANCES)
        labels = matching.assigned_labels(truth["labels"], match) + 1
        by_class = ops.sparse_categorical_crossentropy(labels, given[..., 4:], from_logits=True)
        return losses.multibox(
            by_class,
            losses.smooth_l1(offsets, given[..., :4]),
            positive=match.state == matching.POSITIVE,
            negative=matching.hard_negatives(by_class, match.state, ratio=3),
        )

    def detections(self, given: Any) -> suppression.Detections:
        found = boxes.decode(given[..., :4], self.defaults, variances=VARIANCES)
        return self.surest(found, ops.softmax(given[..., 4:])[..., 1:])


def ssd(
    *,
    layout: anchors.Anchors,
    input_shape: tuple[int, ...] = (300, 300, 3),
    classes: int = 20,
    width: float = 1.0,
    extras: Sequence[Extra] = EXTRAS_300,
    normalised: bool = False,
    **moved: Any,
) -> keras.Model:
    """VGG16's convolutions and more, whose maps of step 8, 16 and each of `extras` answer.

    Args:
        layout: the default boxes, on as many maps as there are.
        input_shape: `(H, W, C)`.
        classes: number of classes, K.
        width: filters, of those that the paper has.
        extras: what follows fc7.
        normalised: whether batch normalisation follows each convolution.
        moved: how scenes are moved in training, as `augmentation.moved_scenes` has it.
    """
    inputs = layers.Input(input_shape, dtype="uint8")
    x, moved_by = moved_scenes(inputs, **moved)
    x = layers.Rescaling(1 / 128, offset=-1)(x) if normalised else door(x)
    shallow, deep = trunk(x, width=width, normalised=normalised)
    maps = [L2Normalization(scale=20.0, name="conv4_3_norm")(shallow), deep]
    for number, extra in enumerate(extras, start=6):
        maps.append(extended(maps[-1], extra, width=width, normalised=normalised, name=f"conv{number}"))
    depths = [count * (4 + 1 + classes) for count in layout.per_cell]
    answers = [
        layers.Conv2D(depth, 3, padding="same", name=f"predictor{number}")(one)
        for number, (one, depth) in enumerate(zip(maps, depths, strict=True), start=1)
    ]
    head = MultiBox(layout=vars(layout), classes=classes, name=HEAD)
    return detector(inputs, head(answers), moved_by, name="ssd")


def trunk(x: keras.KerasTensor, *, width: float, normalised: bool) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """conv4_3 and fc7: maps (B, h, w, D) of step 8 and 16."""
    maps = vgg.vgg16(x, width=width, normalised=normalised)
    x = layers.MaxPooling2D(3, strides=1, padding="same")(maps[16])
    x = vgg.convolution(x, 1024, 3, width=width, normalised=normalised, name="fc6", spread=6)
    return maps[8], vgg.convolution(x, 1024, 1, width=width, normalised=normalised, name="fc7")


def extended(x: keras.KerasTensor, extra: Extra, *, width: float, normalised: bool, name: str) -> keras.KerasTensor:
    """The next map."""
    x = vgg.convolution(x, extra.filters // 2, 1, width=width, normalised=normalised, name=f"{name}_1")
    x = layers.ZeroPadding2D(extra.margin)(x) if extra.margin else x
    return vgg.convolution(
        x,
        extra.filters,
        extra.size,
        width=width,
        normalised=normalised,
        name=f"{name}_2",
        step=extra.strides,
        padding="valid",
    )


def ssd300(*, classes: int = 20) -> keras.Model:
    """The published network of 8,732 boxes: 26,285,486 parameters for VOC's 20 classes."""
    return ssd(layout=anchors.ssd300(), classes=classes)


def ssd512(*, classes: int = 20) -> keras.Model:
    """The published network of 24,564 boxes: 27,188,676 parameters for VOC's 20 classes."""
    return ssd(layout=anchors.ssd512(), input_shape=(512, 512, 3), classes=classes, extras=EXTRAS_512)


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`: the paper's, but for its width, the number of its maps, and normalisation.

    Hyperparameters:
        width: filters, of those that the paper has, 0.0625 to 1.
        extras: maps after those of step 8 and 16, 0 to 4.
        smallest, largest: sides of the first and the last map's square, of the image's shorter side.
        normalised: whether batch normalisation follows each convolution.
        zoom, shift, mirror: as `detectors.moves` has them.
        learning_rate, decay_steps, clip: as `compile_detector` has them.
    """
    spec.check(inputs=("image",), classes=True, boxes=True)
    extras = hp.Int("extras", 0, 4, default=2)
    height, width, _ = spec.input_shape
    layout = anchors.ssd(
        (height, width),
        maps=2 + extras,
        smallest=hp.Float("smallest", 0.05, 0.4, step=0.05, default=0.15),
        largest=hp.Float("largest", 0.5, 1.0, step=0.1, default=0.6),
    )
    model = ssd(
        layout=layout,
        input_shape=spec.input_shape,
        classes=len(spec.classes),
        width=hp.Choice("width", [0.0625, 0.125, 0.25, 0.5, 1.0], default=0.125),
        extras=(Extra(512, 3, 2, 1), *(Extra(256, 3, 2, 1),) * 3)[:extras],
        normalised=hp.Boolean("normalised", default=True),
        **moves(hp),
    )
    return compile_detector(model, hp, rate=2e-3)
