"""What a finished step hands on: its folder, a digest of it and a few facts, never an array."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from tasks import places
from tasks.errors import BadData

FILE = "receipt.json"
MANIFEST = "manifest.sha256"
"""The sha256 of each file that a folder holds for later steps, as the program sha256sum writes and checks it.

DVC gives out what its cache holds without looking whether that is still what was put there, so whoever reads asks.
"""


class Receipt(BaseModel):
    """A step's receipt lies in the step's folder as `receipt.json`.

    Args:
        name: of the source, dataset or recipe.
        digest: sha256 over what the folder holds for later steps; reports and clocks are not in it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    step: ClassVar[str]
    command: ClassVar[str] = ".venv/bin/dvc repro --force {step}@{name}"
    name: str
    digest: str

    def write(self, folder: Path) -> Self:
        places.write_whole(folder / FILE, self.model_dump_json(indent=2) + "\n")
        return self

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the receipt in `folder`.

        Raises:
            BadData: if the step has not run, or its receipt is not one.
        """
        try:
            return cls.model_validate_json((folder / FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise BadData(
                f"`{folder}` must hold the receipt of the step {cls.step}. Received: no such file. "
                f"Run: {cls.again(folder)}"
            ) from None
        except ValidationError as error:
            raise BadData(
                f"`{folder / FILE}` must be a receipt of {cls.step}. Received: {error.error_count()} wrong fields. "
                f"Run: {cls.again(folder)}"
            ) from None

    @classmethod
    def again(cls, folder: Path) -> str:
        """The command that writes the receipt in `folder`."""
        return cls.command.format(step=cls.step, name=folder.name)


class Searched(Receipt):
    """`candidates` is how many images a provider has named for each class."""

    step = "search"
    provider: str
    candidates: dict[str, int]


class Collected(Receipt):
    """`outcomes` is how many candidates ended how, `kept` how many images of each class there are; `removed` is the
    sha256 of the list of what must not be kept."""

    step = "collect"
    searched: str
    candidates: int
    outcomes: dict[str, int]
    kept: dict[str, int]
    expectations: int
    removed: str


class Ingested(Receipt):
    step = "ingest"
    samples: int
    origin: str
    licence: str


class Validated(Receipt):
    """`ingested` is the digest of the source that was judged, `result_id` that of the verdicts."""

    step = "validate"
    ingested: str
    samples: int
    expectations: int
    result_id: str
    success: bool
    splits: dict[str, int]


class Prepared(Receipt):
    """`ingested` is the digest of the samples that were validated and then cut; `exam` that of the test split alone:
    two versions are comparable where it is equal."""

    step = "prepare"
    ingested: str
    samples: dict[str, int]
    exam: str


class Tuned(Receipt):
    """`default_score` is what the architecture's defaults reached; None where they were not tried, or failed.

    With hyperband that may be after fewer epochs than the best trial's; trials.csv says how many.
    """

    step = "tune"
    tuner: str
    trials: int
    best_trial: str | None
    best_score: float | None
    default_score: float | None = None
    hyperparameters: dict[str, int | float | str | bool]


class Based(Receipt):
    """A network that was trained elsewhere; `digest` is that of its weights, as a trained one's is."""

    step = "base"
    parameters: int
    origin: str
    licence: str


class Trained(Receipt):
    """`data` is the digest of the prepared dataset that was read; `base` that of the weights that it started from,
    empty from scratch; `carried` how many of its parameters those were."""

    step = "train"
    data: str
    base: str
    carried: int
    parameters: int
    epochs: int
    best_epoch: int
    seed: int
    device: str
    threads: int
    seconds: float


class Evaluated(Receipt):
    step = "evaluate"
    scores: dict[str, float]
    exam: str
    samples: int
    pictures: list[str]


class Explained(Receipt):
    step = "explain"
    pictures: list[str]
    facts: dict[str, float]


class Taught(Receipt):
    """`digest` is over the pictures and tables, whose names are listed; `seed` is that of all randomness in them."""

    step = "lesson"
    title: str
    seed: int
    pictures: list[str]
    tables: list[str]


class Tracked(Receipt):
    """`footage` is the digest of the clips and what is true of them; `detector` that of the weights that found the
    boxes, empty without any; `frames_per_second` says of each part how fast it was."""

    step = "track"
    scores: dict[str, float]
    footage: str
    detector: str
    clips: dict[str, int]
    frames_per_second: dict[str, float]


class Registered(Receipt):
    step = "register"
    command = ".venv/bin/python -m tasks register {name}"
    version: int
    run_id: str
    new: bool


class Promoted(Receipt):
    """`verdict` is passed, failed or inconclusive, `decision` champion, challenger or waits (for a person).

    `champion` is the version that is champion afterwards, if any; `found` says what was set by hand, if anything.
    The report of the gate lies beside the receipt.
    """

    step = "promote"
    command = ".venv/bin/python -m tasks promote {name}"
    version: int
    verdict: str
    decision: str
    reasons: list[str]
    champion: int | None
    champion_score: float | None
    previous: int | None
    found: str | None


class Enrolled(Receipt):
    """A registered tracker: `detector` is the version of its detector's model, `decision` champion or challenger."""

    step = "enrol"
    command = "./miar track {name}"
    version: int
    new: bool
    detector: int
    decision: str


class Studied(Receipt):
    step = "study"
    command = "./miar study {name}"


def digest_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_files(folder: Path, names: list[str]) -> str:
    """sha256 over the names and contents of `names` in `folder`, in sorted order."""
    return digest_sums(sums(folder, names))


def sums(folder: Path, names: list[str]) -> dict[str, str]:
    """The sha256 of each file, in sorted order of their names."""
    return {name: digest_file(folder / name) for name in sorted(names)}


def digest_sums(files: dict[str, str]) -> str:
    return hashlib.sha256("".join(f"{name} {digest}\n" for name, digest in files.items()).encode()).hexdigest()


def seal(folder: Path, names: list[str]) -> str:
    """Write the manifest of `names` in `folder` once they are whole; returns the digest over all of them."""
    files = sums(folder, names)
    (folder / MANIFEST).write_text("".join(f"{digest}  {name}\n" for name, digest in files.items()), encoding="utf-8")
    return digest_sums(files)


def altered(folder: Path, files: dict[str, str]) -> list[str]:
    """Which of `files`, by the sha256 that they have now, are not what the folder's manifest says.

    Raises:
        BadData: if there is no manifest.
    """
    try:
        lines = (folder / MANIFEST).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadData(f"`{folder / MANIFEST}` must be there. Received: {error}") from None
    sealed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    return sorted(name for name in sealed.keys() | files.keys() if sealed.get(name) != files.get(name))
