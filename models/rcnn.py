"""Each proposed box is cut out, warped to one size and read by a network of its own run; linear SVMs say what it is.

A network that was made for classifying pictures finds objects, if something else says where to look. It runs once for
every proposal, hundreds of times for an image: that is what Fast R-CNN does away with.

Lesson: R-CNN, its proposals, its warped regions, its support vector machines and its regression of boxes.
Paper: Girshick, Donahue, Darrell, Malik, "Rich feature hierarchies for accurate object detection and semantic
segmentation", CVPR 2014, with AlexNet. Departures: the paper trains three things one after the other, and here one
`fit` trains them at once: the network by its softmax, and on its features, which learn nothing from them, the SVMs and
the regressors. So the SVMs learn from the regions of a step, where the paper mines hard negatives in all images; of
those too, the easy ones have no hinge loss and hence no say. Margins become scores by a sigmoid, whose order is theirs.
True boxes come to the proposals of each step. No dropout; what lies outside of the image is grey, where the paper has
the mean of ImageNet; images come as they are stored; a narrow network has three convolutions and no weights of
ImageNet.

Input shape: `image` (B, H, W, C), uint8, 0 to 255; `proposals` (B, P, 4), rows of zeros where there are fewer.
Output shape: `predict` gives `boxes` (B, R, 4), `labels` and `scores` (B, R); called, `image` (B, H, W, C) and
`proposals`.
Score: map_50 0.939 (VOC 2007: 0.906) on digit scenes with 64 proposals of selective search after 5 epochs of the narrow
network, 214,717 parameters (recipe rcnn_digit_scenes_proposals, 101 s on two CPU cores). 0.636 on 72 photographs of
blood cells with 256 proposals (rcnn_bccd_cells_proposals, 445 s).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from models.parts import alexnet, boxes, losses, matching, suppression
from models.parts.detectors import HEAD, MOST, compile_detector
from models.parts.regions import roi_align
from models.parts.second_stage import VARIANCES, RegionDetector, narrow

if TYPE_CHECKING:
    import keras_tuner

    from models.spec import Spec

CONTEXT = 16 / 227
"""What surrounds a box in its warped picture, on each side, of the picture: appendix A."""

SLOPE = 3.0
"""Of the sigmoid that makes scores of margins: a margin of 1 becomes 0.95, one of -1 becomes 0.05."""


AT_ONCE = 256
"""Regions of an image that are read at once for an answer."""


def warped(images: Any, regions: Any, *, size: int) -> Any:
    """Each region with some context, as a picture of one size, whatever the region's shape.

    Args:
        images: (B, H, W, C), of mean 0.
        regions: (B, R, 4); they get no gradient.
        size: height and width of the pictures, S.

    Returns:
        (B, R, S, S, C): bilinear points of the images among zeros.

    Memory: the answer, and S rows of W pixels for each region.

    Source: the paper's appendix A, "warp", with 16 pixels of context in a picture of 227.
    """
    places = boxes.centred(regions)
    around = boxes.corners(ops.concatenate([places[..., :2], places[..., 2:] / (1 - 2 * CONTEXT)], axis=-1))
    framed = ops.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]])  # else the map would go on at its edges
    sides = np.array([*images.shape[1:3]] * 2, dtype=np.float32)
    return roi_align(framed, (around * sides + 1) / (sides + 2), size=size, samples=1)


class Said(NamedTuple):
    """What is said of R regions of each image.

    Args:
        logits: of nothing and the K classes, by the softmax that only the network learns from, (B, R, 1 + K).
        margins: of each class's SVM, (B, R, K).
        offsets: of each class's regressor, (B, R, K, 4).
    """

    logits: Any
    margins: Any
    offsets: Any


@keras.saving.register_keras_serializable(package="miar")
class Classifiers(layers.Layer):
    """A network that reads each region's warped picture, and a softmax, linear SVMs and regressors on its features.

    What the layer gives are the image and the proposals; it reads regions in `loss` and in `detections`, of few in the
    one and of all in the other, all of a batch at once.

    Args:
        network: from pictures (N, S, S, C) to what its last pooling gives, for the regressors, and the features of its
            last dense layer, both (N, D).
        classes: number of classes, K.
        sampled: proposals of each image that are learnt from, besides the true boxes.
        fraction: at most this part of them has something in it.
        decay: what the squares of the weights of SVMs and regressors cost.
        overlap: IoU above which the less sure of two answers of a class goes.
        score: an answer has at least this.

    Source: the paper, sections 2.1 to 2.3 and appendix B, with its overlaps of 0.5, 0.3 and 0.6, and appendix C. A step
    of its has 128 regions, of two images or more.
    """

    def __init__(
        self,
        *,
        network: keras.Model,
        classes: int,
        sampled: int = 64,
        fraction: float = 0.25,
        decay: float = 1e-4,
        overlap: float = 0.3,
        score: float = 0.05,
        **kw: Any,
    ):
        super().__init__(autocast=False, **kw)  # half precision would move the proposals
        self.network, self.classes, self.sampled, self.fraction = network, classes, sampled, fraction
        self.decay, self.overlap, self.score = decay, overlap, score
        self.seed = keras.random.SeedGenerator()

    def build(self, input_shape: Sequence[tuple[Any, ...]]) -> None:
        del input_shape  # what the heads read is the network's
        pooled, features = self.network.output_shape
        costly = {"kernel_initializer": narrow(0.01), "kernel_regularizer": keras.regularizers.L2(self.decay)}
        self.softmax = layers.Dense(1 + self.classes, kernel_initializer=narrow(0.01), name="softmax")
        self.machines = layers.Dense(self.classes, **costly, name="machines")
        self.regressors = layers.Dense(4 * self.classes, **costly, name="regressors")
        for layer, shape in ((self.softmax, features), (self.machines, features), (self.regressors, pooled)):
            layer.build(shape)

    def call(self, inputs: Any) -> dict[str, Any]:
        images, proposals = inputs
        return {"image": images, "proposals": ops.cast(proposals, "float32")}

    def read(self, images: Any, regions: Any) -> Said:
        """What is in each region (B, R, 4)."""
        pictures = warped(images, regions, size=self.network.input_shape[1])
        pooled, features = self.network(ops.reshape(pictures, (-1, *pictures.shape[2:])))
        logits, margins = self.softmax(features), self.machines(ops.stop_gradient(features))
        offsets = self.regressors(ops.stop_gradient(pooled))

        def of_images(given: Any, *inner: int) -> Any:
            return ops.reshape(ops.cast(given, "float32"), (-1, regions.shape[1], *inner))

        shapes = ((1 + self.classes,), (self.classes,), (self.classes, 4))
        return Said(*(of_images(one, *shape) for one, shape in zip((logits, margins, offsets), shapes, strict=True)))

    def read_all(self, images: Any, regions: Any) -> Said:
        """The same of however many regions: a network run for some of each image after another, so that memory does."""
        parts = [
            self.read(images, regions[:, start : start + AT_ONCE]) for start in range(0, regions.shape[1], AT_ONCE)
        ]
        return Said(*(ops.concatenate(one, axis=1) for one in zip(*parts, strict=True)))

    def loss(self, truth: dict[str, Any], given: dict[str, Any]) -> Any:
        """All three losses, of some proposals and the true boxes."""
        real = ops.expand_dims(truth["labels"] >= 0, -1)
        drawn = self.drawn(truth, given["proposals"])
        regions = ops.concatenate([drawn, ops.where(real, truth["boxes"], 0.0)], axis=1)
        said = self.read(given["image"], regions)
        return (
            softmax_loss(truth, regions, said.logits)
            + hinge_loss(truth, regions, said.margins)
            + offset_loss(truth, drawn, said.offsets[:, : drawn.shape[1]])
        )

    def drawn(self, truth: dict[str, Any], proposals: Any) -> Any:
        """Some of the proposals, by chance: (B, S, 4), rows of zeros where an image has fewer."""
        match = matching.match(proposals, truth["boxes"], truth["labels"], positive=0.5, negative=0.5)
        state = ops.where(boxes.areas(proposals) > 0, match.state, matching.IGNORED)
        chosen = matching.sample(state, count=self.sampled, fraction=self.fraction, seed=self.seed)
        place = ops.top_k(ops.cast(chosen, "float32"), min(self.sampled, proposals.shape[1]))[1]
        chosen, some = boxes.gathered(chosen, place), boxes.gathered(proposals, place)
        return ops.stop_gradient(ops.where(ops.expand_dims(chosen, -1), some, 0.0))

    def detections(self, given: dict[str, Any]) -> suppression.Detections:
        proposals = given["proposals"]
        said = self.read_all(given["image"], proposals)
        found = boxes.clipped(boxes.decode(said.offsets, ops.expand_dims(proposals, 2), variances=VARIANCES))
        real = ops.expand_dims(boxes.areas(proposals) > 0, -1)
        scores = ops.where(real, ops.sigmoid(SLOPE * said.margins), 0.0)
        return suppression.suppress(found, scores, overlap=self.overlap, score=self.score, most=MOST)

    def get_config(self) -> dict[str, Any]:
        names = ("classes", "sampled", "fraction", "decay", "overlap", "score")
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network, **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Classifiers:
        return cls(**{**config, "network": keras.saving.deserialize_keras_object(config["network"])})


def softmax_loss(truth: dict[str, Any], regions: Any, logits: Any) -> Any:
    """Cross-entropy of regions (B, R, 4) by their logits (B, R, 1 + K): a scalar.

    A region is of the class of the box that it overlaps most, by a half or more; else it is nothing.
    """
    match = matching.match(regions, truth["boxes"], truth["labels"], positive=0.5, negative=0.5)
    labels = matching.assigned_labels(truth["labels"], match) + 1
    by_region = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    return losses.masked_mean(by_region, boxes.areas(regions) > 0)


def hinge_loss(truth: dict[str, Any], regions: Any, margins: Any) -> Any:
    """What regions (B, R, 4) are short of the right side of each SVM by 1, (B, R, K), summed; the mean of regions."""
    real = boxes.areas(regions) > 0
    state = states(truth, regions, classes=margins.shape[-1])
    short = ops.relu(1 - ops.where(state == matching.POSITIVE, margins, -margins))
    counts = ops.logical_and(ops.expand_dims(real, -1), state != matching.IGNORED)
    return losses.masked_sum(short, counts) / losses.at_least_one(real)


def states(truth: dict[str, Any], regions: Any, *, classes: int) -> Any:
    """What each region is to each class's SVM, int32 (B, R, K).

    A true box of the class is positive, what overlaps none of its boxes by 0.3 negative; what is between, and may be
    the object cut off, is ignored. The last regions are the true boxes.
    """
    found = matching.real_overlaps(regions, truth["boxes"], truth["labels"])  # (B, R, M)
    own = ops.one_hot(truth["labels"], classes, dtype="float32")  # (B, M, K)
    most = ops.max(ops.expand_dims(found, -1) * ops.expand_dims(own, 1), axis=2)
    is_box = ops.concatenate([ops.zeros_like(most[:, : -own.shape[1]]), own], axis=1)
    by_overlap = ops.where(most < 0.3, matching.NEGATIVE, matching.IGNORED)
    return ops.where(is_box > 0, matching.POSITIVE, by_overlap)


def offset_loss(truth: dict[str, Any], regions: Any, offsets: Any) -> Any:
    """Squares of the errors in the offsets (B, R, K, 4) of the regions near a box, of its class: their mean, a scalar.

    Near is an overlap of 0.6. Offsets have about unit variance, as those of the paper's code.
    """
    match = matching.match(regions, truth["boxes"], truth["labels"], positive=0.6, negative=0.6)
    own = ops.one_hot(matching.assigned_labels(truth["labels"], match), offsets.shape[2], dtype="float32")
    given = ops.sum(offsets * ops.expand_dims(own, -1), axis=2)
    wanted = boxes.encode(matching.assigned(truth["boxes"], match), regions, variances=VARIANCES)
    return losses.masked_mean(ops.sum(ops.square(wanted - given), axis=-1), match.state == matching.POSITIVE)


def rcnn(
    network: keras.Model,
    *,
    input_shape: tuple[int, ...],
    proposals: int,
    deviation: float = 1.0,
    name: str = "rcnn",
    **settings: Any,
) -> keras.Model:
    """A network of warped pictures, run on each proposal.

    Args:
        network: as `reading` makes it.
        input_shape: `(H, W, C)`.
        proposals: rows of boxes that an image comes with, P.
        deviation: what values are divided by, once they are centred.
        settings: of `Classifiers`.
    """
    image = layers.Input(input_shape, dtype="uint8", name="image")
    proposed = layers.Input((proposals, 4), dtype="float32", name="proposals")
    centred = layers.Rescaling(1 / deviation, offset=-127.5 / deviation)(image)
    head = Classifiers(network=network, name=HEAD, **settings)
    return RegionDetector({"image": image, "proposals": proposed}, head([centred, proposed]), name=name)


def reading(pictures: keras.KerasTensor, maps: keras.KerasTensor, *, units: Sequence[int]) -> keras.Model:
    """From pictures (N, S, S, C) to their last maps in one row, `pool5`, and the last of the dense layers on it, `fc7`.

    Args:
        units: of the dense layers.
    """
    pooled = features = layers.Flatten(name="pool5")(maps)
    for number, count in enumerate(units, 6):
        features = layers.Dense(count, activation="relu", name=f"fc{number}")(features)
    return keras.Model(pictures, [pooled, features], name="network")


def rcnn_alexnet(
    *, input_shape: tuple[int, ...] = (375, 500, 3), proposals: int = 2000, classes: int = 20
) -> keras.Model:
    """The published network: 57,773,561 parameters for VOC's 20 classes.

    All proposals of a batch are read at once, so 2000 of them fill gigabytes.
    """
    pictures = layers.Input((227, 227, input_shape[-1]))
    network = reading(pictures, alexnet.trunk(pictures)[32], units=(4096, 4096))
    return rcnn(network, input_shape=input_shape, proposals=proposals, classes=classes, name="rcnn_alexnet")


def stack(x: keras.KerasTensor, *, filters: int) -> keras.KerasTensor:
    """Three convolutions, each with twice the filters of the one before, each pooled: maps of step 8."""
    for times in (1, 2, 4):
        x = layers.Conv2D(times * filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)
    return x


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile R-CNN for `spec`, with a small network for small pictures.

    Hyperparameters:
        size: height and width of a warped picture, 16 to 64; the paper has 227.
        filters: of the first convolution, 4 to 64.
        units: of both dense layers, 32 to 4096; the paper has 4096.
        sampled: proposals of each image that are learnt from, 8 to 128.
        decay: what the squares of the weights of SVMs and regressors cost, 1e-6 to 1e-1.
        learning_rate, decay_steps, clip: as `compile_detector` has them.
    """
    spec.check(inputs=("image", "proposals"), classes=True, boxes=True)
    size, shape = hp.Int("size", 16, 64, step=8, default=32), spec.inputs["image"].shape
    units = hp.Int("units", 32, 4096, step=32, default=128)
    pictures = layers.Input((size, size, shape[-1]))
    maps = stack(pictures, filters=hp.Int("filters", 4, 64, step=4, default=16))
    model = rcnn(
        reading(pictures, maps, units=(units, units)),
        input_shape=shape,
        proposals=spec.inputs["proposals"].shape[0],
        deviation=127.5,
        classes=len(spec.classes),
        sampled=hp.Int("sampled", 8, 128, step=8, default=32),
        decay=hp.Float("decay", 1e-6, 1e-1, sampling="log", default=1e-4),
    )
    return compile_detector(model, hp, rate=1e-3)
