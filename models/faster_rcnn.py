"""A network proposes boxes where there is something, and a second stage says of each what it is: both read one map.

The map is computed once and proposing costs next to nothing, so that selective search, the slowest part of Fast R-CNN,
falls away.

Lesson: Faster R-CNN, its region proposal network and its nine anchors.
Paper: Ren et al., "Faster R-CNN: Towards real-time object detection with region proposal networks", NeurIPS 2015, with
VGG16 and with Zeiler and Fergus's network, both stages trained at once as in its authors' py-faster-rcnn. Both parts of
the proposals' loss are divided by the number of anchors drawn, as in that code; with the paper's lambda of 10 and 2,400
places that is nearly the same. Departures: 6,000 candidates also in training, where the code has 12,000; no dropout;
several images may be learnt from at once; images come as they are stored; a narrow network may read a map of step 8,
and may normalise each convolution, since it has no weights of ImageNet to start from.

Input shape: (B, H, W, C), uint8, 0 to 255, C 1 or 3.
Output shape: `predict` gives `boxes` (B, R, 4), `labels` and `scores` (B, R); called, `map` (B, h, w, D), `objectness`
(B, A, 2) and `offsets` (B, A, 4).
Score: map_50 0.984 (VOC 2007: 0.932) on digit scenes after 12 epochs of the narrow network, 586,229 parameters (recipe
faster_rcnn_digit_scenes, 634 s on two busy CPU cores). 0.881 on 72 photographs of blood cells after 50 epochs of 248
others that are moved (faster_rcnn_bccd_cells, 629 s); 0.819 where they are not, which it learns by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

from models.parts import anchors, boxes, losses, matching, suppression, vgg
from models.parts.augmentation import moved_scenes
from models.parts.detectors import HEAD, compile_detector, detector, flattened, moves
from models.parts.pretrained import door
from models.parts.second_stage import RegionDetector, Regions, by_drawn, narrow

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec


@keras.saving.register_keras_serializable(package="miar")
class Proposals(layers.Layer):
    """What each anchor says, nothing or something and its offsets; and the second stage, to which it proposes.

    Args:
        layout: fields of `anchors.Anchors`, of one map.
        regions: arguments of `Regions`, the second stage.
        sampled: anchors of each image that are learnt from, at most half of them positive.
        candidates: the surest boxes of each image, among which those that overlap are dropped.
        learnt, answered: most proposals of an image, in training and in answering.
        overlap: IoU above which the less sure of two proposals goes.
        tiny: a proposal has at least so many cells of the map in height and width.

    Raises:
        ValueError: if no anchor lies in the image.

    Source: Ren et al., "Faster R-CNN", NeurIPS 2015, section 3; 6,000 candidates and no side below 16 pixels, which is
    a cell, are those of py-faster-rcnn.
    """

    def __init__(
        self,
        *,
        layout: dict[str, Any],
        regions: dict[str, Any],
        sampled: int = 256,
        candidates: int = 6000,
        learnt: int = 2000,
        answered: int = 300,
        overlap: float = 0.7,
        tiny: float = 1.0,
        **kw: Any,
    ):
        super().__init__(autocast=False, **kw)
        self.layout, self.regions, self.sampled, self.candidates = layout, Regions(**regions), sampled, candidates
        self.learnt, self.answered, self.overlap, self.tiny = learnt, answered, overlap, tiny
        self.anchors = anchors.Anchors(**layout).boxes()
        self.inside = inside(self.anchors)
        self.seed = keras.random.SeedGenerator()

    def build(self, input_shape: Sequence[tuple[Any, ...]]) -> None:
        self.regions.build([input_shape[0], (None, self.learnt, 4)])

    def call(self, inputs: Any) -> dict[str, Any]:
        maps, objectness, offsets = inputs
        said = {"objectness": flattened([objectness], 2), "offsets": flattened([offsets], 4)}
        return {"map": maps, **{name: ops.cast(one, "float32") for name, one in said.items()}}

    def loss(self, truth: dict[str, Any], given: dict[str, Any]) -> Any:
        """Both stages' losses; the second one's tells the first one nothing but through the map."""
        proposals = self.proposed(given, most=self.learnt)
        return self.proposal_loss(truth, given) + self.regions.loss(truth, {**given, "proposals": proposals})

    def proposal_loss(self, truth: dict[str, Any], given: dict[str, Any]) -> Any:
        """The paper's equation 1, of anchors that lie in the image: every box has one, those below 0.3 have none."""
        logits, offsets = (ops.take(given[name], self.inside, axis=1) for name in ("objectness", "offsets"))
        own = self.anchors[self.inside]
        match = matching.match_every(own, truth["boxes"], truth["labels"], positive=0.7, negative=0.3)
        drawn = matching.sample(match.state, count=self.sampled, fraction=0.5, seed=self.seed)
        wanted = boxes.encode(matching.assigned(truth["boxes"], match), own)
        positive = match.state == matching.POSITIVE
        return by_drawn(
            ops.sparse_categorical_crossentropy(ops.cast(positive, "int32"), logits, from_logits=True),
            losses.smooth_l1(wanted, offsets, beta=1 / 9),
            drawn=drawn,
            positive=ops.logical_and(drawn, positive),
        )

    def proposed(self, given: dict[str, Any], *, most: int) -> Any:
        """The surest boxes that are not tiny and do not overlap much: (B, R, 4), zeros where there are fewer."""
        found = boxes.clipped(boxes.decode(given["offsets"], self.anchors))
        least = self.tiny * np.asarray(self.layout["steps"][0], dtype=np.float32)
        large = ops.all(found[..., 2:] - found[..., :2] >= least, axis=-1, keepdims=True)
        sure = ops.where(large, ops.softmax(given["objectness"])[..., 1:], -1.0)
        found, sure = ops.stop_gradient(found), ops.stop_gradient(sure)
        kept = suppression.suppress(found, sure, overlap=self.overlap, score=0.0, most=most, candidates=self.candidates)
        return kept.boxes

    def detections(self, given: dict[str, Any]) -> suppression.Detections:
        return self.regions.detections({**given, "proposals": self.proposed(given, most=self.answered)})

    def get_config(self) -> dict[str, Any]:
        names = ("layout", "sampled", "candidates", "learnt", "answered", "overlap", "tiny")
        return {
            **super().get_config(),
            "regions": self.regions.get_config(),
            **{name: getattr(self, name) for name in names},
        }


def inside(of: np.ndarray) -> np.ndarray:
    """Places of the anchors (A, 4) that do not cross the image's border.

    Raises:
        ValueError: if there are none.
    """
    places = np.flatnonzero(((of >= -1e-6) & (of <= 1 + 1e-6)).all(axis=-1))
    if not len(places):
        smallest = (of[:, 2:] - of[:, :2]).min(axis=0)
        raise ValueError(f"`layout` must have anchors that lie in the image. Received: the smallest is {smallest}")
    return places


def faster_rcnn(
    inputs: keras.KerasTensor,
    features: keras.KerasTensor,
    *,
    layout: anchors.Anchors,
    regions: dict[str, Any],
    moved_by: Sequence[keras.KerasTensor] = (),
    name: str = "faster_rcnn",
    **settings: Any,
) -> keras.Model:
    """Both stages on a map.

    Args:
        inputs: images (B, H, W, C).
        features: the map that both read, (B, h, w, D).
        layout: the anchors of its cells.
        regions: arguments of `Regions`.
        moved_by: how the images were moved before, as `augmentation.moved_scenes` gives it.
        settings: of `Proposals`.
    """
    count = layout.per_cell[0]
    x = layers.Conv2D(
        features.shape[-1], 3, padding="same", activation="relu", kernel_initializer=narrow(0.01), name="rpn"
    )(features)
    objectness = layers.Conv2D(2 * count, 1, kernel_initializer=narrow(0.01), name="rpn_objectness")(x)
    offsets = layers.Conv2D(4 * count, 1, kernel_initializer=narrow(0.01), name="rpn_offsets")(x)
    head = Proposals(layout=vars(layout), regions=regions, name=HEAD, **settings)
    return detector(inputs, head([features, objectness, offsets]), list(moved_by), name, RegionDetector)


def faster_rcnn_vgg16(*, input_shape: tuple[int, ...] = (600, 1000, 3), classes: int = 20) -> keras.Model:
    """The published network: 137,078,239 parameters for VOC's 20 classes."""
    inputs = layers.Input(input_shape, dtype="uint8")
    features = vgg.vgg16(door(inputs))[16]  # (B, 38, 63, 512)
    layout = anchors.rpn((input_shape[0], input_shape[1]), features.shape[1:3])
    return faster_rcnn(inputs, features, layout=layout, regions={"classes": classes}, name="faster_rcnn_vgg16")


def faster_rcnn_zf(*, input_shape: tuple[int, ...] = (600, 1000, 3), classes: int = 20) -> keras.Model:
    """The published small network: 59,294,751 parameters for VOC's 20 classes."""
    inputs = layers.Input(input_shape, dtype="uint8")
    features = zf(door(inputs))  # (B, 38, 63, 256)
    layout = anchors.rpn((input_shape[0], input_shape[1]), features.shape[1:3])
    regions = {"classes": classes, "size": 6}
    return faster_rcnn(inputs, features, layout=layout, regions=regions, name="faster_rcnn_zf")


def zf(x: keras.KerasTensor) -> keras.KerasTensor:
    """Five convolutions: a map (B, h, w, 256) of step 16.

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, without groups, as in
    py-faster-rcnn.
    """
    for number, (filters, size) in enumerate(((96, 7), (256, 5)), start=1):
        x = layers.ZeroPadding2D(size // 2)(x)
        x = layers.Conv2D(filters, size, strides=2, activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(normalised(x))
    for number, filters in enumerate((384, 384, 256), start=3):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}")(x)
    return x


def normalised(x: keras.KerasTensor) -> keras.KerasTensor:
    """Each value divided by what it and its eight neighbours in its own map have: maps (B, h, w, D) as they were.

    Source: py-faster-rcnn's model of Zeiler and Fergus: Caffe's normalisation within channels, of 3x3 cells, alpha 5e-5
    and beta 0.75. Departure: at the border the mean is that of the cells there are.
    """
    near = layers.AveragePooling2D(3, strides=1, padding="same")(ops.square(x))
    return x / (1 + 5e-5 * near) ** 0.75


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network of VGG16's convolutions for `spec`: the paper's, but for its widths, its map and its anchors.

    Hyperparameters:
        width: filters, of those that the paper has, 0.0625 to 1.
        units: of both dense layers, 64 to 4096; the paper has 4096.
        step: from a cell of the map to the next, 8 or 16 pixels; the paper has 16.
        smallest, largest: sides of the anchors' squares, of the image's shorter side; a third is between.
        proposals: most of an image in training, 50 to 2000; in answering, a third of it, or 50. The paper has 2000.
        normalised: whether batch normalisation follows each convolution.
        zoom, shift, mirror: as `detectors.moves` has them; the paper mirrors.
        learning_rate, decay_steps, clip: as `compile_detector` has them.
    """
    spec.check(inputs=("image",), classes=True, boxes=True)
    share = hp.Choice("width", [0.0625, 0.125, 0.25, 0.5, 1.0], default=0.125)
    usual = hp.Boolean("normalised", default=True)
    step = hp.Choice("step", [8, 16], default=8)
    height, width, _ = spec.input_shape
    inputs = layers.Input(spec.input_shape, dtype="uint8")
    x, moved_by = moved_scenes(inputs, **moves(hp))
    x = layers.Rescaling(1 / 128, offset=-1)(x) if usual else door(x)
    features = vgg.vgg16(x, width=share, normalised=usual)[step]
    smallest = hp.Float("smallest", 0.05, 0.3, step=0.05, default=0.15)
    largest = hp.Float("largest", 0.3, 1.0, step=0.05, default=0.4)
    units, proposals = hp.Int("units", 64, 4096, step=64, default=128), hp.Int("proposals", 50, 2000, default=100)
    model = faster_rcnn(
        inputs,
        features,
        layout=nine((height, width), features.shape[1:3], step=step, sides=(smallest, largest)),
        regions={"classes": len(spec.classes), "units": (units, units)},
        moved_by=moved_by,
        candidates=3 * proposals,
        learnt=proposals,
        answered=max(50, proposals // 3),
    )
    return compile_detector(model, hp, rate=1e-3)


def nine(image: tuple[int, int], shape: tuple[int, int], *, step: int, sides: tuple[float, float]) -> anchors.Anchors:
    """Three shapes at three sizes, from the first to the second of `sides`, which are relative to the shorter side."""
    scales = np.geomspace(*sides, 3) * min(image) / 16
    return anchors.of_pixels(image, maps=[shape], steps=[step], sizes=[anchors.rpn_sizes(scales=scales.tolist())])
