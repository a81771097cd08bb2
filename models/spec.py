"""What goes in and out of a model, for one dataset."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Input:
    """One of the things that a sample has.

    Args:
        shape: without the batch: `(H, W, C)` of an image, `(D,)` of numbers, `(M,)` of categories, `(T,)` of words,
            `(P, 4)` of boxes that are proposed, `(T,)` of characters and symbols, `(P, D)` of a series, whose last row
            is the latest and whose first column is the one that is asked for.
        dtype: as stored: uint8 for images (0 to 255) and characters (0 to size - 1), float32 for numbers, series and
            boxes, int32 for categories (0 to size - 1), and for words and symbols (0 is nothing, 1 an unknown one).
        lowest, highest: of each number among the training samples, D values, also of a series; else empty.
        sizes: how many categories each of the M has, or how many words, characters or symbols there are; else empty.
        counts: of words whose vectors are asked for, how often the training samples have each that is known, the first
            of which is number 2; else empty.
    """

    shape: tuple[int, ...]
    dtype: str
    lowest: tuple[float, ...] = ()
    highest: tuple[float, ...] = ()
    sizes: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Number:
    """A number that is asked for.

    Args:
        name: of the output that gives it.
        lowest, mean, highest: among the training samples, in the number's own unit.
    """

    name: str
    lowest: float
    mean: float
    highest: float


@dataclass(frozen=True)
class Naive:
    """How far off forecasts are, on average over the training windows, that need no network; in the number's unit.

    Args:
        last: of the last known value, for each step ahead.
        seasonal: of the value a season before, for each step ahead; empty where there is no season.
        season: steps after which the series is alike; 0 where there is none.
    """

    last: tuple[float, ...]
    seasonal: tuple[float, ...] = ()
    season: int = 0


@dataclass(frozen=True)
class Spec:
    """Inputs and outputs of a dataset's samples, as a model sees them.

    A model of one input takes an array, one of several a dictionary by their names. Likewise it answers with an
    array, or, where both classes and a number are asked for, with a dictionary of `label` and the number's name. Where
    boxes are asked for, right answers are a dictionary of `boxes` float32 (M, 4) as (y1, x1, y2, x2), 0 to 1, and
    `labels` int32 (M,), -1 where there is none; a network's answers have `scores` float32, 0 to 1, besides, and as many
    rows as it likes, the surest first. Where symbols are asked for one after another, right answers and given ones are
    class numbers int32 (steps,), -1 from the end on. Where the next values of a series are asked for, right answers and
    given ones are float32 (steps,), in the number's unit. Where vectors of words are asked for, a sample is a run of T
    words and its answer float32 (T, D), with a D of the network's own; the right answer is the words of the run with
    `neighbours` more on each side, class numbers int32 (T + 2 neighbours,), -1 where there is none.

    Args:
        inputs: by name: `image`, `numbers`, `categories`, `words`, `proposals`, `characters`, `symbols`, `series`.
        classes: names of the classes, in the order of their numbers 0 to K-1; empty where no class is asked for.
        number: the number that is asked for, if one is.
        boxes: most boxes that an image has, M; 0 where none are asked for.
        steps: most symbols that are asked for one after another, or values of a series; 0 where neither is asked for.
        naive: of a series, how far off the simplest forecasts are.
        neighbours: words on each side of one that a vector should tell of; 0 where no vectors are asked for.
    """

    inputs: dict[str, Input]
    classes: tuple[str, ...] = ()
    number: Number | None = None
    boxes: int = 0
    steps: int = 0
    naive: Naive | None = None
    neighbours: int = 0

    @property
    def vectors(self) -> bool:
        """Whether a vector is asked for of each word."""
        return self.neighbours > 0

    @property
    def forecast(self) -> bool:
        """Whether the next values of a series are asked for."""
        return self.steps > 0 and self.number is not None

    @property
    def translation(self) -> bool:
        """Whether symbols are asked for, one after another."""
        return self.steps > 0 and self.number is None

    @property
    def label(self) -> bool:
        """Whether each sample is asked for its class."""
        return bool(self.classes) and not (self.boxes or self.steps or self.vectors)

    @property
    def input(self) -> Input:
        """The only input.

        Raises:
            ValueError: if there are several.
        """
        if len(self.inputs) != 1:
            raise ValueError(f"this network takes samples of one input. Received: {', '.join(self.inputs)}")
        return next(iter(self.inputs.values()))

    @property
    def amount(self) -> Number:
        """The number that is asked for.

        Raises:
            ValueError: if none is.
        """
        if self.number is None:
            raise ValueError("this network answers with a number. Received a dataset that asks for none")
        return self.number

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.input.shape

    @property
    def input_dtype(self) -> str:
        return self.input.dtype

    def check(
        self,
        *,
        inputs: tuple[str, ...],
        classes: bool = False,
        number: bool = False,
        boxes: bool = False,
        steps: bool = False,
        vectors: bool = False,
    ) -> None:
        """Say early that a dataset is not one for a network.

        Raises:
            ValueError: if there are other inputs, or something else is asked for.
        """
        if set(self.inputs) != set(inputs):
            raise ValueError(f"this network takes {' and '.join(inputs)}. Received: {', '.join(self.inputs)}")
        wanted = {"classes": classes, "a number": number, "boxes": boxes, "steps": steps, "vectors": vectors}
        asked = {
            "classes": bool(self.classes),
            "a number": self.number is not None,
            "boxes": self.boxes > 0,
            "steps": self.steps > 0,
            "vectors": self.vectors,
        }
        if wanted != asked:
            gives, received = (" and ".join(name for name, is_so in one.items() if is_so) for one in (wanted, asked))
            raise ValueError(f"this network answers with {gives}. Received a dataset that asks for {received}")
