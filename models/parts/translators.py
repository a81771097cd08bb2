"""Networks that answer with symbols one after another: what they have in common is the model, and how it is trained.

In training a decoder is told the right symbols before the one it is asked for (teacher forcing); asked, it goes by its
own, and at each step takes the most likely one (greedy decoding).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import keras
from keras import ops

if TYPE_CHECKING:
    import keras_tuner

HEAD = "head"
"""Name of a translator's last layer, its decoder."""

NOTHING = -1
"""Answer behind the end."""


class Decoder(Protocol):
    """The last layer of a translator. Of K classes, K is the end and K + 1 the start, which no step answers with.

    What it gives when it is called is what it needs to know of the source.
    """

    classes: int
    steps: int

    def logits(self, previous: Any, source: Any, *, training: bool) -> Any:
        """Of each step, (B, T, K + 1), where the symbols before them, int32 (B, T), are `previous`."""

    def begin(self, source: Any) -> tuple[Any, Any]:
        """What of the source stays the same at all steps, and what the first step starts from: tensors in tuples."""

    def step(self, place: Any, previous: Any, held: Any, state: Any) -> tuple[Any, Any]:
        """Logits (B, K + 1) of step `place`, the symbol before it, int32 (B,), being `previous`; and the next state."""


class Lesson(NamedTuple):
    """What a decoder is told and asked, each (B, T).

    Args:
        previous: symbols before each step, int32.
        wanted: the right symbols, the end among them, int32.
        counted: up to the end, float32 of 0 and 1.
    """

    previous: Any
    wanted: Any
    counted: Any


def lesson(answers: Any, classes: int) -> Lesson:
    """Make a lesson of right answers int32 (B, T), -1 from the end on."""
    answers = ops.cast(answers, "int32")
    wanted = ops.where(answers >= 0, answers, classes)
    before = wanted[:, :-1]
    start = ops.full_like(wanted[:, :1], classes + 1)
    previous = ops.concatenate([start, before], axis=1)
    return Lesson(previous, wanted, ops.cast(previous != classes, "float32"))


def greedy(decoder: Decoder, source: Any) -> Any:
    """Take the most likely symbol at each step, until every sample has its end: int32 (B, T), -1 from the end on."""
    held, state = decoder.begin(source)
    samples = ops.shape(keras.tree.flatten(state)[0])[0]
    previous = ops.full((samples,), decoder.classes + 1, dtype="int32")
    written = ops.full((samples, decoder.steps), NOTHING, dtype="int32")

    def goes_on(place: Any, previous: Any, *_: Any) -> Any:
        return ops.logical_and(place < decoder.steps, ops.any(previous != decoder.classes))

    def step(place: Any, previous: Any, written: Any, state: Any) -> tuple[Any, ...]:
        logits, state = decoder.step(place, previous, held, state)
        chosen = ops.where(previous == decoder.classes, previous, likeliest(logits))
        symbol = ops.where(chosen == decoder.classes, NOTHING, chosen)
        is_here = ops.arange(decoder.steps) == place
        return place + 1, chosen, ops.where(is_here, symbol[:, None], written), state

    return ops.while_loop(goes_on, step, (ops.convert_to_tensor(0), previous, written, state))[2]


def likeliest(logits: Any) -> Any:
    """The most likely symbol: int32, without the last axis. ONNX has no word for what Keras makes of an argmax."""
    return ops.cast(ops.top_k(logits, 1)[1][..., 0], "int32")


@keras.saving.register_keras_serializable(package="miar")
class Translator(keras.Model):
    """A functional network that ends with a `Decoder`: symbols in, symbols out.

    `fit` tells it the right symbols and `predict` decodes its own; called as it is, it gives what its decoder needs of
    the source. Its metric `exact` is the share of samples that greedy decoding gets wholly right, and needs no
    decoding: it does if and only if each step is right where those before it are.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.exact = keras.metrics.Mean(name="exact")

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Cross-entropy of a symbol, the mean over all that are asked for."""
        del x, sample_weight
        head = self.get_layer(HEAD)
        told = lesson(y, head.classes)
        logits = head.logits(told.previous, y_pred, training=training)
        right = ops.cast(likeliest(logits) == told.wanted, "float32")
        self.exact.update_state(ops.min(ops.where(told.counted > 0, right, 1.0), axis=1))
        each = keras.losses.sparse_categorical_crossentropy(told.wanted, logits, from_logits=True)
        return sum(self.losses, ops.sum(each * told.counted) / ops.sum(told.counted))

    def predict_step(self, *args: Any) -> Any:
        """Keras's own step, its answers decoded; on JAX it takes the network's state first, and gives it back too."""
        given, head = super().predict_step(*args), self.get_layer(HEAD)
        if keras.backend.backend() != "jax":
            return greedy(head, given)
        variables = (*self.trainable_variables, *self.non_trainable_variables)
        values = (value for values in args[0] for value in values)
        with keras.StatelessScope(zip(variables, values, strict=True)):
            return greedy(head, given[0]), *given[1:]


def compile_translator(
    model: keras.Model, rate: float | keras.optimizers.schedules.LearningRateSchedule, hp: keras_tuner.HyperParameters
) -> keras.Model:
    """Compile `model` with Adam; its loss is its own.

    Hyperparameters:
        clip: most that the length of all gradients together may be, 0.1 to 100.
    """
    clip = hp.Float("clip", 0.1, 100.0, sampling="log", default=5.0)
    model.compile(optimizer=keras.optimizers.Adam(rate, beta_2=0.98, epsilon=1e-9, global_clipnorm=clip))
    return model
