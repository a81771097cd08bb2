"""What a run shows on its page in the Prefect UI, with nothing to load from elsewhere."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from flows.outcome import Outcome

STEPS = re.compile(r"^\s*(epoch|image) (?P<done>\d+)/(?P<all>\d+)\b")


class Progress:
    """A bar that follows a step's lines `epoch 3/40 ...` or `image 200/1000 ...`; it appears with the first one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.artifact: UUID | None = None
        self.shown_at = 0.0

    def follow(self, line: str) -> None:
        if found := STEPS.match(line):
            self.show(100 * int(found["done"]) / int(found["all"]))

    def show(self, percent: float) -> None:
        """At most once a second: each change is a call to the server."""
        now = time.monotonic()
        if self.artifact is None:
            made: Any = create_progress_artifact(percent, key=key("progress", self.name), description=self.name)
            self.artifact = made
        elif percent < 100 and now - self.shown_at < 1:
            return
        else:
            update_progress_artifact(self.artifact, percent)
        self.shown_at = now

    def finish(self) -> None:
        """A step that stopped early, and well, is done too."""
        if self.artifact is not None:
            update_progress_artifact(self.artifact, 100)


def show(outcome: Outcome) -> None:
    """Put a summary with the pictures, a table of the classes and links to the reports on the page of the run."""
    name = outcome.recipe
    create_markdown_artifact(summary(outcome), key=key("summary", name), description=outcome.headline)
    if classes := outcome.classes():
        create_table_artifact(classes, key=key("classes", name), description=f"{name}, class by class")
    if checks := outcome.checks():
        create_table_artifact(checks, key=key("gate", name), description=f"{name}, what its gate asked")
    for report in filter(Path.is_file, outcome.reports()):
        title = "great-expectations" if report.parent.name == "docs" else f"{report.parent.parent.name}-report"
        create_link_artifact(report.as_uri(), str(report), key=key(title, name), description=title)


def summary(outcome: Outcome) -> str:
    """Scores, gate, champion, stages and pictures as one page of markdown."""
    scores = "\n".join(f"| {name} | {value:.4f} |" for name, value in outcome.evaluated.scores.items())
    states = "\n".join(f"| {name} | {state} |" for name, state in outcome.states.items())
    pictures = "\n\n".join(f"![{picture.stem}]({embedded(picture)})" for picture in outcome.pictures())
    reports = "\n".join(f"- `{report}`" for report in outcome.reports() if report.is_file())
    return (
        f"# {outcome.headline}\n\n{gate(outcome)}\n\n"
        f"| score on {outcome.evaluated.samples} samples | |\n|---|---|\n{scores}\n\n"
        f"| stage | |\n|---|---|\n{states}\n\n{pictures}\n\n## Reports\n\n{reports}\n"
    )


def gate(outcome: Outcome) -> str:
    """What the gate said, and who is champion now."""
    promoted = outcome.promoted
    if promoted is None:
        return "The gate was not asked."
    reasons = "\n".join(f"- {reason}" for reason in promoted.reasons)
    if outcome.waits:
        reasons += f"\n- **A person decides**: the deployment *promote* asks, or `{outcome.ask_a_person()}`"
    if promoted.found:
        reasons += f"\n- **{promoted.found}**"
    champion = f"Champion: version {promoted.champion}." if promoted.champion else "There is no champion."
    return f"Gate **{promoted.verdict}**.\n\n{reasons}\n\n{champion}"


def show_gate(answer: Any, folder: Path) -> str:
    """Put what a gate found on the page of the run, as a picture and a table; returns the picture as markdown.

    Args:
        answer: a tasks.promote.Answer.
        folder: where its report lies.
    """
    report = answer.report
    drawn = f"![gate]({embedded(folder / 'gate.png')})"
    reasons = "\n".join(f"- {reason}" for reason in [*answer.overtaken, *report.reasons()])
    text = f"# {report.headline()}\n\n{reasons}\n\n{drawn}\n"
    create_markdown_artifact(text, key=key("gate-report", report.model), description=report.headline())
    create_table_artifact(report.table(), key=key("gate", report.model), description=report.headline())
    return drawn


def embedded(picture: Path) -> str:
    """The picture itself as an address, so that it needs no server."""
    return "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()


def key(what: str, of: str) -> str:
    """An artifact's key: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", f"{what}-{of}".lower()).strip("-")
