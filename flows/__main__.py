"""`./miar <verb>`: the people's command line.

Every error that has a meaning is one line on stderr, `ERROR <code> <verb>: <what>`, and that code as exit
status: 2 a wrong request, 3 wrong data, 4 refused, 5 something needed is not there.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from flows import questions, settings
from tasks.errors import BadRequest, MiarError, Unavailable


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
    side = verbs.add_parser("study", help="train the recipes of a study and set them side by side")
    side.add_argument("study", help="a study of params.yaml, for example reuters")
    side.set_defaults(verb=study)
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
    return parser


def whole(least: int, most: int) -> Callable[[str], int]:
    """A reader of whole numbers within bounds."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
            raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}. Received: {text[:40]!r}")
        return int(text)

    return read


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
    found: Any = state.result(raise_on_failure=False)
    if state.is_completed():
        print(found.told(time.monotonic() - began))
        return 0
    raise (
        found
        if isinstance(found, MiarError)
        else MiarError(state.message or f"the run must end well, it is {state.name}")
    )


def study(options: argparse.Namespace) -> int:
    from flows import study

    return study.study(options.study)


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
