"""The verbs of `./miar` about models in use: answers, right answers that come later, drift, and a champion's fall.

They need no Prefect; with a server up they tell it what they found, as the deployments of the same names do.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows import events
from tasks.errors import Refused


def add(verbs: Any) -> None:
    """Add the verbs to the command line."""
    asked = verb(verbs, "score", score, "let a version answer a file of samples")
    asked.add_argument("file", type=Path, help=".npy of samples, or .npz of samples and ids")
    asked.add_argument("--alias", default="champion", help="an alias or a version number; champion if left out")
    told = verb(verbs, "label", label, "keep right answers that have come later")
    told.add_argument("file", type=Path, help=".csv or .parquet with the columns id and class, or the number's name")
    verb(verbs, "drift", drift, "are the samples that it is asked still those that it learnt from?")
    verb(verbs, "watch", watch, "does the champion still do what it was promoted for? If not, go back")


def verb(verbs: Any, name: str, do: Any, what: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = verbs.add_parser(name, help=what)
    made.add_argument("model", help="a registered model")
    made.add_argument("--json", action="store_true", help="answer as JSON")
    made.set_defaults(verb=do)
    return made


def score(options: argparse.Namespace) -> int:
    from tasks import score as step

    found = step.score(options.model, options.file, alias=options.alias)
    when = "now" if found.new else "before"
    told = f"{found.rows} samples answered {when} by {found.model} version {found.version}: {found.file}"
    return say(options, asdict(found), told)


def label(options: argparse.Namespace) -> int:
    from tasks import watch as step

    count = step.add(options.model, options.file)
    return say(options, {"model": options.model, "new": count}, f"{options.model}: {count} new right answers")


def drift(options: argparse.Namespace) -> int:
    """Say whether a model has drifted; 4 if it has."""
    from tasks import drift as step
    from tasks import places

    found = step.drift(options.model)
    if found.drifted:
        events.emit("drifted", found.name, version=found.version, worst=found.worst)
    farthest = ", ".join(f"{name} {value:.2f}" for name, value in found.worst.items())
    page = places.drifted(found.name) / "report.html"
    say(options, found.model_dump(), f"{found.headline()}\nfarthest off: {farthest}\nreport: {page}")
    return Refused.code if found.drifted else 0


def watch(options: argparse.Namespace) -> int:
    """Say whether a champion holds; 4 if it fell."""
    from tasks import watch as step
    from tasks.champions import Moved

    found = step.watch(options.model)
    if found.back is not None:
        events.rolled_back(Moved(found.model, found.version, found.back), found.headline())
    say(options, asdict(found), found.headline())
    return Refused.code if found.found == step.FELL else 0


def say(options: argparse.Namespace, found: dict[str, Any], told: str) -> int:
    print(json.dumps(found, indent=2, default=str) if options.json else told)
    return 0
