"""Does a kill, at any moment, lose or change anything? Two parts, each of which prints a tally and fails if not.

`python -m bench.kills --part flow` kills whole runs of `./miar run`, from the source to the champion, at random
moments: the run itself, DVC, the step that DVC runs, or Prefect's server. It starts them again, kills them again, and
once one has come to its end sees that everything holds: the ledger, the versions, the doctor, DVC's opinion, and that
the weights are those of a training that nobody has disturbed. 100 kills take about an hour on two cores.

`--part resume` kills the training of every recipe of params.yaml in its second epoch, on a few samples, and compares
the weights of the resumed one with those of one that was left in peace.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

RECIPE = "cnn_digits"
LONGEST = 30.0
"""Seconds after which a run is killed at the latest."""

KINDS = {"DVC": "-m dvc", "the step": "-m tasks", "the server": "uvicorn", "the run": "-m flows"}
"""What may be killed, by what its command line has."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("flow", "resume"))
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipes", nargs="*", help="for resume: these instead of all")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(*asked.child)
        return
    failures: list[str] = []
    if asked.part != "resume":
        failures += flow(asked.kills, asked.seed)
    if asked.part != "flow":
        failures += resume(asked.recipes)
    if failures:
        sys.exit("\n".join(failures))


def flow(kills: int, seed: int) -> list[str]:
    """Kill runs until there were so many kills; returns what did not hold afterwards."""
    from tests.flows.conftest import make

    rng = random.Random(seed)
    failures: list[str] = []
    victims: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="miar-kills-") as folder:
        roots = [Path(folder) / name for name in ("killed", "left-in-peace")]
        for root in roots:
            root.mkdir()
        project, peaceful = (make(root, Path(folder) / f"cache-{root.name}") for root in roots)
        rounds = 0
        while sum(victims.values()) < kills:
            rounds += 1
            for one in (project, peaceful):
                set_seed(one, rounds)
            while sum(victims.values()) < kills and (victim := killed(project, rng)):
                victims[victim] += 1
                print(f"kill {sum(victims.values())} of {kills}: {victim}", flush=True)
            wrong = ended_well(project, peaceful)
            print(f"round {rounds}: {'all holds' if not wrong else '; '.join(wrong)}", flush=True)
            failures += [f"round {rounds}: {one}" for one in wrong]
    told = ", ".join(f"{victim} {count}" for victim, count in victims.most_common())
    print(f"flow: {sum(victims.values())} kills ({told}), {rounds} runs ended, {len(failures)} things did not hold")
    return failures


def set_seed(project: Any, seed: int) -> None:
    """Let there be something to train, and commit it."""
    import yaml

    path = project.root / "params.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["recipes"][RECIPE]["train"]["seed"] = seed
    content["recipes"][RECIPE]["search"] |= {"trials": 2, "epochs": 2, "seed": seed}
    # another cut, so that prepare has something to do as well; of so few samples not every cut is an even one
    content["datasets"]["digits"] |= {"seed": seed, "smallest_class": 0.01}
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    project.git("commit", "--quiet", "--no-verify", "--all", "-m", f"Seed {seed}")


def killed(project: Any, rng: random.Random) -> str:
    """Start a run and kill a part of it at a random moment; returns which, or nothing if the run was faster.

    Raises:
        SystemExit: if processes outlive it.
    """
    log = project.root.parent / "run.log"
    process = project.start("run", RECIPE, log=log)
    moment = time.monotonic() + rng.uniform(0.5, LONGEST)
    while time.monotonic() < moment and process.poll() is None:
        time.sleep(0.05)
    victim = kill_one(project, rng) if process.poll() is None else ""
    try:
        process.wait(300)
    except subprocess.TimeoutExpired:
        sys.exit(f"a run must end once {victim} is killed. Received: it goes on after 300 s; {log.read_text()[-2000:]}")
    end = time.monotonic() + 30
    while left := project.processes():
        if time.monotonic() > end:
            sys.exit(f"nothing may outlive a run. Received: {[' '.join(one.cmdline()) for one in left]}")
        time.sleep(0.2)
    return victim


def kill_one(project: Any, rng: random.Random) -> str:
    """Kill one of the processes of a run, each kind as likely as another; returns what it was."""
    found: dict[str, list[psutil.Process]] = {}
    for process in project.processes():
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        kind = next((kind for kind, sign in KINDS.items() if sign in line), None)
        if kind:
            found.setdefault(kind, []).append(process)
    if not found:
        return ""
    kind = rng.choice(sorted(found))
    for process in found[kind]:
        with contextlib.suppress(psutil.Error):
            process.kill()
    return kind


def ended_well(project: Any, peaceful: Any) -> list[str]:
    """Let a run come to its end, and a training in peace beside it; returns what does not hold then."""
    from tests import invariants

    done = project.miar("run", RECIPE, limit=600)
    if done.returncode:
        return [f"the run ends with {done.returncode}: {done.stderr[-500:]}"]
    wrong = invariants.broken(project.root / "mlflow.db", RECIPE)
    examined = json.loads(project.miar("doctor", "--json").stdout)
    wrong += [f"{check['name']}: {one['where']} {one['what']}" for check in examined for one in check["findings"]]
    again = project.dvc("repro", f"explain@{RECIPE}")
    if "Data and pipelines are up to date." not in again.stdout:
        wrong.append(f"DVC has something to do: {again.stdout[-300:]}")
    in_peace = peaceful.dvc("repro", f"evaluate@{RECIPE}")
    if in_peace.returncode:
        return [*wrong, f"dvc repro ends with {in_peace.returncode}: {in_peace.stderr[-300:]}"]
    for step in ("prepared/digits", f"tuned/{RECIPE}", f"trained/{RECIPE}", f"evaluated/{RECIPE}"):
        ours, theirs = (digest(one.root / "data" / step) for one in (project, peaceful))
        if ours != theirs:
            wrong.append(f"{step} is {ours[:12]}, in peace it is {theirs[:12]}")
    return wrong


def digest(folder: Path) -> str:
    return str(json.loads((folder / "receipt.json").read_text(encoding="utf-8"))["digest"])


def resume(names: list[str] | None) -> list[str]:
    """Kill and resume the training of every recipe whose data lies here; returns those whose weights differ."""
    from tasks import catalogue, places

    recipes = names or list(catalogue.load().recipes)
    failures, equal = [], 0
    for name in recipes:
        if not (places.prepared(catalogue.load().recipe(name).dataset) / "receipt.json").is_file():
            failures.append(f"{name}: its data must lie here; run: .venv/bin/dvc repro prepare@<dataset>")
            continue
        with tempfile.TemporaryDirectory(prefix="miar-resume-") as folder:
            first = part(name, "killed", folder)
            second = part(name, "resumed", folder)
        whole, resumed = second.stdout.split()[-2:] if second.returncode == 0 else ("", "none")
        same = first.returncode == -signal.SIGKILL and whole == resumed
        equal += same
        print(f"{name:<28}{'the same weights' if same else 'OTHER WEIGHTS'}  {resumed[:12]}", flush=True)
        if not same:
            told = f"{first.returncode} {second.stderr[-300:]}"
            failures.append(f"{name}: resumed {resumed[:12]}, in peace {whole[:12]}; {told}")
    print(f"resume: {equal} of {len(recipes)} recipes end with the weights of a training in peace")
    return failures


def part(name: str, what: str, folder: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.kills", "--child", name, what, folder]
    here = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=here)


FEW, EPOCHS = 48, 3
"""Samples to learn from, and epochs, of each training."""


def child(name: str, what: str, folder: str) -> None:
    """In a process of its own: train and be killed in the second epoch; or go on, and train once more in peace."""
    import keras

    from tasks import bases, trainer

    class Killer(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            del logs
            if what == "killed" and (self.epoch, batch) == (1, 1):
                os.kill(os.getpid(), signal.SIGKILL)

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            del logs
            self.epoch = epoch

    resumed = fitted(name, trainer.Checkpoints(Path(folder)), (Killer(),))
    print(bases.digest_weights(fitted(name, None, ())), bases.digest_weights(resumed))


def fitted(name: str, checkpoints: Any, callbacks: tuple[Any, ...]) -> Any:
    """A few epochs of a recipe's own network on a few of its own samples."""
    import models
    from tasks import bases, catalogue, prepared, trainer
    from tasks.prepared import Split

    recipe = catalogue.load().recipe(name)
    data, held = (prepared.read(recipe.dataset, one) for one in ("train", "validation"))
    trainer.start_over(recipe.train.seed)
    network, _ = trainer.build(models.load(recipe.model), prepared.read_spec(recipe.dataset), recipe.hyperparameters)
    bases.start(network, recipe.base)
    fit = trainer.Fit(EPOCHS, 8, recipe.train.seed, recipe.search.objective)
    few = [Split(one.samples[:count], one.answers[:count], one.ids[:count]) for one, count in ((data, FEW), (held, 16))]
    trainer.train(network, *few, fit=fit, checkpoints=checkpoints, say=lambda _: None, callbacks=callbacks)
    return network


if __name__ == "__main__":
    main()
