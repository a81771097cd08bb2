"""Every cell of one map has anchors of learnt sizes, and says of each how it differs from what is there.

Centres cannot leave their cells, since a sigmoid counts them; a finer map is folded in, for what is small.

Lesson: YOLOv2, its anchors and its passthrough.
Paper: Redmon and Farhadi, "YOLO9000: Better, faster, stronger", CVPR 2017, section 2; the layers are those of Darknet's
yolov2-voc.cfg. The paper gives no loss: it is YOLOv1's idea with the factors of that file (5 for confidence where there
is a box, 1 for all else), answers that overlap a box by more than 0.6 are not blamed, and small boxes count more.
Departures: a cross-entropy of the classes, as Darknet has it, but centres and logarithms of sizes by plain squares; no
first phase in which anchors are pulled to where they are; 2x2 cells are folded row by row, not as Darknet orders them.

Input shape: (B, H, W, C), uint8, 0 to 255, H and W multiples of the step; scaled to 0..1 inside.
Output shape: `predict` gives `boxes` (B, R, 4), `labels` and `scores` (B, R); called, (B, A, 5 + K).
Score: map_50 0.987 (VOC 2007: 0.962) on digit scenes after 12 epochs of the narrow network, 777,653 parameters (recipe
yolo_v2_digit_scenes, 211 s on two CPU cores).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers, ops

from models.parts import anchors, cells, darknet, matching, suppression
from models.parts.augmentation import moved_scenes
from models.parts.convolutions import convolution
from models.parts.detectors import HEAD, AnchorHead, compile_detector, detector, moves

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec

CONFIDENCE = 5.0
"""What an error of confidence counts where there is a box."""

GOOD = 0.6
"""IoU with a box above which an answer that owns none may be as sure as it likes."""


@keras.saving.register_keras_serializable(package="miar")
class YOLOv2Head(AnchorHead):
    """What each anchor says: y, x, height, width, confidence, and logits of the K classes."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.cells = cells.cells(self.anchors)

    def loss(self, truth: dict[str, Any], given: Any) -> Any:
        """Squares of what the owners of boxes say of them, and of the confidence of all; the mean over images."""
        match = cells.owned(self.anchors, truth["boxes"], truth["labels"])
        owns = match.state == matching.POSITIVE
        own = self.of_boxes(matching.assigned(truth["boxes"], match), given)
        own = own + self.of_classes(matching.assigned_labels(truth["labels"], match), given)
        sure = self.of_confidence(truth, given, match)
        return cells.mean_of_images(ops.where(owns, own, 0.0) + sure)

    def of_boxes(self, wanted: Any, given: Any) -> Any:
        """Of every anchor, (B, A), as if it owned the box (B, A, 4) of its place."""
        inside, sizes = ops.sigmoid(given[..., :2]), given[..., 2:4]
        errors = ops.square(ops.concatenate([inside, sizes], axis=-1) - cells.encode(wanted, self.cells))
        return cells.small_counts_more(wanted) * ops.sum(errors, axis=-1)

    def of_classes(self, labels: Any, given: Any) -> Any:
        """Of every anchor, (B, A), as if it owned a box of that label, or of class 0 where it has none."""
        labels = ops.maximum(labels, 0)
        return ops.sparse_categorical_crossentropy(labels, given[..., 5:], from_logits=True)

    def of_confidence(self, truth: dict[str, Any], given: Any, match: matching.Match) -> Any:
        """An owner is to say its IoU with its box, another 0, unless it is good by itself: (B, A)."""
        found = cells.decode(given[..., :4], self.cells)
        near = cells.judged(found, truth["boxes"], truth["labels"], match)
        sure = ops.sigmoid(given[..., 4])
        blamed = ops.where(near.best > GOOD, 0.0, ops.square(sure))
        owner = CONFIDENCE * ops.square(sure - near.own)
        return ops.where(match.state == matching.POSITIVE, owner, blamed)

    def detections(self, given: Any) -> suppression.Detections:
        scores = ops.sigmoid(given[..., 4:5]) * ops.softmax(given[..., 5:])
        return self.surest(cells.decode(given[..., :4], self.cells), scores)


def yolo_v2(
    *,
    layout: anchors.Anchors,
    input_shape: tuple[int, ...] = (416, 416, 3),
    classes: int = 20,
    width: int = 32,
    step: int = 32,
    momentum: float = 0.99,
    **moved: Any,
) -> keras.Model:
    """Darknet-19's maps, as deep as `step`, three convolutions more, and the map before it folded in.

    Args:
        layout: the anchors, on one map.
        input_shape: `(H, W, C)`.
        classes: number of classes, K.
        width: maps of the first convolution.
        step: of the map that answers, in pixels: 4, 8, 16 or 32.
        momentum: of the mean and variance that inference uses; less where training has few steps.
        moved: how scenes are moved in training, as `augmentation.moved_scenes` has it.
    """
    inputs = layers.Input(input_shape, dtype="uint8")
    x, moved_by = moved_scenes(inputs, **moved)
    maps = darknet.darknet19(layers.Rescaling(1 / 255)(x), width=width, momentum=momentum)
    x, fine = maps[step], maps[step // 2]  # (B, 13, 13, 1024), (B, 26, 26, 512)
    depth = x.shape[-1]
    for _ in range(2):
        x = convolution(x, depth, 3, momentum=momentum)
    fine = convolution(fine, max(1, fine.shape[-1] // 8), 1, momentum=momentum)  # (B, 26, 26, 64)
    x = layers.Concatenate()([folded(fine), x])  # (B, 13, 13, 1280)
    x = convolution(x, depth, 3, momentum=momentum)
    x = layers.Conv2D(layout.per_cell[0] * (5 + classes), 1, name="predictor")(x)  # (B, 13, 13, 125)
    head = YOLOv2Head(layout=vars(layout), classes=classes, name=HEAD)
    return detector(inputs, head([x]), moved_by, name="yolo_v2")


def folded(x: keras.KerasTensor) -> keras.KerasTensor:
    """2x2 cells as one that is four times as deep: maps (B, 2h, 2w, D) as (B, h, w, 4D)."""
    height, width, depth = x.shape[1:]
    x = layers.Reshape((height // 2, 2, width // 2, 2, depth))(x)
    x = layers.Permute((1, 3, 2, 4, 5))(x)
    return layers.Reshape((height // 2, width // 2, 4 * depth), name="passthrough")(x)


def yolo_v2_voc(*, image: tuple[int, int] = (416, 416), classes: int = 20) -> keras.Model:
    """The published network, of 845 boxes at 416x416 pixels: 50,676,061 parameters for VOC's 20 classes.

    Args:
        image: (H, W), multiples of 32 pixels; the paper trains at 320 to 608.
    """
    return yolo_v2(layout=anchors.yolo_v2(image), input_shape=(*image, 3), classes=classes)


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`: the paper's, but for its width, the step of its map, and its anchors.

    Hyperparameters:
        width: maps of the first convolution, 4 to 32; the paper has 32.
        step: of the map that answers, 8, 16 or 32 pixels; the paper has 32.
        anchors: how many squares a cell has, 1 to 9; the paper has five, not squares.
        smallest, largest: sides of the first and the last square, of the image's shorter side.
        momentum: of batch normalisation's mean and variance, 0.8 to 0.99; Darknet has 0.99, here 0.9, for fewer steps.
        zoom, shift, mirror: as `detectors.moves` has them.
        learning_rate, decay_steps, clip: as `compile_detector` has them.

    Raises:
        ValueError: unless the image has whole cells.
    """
    spec.check(inputs=("image",), classes=True, boxes=True)
    image = spec.input_shape[0], spec.input_shape[1]
    step = hp.Choice("step", [8, 16, 32], default=16)
    sizes = cells.squares(
        image,
        smallest=hp.Float("smallest", 0.05, 0.3, default=0.15),
        largest=hp.Float("largest", 0.3, 1.0, default=0.45),
        count=hp.Int("anchors", 1, 9, default=3),
    )
    model = yolo_v2(
        layout=anchors.of_pixels(image, maps=[anchors.cells(image, step)], steps=[step], sizes=[sizes]),
        input_shape=spec.input_shape,
        classes=len(spec.classes),
        width=hp.Int("width", 4, 32, step=4, default=8),
        step=step,
        momentum=hp.Float("momentum", 0.8, 0.99, default=0.9),
        **moves(hp),
    )
    return compile_detector(model, hp)
