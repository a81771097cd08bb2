"""Maps of several steps answer, each fed by the coarser one: what is small is found on fine maps that know the whole.

Classes do not exclude one another, so each is a question of its own, as is whether there is anything at all.

Lesson: YOLOv3 and its three scales.
Paper: Redmon and Farhadi, "YOLOv3: An incremental improvement", 2018, sections 2.1 to 2.3; the layers are those of
Darknet's yolov3.cfg. Each box has one anchor, of all maps; answers that overlap a box by more than 0.5 without being
its own are ignored. Departures: centres by a binary cross-entropy of their sigmoid, whose gradient is the paper's, less
what it is at best, so that right answers have no loss; small boxes count more, as in Darknet, of which the paper says
nothing; fine maps come first in the output.

Input shape: (B, H, W, C), uint8, 0 to 255, H and W multiples of the coarsest step; scaled to 0..1 inside.
Output shape: `predict` gives `boxes` (B, R, 4), `labels` and `scores` (B, R); called, (B, A, 5 + K).
Score: map_50 0.984 (VOC 2007: 0.965) on digit scenes after 12 epochs of the narrow network, 531,810 parameters (recipe
yolo_v3_digit_scenes, 680 s on two busy CPU cores).
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

GOOD = 0.5
"""IoU with a box above which an answer that owns none is ignored."""


@keras.saving.register_keras_serializable(package="miar")
class YOLOv3Head(AnchorHead):
    """What each anchor says: y, x, height, width, and logits of whether there is a box and of each of the K classes."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.cells = cells.cells(self.anchors)

    def loss(self, truth: dict[str, Any], given: Any) -> Any:
        """What the owners of boxes say of them, and whether all know if they own one; the mean over images."""
        match = cells.owned(self.anchors, truth["boxes"], truth["labels"])
        owns = match.state == matching.POSITIVE
        own = self.of_boxes(matching.assigned(truth["boxes"], match), given)
        own = own + self.of_classes(matching.assigned_labels(truth["labels"], match), given)
        return cells.mean_of_images(ops.where(owns, own, 0.0) + self.of_being_there(truth, given, match))

    def of_boxes(self, wanted: Any, given: Any) -> Any:
        """Of every anchor, (B, A), as if it owned the box (B, A, 4) of its place."""
        offsets = cells.encode(wanted, self.cells)
        inside, best = offsets[..., :2], ops.binary_crossentropy(offsets[..., :2], offsets[..., :2])
        centres = ops.binary_crossentropy(inside, given[..., :2], from_logits=True) - best
        sizes = ops.square(offsets[..., 2:] - given[..., 2:4]) / 2
        return cells.small_counts_more(wanted) * ops.sum(centres + sizes, axis=-1)

    def of_classes(self, labels: Any, given: Any) -> Any:
        """Of every anchor, (B, A), as if it owned a box of that label, -1 being of no class."""
        wanted = ops.one_hot(labels, self.classes, dtype="float32")
        return ops.sum(ops.binary_crossentropy(wanted, given[..., 5:], from_logits=True), axis=-1)

    def of_being_there(self, truth: dict[str, Any], given: Any, match: matching.Match) -> Any:
        """Whether it owns a box, for every anchor that does, or whose answer is not good by itself: (B, A)."""
        found = cells.decode(given[..., :4], self.cells)
        near = cells.judged(found, truth["boxes"], truth["labels"], match)
        owns = match.state == matching.POSITIVE
        each = ops.binary_crossentropy(ops.cast(owns, "float32"), given[..., 4], from_logits=True)
        return ops.where(ops.logical_or(owns, near.best <= GOOD), each, 0.0)

    def detections(self, given: Any) -> suppression.Detections:
        scores = ops.sigmoid(given[..., 4:5]) * ops.sigmoid(given[..., 5:])
        return self.surest(cells.decode(given[..., :4], self.cells), scores)


def yolo_v3(
    *,
    layout: anchors.Anchors,
    input_shape: tuple[int, ...] = (416, 416, 3),
    classes: int = 80,
    width: int = 32,
    blocks: tuple[int, ...] = darknet.BLOCKS,
    finest: int = 8,
    momentum: float = 0.99,
    **moved: Any,
) -> keras.Model:
    """Darknet-53, of whose maps as many answer as `layout` has, from the coarsest to the finest.

    Args:
        layout: the anchors, the finest map first; each map's step is twice the one before's.
        input_shape: `(H, W, C)`.
        classes: number of classes, K.
        width: maps of the first convolution.
        blocks: residual blocks of each of the five stages.
        finest: step of the first map, in pixels: 4, 8, 16 or 32; the last one's is at most 32.
        momentum: of the mean and variance that inference uses; less where training has few steps.
        moved: how scenes are moved in training, as `augmentation.moved_scenes` has it.
    """
    inputs = layers.Input(input_shape, dtype="uint8")
    x, moved_by = moved_scenes(inputs, **moved)
    maps = darknet.darknet53(layers.Rescaling(1 / 255)(x), width=width, blocks=blocks, momentum=momentum)
    used = [maps[finest * 2**number] for number in range(len(layout.maps))]
    depths = [count * (5 + classes) for count in layout.per_cell]
    branches = pyramid(used, momentum=momentum)
    answers = [predictor(*one, momentum=momentum) for one in zip(branches, depths, strict=True)]
    head = YOLOv3Head(layout=vars(layout), classes=classes, name=HEAD)
    return detector(inputs, head(answers), moved_by, name="yolo_v3")


def pyramid(maps: list[keras.KerasTensor], *, momentum: float) -> list[keras.KerasTensor]:
    """Maps (B, h, w, D), the finest first, each with what the coarser one knows: (B, h, w, D / 2)."""
    branches: list[keras.KerasTensor] = []
    for x in reversed(maps):
        depth = x.shape[-1]
        if branches:
            above = convolution(branches[-1], depth // 2, 1, momentum=momentum)
            x = layers.Concatenate()([layers.UpSampling2D(2)(above), x])  # (B, 26, 26, 768)
        branches.append(five(x, depth, momentum=momentum))
    return branches[::-1]


def five(x: keras.KerasTensor, depth: int, *, momentum: float) -> keras.KerasTensor:
    """Convolutions in turn of 1x1, to half of `depth`, and of 3x3, to all of it; the last is narrow."""
    for number in range(5):
        x = convolution(x, depth if number % 2 else depth // 2, 3 if number % 2 else 1, momentum=momentum)
    return x


def predictor(x: keras.KerasTensor, depth: int, *, momentum: float) -> keras.KerasTensor:
    """A 3x3 convolution to twice the maps, and a 1x1 one to `depth`."""
    x = convolution(x, 2 * x.shape[-1], 3, momentum=momentum)
    return layers.Conv2D(depth, 1)(x)


def yolo_v3_coco(*, image: tuple[int, int] = (416, 416), classes: int = 80) -> keras.Model:
    """The published network, of 10,647 boxes at 416x416 pixels: 62,001,757 parameters for COCO's 80 classes.

    Args:
        image: (H, W), multiples of 32 pixels; the paper reports 320, 416 and 608.
    """
    return yolo_v3(layout=anchors.yolo_v3(image), input_shape=(*image, 3), classes=classes)


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`: the paper's, but for its width, its depth, the number of maps and its anchors.

    Hyperparameters:
        width: maps of the first convolution, 4 to 32; the paper has 32.
        blocks: residual blocks of a stage at most, 1 to 8; the paper has 1, 2, 8, 8 and 4, which 8 leaves as they are.
        scales: maps that answer, the finest of step 8, 1 to 3; the paper has 3.
        smallest, largest: sides of the first and the last of all the squares, of the image's shorter side; each map
            has three.
        momentum: of batch normalisation's mean and variance, 0.8 to 0.99; Darknet has 0.99, here 0.9, for fewer steps.
        zoom, shift, mirror: as `detectors.moves` has them.
        learning_rate, decay_steps, clip: as `compile_detector` has them.

    Raises:
        ValueError: unless the image has whole cells of the coarsest map.
    """
    spec.check(inputs=("image",), classes=True, boxes=True)
    image = spec.input_shape[0], spec.input_shape[1]
    scales, most = hp.Int("scales", 1, 3, default=2), hp.Int("blocks", 1, 8, default=1)
    sizes = cells.squares(
        image,
        smallest=hp.Float("smallest", 0.05, 0.3, default=0.15),
        largest=hp.Float("largest", 0.3, 1.0, default=0.45),
        count=3 * scales,
    )
    model = yolo_v3(
        layout=anchors.yolo_v3(image, sizes=[sizes[3 * number : 3 * number + 3] for number in range(scales)]),
        input_shape=spec.input_shape,
        classes=len(spec.classes),
        width=hp.Int("width", 4, 32, step=4, default=8),
        blocks=tuple(min(count, most) for count in darknet.BLOCKS),
        momentum=hp.Float("momentum", 0.8, 0.99, default=0.9),
        **moves(hp),
    )
    return compile_detector(model, hp)
