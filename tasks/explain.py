"""explain: look inside the trained network, with the samples of its exam.

What is drawn depends on what a sample is: heat maps and filters for images, the decision boundary for two numbers, for
several inputs what each of them is worth, for symbols where the answer looks in the text, and for words which texts are
alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from models.spec import Spec
from tasks import alignment, bases, catalogue, insides, nearest, needs, pictures, places, prepared, problems, records
from tasks.prepared import Split
from tasks.problems import Problem
from tasks.receipts import Explained, Trained, digest_files

GRID = 200
"""How many points along each axis a boundary is asked for."""


@dataclass(frozen=True)
class Look:
    """What was seen: pictures by name, and the facts that they show, by name."""

    pictures: dict[str, Figure]
    facts: dict[str, float]


@dataclass(frozen=True)
class Subject:
    """A trained network with its exam.

    Args:
        given: its answers to the samples of `exam`.
        metric: score that its gate asks for.
        known: symbols of its texts, numbered from 2; empty for other samples.
    """

    network: keras.Model
    exam: Split
    given: np.ndarray
    spec: Spec
    problem: Problem
    metric: str
    known: list[str]

    @property
    def right(self) -> np.ndarray:
        """The right answers."""
        return np.asarray(self.exam.answers)


def explain(name: str) -> Explained:
    """Write pictures of what the network of the recipe called `name` looks at, and the receipt.

    Raises:
        BadData: if the network cannot be read.
    """
    subject = subject_of(name)
    looks = [look(subject) for look in LOOKS]
    facts = {key: value for look in looks for key, value in look.facts.items()}
    for key, value in facts.items():
        print(f"{key} {value:.4g}", flush=True)
    with places.whole_folder(places.explained(name)) as folder:
        (folder / "pictures").mkdir()
        for look in looks:
            for title, figure in look.pictures.items():
                figure.savefig(folder / "pictures" / f"{title}.png")
        pd.DataFrame({"fact": list(facts), "value": list(facts.values())}).to_csv(folder / "facts.csv", index=False)
        files = sorted(path.name for path in (folder / "pictures").iterdir())
        shown = [pictures.picture(folder / "pictures" / file, file[:-4].replace("_", " ")) for file in files]
        page = pictures.page(f"Inside {name}", pictures.table(pd.read_csv(folder / "facts.csv")), *shown)
        (folder / "report.html").write_text(page, encoding="utf-8")
        return Explained(name=name, digest=digest_files(folder, ["facts.csv"]), pictures=files, facts=facts).write(
            folder
        )


def subject_of(name: str) -> Subject:
    """The trained network of the recipe called `name`, with its exam."""
    recipe = catalogue.load().recipe(name)
    Trained.read(places.trained(name))
    network = bases.network(name)
    exam = prepared.read(recipe.dataset, "test")
    problem = problems.load(prepared.problem(recipe.dataset))
    spec = prepared.read_spec(recipe.dataset)
    asked = catalogue.load().dataset(recipe.dataset).symbols
    given, known = records.ask(network, exam.samples), asked.known if asked else []
    return Subject(network, exam, given, spec, problem, recipe.gate.metric, known)


def images(subject: Subject) -> Look:
    """What the network sees in an image, for a network of one image that only names a class."""
    spec = subject.spec
    if set(spec.inputs) != {"image"} or not spec.classes or spec.number or spec.boxes:
        return Look({}, {})
    return Look(*insides.look(subject.network, subject.exam, subject.given, subject.spec))


def boundary(subject: Subject) -> Look:
    """Which class the network gives to every point, for samples of two numbers."""
    numbers = subject.spec.inputs.get("numbers")
    if not (len(subject.spec.inputs) == 1 and numbers and numbers.shape == (2,) and subject.spec.classes):
        return Look({}, {})
    points = np.asarray(subject.exam.samples)
    low, high = points.min(axis=0) - 0.5, points.max(axis=0) + 0.5
    first, second = (np.linspace(low[axis], high[axis], GRID) for axis in (0, 1))
    grid = np.stack(np.meshgrid(first, second), axis=-1).astype(np.float32)
    given = records.ask(subject.network, grid.reshape(-1, 2)).reshape(GRID, GRID, -1)
    return Look({"boundary": draw_boundary(first, second, given, subject)}, {})


def draw_boundary(first: np.ndarray, second: np.ndarray, given: np.ndarray, subject: Subject) -> Figure:
    """Regions shaded by how sure the network is, the exam's samples on them, and a ring around each mistake."""
    figure = pictures.blank(6, 5.4)
    axes = figure.add_subplot()
    colours = [pictures.ACCENT, pictures.SECOND, *pictures.MORE]
    for number, colour in zip(range(given.shape[-1]), colours, strict=False):
        sure = np.where(given.argmax(axis=-1) == number, given[..., number], np.nan)
        axes.contourf(first, second, sure, levels=np.linspace(0, 1, 11), colors=[colour] * 10, alpha=0.25)
    points, right = np.asarray(subject.exam.samples), subject.right
    for number, label in enumerate(subject.spec.classes):
        axes.plot(*points[right == number].T, "o", color=colours[number % len(colours)], markersize=4, label=label)
    wrong = subject.given.argmax(axis=1) != right
    axes.plot(*points[wrong].T, "o", markersize=10, fillstyle="none", color=pictures.INK, label="mistake")
    axes.set(title=f"Decision boundary, {wrong.sum()} mistakes in {len(right)} samples", xlabel="x1", ylabel="x2")
    axes.legend(loc="upper right")
    return figure


def worth(subject: Subject) -> Look:
    """How much worse the exam goes when one input is taken from another sample, for samples of several inputs."""
    if len(subject.spec.inputs) == 1:
        return Look({}, {})
    samples = np.array(subject.exam.samples)
    scores = {"all inputs": score(subject, subject.given)}
    for name in subject.spec.inputs:
        mixed, order = samples.copy(), np.random.default_rng(0).permutation(len(samples))
        mixed[name] = samples[name][order]
        scores[f"without {name}"] = score(subject, records.ask(subject.network, mixed))
    return Look({"worth_of_inputs": draw_worth(scores, subject.metric)}, scores)


def score(subject: Subject, given: np.ndarray) -> float:
    return subject.problem.scores(subject.right, given, subject.spec)[subject.metric]


def draw_worth(scores: dict[str, float], metric: str) -> Figure:
    figure = pictures.blank(7, 1.2 + 0.5 * len(scores))
    axes = figure.add_subplot()
    names = list(scores)[::-1]
    bars = axes.barh(
        names, [scores[name] for name in names], color=[pictures.SECOND] * (len(names) - 1) + [pictures.ACCENT]
    )
    axes.bar_label(bars, fmt=" %.3f")
    axes.margins(x=0.12)
    axes.set(title="The score when an input comes from another sample", xlabel=metric)
    return figure


def objects(subject: Subject) -> Look:
    """What the surest answers need of their images, for a detector."""
    if not subject.spec.boxes:
        return Look({}, {})
    return Look(*needs.look(subject.network, subject.exam, subject.given, subject.spec))


def symbols(subject: Subject) -> Look:
    """Where an answer of symbols looks in the text, for a network with attention."""
    if not subject.spec.translation:
        return Look({}, {})
    return Look(*alignment.look(subject.network, subject.exam, subject.given, subject.spec, subject.known))


def texts(subject: Subject) -> Look:
    """Which texts are alike, for a network that reads words and only names a class."""
    if set(subject.spec.inputs) != {"words"} or not subject.spec.label or subject.spec.number:
        return Look({}, {})
    return Look(*nearest.look(subject.network, subject.exam, subject.spec))


LOOKS: tuple[Callable[[Subject], Look], ...] = (images, boundary, worth, objects, symbols, texts)
