"""Each cell of a grid says at once what is in it, by two guesses at a box and one at the class: you only look once.

The whole image is seen by two dense layers, so that each cell knows what surrounds it; nothing is proposed first, and
there are no anchors.

Lesson: YOLO and its loss; Fast YOLO.
Paper: Redmon et al., "You only look once: Unified, real-time object detection", CVPR 2016, section 2 and figure 3.
Fast YOLO's nine convolutions are the paper's; its dense layers of 256 and 4096 units, of which the paper says nothing,
are those of Darknet's yolo-tiny.cfg. Where no guess overlaps the box, the nearest is responsible, as in Darknet.
Departures: where several boxes have their centres in one cell, it learns the last; confidence and classes are cut to
0..1 in answers; a narrow network may normalise each convolution, since it has no weights of ImageNet to start from.

Input shape: (B, H, W, C), uint8, 0 to 255, H and W multiples of the step; scaled to -1..1 inside.
Output shape: `predict` gives `boxes` (B, R, 4), `labels` and `scores` (B, R); called, (B, S * S, 5 * guesses + K).
Score: map_50 0.931 and map 0.511 on digit scenes after 50 epochs of the narrow network, 6,099,944 parameters (recipe
yolo_v1_digit_scenes, 18 min on two busy CPU cores). Its dense layers learn each place for itself, and no base gives it
features: with 8x8 cells, dropout and a rate of 0.001 it reached 0.129 in 30 epochs; the recipe has 4x4 cells, where
0.6 % of the digits share one and are lost, no dropout, a rate of 0.0003 and smaller batches. 0.310 on 72 photographs of
blood cells after 80 epochs of 248 others (yolo_v1_bccd_288_cells), too few to learn each of 108 places from.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
from keras import layers, ops

from models.parts import anchors, boxes, cells, matching, suppression
from models.parts.augmentation import moved_scenes
from models.parts.convolutions import convolution
from models.parts.detectors import HEAD, MOST, compile_detector, detector, moves

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec

Convolution = tuple[int, int, int]
"""Filters, size of the window, strides."""

Stages = tuple[tuple[Convolution, ...], ...]
"""Convolutions; between two stages, pooling halves the maps."""

FIGURE_3: Stages = (
    ((64, 7, 2),),
    ((192, 3, 1),),
    ((128, 1, 1), (256, 3, 1), (256, 1, 1), (512, 3, 1)),
    (*((256, 1, 1), (512, 3, 1)) * 4, (512, 1, 1), (1024, 3, 1)),
    (*((512, 1, 1), (1024, 3, 1)) * 2, (1024, 3, 1), (1024, 3, 2), (1024, 3, 1), (1024, 3, 1)),
)

COORDINATES, NOTHING = 5.0, 0.5
"""What errors of a box count, and those of confidence where there is none."""


@keras.saving.register_keras_serializable(package="miar")
class YOLOv1Head(layers.Layer):
    """What each cell says: of each guess y, x, roots of height and width, confidence; and of each of the K classes.

    Args:
        grid: (rows, columns).
        classes: number of classes, K.
        guesses: boxes that a cell may answer with.
        overlap: IoU above which the less sure of two answers of a class goes.
        score: an answer has at least this.
    """

    def __init__(
        self,
        *,
        grid: tuple[int, int],
        classes: int,
        guesses: int = 2,
        overlap: float = 0.5,
        score: float = 0.01,
        **kw: Any,
    ):
        super().__init__(**kw)
        self.grid, self.classes, self.guesses, self.overlap, self.score = grid, classes, guesses, overlap, score
        step = (1 / grid[0], 1 / grid[1])
        self.anchors = anchors.Anchors(maps=(grid,), steps=(step,), sizes=((step,),))
        self.cells = cells.cells(self.anchors)

    def call(self, given: Any) -> Any:
        return ops.cast(ops.reshape(given, (-1, len(self.cells.corners), 5 * self.guesses + self.classes)), "float32")

    def loss(self, truth: dict[str, Any], given: Any) -> Any:
        """The paper's equation 3; the mean over images."""
        match = cells.owned(self.anchors, truth["boxes"], truth["labels"])
        owns = match.state == matching.POSITIVE
        wanted = matching.assigned(truth["boxes"], match)
        guesses = self.of_each_guess(given)
        responsible, overlap = self.responsible(guesses, wanted)
        responsible = ops.where(owns[..., None], responsible, 0.0)  # (B, S * S, guesses)
        own = COORDINATES * self.of_boxes(wanted, guesses) + ops.square(guesses[..., 4] - overlap)
        nothing = NOTHING * ops.square(guesses[..., 4])
        by_guess = ops.sum(responsible * own + (1 - responsible) * nothing, axis=-1)
        by_class = self.of_classes(matching.assigned_labels(truth["labels"], match), given)
        return cells.mean_of_images(by_guess + ops.where(owns, by_class, 0.0))

    def of_each_guess(self, given: Any) -> Any:
        """What the cells say of boxes, apart: (B, S * S, guesses, 5)."""
        return ops.reshape(given[..., : 5 * self.guesses], (-1, len(self.cells.corners), self.guesses, 5))

    def decoded(self, guesses: Any) -> Any:
        """Boxes that the guesses stand for: (B, S * S, guesses, 4)."""
        centres = self.cells.corners[:, None] + guesses[..., :2] * self.cells.steps[:, None]
        return boxes.corners(ops.concatenate([centres, ops.square(guesses[..., 2:4])], axis=-1))

    def responsible(self, guesses: Any, wanted: Any) -> tuple[Any, Any]:
        """The guess nearest to each cell's box, 1 of (B, S * S, guesses), and the IoU of all; no gradient of either."""
        found = ops.stop_gradient(self.decoded(guesses))
        overlap = boxes.overlaps(found, wanted[..., None, :])[..., 0]
        distance = ops.mean(ops.square(boxes.centred(found) - boxes.centred(wanted[..., None, :])), axis=-1)
        nearest = ops.argmax(ops.where(overlap > 0, overlap, -distance), axis=-1)
        return ops.one_hot(nearest, self.guesses, dtype="float32"), overlap

    def of_boxes(self, wanted: Any, guesses: Any) -> Any:
        """Of every guess, (B, S * S, guesses), as if it were responsible for the box (B, S * S, 4) of its cell."""
        extents = boxes.centred(wanted)
        inside = (extents[..., :2] - self.cells.corners) / self.cells.steps
        roots = ops.sqrt(ops.maximum(extents[..., 2:], 0.0))
        target = ops.concatenate([inside, roots], axis=-1)[..., None, :]
        return ops.sum(ops.square(guesses[..., :4] - target), axis=-1)

    def of_classes(self, labels: Any, given: Any) -> Any:
        """Of every cell, (B, S * S), as if it owned a box of that label, -1 being of no class."""
        wanted = ops.one_hot(labels, self.classes, dtype="float32")
        return ops.sum(ops.square(given[..., 5 * self.guesses :] - wanted), axis=-1)

    def detections(self, given: Any) -> suppression.Detections:
        guesses = self.of_each_guess(given)
        found = boxes.clipped(self.decoded(guesses))
        classes = given[..., None, 5 * self.guesses :]
        scores = ops.clip(guesses[..., 4:], 0.0, 1.0) * ops.clip(classes, 0.0, 1.0)
        count = len(self.cells.corners) * self.guesses
        found, scores = ops.reshape(found, (-1, count, 4)), ops.reshape(scores, (-1, count, self.classes))
        return suppression.suppress(found, scores, overlap=self.overlap, score=self.score, most=MOST)

    def get_config(self) -> dict[str, Any]:
        own = {"grid": self.grid, "classes": self.classes, "guesses": self.guesses}
        return {**super().get_config(), **own, "overlap": self.overlap, "score": self.score}


def yolo(
    *,
    input_shape: tuple[int, ...] = (448, 448, 3),
    classes: int = 20,
    stages: Stages = FIGURE_3,
    units: tuple[int, ...] = (4096,),
    guesses: int = 2,
    dropout: float = 0.5,
    normalised: bool = False,
    name: str = "yolo_v1",
    **moved: Any,
) -> keras.Model:
    """Convolutions, dense layers that see all of the last maps, and a grid of as many cells as these have.

    Args:
        input_shape: `(H, W, C)`.
        classes: number of classes, K.
        stages: the convolutions.
        units: of the dense layers; leaky ReLU follows the last.
        guesses: boxes that a cell may answer with.
        dropout: share of the last dense layer's units that a training step leaves out.
        normalised: whether batch normalisation follows each convolution.
        moved: how scenes are moved in training, as `augmentation.moved_scenes` has it.
    """
    inputs = layers.Input(input_shape, dtype="uint8")
    x, moved_by = moved_scenes(inputs, **moved)
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    for number, stage in enumerate(stages):
        x = layers.MaxPooling2D(2)(x) if number else x
        for filters, size, strides in stage:
            x = layer(x, filters, size, strides, normalised=normalised)
    grid = x.shape[1:3]  # (B, 7, 7, 1024)
    x = layers.Flatten()(x)
    for count in units:
        x = layers.Dense(count)(x)
    x = layers.Dropout(dropout)(layers.LeakyReLU(0.1)(x))
    x = layers.Dense(grid[0] * grid[1] * (5 * guesses + classes), name="predictor")(x)  # (B, 1470)
    head = YOLOv1Head(grid=grid, classes=classes, guesses=guesses, name=HEAD)
    return detector(inputs, head(x), moved_by, name=name)


def layer(x: keras.KerasTensor, filters: int, size: int, strides: int, *, normalised: bool) -> keras.KerasTensor:
    """A convolution and leaky ReLU, normalised between the two or not."""
    if normalised:
        return convolution(x, filters, size, strides=strides, momentum=0.9)
    return layers.LeakyReLU(0.1)(layers.Conv2D(filters, size, strides=strides, padding="same")(x))


def doubling(filters: int, *, halvings: int) -> Stages:
    """A 3x3 convolution before each pooling, each with twice the filters of the one before, and three after the last.

    Args:
        filters: of the first convolution.
        halvings: how often maps are halved.
    """
    last = (filters * 2**halvings, 3, 1)
    return (*(((filters * 2**number, 3, 1),) for number in range(halvings)), (last,) * 3)


def yolo_v1(*, classes: int = 20) -> keras.Model:
    """The published network, of 98 boxes: 271,703,550 parameters for VOC's 20 classes."""
    return yolo(classes=classes)


def fast_yolo(*, classes: int = 20) -> keras.Model:
    """The published small network, of nine convolutions and 98 boxes: 45,089,374 parameters for VOC's 20 classes."""
    return yolo(classes=classes, stages=doubling(16, halvings=6), units=(256, 4096), name="fast_yolo")


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile Fast YOLO for `spec`, narrower and with a finer grid.

    Hyperparameters:
        filters: of the first convolution, 4 to 16; Fast YOLO has 16.
        step: between cells, 8, 16, 32 or 64 pixels; the paper has 64.
        units: of the only dense layer before the last, 64 to 4096.
        guesses: boxes that a cell may answer with, 1 to 3; the paper has 2.
        dropout: share of these units that a training step leaves out, 0 to 0.8; the paper has 0.5.
        normalised: whether batch normalisation follows each convolution.
        zoom, shift, mirror: as `detectors.moves` has them; the paper has 0.2 of zoom and of shift, and mirrors.
        learning_rate, decay_steps, clip: as `compile_detector` has them.

    Raises:
        ValueError: unless the image has whole cells.
    """
    spec.check(inputs=("image",), classes=True, boxes=True)
    step = hp.Choice("step", [8, 16, 32, 64], default=16)
    height, width = spec.input_shape[:2]
    anchors.cells((height, width), step)
    model = yolo(
        input_shape=spec.input_shape,
        classes=len(spec.classes),
        stages=doubling(hp.Int("filters", 4, 16, step=4, default=8), halvings=round(math.log2(step))),
        units=(hp.Int("units", 64, 4096, sampling="log", default=512),),
        guesses=hp.Int("guesses", 1, 3, default=2),
        dropout=hp.Float("dropout", 0.0, 0.8, default=0.5),
        normalised=hp.Boolean("normalised", default=True),
        **moves(hp),
    )
    return compile_detector(model, hp)
