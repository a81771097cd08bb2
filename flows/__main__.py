"""`./miar <verb>`: the people's command line.

Every error that has a meaning is one line on stderr, `ERROR <code> <verb>: <what>`, and that code as exit
status: 2 a wrong request, 3 wrong data, 4 refused, 5 something needed is not there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NoReturn

from flows import monitoring, questions, settings
from tasks.errors import BadRequest, MiarError, Refused, Unavailable


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error."""

    def error(self, message: str) -> NoReturn:
        raise BadRequest(f"{message}. Run: ./miar --help")


def main(arguments: list[str]) -> int:
    """Run one verb, and turn its errors into a line and an exit code."""
    verb = arguments[0] if arguments and not arguments[0].startswith("-") else ""
    try:
        options = parser().parse_args(arguments)
        settings.apply()
        return int(options.verb(options))
    except MiarError as error:
        return complain(error, f"{error.code} {verb[:40]}".strip())
    except BrokenPipeError:  # whoever read the answer has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return complain(Unavailable(f"files and disk must be usable. Received: {error}"), f"5 {verb[:40]}".strip())
    except KeyboardInterrupt:
        return 130


def complain(error: MiarError, where: str) -> int:
    """Print the error; what a step has said already is passed on as it is."""
    line = " ".join(str(error).split())
    print(line if line.startswith("ERROR ") else f"ERROR {where}: {line}", file=sys.stderr)
    return error.code


def parser() -> Parser:
    parser = Parser(prog="miar", description="From a source to a champion, and what serves that.")
    verbs = parser.add_subparsers(metavar="<verb>", required=True)
    one = verbs.add_parser("run", help="train a recipe, examine it, register it and ask its gate")
    one.add_argument("recipe", help="a recipe of params.yaml, for example cnn_digits")
    one.add_argument("--epochs", type=whole(1, 1000), help="instead of the recipe's own")
    one.add_argument("--trials", type=whole(0, 1000), help="instead of the recipe's own")
    one.add_argument("--seed", type=whole(0, 2**32 - 1), help="instead of the recipe's own")
    one.add_argument("--no-promote", dest="promote", action="store_false", help="register, and leave it there")
    one.set_defaults(verb=run)
    web = verbs.add_parser("scrape", help="search the web for a collection's images anew, and keep what can be used")
    web.add_argument("collection", help="a collection of params.yaml, for example flowers")
    web.add_argument("--provider", help="who finds the images, instead of the collection's own")
    web.add_argument("--wanted", type=whole(1, 10_000), help="candidates for each keyword, instead of its own number")
    web.add_argument("--licences", type=lambda text: text.split(","), help="instead of its own, for example cc0,by")
    web.add_argument("--dry-run", action="store_true", help="search only, to see how much there is")
    web.set_defaults(verb=scrape)
    away = verbs.add_parser(
        "forget", help="let an image be kept nowhere from now on, and name the versions that saw it"
    )
    away.add_argument("image", help="its address, or the sha256 of what came or of what was stored")
    away.add_argument("--reason", default="", help="kept in the list, data/removed.txt")
    away.set_defaults(verb=forget)
    side = verbs.add_parser("study", help="train the recipes of a study and set them side by side")
    side.add_argument("study", help="a study of params.yaml, for example reuters")
    side.set_defaults(verb=study)
    seen = verbs.add_parser("track", help="follow a detector's boxes through footage, score and register the tracker")
    seen.add_argument("tracker", help="a tracker of params.yaml, for example sort_bouncing_digits")
    seen.set_defaults(verb=track)
    asked = verbs.add_parser("serve", help="answer over HTTP as a registered version, until Ctrl-C")
    asked.add_argument("reference", help="<model> or <model>@<alias or version>, for example cnn_digits@champion")
    asked.add_argument("--port", type=whole(1, 65535), default=5001)
    asked.set_defaults(verb=serve)
    again = verbs.add_parser("reproduce", help="make a version again from its commit, and see whether it is the same")
    again.add_argument("reference", help="<model> or <model>@<alias or version>, for example cnn_digits@champion")
    again.add_argument("--tolerance", type=fraction, default=None, help="of scores, where the weights differ; 0.01")
    again.add_argument("--json", action="store_true", help="answer as JSON")
    again.set_defaults(verb=reproduce)
    health = verbs.add_parser("doctor", help="see whether everything holds that must, and what to do where it does not")
    health.add_argument("--sweep", action="store_true", help="first remove what kills have left behind on the disk")
    health.add_argument("--json", action="store_true", help="answer as JSON")
    health.set_defaults(verb=doctor)
    server = verbs.add_parser("deploy", help="tell a running Prefect server what infra/prefect.yaml says")
    server.add_argument("--recover", action="store_true", help="it was just started: runs that go nowhere are dead")
    server.set_defaults(verb=deploy)
    for name, verb, what in (
        ("ui", ui, "start Prefect, MLflow and a worker, until Ctrl-C"),
        ("init", init, "make the databases; part of `make setup`"),
        ("check", check, "check catalogue, dvc.yaml and deployments"),
    ):
        verbs.add_parser(name, help=what).set_defaults(verb=verb)
    questions.add(verbs, whole)
    monitoring.add(verbs)
    return parser


def whole(least: int, most: int) -> Callable[[str], int]:
    """A reader of whole numbers within bounds."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
            raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}. Received: {text[:40]!r}")
        return int(text)

    return read


def fraction(text: str) -> float:
    """A number from 0 to 1."""
    try:
        found = float(text)
    except ValueError:
        found = -1
    if not 0 <= found <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1. Received: {text[:40]!r}")
    return found


def run(options: argparse.Namespace) -> int:
    """Check what can be checked at once, then run the flow here and sum it up."""
    began = time.monotonic()
    from flows import server, workplace

    overrides = workplace.Overrides(options.epochs, options.trials, options.seed)
    workplace.check(options.recipe, overrides)
    wait_for_server = server.borrow()
    from flows.retrain import retrain

    wait_for_server()
    state = retrain(options.recipe, options.epochs, options.trials, options.seed, options.promote, return_state=True)
    print(given_back(state).told(time.monotonic() - began))
    return 0


def given_back(state: Any) -> Any:
    """What a flow has given back.

    Raises:
        MiarError: the flow's own, where it did not end well.
    """
    found = state.result(raise_on_failure=False)
    if state.is_completed():
        return found
    raise (
        found
        if isinstance(found, MiarError)
        else MiarError(state.message or f"the run must end well, it is {state.name}")
    )


def scrape(options: argparse.Namespace) -> int:
    """Check what can be checked at once, then run the flow here and sum it up."""
    from flows import server, workplace

    wishes = workplace.Wishes(options.provider, None, options.wanted, options.licences)
    workplace.check(options.collection, wishes)
    wait_for_server = server.borrow()
    from flows.scrape import scrape as run_here

    wait_for_server()
    state = run_here(
        options.collection, None, options.provider, options.wanted, options.licences, options.dry_run, return_state=True
    )
    print(given_back(state).headline)
    return 0


def forget(options: argparse.Namespace) -> int:
    """Put an image on the list of what must not be kept; say which versions saw it, and what is to be done."""
    from tasks import history, places, removed

    for name in removed.names(options.image):
        new = removed.add(name, options.reason)
        print(f"{name} is {'now ' if new else ''}on {places.REMOVED.relative_to(places.ROOT)}; commit that file")
    seen = history.saw(options.image)
    for version in seen:
        print(f"{version['model']} version {version['version']} saw it ({version['split']}): {version['url']}")
    print(
        "no registered version saw it"
        if not seen
        else "the next run of `./miar scrape <collection>` leaves it out, and its models are trained anew"
    )
    return 0


def study(options: argparse.Namespace) -> int:
    from flows import study

    return study.study(options.study)


def track(options: argparse.Namespace) -> int:
    """Check what can be checked at once, then run the flow here and say what came of it."""
    from flows import server, workplace

    workplace.check(options.tracker, workplace.AsItIs())
    wait_for_server = server.borrow()
    from flows.track import track as run_here

    wait_for_server()
    print(given_back(run_here(options.tracker, return_state=True)))
    return 0


def serve(options: argparse.Namespace) -> int:
    from flows import serve

    return serve.serve(options.reference, options.port)


def reproduce(options: argparse.Namespace) -> int:
    """Say whether a version can be made again; 4 if it diverged."""
    from flows import reproduce
    from tasks.reproduction import DIVERGED, TOLERANCE

    def say(line: str) -> None:
        print(line, file=sys.stderr if options.json else sys.stdout, flush=True)

    tolerance = TOLERANCE if options.tolerance is None else options.tolerance
    verdict = reproduce.make_again(options.reference, tolerance=tolerance, say=say)
    notes = [f"note: {note}" for note in verdict.notes]
    print(json.dumps(asdict(verdict), indent=2) if options.json else "\n".join([*notes, verdict.headline()]))
    return Refused.code if verdict.word == DIVERGED else 0


def doctor(options: argparse.Namespace) -> int:
    """Say what holds and what does not; 1 if something does not."""
    from flows import doctor
    from tasks import janitor

    for path in janitor.sweep() if options.sweep else []:
        print(f"removed {path}", file=sys.stderr)
    checks = doctor.look()
    print(doctor.told(checks, as_json=options.json))
    return int(any(check.findings for check in checks))


def ui(_: argparse.Namespace) -> int:
    from flows import ui

    return ui.keep_up()


def deploy(options: argparse.Namespace) -> int:
    from flows import deployments

    return deployments.deploy(recover=options.recover)


def init(_: argparse.Namespace) -> int:
    from flows import init

    return init.init()


def check(_: argparse.Namespace) -> int:
    from flows import checks

    return checks.check()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
