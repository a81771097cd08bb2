"""Random forest: many decision trees, each grown on other samples and features, of whose answers the mean is taken.

A tree asks one feature at a time, such as whether a word occurs, and answers with the classes of the training samples
that went its way. One tree alone learns by heart; trees that differ by chance are wrong in different places.

Lesson: classical methods for text, bag of words with random forests.
Paper: Breiman, "Random forests", Machine Learning 2001; the trees are scikit-learn's RandomForestClassifier.
Departures: scikit-learn's, whose trees give shares of classes and not one vote each. Here a tree has so many leaves and
so deep a way to them at most, so that all trees fit into arrays of one size: that of `leaves` and `depth`.

Input shape: (B, T): words, int32; (B, D): numbers, float32; (B, M): categories, int32.
Output shape: (B, K), probabilities.
Score: accuracy 0.815 on 1,684 Reuters newswires of 31 topics (recipe random_forest_reuters, 10 s), on 2 CPU cores with
other work on them; the balanced accuracy of 0.305 says that it passes over rare topics.
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

Tree = Any
"""scikit-learn's, which has no types: arrays with a row for each node."""


@keras.saving.register_keras_serializable(package="miar")
class ForestLearner(layers.Layer):
    """Trees as arrays with a row for each node, walked from their roots, node 0, for `depth` steps.

    Where a feature is at most the node's threshold, the way goes left, else right; from a leaf it goes nowhere.

    Args:
        classes: number of classes, K.
        trees, leaves, depth: how many, and most of a tree.
        tried: features that a node chooses among: `sqrt` or `log2` of all.
    """

    def __init__(self, *, classes: int, trees: int, leaves: int, depth: int, tried: str, **kw: Any) -> None:
        super().__init__(**kw)
        self.classes, self.trees, self.leaves, self.depth, self.tried = classes, trees, leaves, depth, tried
        self.seeds = keras.random.SeedGenerator()

    def build(self, shape: tuple[int | None, ...]) -> None:
        del shape
        nodes = (self.trees, 2 * self.leaves - 1)
        whole = {"shape": nodes, "dtype": "int32", "initializer": "zeros", "trainable": False}
        self.feature = self.add_weight(name="feature", **whole)
        self.threshold = self.add_weight(shape=nodes, initializer="zeros", trainable=False, name="threshold")
        self.left, self.right = self.add_weight(name="left", **whole), self.add_weight(name="right", **whole)
        even = keras.initializers.Constant(1 / self.classes)
        self.shares = self.add_weight(shape=(*nodes, self.classes), initializer=even, trainable=False, name="shares")

    def call(self, features: Any) -> Any:
        trees, nodes, _ = self.shares.shape
        first = ops.arange(trees, dtype="int32") * nodes  # the roots' places among all nodes
        place = ops.zeros_like(features[:, :1], dtype="int32") + first  # (B, trees)
        feature, threshold, left, right = (
            ops.reshape(one, (-1,)) for one in (self.feature, self.threshold, self.left, self.right)
        )

        def step(_: Any, place: Any) -> Any:
            value = ops.take_along_axis(features, ops.take(feature, place), axis=1)
            goes_left = value <= ops.take(threshold, place)
            return first + ops.where(goes_left, ops.take(left, place), ops.take(right, place))

        place = ops.fori_loop(0, self.depth, step, place)
        found = ops.take(ops.reshape(self.shares, (trees * nodes, self.classes)), place, axis=0)
        return ops.mean(found, axis=1)  # (B, K)

    def learn(self, features: sparse.csr_matrix, answers: np.ndarray, seed: int) -> None:
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(
            self.trees, max_leaf_nodes=self.leaves, max_depth=self.depth, max_features=self.tried, random_state=seed
        )
        forest.fit(features, answers)
        of_trees = zip(*(self.arrays(one.tree_, forest.classes_) for one in forest.estimators_), strict=True)
        variables = (self.feature, self.threshold, self.left, self.right, self.shares)
        for variable, arrays in zip(variables, of_trees, strict=True):
            variable.assign(np.stack(arrays))

    def arrays(self, tree: Tree, classes: np.ndarray) -> tuple[np.ndarray, ...]:
        """Feature, threshold, left, right (nodes,) and shares (nodes, K) of a tree, filled up with zeros."""
        itself, leaf = np.arange(tree.node_count), tree.children_left < 0
        shares = np.zeros((tree.node_count, self.classes), np.float32)
        shares[:, classes] = tree.value[:, 0] / tree.value[:, 0].sum(axis=1, keepdims=True)
        found = (
            np.where(leaf, 0, tree.feature),
            at_most(tree.threshold),
            np.where(leaf, itself, tree.children_left),
            np.where(leaf, itself, tree.children_right),
            shares,
        )
        missing = self.feature.shape[1] - tree.node_count
        return tuple(np.pad(one, [(0, missing), *[(0, 0)] * (one.ndim - 1)]) for one in found)

    def get_config(self) -> dict[str, Any]:
        own = ("classes", "trees", "leaves", "depth", "tried")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def at_most(thresholds: np.ndarray) -> np.ndarray:
    """The greatest float32 that is not above each float64, so that a float32 feature is compared with it alike."""
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)


def random_forest(
    *,
    spec: Spec = WORDS,
    trees: int = 100,
    leaves: int = 256,
    depth: int = 64,
    tried: str = "sqrt",
    bag: str = "count",
) -> keras.Model:
    """A forest of `trees`.

    Args:
        spec: one input of words, numbers or categories, and classes.
        leaves: most that a tree has, 2 or more; the ones that tell most come first.
        depth: most questions that a tree asks, 1 or more.
        tried: features that a node chooses among: `sqrt` or `log2` of all.
        bag: of words: `count` for how often each occurs, `multi_hot` for whether it does.
    """
    learner = ForestLearner(
        classes=len(spec.classes), trees=trees, leaves=leaves, depth=depth, tried=tried, name=LEARNER
    )
    return fitted(learner, spec=spec, bag=bag, name="random_forest")


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """The forest for `spec`.

    Hyperparameters:
        trees: 1 to 500.
        leaves: 2 to 4096.
        depth: 1 to 128.
        tried: sqrt or log2.
        bag: count or multi_hot.
    """
    return random_forest(
        spec=spec,
        trees=hp.Int("trees", 1, 500, default=100),
        leaves=hp.Int("leaves", 2, 4096, sampling="log", default=256),
        depth=hp.Int("depth", 1, 128, default=64),
        tried=hp.Choice("tried", ["sqrt", "log2"], default="sqrt"),
        bag=hp.Choice("bag", ["count", "multi_hot"], default="count"),
    )
