"""Sequence to sequence with LSTM: one network reads the source into a state, another writes the answer from it.

All that is known of the source must go through a state of fixed size, which is what attention was invented for.

Lesson: from recurrent networks to sequence to sequence, and why attention came.
Paper: Sutskever, Vinyals, Le, "Sequence to sequence learning with neural networks", NeurIPS 2014; it reads the source
backwards, so that its beginning is near where the answer begins.
Departures: one or two layers for four, Adam for plain gradient descent, greedy decoding for a beam of twelve.

Input shape: (B, S), int32: symbols, 0 behind the end.
Output shape: (B, T), int32: class numbers, -1 from the end on.
Score: exact 0.952 on 6,000 generated rows of up to 12 letters to be turned round (recipe lstm_seq2seq_reversal, 170,139
parameters, 20 epochs, 274 s on 2 busy CPU cores): 1.000 of those of up to 3 letters, 0.859 of those of 10 to 12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
from keras import layers, ops

from models.parts import fronts
from models.parts.classifiers import learning_rate
from models.parts.translators import HEAD, Translator, compile_translator
from models.spec import Input, Spec

if TYPE_CHECKING:
    import keras_tuner

LETTERS = Spec({"symbols": Input((20,), "int32", sizes=(28,))}, tuple("abcdefghijklmnopqrstuvwxyz"), steps=20)


@keras.saving.register_keras_serializable(package="miar")
class LSTMDecoder(layers.Layer):
    """A `translators.Decoder` of LSTM layers; of the source it needs the states that each starts from.

    Args:
        classes: K.
        steps: most symbols of an answer, T.
        depth: how many layers.
        units: of each layer.
        embedding: size of a symbol's vector.
    """

    def __init__(self, *, classes: int, steps: int, depth: int, units: int, embedding: int, **kw: Any):
        super().__init__(**kw)
        self.classes, self.steps, self.units, self.embedding = classes, steps, units, embedding
        self.vectors = layers.Embedding(classes + 2, embedding, name="vectors")
        self.pile = [layers.LSTM(units, return_sequences=True, name=f"decoder_{number}") for number in range(depth)]
        self.scores = layers.Dense(classes + 1, name="scores")

    def build(self, states_shape: Any) -> None:
        del states_shape
        self.vectors.build((None, self.steps))
        for number, one in enumerate(self.pile):
            one.build((None, self.steps, self.units if number else self.embedding))
        self.scores.build((None, self.steps, self.units))

    def call(self, states: Any) -> Any:
        """Each layer's output and its memory, (B, units) each, one layer after the other."""
        return states

    def logits(self, previous: Any, source: Any, *, training: bool) -> Any:
        x = self.vectors(previous)  # (B, T, E)
        for one, *state in zip(self.pile, source[::2], source[1::2], strict=True):
            x = one(x, initial_state=state, training=training)
        return self.scores(x)  # (B, T, K + 1)

    def begin(self, source: Any) -> tuple[Any, Any]:
        return (), tuple(source)

    def step(self, place: Any, previous: Any, held: Any, state: Any) -> tuple[Any, Any]:
        del place, held
        x, states = self.vectors(previous), []  # (B, E)
        for one, *before in zip(self.pile, state[::2], state[1::2], strict=True):
            x, after = one.cell(x, before, training=False)
            states.extend(after)
        return self.scores(x), tuple(states)

    def get_config(self) -> dict[str, Any]:
        own = {"classes": self.classes, "steps": self.steps, "depth": len(self.pile)}
        return {**super().get_config(), **own, "units": self.units, "embedding": self.embedding}


def lstm_seq2seq(
    *, spec: Spec = LETTERS, depth: int = 4, units: int = 1000, embedding: int = 1000, backwards: bool = True
) -> keras.Model:
    """Encoder and decoder of `depth` layers each; the defaults are the paper's.

    Args:
        spec: symbols, and those that are asked for one after another.
        units: of each layer.
        embedding: size of a symbol's vector.
        backwards: whether the source is read from its end.
    """
    spec.check(inputs=("symbols",), classes=True, steps=True)
    symbols = fronts.inputs(spec)["symbols"]
    read = ops.flip(symbols, axis=1) if backwards else symbols
    x = layers.Embedding(spec.input.sizes[0], embedding, mask_zero=True, name="vectors")(read)  # (B, S, E)
    states = []
    for number in range(depth):
        x, *state = layers.LSTM(units, return_sequences=True, return_state=True, name=f"encoder_{number}")(x)
        states.extend(state)
    sizes = {"depth": depth, "units": units, "embedding": embedding}
    head = LSTMDecoder(classes=len(spec.classes), steps=spec.steps, **sizes, name=HEAD)
    return Translator(symbols, head(tuple(states)), name="lstm_seq2seq")


def build(spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model:
    """Compile the network for `spec`.

    Hyperparameters:
        depth: layers of the encoder, and of the decoder, 1 to 4.
        units: of each layer, 8 to 1024.
        embedding: size of a symbol's vector, 4 to 256.
        backwards: whether the source is read from its end.
        learning_rate: 1e-5 to 1e-2.
        decay_steps: steps in which the rate falls to zero along half a cosine; 0 for none.
        clip: as `compile_translator` has it.
    """
    model = lstm_seq2seq(
        spec=spec,
        depth=hp.Int("depth", 1, 4, default=1),
        units=hp.Int("units", 8, 1024, step=8, default=128),
        embedding=hp.Int("embedding", 4, 256, step=4, default=32),
        backwards=hp.Boolean("backwards", default=True),
    )
    return compile_translator(model, learning_rate(hp, rate=3e-3, decays=True), hp)
