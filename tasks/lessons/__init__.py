"""Lessons of the course, one file each: a few words, and pictures and tables of models/fundamentals at work.

A file here offers `show(seed)`. The same seed gives the same lesson to the last pixel.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast

from tasks.errors import BadRequest

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Section:
    """One thought: what it says, and what shows it.

    Args:
        text: paragraphs.
        figures: by name, unique in the lesson.
        tables: by name, unique in the lesson.
    """

    heading: str
    text: tuple[str, ...]
    figures: dict[str, Figure] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class Lesson:
    """Sections in the order in which they are read."""

    title: str
    sections: tuple[Section, ...]

    @property
    def figures(self) -> dict[str, Figure]:
        return {name: figure for section in self.sections for name, figure in section.figures.items()}

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        return {name: table for section in self.sections for name, table in section.tables.items()}


class Teacher(Protocol):
    """What a file of this folder offers."""

    def show(self, seed: int) -> Lesson:
        """The lesson; `seed` is that of everything random in it."""


def load(name: str) -> Teacher:
    """Import the lesson called `name`.

    Raises:
        BadRequest: if no file of this folder has that name.
    """
    module = f"tasks.lessons.{name}"
    if importlib.util.find_spec(module) is None:
        raise BadRequest(f"lessons.{name}: it must be told by tasks/lessons/{name}.py. Received: no such file")
    return cast(Teacher, importlib.import_module(module))
