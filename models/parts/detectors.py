"""Networks that answer with boxes: what they have in common is the model, what they differ in is their last layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import keras
from keras import layers, ops

from models.parts.anchors import Anchors
from models.parts.augmentation import followed
from models.parts.boxes import clipped
from models.parts.classifiers import learning_rate
from models.parts.suppression import Detections, suppress

if TYPE_CHECKING:
    import keras_tuner

HEAD = "head"
"""Name of a detector's last layer."""

MOST = 100
"""Answers to an image, at most: as many as COCO judges."""


class Head(Protocol):
    """The last layer of a detector, which knows what its network's numbers mean."""

    def loss(self, truth: dict[str, Any], given: Any) -> Any:
        """A number to make small.

        Args:
            truth: `boxes` (B, M, 4) and `labels` (B, M), -1 where there is none.
            given: what the layer gave.
        """

    def detections(self, given: Any) -> Detections:
        """The answers that what the layer gave stands for."""


class AnchorHead(layers.Layer):
    """A head that gives `4 + 1 + K` numbers for each anchor of its maps; a child says what they mean.

    Args:
        layout: fields of `anchors.Anchors`.
        classes: number of classes, K.
        overlap: IoU above which the less sure of two answers of a class goes.
        score: an answer has at least this.
    """

    def __init__(self, *, layout: dict[str, Any], classes: int, overlap: float = 0.45, score: float = 0.01, **kw: Any):
        super().__init__(**kw)
        self.layout, self.classes, self.overlap, self.score = layout, classes, overlap, score
        self.anchors = Anchors(**layout)

    def call(self, maps: Any) -> Any:
        return ops.cast(flattened(maps, 4 + 1 + self.classes), "float32")

    def surest(self, found: Any, scores: Any) -> Detections:
        """Of the boxes (B, A, 4), cut at the image's edge, with scores (B, A, K), those that stay."""
        return suppress(clipped(found), scores, overlap=self.overlap, score=self.score, most=MOST)

    def get_config(self) -> dict[str, Any]:
        own = {"layout": self.layout, "classes": self.classes, "overlap": self.overlap, "score": self.score}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="miar")
class Detector(keras.Model):
    """A functional network that ends with a `Head`: boxes and labels in, boxes, labels and scores out.

    Where its images are moved in training, it has two outputs: what the head gives, and the moves.

    `fit` encodes the true boxes and `predict` decodes the answers; called as it is, the network gives raw numbers.
    """

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        del x, sample_weight, training
        truth, given = (followed(y, y_pred[1]), y_pred[0]) if self.is_moved else (y, y_pred)
        return sum(self.losses, self.get_layer(HEAD).loss(truth, given))

    @property
    def is_moved(self) -> bool:
        return isinstance(self.output, (list, tuple))

    def predict_step(self, *args: Any) -> Any:
        """Keras's own step, its answers decoded; on JAX it also gives the network's state."""
        given = super().predict_step(*args)
        return (self.decoded(given[0]), *given[1:]) if keras.backend.backend() == "jax" else self.decoded(given)

    def decoded(self, given: Any) -> dict[str, Any]:
        return dict(self.get_layer(HEAD).detections(given[0] if self.is_moved else given)._asdict())


def detector(
    inputs: keras.KerasTensor | list[keras.KerasTensor],
    given: keras.KerasTensor,
    moves: list[keras.KerasTensor],
    name: str,
    kind: type[Detector] = Detector,
) -> Detector:
    """The network from `inputs` to what its head gave, and the moves of its scenes, if it has any."""
    return kind(inputs, [given, *moves] if moves else given, name=name)


def moves(hp: keras_tuner.HyperParameters) -> dict[str, Any]:
    """How scenes are moved in training.

    Hyperparameters:
        zoom: up to this fraction nearer or farther, 0 to 0.5.
        shift: up to this fraction of height and width, 0 to 0.3.
        mirror: true where a mirrored object has the same class.
    """
    return {
        "zoom": hp.Float("zoom", 0.0, 0.5, step=0.05, default=0.0),
        "shift": hp.Float("shift", 0.0, 0.3, step=0.05, default=0.0),
        "mirror": hp.Boolean("mirror", default=False),
    }


def compile_detector(model: keras.Model, hp: keras_tuner.HyperParameters, *, rate: float = 1e-3) -> keras.Model:
    """Compile `model` with Adam; its loss is its head's.

    Args:
        rate: default of the learning rate.

    Hyperparameters:
        learning_rate: of Adam, 1e-5 to 1e-2.
        decay_steps: steps in which the rate falls to zero along half a cosine; 0 for none.
        clip: most that the length of all gradients together may be, 0.1 to 100.
    """
    clip = hp.Float("clip", 0.1, 100.0, sampling="log", default=10.0)
    rates = learning_rate(hp, rate=rate, decays=True)
    model.compile(optimizer=keras.optimizers.Adam(rates, global_clipnorm=clip))
    return model


def flattened(maps: Any, depth: int) -> Any:
    """What each map (B, h, w, k * D) predicts for its anchors, one map after the other: (B, A, D)."""
    return ops.concatenate(
        [ops.reshape(one, (-1, one.shape[1] * one.shape[2] * one.shape[3] // depth, depth)) for one in maps], axis=1
    )
