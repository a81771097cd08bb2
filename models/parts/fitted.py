"""Networks that are not trained but fitted: scikit-learn finds the weights at once, Keras computes the answer.

So a classical model is saved, asked, exported and judged like any other network.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import keras
import numpy as np
from keras import layers, ops

from models.parts import fronts
from models.spec import Spec

if TYPE_CHECKING:
    from scipy import sparse

LEARNER = "learner"
"""Name of a fitted network's last layer."""

AT_ONCE = 512
"""Samples whose features are dense at the same time; all together they are only kept sparse."""

TAKEN = ("words", "numbers", "categories")

Batches = Iterable[tuple[Any, Any]]


class Learner(Protocol):
    """The last layer of a fitted network: features in, class probabilities out."""

    def learn(self, features: sparse.csr_matrix, answers: np.ndarray, seed: int) -> None:
        """Find the weights.

        Args:
            features: of all training samples, (N, D).
            answers: class numbers, int (N,).
            seed: of whatever is random.
        """


@keras.saving.register_keras_serializable(package="miar")
class Fitted(keras.Model):
    """A functional network whose last layer is a `Learner`.

    It has no trainable weights, so that Keras's own `fit` only asks for its metrics. The last layer learns when the
    first epoch begins, from one pass over all samples; later epochs change nothing.
    """

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        *,
        callbacks: Iterable[keras.callbacks.Callback] | None = None,
        steps_per_epoch: int | None = None,
        **settings: Any,
    ) -> keras.callbacks.History:
        """Learn, and go through the epochs; the arguments are those of `keras.Model.fit` that have no weighing."""
        learning = Learning(lambda: one_pass(x, y, steps_per_epoch))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The model does not have any trainable weights")
            return super().fit(
                x, y, callbacks=[*(callbacks or ()), learning], steps_per_epoch=steps_per_epoch, **settings
            )

    def learn(self, batches: Batches, seed: int) -> None:
        """Let the last layer find its weights for all of `batches`."""
        learner = self.get_layer(LEARNER)
        learner.learn(*features_and_answers(keras.Model(self.input, learner.input), batches), seed)


class Learning(keras.callbacks.Callback):
    """Let a fitted network learn when its first epoch begins, after whoever sets its random generators."""

    def __init__(self, batches: Callable[[], Batches]) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        del logs
        if epoch == 0:
            state = ops.convert_to_numpy(self.model.get_layer(LEARNER).seeds.state)
            self.model.learn(self.batches(), int(state[0]))


def one_pass(x: Any, y: Any, steps: int | None) -> Batches:
    """Samples and answers once, in batches.

    Args:
        x: all samples, or batches of both where there is no `y`.
        steps: batches of a pass; None for all that there are.
    """
    if y is None:
        return itertools.islice(x, steps)
    return ((x[start : start + AT_ONCE], y[start : start + AT_ONCE]) for start in range(0, len(y), AT_ONCE))


def features_and_answers(front: keras.Model, batches: Batches) -> tuple[sparse.csr_matrix, np.ndarray]:
    """What `front` makes of all samples, (N, D), and their answers (N,)."""
    from scipy import sparse

    def rows() -> Iterator[tuple[sparse.csr_matrix, np.ndarray]]:
        for x, y in batches:
            yield sparse.csr_matrix(ops.convert_to_numpy(front(x))), np.asarray(y)

    features, answers = zip(*rows(), strict=True)
    return sparse.vstack(features, format="csr"), np.concatenate(answers)


def fitted(learner: layers.Layer, *, spec: Spec, bag: str, name: str) -> keras.Model:
    """A network of `learner` over the features of the only input of `spec`.

    Args:
        bag: of words: `count` for how often each occurs, `multi_hot` for whether it does.

    Raises:
        ValueError: if the input is an image, or there are several, or no class is asked for.
    """
    spec.check(inputs=tuple(one for one in spec.inputs if one in TAKEN)[:1], classes=True)
    ((kind, tensor),) = fronts.inputs(spec).items()
    if kind == "words":
        features = fronts.bag(spec.input, tensor, counting=bag)  # (B, V - 1)
    else:
        features = fronts.features(kind, spec.input, tensor)  # (B, D)
    model = Fitted(tensor, learner(features), name=name)  # (B, K)
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
