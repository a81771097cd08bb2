"""The questions of `./miar` about a registry that a real run has filled, and the answers to wrong ones."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.flows.conftest import RECIPE, Project, make


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Project:
    """A project of its own with a champion, and a second version that its gate has refused."""
    project = make(tmp_path_factory.mktemp("asked"), cache)
    for arguments in ([], ["--epochs", "1", "--seed", "3"]):
        made = project.miar("run", RECIPE, *arguments)
        assert made.returncode == 0, made.stderr
    return project


def ask(project: Project, *question: str) -> dict[str, Any]:
    answer = project.miar(*question, "--json")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    return dict(json.loads(answer.stdout))


def test_champion_history_and_at_agree(asked: Project) -> None:
    champion = ask(asked, "champion", RECIPE)
    history = ask(asked, "history", RECIPE)
    last = history["moves"][-1]
    assert (last["to"], last["action"], last["by"]) == (champion["version"], "promote", champion["by"])
    assert champion["load"] == f"models:/{RECIPE}@champion"
    assert ask(asked, "at", RECIPE, "2100-01-01")["version"] == champion["version"]
    assert ask(asked, "at", RECIPE, champion["since"])["version"] == champion["version"]
    before = ask(asked, "at", RECIPE, "2020-01-01")
    assert (before["version"], before["why"]) == (None, f"the ledger begins later, with {len(history['moves'])} moves")
    refused = history["versions"][-1]
    assert refused["gate"] == "failed"
    assert "better than trivial" in refused["why"]


def test_explain_tells_the_whole_lineage(asked: Project) -> None:
    told = ask(asked, "explain", f"{RECIPE}@champion")
    assert "champion" in told["aliases"]
    commit = told["code"]["git.commit"]
    kept = yaml.safe_load(asked.git("show", f"{commit}:params.yaml"))["recipes"][RECIPE]
    assert json.loads(told["settings"]["recipe"])["train"]["epochs"] == kept["train"]["epochs"]
    assert "prepare@digits" in asked.git("show", f"{commit}:dvc.lock"), "the data can be fetched by the commit"
    assert len(told["checks"]) == 13
    assert {check["verdict"] for check in told["checks"]} == {"passed"}
    plain = asked.miar("explain", f"{RECIPE}@champion").stdout
    for word in (commit, "nearest mean sample", told["data"]["dvc.data.digits"], "Great Expectations"):
        assert word in plain


def test_diff_tells_code_settings_data_and_parts(asked: Project) -> None:
    versions = [one["version"] for one in ask(asked, "history", RECIPE)["versions"]]
    first, last = versions[0], versions[-1]
    told = ask(asked, "diff", RECIPE, f"v{first}", str(last))
    assert told["settings"]["train.epochs"][1] == 1
    assert told["data"] == "the same"
    assert told["code"]["files"] == []
    assert len(told["parts"]) == 10
    one = told["parts"][0]
    assert one["recall difference"] == pytest.approx(one["recall new"] - one["recall old"], abs=2e-4)
    assert ask(asked, "diff", RECIPE, "champion", "champion")["scores"] == "the same"


def test_lineage_finds_versions_by_any_digest_of_the_data(asked: Project) -> None:
    params = yaml.safe_load((asked.root / "params.yaml").read_text())
    raw = params["sources"]["digits"]["files"]["digits.csv"]
    told = ask(asked, "explain", f"{RECIPE}@champion")
    for digest in (raw[:8], told["data"]["dvc.data.digits"], told["data"]["exam.sha256"]):
        found = ask(asked, "lineage", "--data", digest)["versions"]
        assert told["version"] in [one["version"] for one in found], digest
    assert ask(asked, "lineage", "--data", "0" * 64)["versions"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["champion", "nobody"], f"`model` must be in the registry, which has: {RECIPE}. Received: 'nobody'"),
        (["champion", "../etc"], "`model` must match"),
        (["explain", f"{RECIPE}@99"], "must have what `version` names. Received: '99', which is not there"),
        (["explain", f"{RECIPE}@Champion"], "must be a number or one of champion, challenger, previous-champion"),
        (["at", RECIPE, "yesterday"], "`time` must be like 2026-11-25"),
        (["diff", RECIPE, "v1", "v0"], "`version` must be a number"),
        (["lineage", "--data", "xyz"], "`digest` must be 8 to 64 hexadecimal signs"),
        (["promote", RECIPE, "--version", "99"], "must be one of `cnn_digits`. Received: 99, which is not there"),
        (["promote", RECIPE, "--approve"], "`--reason` must say why"),
        (["promote", "nobody"], "`recipe` must be one of"),
        (["rollback", RECIPE], "--reason"),
        (["rollback", RECIPE, "--reason", " "], "`reason` must say why"),
        (["reconcile", "--anew"], "`model` must be given with --anew"),
    ],
)
def test_a_wrong_question_is_one_line(asked: Project, arguments: list[str], said: str) -> None:
    answer = asked.miar(*arguments)
    assert answer.returncode == 2, answer.stderr
    last = answer.stderr.strip().splitlines()
    assert re.match(rf"ERROR 2 {arguments[0]}: ", last[-1])
    assert said in last[-1]
    assert len(last) == 1


def test_rollback_with_nothing_to_go_back_to_is_refused(asked: Project) -> None:
    answer = asked.miar("rollback", "mlp_digits", "--reason", "drill")
    assert answer.returncode == 4
    assert answer.stderr.startswith("ERROR 4 rollback: `mlp_digits` must have had another champion")


def test_reconcile_finds_all_as_it_is(asked: Project) -> None:
    answer = asked.miar("reconcile")
    assert (answer.returncode, answer.stdout) == (0, f"{RECIPE}: as the ledger has it\n")
