"""What a gate answers: checks with their verdicts, the report that holds them, and how people see it."""

from __future__ import annotations

import hashlib
import html
import math
import textwrap
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from pydantic import BaseModel, ConfigDict

from tasks import pictures, places
from tasks.compare import Interval, Slice

PASSED, FAILED, INCONCLUSIVE = "passed", "failed", "inconclusive"

SCORES = ("above floor", "no worse than champion")
"""The checks that people ask for first."""

COLOURS = {PASSED: "#2f855a", FAILED: "#c53030", INCONCLUSIVE: pictures.SECOND}
JSON, HTML, PICTURE = "report.json", "report.html", "gate.png"


class Check(BaseModel):
    """One question of the gate.

    Args:
        value: what was found.
        limit: what it is held against.
        evidence: where the value comes from, and what to do where it is not enough.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")
    name: str
    verdict: str
    value: float | str
    limit: float | str
    evidence: str = ""

    @property
    def reason(self) -> str:
        """The answer in one sentence."""
        told = f"; {self.evidence}" if self.evidence else ""
        return f"{self.name}: {shown(self.value)} against {shown(self.limit)}{told}"

    def row(self) -> dict[str, str]:
        return {
            "check": self.name,
            "verdict": self.verdict,
            "value": shown(self.value),
            "limit": shown(self.limit),
            "evidence": self.evidence,
        }


def shown(value: float | str) -> str:
    """A value for people: whole numbers whole, others to four digits."""
    if isinstance(value, str):
        return value
    if 1e-3 <= abs(value) < 1e6:
        return f"{value:.4f}" if value != round(value) else f"{value:.0f}"
    return f"{value:.3g}"


def at_least(value: float, limit: float) -> str:
    """The verdict on a number that must reach a limit; NaN and infinity reach none."""
    return PASSED if math.isfinite(value) and math.isfinite(limit) and value >= limit else FAILED


def at_most(value: float, limit: float) -> str:
    """The verdict on a number that must stay within a limit; NaN and infinity do not."""
    return at_least(-value, -limit)


class Report(BaseModel):
    """All that was asked of a version, against the champion of that moment.

    Args:
        champion: version that it was compared with; None where there was none.
        exam: sha256 of the samples that both sat.
        not_asked: names of the checks after the first that failed.
        interval: difference of the scores, the version's less the champion's.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")
    model: str
    version: int
    champion: int | None
    exam: str
    mode: str
    at: str
    checks: list[Check]
    not_asked: list[str]
    interval: Interval | None = None
    slices: list[Slice] = []

    @property
    def verdict(self) -> str:
        """Failed if a check failed, else inconclusive if one is, else passed; no check at all is no pass."""
        verdicts = {check.verdict for check in self.checks}
        return next((one for one in (FAILED, INCONCLUSIVE) if one in verdicts), PASSED) if verdicts else FAILED

    @property
    def against(self) -> str:
        return f"champion version {self.champion}" if self.champion else "no champion"

    def headline(self) -> str:
        return f"Gate of {self.model} version {self.version} against {self.against}: {self.verdict}"

    def reasons(self) -> list[str]:
        """What decided: the checks that did not pass; where all did, how many, and the scores."""
        if self.verdict != PASSED:
            return [check.reason for check in self.checks if check.verdict == self.verdict]
        scores = [check.reason for check in self.checks if check.name in SCORES]
        return [f"all {len(self.checks)} checks passed", *scores]

    def text(self) -> str:
        return self.model_dump_json(indent=2) + "\n"

    def digest(self) -> str:
        return hashlib.sha256(self.text().encode()).hexdigest()

    def table(self) -> list[dict[str, str]]:
        """One row for each check."""
        nothing = {"verdict": "not asked", "value": "", "limit": "", "evidence": ""}
        return [*(check.row() for check in self.checks), *({"check": name, **nothing} for name in self.not_asked)]

    def write(self, folder: Path) -> None:
        """Write the report as JSON, as a page, and as a picture."""
        picture(self).savefig(folder / PICTURE)
        (folder / HTML).write_text(page(self, folder / PICTURE), encoding="utf-8")
        places.write_whole(folder / JSON, self.text())


def read(folder: Path) -> Report:
    return Report.model_validate_json((folder / JSON).read_text(encoding="utf-8"))


def page(report: Report, drawn: Path) -> str:
    """The report as a page that needs nothing from a network."""
    facts = {"judged": report.at, "mode": report.mode, "compared with": report.against, "exam, sha256": report.exam}
    parts = [f"<p>{html.escape(name)}: {html.escape(str(value))}</p>" for name, value in facts.items()]
    parts += [pictures.table(pd.DataFrame(report.table())), pictures.picture(drawn, "What was found")]
    if report.slices:
        rows = [
            {"part": one.name, "samples": one.samples, "version": one.ours, "champion": one.theirs, "p": one.p}
            for one in report.slices
        ]
        parts += ["<h2>Parts of the exam</h2>", pictures.table(pd.DataFrame(rows))]
    return pictures.page(report.headline(), *parts)


def picture(report: Report) -> Figure:
    """The checks with their verdicts, and beside them the comparison with the champion."""
    rows = report.table()
    figure = pictures.blank(12 if report.interval else 8, max(3.2, 0.34 * max(len(rows), len(report.slices) + 2)) + 0.8)
    figure.suptitle(textwrap.fill(report.headline(), 90 if report.interval else 60))
    panels = figure.subplots(1, 2 if report.interval else 1, squeeze=False)[0]
    draw_checks(panels[0], rows, max(len(rows), len(report.slices) + 1) if report.interval else len(rows))
    if report.interval:
        draw_differences(panels[1], report)
    return figure


def draw_checks(axes: Axes, rows: list[dict[str, str]], height: int) -> None:
    """A coloured mark for each check, with its value and limit, from the top of `height` rows."""
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(height - 0.5, -0.5))
    for row, check in enumerate(rows):
        axes.plot(0.03, row, "o", color=COLOURS.get(check["verdict"], "#a0aec0"), markersize=9)
        axes.text(0.07, row, check["check"], va="center", fontsize=9)
        told = f"{short(check['value'], 18)}  ({short(check['limit'], 18)})" if check["value"] else check["verdict"]
        axes.text(0.46, row, told, va="center", fontsize=8, color=pictures.INK)


def short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def draw_differences(axes: Axes, report: Report) -> None:
    """The difference of the scores with its interval, and that of each part of the exam."""
    found = report.interval
    if found is None:
        return
    names = ["whole exam", *(short(one.name, 28) for one in report.slices)]
    axes.axvline(0, color="#a0aec0", linewidth=1)
    axes.errorbar(
        found.difference,
        0,
        xerr=[[found.difference - found.low], [found.high - found.difference]],
        fmt="o",
        color=pictures.ACCENT,
        capsize=4,
    )
    for row, part in enumerate(report.slices, start=1):
        tested = math.isfinite(part.p)
        colour = COLOURS[FAILED] if part.is_worse else pictures.ACCENT if tested else "#a0aec0"
        axes.plot(part.ours - part.theirs, row, "s", color=colour, fillstyle="full" if tested else "none")
    axes.set(yticks=range(len(names)), ylim=(len(names) - 0.5, -0.5))
    axes.set_xlabel("version less champion; more is better\nred: worse, hollow: too few samples to tell", fontsize=9)
    axes.set_yticklabels(names, fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="x", alpha=0.25)
