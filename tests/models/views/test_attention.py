"""Where a translating network looks: weights that its own answers are made with."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from models.parts import translators
from models.views import attention
from tests.models.examples import EXAMPLES, build

SYMBOLS = EXAMPLES["symbols"]


def network() -> translators.Translator:
    made, _ = build("transformer", SYMBOLS.spec, depth=2, width=16, heads=2)
    made.set_weights([np.random.default_rng(0).normal(size=one.shape) for one in made.get_weights()])
    return made


def test_each_step_of_each_head_shares_its_look_among_the_text() -> None:
    samples, answers = SYMBOLS.samples[:8], SYMBOLS.answers[:8]
    found = attention.looks(network(), samples, answers)
    assert found.shape == (8, 2, 2, SYMBOLS.spec.steps, samples.shape[1])
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)
    behind = np.broadcast_to((samples == 0)[:, None, None, None], found.shape)
    assert behind.any()
    assert found[behind].max() == 0


def test_no_step_knows_the_symbols_behind_it() -> None:
    made, answers = network(), np.array(SYMBOLS.answers[:8])
    before = attention.looks(made, SYMBOLS.samples[:8], answers)
    answers[:, 1] = (answers[:, 1] + 1) % len(SYMBOLS.spec.classes)
    after = attention.looks(made, SYMBOLS.samples[:8], answers)
    np.testing.assert_allclose(after[:, :, :, :2], before[:, :, :, :2], atol=1e-6)
    assert not np.allclose(after[:, :, :, 2], before[:, :, :, 2], atol=1e-3)


def test_what_is_looked_at_is_what_is_taken() -> None:
    """The first layer by hand: its source attention's answer is the sum of the values by the weights."""
    made, samples, answers = network(), SYMBOLS.samples[:2], SYMBOLS.answers[:2]
    head = made.get_layer(translators.HEAD)
    memory, there = made(samples)
    layer, told = head.pile[0], translators.lesson(answers, head.classes)
    own, source = layer.attentions
    x = head.embedded(told.previous, training=False)
    steps = np.tril(np.ones((x.shape[1],) * 2, bool))
    x = layer.norms[0](x + own(x, x, steps))
    taken = np.einsum(
        "bhts,bhsd->bthd", attention.looks(made, samples, answers)[:, 0], np.asarray(source.remember(memory)[1])
    )
    wanted = source(x, memory, there[:, None, None])
    given = source.out(taken.reshape(*x.shape).astype(np.float32))
    np.testing.assert_allclose(ops.convert_to_numpy(given), ops.convert_to_numpy(wanted), atol=1e-4)


@pytest.mark.parametrize(("name", "known"), [("transformer", True), ("lstm_seq2seq", False)])
def test_only_networks_with_attention_tell_it(name: str, known: bool) -> None:
    assert attention.has(build(name, SYMBOLS.spec)[0]) == known
