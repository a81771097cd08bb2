"""The second stage of a detector of regions: what of a map lies under a proposed box says what is in it, and where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
from keras import layers, ops

from models.parts import boxes, losses, matching, suppression
from models.parts.detectors import MOST, Detector
from models.parts.regions import roi_pool

VARIANCES = (0.1, 0.1, 0.2, 0.2)
"""What the offsets are divided by; Fast R-CNN has them of mean 0 and variance 1."""


class Drawn(NamedTuple):
    """The regions of a step that are learnt from, S of each image.

    Args:
        boxes: float32 (B, S, 4).
        labels: int32 (B, S), 0 for nothing, else 1 to K.
        wanted: offsets of their true boxes, float32 (B, S, 4); of no meaning where there is nothing.
        real: bool (B, S), false where an image has fewer.
    """

    boxes: Any
    labels: Any
    wanted: Any
    real: Any


@keras.saving.register_keras_serializable(package="miar")
class RegionDetector(Detector):
    """A detector whose head has weights that its answers need."""

    def predict_step(self, *args: Any) -> Any:
        """Detector's step; on JAX the head's weights are those of the state, as the network's are."""
        if keras.backend.backend() != "jax":
            return super().predict_step(*args)
        kinds = (self.trainable_variables, self.non_trainable_variables)
        state = [pair for kind in zip(kinds, args[0][:2], strict=True) for pair in zip(*kind, strict=True)]
        with keras.StatelessScope(state_mapping=state):
            return super().predict_step(*args)


@keras.saving.register_keras_serializable(package="miar")
class Regions(layers.Layer):
    """Max pooling of each proposed box to one size, two dense layers, logits and offsets for each class.

    It is a head for proposals that come from elsewhere, rows of zeros where there are fewer, and the second stage of
    one that makes them. What it gives are the map and the proposals; its own layers speak in `loss` and `detections`,
    of few regions in the one and of all in the other.

    Args:
        classes: number of classes, K.
        units: of the dense layers.
        size: bins in each direction that a box is pooled to.
        sampled: regions of each image that are learnt from.
        fraction: at most this part of them has something in it.
        least: IoU with some box, below which a region is not learnt from as nothing.
        overlap: IoU above which the less sure of two answers of a class goes.
        score: an answer has at least this.

    Source: Girshick, "Fast R-CNN", ICCV 2015, sections 2.1 to 2.3. Departure: no dropout.
    """

    def __init__(
        self,
        *,
        classes: int,
        units: Sequence[int] = (4096, 4096),
        size: int = 7,
        sampled: int = 64,
        fraction: float = 0.25,
        least: float = 0.0,
        overlap: float = 0.3,
        score: float = 0.05,
        **kw: Any,
    ):
        super().__init__(autocast=False, **kw)  # half precision would move the proposals
        self.classes, self.units, self.size = classes, tuple(units), size
        self.sampled, self.fraction, self.least = sampled, fraction, least
        self.overlap, self.score = overlap, score
        self.seed = keras.random.SeedGenerator()

    def build(self, input_shape: Sequence[tuple[Any, ...]]) -> None:
        depth = self.size**2 * input_shape[0][-1]
        self.dense = [
            layers.Dense(units, activation="relu", name=f"fc{number}") for number, units in enumerate(self.units, 6)
        ]
        self.logits = layers.Dense(1 + self.classes, kernel_initializer=narrow(0.01), name="logits")
        self.offsets = layers.Dense(4 * (1 + self.classes), kernel_initializer=narrow(0.001), name="offsets")
        for layer, inputs in zip(self.dense, (depth, *self.units), strict=False):
            layer.build((None, None, inputs))
        for layer in (self.logits, self.offsets):
            layer.build((None, None, self.units[-1]))

    def call(self, inputs: Any) -> dict[str, Any]:
        maps, proposals = inputs
        return {"map": maps, "proposals": ops.cast(proposals, "float32")}

    def read(self, maps: Any, regions: Any) -> tuple[Any, Any]:
        """What is in each region (B, R, 4): logits (B, R, 1 + K), and offsets by class (B, R, 1 + K, 4)."""
        x = roi_pool(maps, regions, size=self.size)  # (B, R, s, s, D)
        x = ops.reshape(x, (-1, regions.shape[1], math.prod(x.shape[2:])))
        for dense in self.dense:
            x = dense(x)
        offsets = ops.reshape(self.offsets(x), (-1, regions.shape[1], 1 + self.classes, 4))
        return ops.cast(self.logits(x), "float32"), ops.cast(offsets, "float32")

    def loss(self, truth: dict[str, Any], given: dict[str, Any]) -> Any:
        """Cross-entropy of the drawn regions, and smooth L1 of the offsets of those that have something in them."""
        drawn = self.drawn(truth, given["proposals"])
        return region_loss(drawn, *self.read(given["map"], drawn.boxes))

    def drawn(self, truth: dict[str, Any], proposals: Any) -> Drawn:
        """Some of the proposals and the true boxes, by chance."""
        regions = ops.stop_gradient(ops.concatenate([proposals, truth["boxes"]], axis=1))
        match = self.matched(truth, regions)
        chosen = matching.sample(match.state, count=self.sampled, fraction=self.fraction, seed=self.seed)
        place = ops.top_k(ops.cast(chosen, "float32"), min(self.sampled, regions.shape[1]))[1]
        wanted = boxes.encode(matching.assigned(truth["boxes"], match), regions, variances=VARIANCES)
        labels = matching.assigned_labels(truth["labels"], match) + 1
        return Drawn(*(boxes.gathered(part, place) for part in (regions, labels, wanted, chosen)))

    def matched(self, truth: dict[str, Any], regions: Any) -> matching.Match:
        """Positive from an overlap of a half on; rows of zeros and what lies too far from any box are ignored."""
        found = matching.real_overlaps(regions, truth["boxes"], truth["labels"])
        match = matching.judged(found, positive=0.5, negative=0.5)
        far = ops.maximum(ops.max(found, axis=-1), 0.0) < self.least
        ignored = ops.logical_or(far, boxes.areas(regions) <= 0)
        return match._replace(state=ops.where(ignored, matching.IGNORED, match.state))

    def detections(self, given: dict[str, Any]) -> suppression.Detections:
        logits, offsets = self.read(given["map"], given["proposals"])
        around = ops.expand_dims(given["proposals"], 2)
        found = boxes.clipped(boxes.decode(offsets[:, :, 1:], around, variances=VARIANCES))
        real = ops.expand_dims(boxes.areas(given["proposals"]) > 0, -1)
        scores = ops.where(real, ops.softmax(logits)[..., 1:], 0.0)
        return suppression.suppress(found, scores, overlap=self.overlap, score=self.score, most=MOST)

    def get_config(self) -> dict[str, Any]:
        names = ("classes", "units", "size", "sampled", "fraction", "least", "overlap", "score")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def region_loss(drawn: Drawn, logits: Any, offsets: Any) -> Any:
    """Of what was said of the drawn regions, logits (B, S, 1 + K) and offsets (B, S, 1 + K, 4): a scalar.

    Source: Girshick, "Fast R-CNN", ICCV 2015, equation 1, with lambda 1; offsets are judged by the true class alone.
    """
    by_class = ops.sparse_categorical_crossentropy(drawn.labels, logits, from_logits=True)
    own = ops.one_hot(drawn.labels, logits.shape[-1], dtype="float32")
    offsets = ops.sum(offsets * ops.expand_dims(own, -1), axis=2)
    positive = ops.logical_and(drawn.real, drawn.labels > 0)
    return by_drawn(by_class, losses.smooth_l1(drawn.wanted, offsets), drawn=drawn.real, positive=positive)


def by_drawn(class_losses: Any, offset_losses: Any, *, drawn: Any, positive: Any) -> Any:
    """Class losses of those drawn and offset losses of the positive among them, by the number drawn: a scalar.

    Args:
        class_losses, offset_losses: (B, A).
        drawn, positive: bool (B, A).
    """
    total = losses.masked_sum(class_losses, drawn) + losses.masked_sum(offset_losses, positive)
    return total / losses.at_least_one(drawn)


def narrow(deviation: float) -> keras.initializers.Initializer:
    """Normal around 0, as what predicts begins."""
    return keras.initializers.RandomNormal(stddev=deviation)
