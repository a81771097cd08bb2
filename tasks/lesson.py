"""lesson: show what a lesson of the course says, in pictures and numbers worked out here."""

from __future__ import annotations

import html
from pathlib import Path

from tasks import catalogue, lessons, pictures, places
from tasks.lessons import Lesson, Section
from tasks.receipts import Taught, digest_files


def lesson(name: str) -> Taught:
    """Write the pictures, tables and report of the lesson called `name`.

    Raises:
        BadRequest: if the catalogue has no such lesson, or nobody tells it.
    """
    seed = catalogue.load().lesson(name).seed
    shown = lessons.load(name).show(seed)
    with places.whole_folder(places.lesson(name)) as folder:
        write(shown, folder)
        shows = [f"pictures/{title}.png" for title in shown.figures] + [f"tables/{title}.csv" for title in shown.tables]
        print(f"{shown.title}: {len(shown.figures)} pictures, {len(shown.tables)} tables", flush=True)
        return Taught(
            name=name,
            digest=digest_files(folder, shows),
            title=shown.title,
            seed=seed,
            pictures=sorted(shown.figures),
            tables=sorted(shown.tables),
        ).write(folder)


def write(shown: Lesson, folder: Path) -> None:
    """Write the pictures, the tables and the report that shows them among its words."""
    for kind in ("pictures", "tables"):
        (folder / kind).mkdir()
    for title, figure in shown.figures.items():
        figure.savefig(folder / "pictures" / f"{title}.png")
    for title, table in shown.tables.items():
        table.to_csv(folder / "tables" / f"{title}.csv", index=False)
    parts = [section_part(section, folder) for section in shown.sections]
    (folder / "report.html").write_text(pictures.page(shown.title, *parts), encoding="utf-8")


def section_part(section: Section, folder: Path) -> str:
    """A heading, its paragraphs, and what shows them."""
    words = [f"<p>{html.escape(paragraph)}</p>" for paragraph in section.text]
    shown = [image(folder / "pictures" / f"{title}.png") for title in section.figures]
    tables = [pictures.table(table) for table in section.tables.values()]
    return "".join([f"<h2>{html.escape(section.heading)}</h2>", *words, *shown, *tables])


def image(file: Path) -> str:
    name = html.escape(file.stem.replace("_", " "))
    return f'<p><img src="{pictures.data_address(file)}" alt="{name}"></p>'
