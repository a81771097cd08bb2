"""drift: are the samples that a champion is asked still those that it learnt from, and its answers still alike?

Each window of answered samples is compared with the version's reference, measure by measure, by the population
stability index. A window is over the limit where a measure's index is, and more than chance would make of so many
samples; a model has drifted where several of its last windows are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.spatial import distance
from scipy.stats import chi2

from tasks import catalogue, champions, history, measures, pictures, places, score
from tasks.catalogue import Monitoring
from tasks.errors import BadData
from tasks.measures import Reference
from tasks.outside import registry
from tasks.receipts import Receipt

CHANCE = 0.001
"""How often a window without any shift may be over the limit, over all measures together."""

SHOWN = 6
"""Measures of which the distributions are drawn."""


@dataclass(frozen=True)
class Window:
    """Samples that were answered one after the other.

    Args:
        since: when the first was answered, UTC.
        psi: population stability index of each measure, js its Jensen-Shannon distance (base 2, 0 to 1).
        over: measures that are over the limit, the farthest first.
    """

    since: str
    rows: int
    psi: dict[str, float]
    js: dict[str, float]
    over: list[str]


class Drifted(Receipt):
    """`digest` is that of the version's network, `windows` says for each of the last, oldest first, what was over."""

    step = "drift"
    command = "./miar drift {name}"
    version: int
    rows: int
    windows: list[list[str]]
    drifted: bool
    worst: dict[str, float]

    def headline(self) -> str:
        over = sum(bool(window) for window in self.windows)
        told = f"{over} of the last {len(self.windows)} windows are over the limit"
        return f"{self.name} version {self.version} {'has drifted' if self.drifted else 'is steady'}: {told}"


def drift(model: str) -> Drifted:
    """Compare the last windows of the champion's answers with its reference; writes report, picture and receipt.

    Raises:
        BadRequest: if there is no such model, or it has no champion.
        BadData: if nothing was scored, or the version has no reference.
    """
    client = history.connected(model)
    number = int(history.version_of(client, model, registry.CHAMPION).version)
    known = catalogue.load().recipes.get(model)
    wanted = known.monitoring if known else Monitoring()
    reference = score.known_of(model, number).reference
    table = of_version(model, number, reference)
    found = [compare(part, reference, wanted) for part in last_windows(table, wanted)]
    with places.whole_folder(places.drifted(model)) as folder:
        picture(found, reference, table.tail(wanted.window), f"{model} version {number}").savefig(folder / "drift.png")
        receipt = Drifted(
            name=model,
            digest=registry.version(client, model, number).tags.get(registry.MODEL_DIGEST, champions.told(number)),
            version=number,
            rows=len(table),
            windows=[window.over for window in found],
            drifted=sum(bool(window.over) for window in found) >= wanted.over,
            worst=worst(found),
        )
        (folder / "report.html").write_text(report(receipt, found, folder), encoding="utf-8")
        return receipt.write(folder)


def of_version(model: str, number: int, reference: Reference) -> pd.DataFrame:
    """Measures of all that a version has answered, in the order of time.

    Raises:
        BadData: if that is nothing.
    """
    columns = ["version", "at", *(f"{score.WATCHED}{name}" for name in reference.edges)]
    table = score.scored(model, columns=columns)
    table = table[table["version"] == number]
    if table.empty:
        raise BadData(
            f"version {number} of `{model}`, the champion, must have answered samples. "
            f"Received: none in {places.scored(model)}; run: ./miar score {model} <file>"
        )
    return table


def last_windows(table: pd.DataFrame, wanted: Monitoring) -> list[pd.DataFrame]:
    """The last windows, the oldest first; what is too little for one is left for the next time, if there is another."""
    whole = len(table) // wanted.window
    if whole == 0:
        return [table]
    used = table.tail(min(whole, wanted.windows) * wanted.window)
    return [used.iloc[start : start + wanted.window] for start in range(0, len(used), wanted.window)]


def compare(table: pd.DataFrame, reference: Reference, wanted: Monitoring) -> Window:
    """One window against the reference."""
    psis, jss, over = {}, {}, {}
    for name, edges in reference.edges.items():
        counts = measures.binned(table[f"{score.WATCHED}{name}"].to_numpy(np.float64), edges)
        psis[name], jss[name] = psi(reference.counts[name], counts), js(reference.counts[name], counts)
        limit = max(wanted.psi, by_chance(reference.counts[name], counts, CHANCE / len(reference.edges)))
        if psis[name] > limit:
            over[name] = psis[name]
    ordered = sorted(over, key=over.__getitem__, reverse=True)
    return Window(str(table["at"].iloc[0]), len(table), psis, jss, ordered)


def smooth(counts: np.ndarray) -> np.ndarray:
    """Proportions, with half a sample more in each bin, so that none is empty."""
    return np.asarray((counts + 0.5) / (counts.sum() + 0.5 * len(counts)))


def psi(expected: np.ndarray, actual: np.ndarray) -> float:
    """Population stability index of two histograms of counts: sum of (a - e) ln(a / e); 0 where they are alike."""
    one, other = smooth(expected), smooth(actual)
    return float(((other - one) * np.log(other / one)).sum())


def js(expected: np.ndarray, actual: np.ndarray) -> float:
    """Jensen-Shannon distance of two histograms of counts, 0 (alike) to 1 (no bin in common)."""
    return float(distance.jensenshannon(expected / expected.sum(), actual / actual.sum(), base=2))


def by_chance(expected: np.ndarray, actual: np.ndarray, often: float) -> float:
    """The index that samples of one distribution exceed so often.

    Without a shift it is about (1/n + 1/m) times chi-squared with one degree of freedom less than bins (Yurdakul and
    Naranjo, Statistical properties of the population stability index, 2020).
    """
    freedom = max(len(expected) - 1, 1)
    return float(chi2.ppf(1 - often, freedom) * (1 / expected.sum() + 1 / actual.sum()))


def worst(windows: list[Window]) -> dict[str, float]:
    """The measures that are farthest off, by their mean index over all windows."""
    means = pd.DataFrame([window.psi for window in windows]).mean().sort_values(ascending=False)
    return {str(name): round(float(value), 4) for name, value in means.head(SHOWN).items()}


def picture(windows: list[Window], reference: Reference, newest: pd.DataFrame, title: str) -> Figure:
    """The index of each measure in each window, and how the farthest measures are distributed now and were then."""
    figure = pictures.blank(12, 6)
    figure.suptitle(title)
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.2), squeeze=False)[0]
    names = list(reference.edges)
    table = np.array([[window.psi[name] for window in windows] for name in names])
    axes = left.add_subplot()
    image = axes.imshow(np.minimum(table, 1), aspect="auto", cmap="YlOrRd", vmin=0, vmax=0.5)
    axes.set(yticks=range(len(names)), xticks=range(len(windows)), xlabel="window, the newest last")
    axes.set_yticklabels(names, fontsize=7)
    axes.set_title("population stability index", fontsize=9)
    left.colorbar(image, ax=axes, shrink=0.6)
    panels = right.subplots(3, 2, squeeze=False).ravel()
    for panel, name in zip(panels, [*worst(windows), *names][:SHOWN], strict=False):
        counts = measures.binned(newest[f"{score.WATCHED}{name}"].to_numpy(np.float64), reference.edges[name])
        bins = np.arange(len(counts))
        panel.bar(bins - 0.2, smooth(reference.counts[name]), 0.4, color=pictures.ACCENT, label="learnt from")
        panel.bar(bins + 0.2, smooth(counts), 0.4, color=pictures.SECOND, label="asked now")
        panel.set_title(name, fontsize=8)
        panel.tick_params(labelsize=6)
    panels[0].legend(fontsize=7)
    return figure


def report(receipt: Drifted, windows: list[Window], folder: Path) -> str:
    """One page that needs no network."""
    rows = [{"since": one.since, "rows": one.rows, "over the limit": ", ".join(one.over) or "none"} for one in windows]
    table = pd.DataFrame([{"measure": name, "psi": value} for name, value in receipt.worst.items()])
    shown = pictures.picture(folder / "drift.png", "Measures now and then")
    return pictures.page(receipt.headline(), pictures.table(pd.DataFrame(rows)), pictures.table(table), shown)
