"""Logistic regression: a weighted sum of the features for each class, then softmax; of texts, on a bag of words.

How often a word occurs is a feature, and where it stands is not. What a text is about is often said by its words alone,
so this is what a network for texts has to beat. Over word counts it is the sum of a row of weights for each word.

Lesson: classical methods for text, bag of words with regression.
Paper: Cox, "The regression analysis of binary sequences", Journal of the Royal Statistical Society B, 1958; of many
classes at once, as scikit-learn's LogisticRegression fits it: quasi-Newton steps (L-BFGS) on all samples, to the one
lowest point of cross-entropy and a penalty on the weights' squares.
Departures: none from scikit-learn, whose probabilities these are to 1e-5; what it found is kept in float32.

Input shape: (B, T): words, int32; (B, D): numbers, float32; (B, M): categories, int32.
Output shape: (B, K), probabilities.
Score: accuracy 0.945 on 1,684 Reuters newswires of 31 topics (recipe logistic_regression_reuters, 27 s), on 2 CPU cores
with other work on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

from models.parts.fitted import LEARNER, fitted
from models.spec import Input, Spec

if TYPE_CHECKING:
    import keras_tuner
    from scipy import sparse

WORDS = Spec({"words": Input((500,), "int32", sizes=(10_000,))}, classes=tuple("ab"))

NEVER = -1e4
"""Added to the sum of a class that no training sample has: its probability is 0."""

STEPS = 1000
"""Most steps of L-BFGS."""


@keras.saving.register_keras_serializable(package="miar")
class LinearLearner(layers.Layer):
    """softmax(x W + b), with W and b from scikit-learn.

    Args:
        classes: number of classes, K.
        penalty: what half the sum of the weights' squares counts, against the sum of the samples' cross-entropies.
    """

    def __init__(self, *, classes: int, penalty: float, **kw: Any) -> None:
        super().__init__(**kw)
        self.classes, self.penalty = classes, penalty
        self.seeds = keras.random.SeedGenerator()

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(
            shape=(shape[-1], self.classes), initializer="zeros", trainable=False, name="kernel"
        )
        self.bias = self.add_weight(shape=(self.classes,), initializer="zeros", trainable=False, name="bias")

    def call(self, features: Any) -> Any:
        return ops.softmax(ops.matmul(features, self.kernel) + self.bias)  # (B, K)

    def learn(self, features: sparse.csr_matrix, answers: np.ndarray, seed: int) -> None:
        from sklearn.linear_model import LogisticRegression

        del seed  # there is one lowest point, and nothing random on the way
        found = LogisticRegression(C=1 / self.penalty, max_iter=STEPS).fit(features.astype(np.float64), answers)
        weights, sums = found.coef_, found.intercept_
        if len(found.classes_) == 2:  # scikit-learn has one sum for two classes, and 0 for the first
            weights, sums = np.stack([0 * weights[0], weights[0]]), np.array([0, sums[0]])
        kernel, bias = np.zeros(self.kernel.shape), np.full(self.classes, NEVER)
        kernel[:, found.classes_], bias[found.classes_] = weights.T, sums
        self.kernel.assign(kernel)
        self.bias.assign(bias)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": self.classes, "penalty": self.penalty}


def logistic_regression(*, spec: Spec = WORDS, penalty: float = 1.0, bag: str = "count") -> keras.Model:
    """A linear classifier: 20,000 weights at these defaults.

    Args:
        spec: one input of words, numbers or categories, and classes.
        penalty: on the weights' squares, above 0; 1 / C of scikit-learn.
        bag: of words: `count` for how often each occurs, `multi_hot` for whether it does.
    """
    learner = LinearLearner(classes=len(spec.classes), penalty=penalty, name=LEARNER)
    return fitted(learner, spec=spec, bag=bag, name="logistic_regression")


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """The network for `spec`.

    Hyperparameters:
        penalty: on the weights' squares, 1e-4 to 1e3.
        bag: count or multi_hot.
    """
    return logistic_regression(
        spec=spec,
        penalty=hp.Float("penalty", 1e-4, 1e3, sampling="log", default=1.0),
        bag=hp.Choice("bag", ["count", "multi_hot"], default="count"),
    )
