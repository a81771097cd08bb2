"""explain: what is drawn depends on what a sample is, and tells what is true of the network."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from models.spec import Input, Number, Spec
from tasks import explain, insides, nearest, records
from tasks.explain import Subject
from tasks.prepared import Split
from tasks.problems import classification, regression, translation
from tests.models.examples import EXAMPLES, build

RNG = np.random.default_rng(0)


def subject(network: keras.Model, samples: np.ndarray, answers: np.ndarray, spec: Spec, metric: str) -> Subject:
    exam = Split(samples, answers, np.arange(len(samples)))
    problem = translation if spec.steps else regression if spec.number else classification
    known = [chr(ord("a") + number) for number in range(8)] if spec.steps else []
    return Subject(network, exam, records.ask(network, samples), spec, problem, metric, known)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def several() -> Subject:
    """A price that is ten times the first input; the network knows it, and looks at nothing else."""
    inputs = {
        "numbers": layers.Input((1,), name="numbers"),
        "image": layers.Input((4, 4, 1), dtype="uint8", name="image"),
    }
    price = layers.Rescaling(10.0)(inputs["numbers"])
    ignored = layers.Rescaling(0.0)(layers.GlobalAveragePooling2D()(layers.Rescaling(1.0)(inputs["image"])))
    network = keras.Model(inputs, layers.Add()([price, ignored]))
    numbers = RNG.uniform(1, 9, (40, 1)).astype(np.float32)
    samples = records.packed({"numbers": numbers, "image": RNG.integers(0, 255, (40, 4, 4, 1), dtype=np.uint8)})
    spec = Spec({"numbers": Input((1,), "float32", (1.0,), (9.0,)), "image": Input((4, 4, 1), "uint8")})
    asked = Spec(spec.inputs, number=Number("price", 10, 50, 90))
    return subject(network, samples, 10 * numbers[:, 0], asked, "closeness")


def test_an_input_is_worth_what_its_loss_costs(several: Subject) -> None:
    look = explain.worth(several)
    assert set(look.pictures) == {"worth_of_inputs"}
    assert look.facts["all inputs"] == pytest.approx(1)
    assert look.facts["without image"] == pytest.approx(1)
    assert look.facts["without numbers"] < 0.6


def test_other_looks_keep_out_of_it(several: Subject) -> None:
    assert explain.images(several) == explain.boundary(several) == explain.Look({}, {})


def test_two_numbers_have_a_boundary() -> None:
    network = keras.Sequential([layers.Input((2,)), layers.Dense(2, activation="softmax")])
    network.layers[0].set_weights([np.array([[5.0, -5.0], [0, 0]], np.float32), np.zeros(2, np.float32)])
    points = RNG.normal(size=(30, 2)).astype(np.float32)
    spec = Spec({"numbers": Input((2,), "float32", (-3.0, -3.0), (3.0, 3.0))}, ("left", "right"))
    one = subject(network, points, (points[:, 0] < 0).astype(np.int32), spec, "accuracy")
    axes = explain.boundary(one).pictures["boundary"].axes[0]
    assert axes.get_title() == "Decision boundary, 0 mistakes in 30 samples"
    assert explain.worth(one) == explain.Look({}, {})


def test_an_image_shows_what_the_answer_rests_on() -> None:
    network = keras.Sequential(
        [
            layers.Input((8, 8, 1), dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    images = RNG.integers(0, 255, (20, 8, 8, 1), dtype=np.uint8)
    spec = Spec({"image": Input((8, 8, 1), "uint8")}, ("a", "b", "c"))
    look = explain.images(subject(network, images, (np.arange(20) % 3).astype(np.int32), spec, "accuracy"))
    names = {"evidence", "activation_maps", "first_filters", "dead_filters", "what_classes_like"}
    assert set(look.pictures) == names
    assert "noise of the first filters" in look.facts


def test_dense_networks_show_their_evidence_alone() -> None:
    network = keras.Sequential([layers.Input((4, 4, 1)), layers.Flatten(), layers.Dense(2, activation="softmax")])
    images = RNG.integers(0, 255, (10, 4, 4, 1), dtype=np.uint8)
    spec = Spec({"image": Input((4, 4, 1), "uint8")}, ("a", "b"))
    look = explain.images(subject(network, images, np.zeros(10, np.int32), spec, "accuracy"))
    assert set(look.pictures) == {"evidence"}


def test_mistakes_come_first_and_then_each_class() -> None:
    """Two mistakes, the surest first; then the surest right answer of each class before a second one."""
    answers = np.array([0, 1, 1, 0, 0, 1])
    sure = np.array([[0.4, 0.6], [0.9, 0.1], [0.2, 0.8], [0.99, 0.01], [0.95, 0.05], [0.3, 0.7]])
    assert insides.chosen(answers, sure).tolist() == [1, 0, 3, 2, 4, 5]


def test_an_answer_of_symbols_shows_where_it_looks() -> None:
    """The longest of those that are right, by name, up to its end; a network without attention shows nothing."""
    example = EXAMPLES["symbols"]
    network, _ = build("transformer", example.spec, depth=1, heads=2)
    network.fit(example.samples, example.answers, epochs=2, verbose=0)
    given = records.ask(network, example.samples)
    right = np.array(given)
    right[:3] = -1  # these answers are wrong
    one = subject(network, np.asarray(example.samples), right, example.spec, "exact")
    figure = explain.symbols(one).pictures["where_it_looks"]
    assert len(figure.axes) == 2
    written = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    longest = (given[3:] >= 0).sum(axis=1).max()
    assert len(written) == min(longest + 1, example.spec.steps) == len(figure.axes[0].images[0].get_array())
    assert (written[-1] == "end") == (longest < example.spec.steps)
    assert [axes.get_title() for axes in figure.axes] == ["layer 1, head 1", "layer 1, head 2"]
    other, _ = build("lstm_seq2seq", example.spec)
    assert explain.symbols(
        subject(other, np.asarray(example.samples), np.asarray(example.answers), example.spec, "exact")
    ) == explain.Look({}, {})


WORDS = Spec({"words": Input((3,), "int32", sizes=(8,))}, ("fruit", "metal"))


def reading(vectors: list[list[float]]) -> keras.Model:
    """A network whose text is the sum of its words' vectors."""
    words = layers.Input((3,), dtype="int32")
    table = layers.Embedding(8, 2, weights=[np.array(vectors, np.float32)])
    x = layers.GlobalAveragePooling1D()(table(words))
    return keras.Model(words, layers.Dense(2, activation="softmax")(x))


def test_texts_are_compared_by_what_their_classes_are_named_from() -> None:
    """Words 2 to 4 point one way and 5 to 7 another; the last text is called fruit, and it and the one before it, its
    nearest, have the other's class before them."""
    network = reading([[0, 0], [0, 0], [1, 0], [2, 0.1], [1, 0.2], [0, 1], [0.1, 2], [0.2, 1]])
    samples = np.array([[2, 3, 0], [3, 4, 0], [2, 4, 4], [5, 6, 0], [6, 7, 0], [5, 7, 7]], np.int32)
    answers = np.array([0, 0, 0, 1, 1, 0], np.int32)
    look = explain.texts(subject(network, samples, answers, WORDS, "accuracy"))
    assert look.facts == {
        "texts whose nearest has their class": pytest.approx(4 / 6),
        "of any two texts": pytest.approx((4 / 6) ** 2 + (2 / 6) ** 2),
    }
    axes = look.pictures["texts_by_likeness"].axes[0]
    assert {line.get_label(): len(line.get_xdata()) for line in axes.lines} == {"fruit": 4, "metal": 2}


def test_texts_that_are_all_one_are_not_compared() -> None:
    network = reading([[1.0, 1.0]] * 8)
    samples = np.array([[2, 3, 0], [3, 4, 0]], np.int32)
    assert explain.texts(subject(network, samples, np.array([0, 1]), WORDS, "accuracy")) == explain.Look({}, {})


def test_a_plane_has_the_widest_directions_first() -> None:
    """Four points of a line in three dimensions lie on the first axis, as far apart as they are."""
    line = np.outer([0, 1, 2, 5], [2 / 3, 2 / 3, 1 / 3])
    found = nearest.plane(line)
    np.testing.assert_allclose(np.abs(np.diff(found[:, 0])), [1, 1, 3])
    np.testing.assert_allclose(found[:, 1], 0, atol=1e-9)
    np.testing.assert_array_equal(nearest.plane(np.array([[1.0], [3.0]]))[:, 1], 0)
