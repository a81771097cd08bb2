"""params.yaml at the door: one clear line for whatever is wrong with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import catalogue, places
from tasks.catalogue import Recipe
from tasks.errors import BadRequest

TEXT = places.PARAMS.read_text(encoding="utf-8")
KNOWN = catalogue.load()


def changed(old: str, new: str, folder: Path) -> Path:
    assert TEXT.count(old) >= 1, old
    path = folder / "params.yaml"
    path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
    return path


def test_the_projects_own_is_sound() -> None:
    known = catalogue.load()
    assert {"cnn_digits", "mlp_digits", "cnn_mnist"} <= set(known.recipes)
    assert all(name.startswith(f"{recipe.model}_{recipe.dataset}") for name, recipe in known.recipes.items())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("epochs: 40", "epoches: 40", r"`recipes.cnn_digits.train.epoches` is not a known key; did you mean 'epochs'"),
        ("epochs: 40", "epochs: 0", r"`recipes.cnn_digits.train.epochs`: .*greater than or equal to 1. Received: '0'"),
        ("epochs: 40", "epochs: abc", r"`recipes.cnn_digits.train.epochs`: .*integer. Received: 'abc'"),
        ("epochs: 40", "epochs: 1e9", r"`recipes.cnn_digits.train.epochs`: .*Received: '1e9'"),
        ("epochs: 40", "epochs: 1000000000", r"less than or equal to 1000. Received: '1000000000'"),
        ("epochs: 40", "epochs: 40.5", r"`recipes.cnn_digits.train.epochs`: .*integer"),
        ("epochs: 40", "epochs: true", r"`recipes.cnn_digits.train.epochs`: .*Received: 'True'"),
        ("at_least: 0.96", "at_least: .nan", r"`recipes.cnn_digits.gate.at_least`: .*finite number"),
        ("model: cnn", "model: cnnn", r"`recipes.cnn_digits.model` must be one of .*cnn, .*mlp.* Received: 'cnnn'"),
        ("dataset: digits", "dataset: digit", r"`recipes.cnn_digits.dataset` must be one of .*mnist.*'digit'"),
        ("source: digits", "source: nowhere", r"`datasets.digits.source` must be one of .*digits, .*mnist"),
        ("tuner: hyperband,", "tuner: hyperband, trials: 3,", r"`trials` must be left out with tuner hyperband"),
        ("trials: 3, ", "", r"`trials` is needed with tuner random"),
        (
            "model: averaging\n    base: scratch",
            "model: averaging\n    base: gru_imdb",
            r"must number the same words: a recipe of reuters, or a base. Received: 'gru_imdb', of imdb",
        ),
        ("tuner: random", "tuner: grid", r"`recipes.cnn_digits.search.tuner`: .*'hyperband' or 'genetic'"),
        (
            "    test: 0.2\n    seed: 42\n    smallest_class: 0.05",
            "    test: 1.5\n    seed: 42",
            r"`datasets.digits.test`",
        ),
        ("  cnn_digits:", "  ../cnn:", r"should match pattern"),
        ("  cnn_digits:", "  CNN:", r"should match pattern"),
        ("  mlp_digits:", "  cnn_digits:", r"the key 'cnn_digits' twice, line \d+"),
        ("recipes:", "recipes: [", r"must be plain YAML"),
        ("samples: 1797", "samples: !!python/object:os.system {}", r"must be plain YAML"),
        ("digits.csv:", "../digits.csv:", r"file's name without a folder"),
        ("https://storage", "ftp://storage", r"`sources.mnist.origins.official.0`.* Received: 'ftp://storage"),
        ("https://storage", "https://me@storage", r"`sources.mnist.origins.official.0`"),
        (
            "proposals: 64",
            "proposals: 2001",
            r"`datasets.digit_scenes_proposals.proposals`: .*less than or equal to 2000",
        ),
        (
            "    image: [128, 128, 1]\n    proposals: 64",
            "    image: [128, 128, 2]\n    proposals: 64",
            r"`proposals` must have an `image` of 1 or 3 channels. Received: image \[128, 128, 2\]",
        ),
        (
            "    image: [8, 8, 1]",
            "    proposals: 64\n    numbers: {x: [0, 1]}",
            r"`proposals` must have an `image` of 1 or 3 channels. Received: image None",
        ),
        (
            "neighbours: 5, shortest: 20,",
            "neighbours: 5, ngrams: [1, 2],",
            r"`ngrams` must be \[1, 1\] where there are `neighbours`. Received: \[1, 2\]",
        ),
        (
            "neighbours: 5, shortest: 20,",
            "neighbours: 51,",
            r"`datasets.quijote_words.words.neighbours`: .*equal to 50",
        ),
        ("neighbours: 5, shortest: 20,", "", r"problem embedding needs neighbours, and asks for nothing else"),
        (
            "    words: {vocabulary: 10000, length: 250, shortest: 5}\n",
            "    words: {vocabulary: 10000, length: 250, neighbours: 2}\n",
            r"problem classification needs classes, and asks for nothing else",
        ),
        (
            "problem: embedding\n",
            "problem: embedding\n    image: [8, 8, 1]\n",
            r"samples of `words` that have `neighbours` must be made of nothing else",
        ),
        (
            "detector: ssd_digit_scenes",
            "detector: cnn_digits",
            r"`trackers.sort_bouncing_digits.detector` must be one of",
        ),
        (
            "detector: truth\n    footage: bouncing_digits",
            "detector: given\n    footage: bouncing_digits",
            r"with boxes",
        ),
        ("footage: bouncing_digits", "footage: tud", r"must know the classes of tud, person\. Received: 0, 1, 2"),
        ("footage: tud", "footage: campus", r"`trackers.sort_tud.footage` must be one of bouncing_digits, tud"),
        ("max_age: 5", "max_aeg: 5", r"`trackers.sort_bouncing_digits.sort.max_aeg` is not a known key.*'max_age'"),
        ("score: 0.5,", "score: .inf,", r"`trackers.sort_bouncing_digits.sort.score`: .*finite"),
        ("metric: mota", "metric: motp", r"`trackers.sort_bouncing_digits.gate.metric`: .*'mota', 'idf1' or 'hota'"),
        ("digits: 3, frames: 60", "digits: 0, frames: 60", r"`footage.bouncing_digits.bouncing.digits`: .*equal to 1"),
        (
            "    mot:\n",
            "    bouncing: {clips: 1, digits: 1, frames: 1, side: 64, seed: 0}\n    mot:\n",
            r"and not both",
        ),
        ("  sort_tud:", "  cnn_digits:", r"`trackers` must have names that no recipe has. Received: 'cnn_digits'"),
    ],
)
def test_says_what_is_wrong_in_one_line(old: str, new: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=words) as caught:
        catalogue.load(changed(old, new, tmp_path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"nowhere.yaml` must be a readable"):
        catalogue.load(tmp_path / "nowhere.yaml")


@settings(deadline=None)
@given(name=st.text(max_size=80))
def test_names_are_looked_up_and_never_paths(name: str) -> None:
    if name not in KNOWN.recipes:
        with pytest.raises(BadRequest, match="Received"):
            KNOWN.recipe(name)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "cnn_digit"], "ERROR 2 train cnn_digit: `recipe` must be one of averaging_"),
        (["train", "../etc"], "ERROR 2 train ../etc: the name of a recipe must match"),
        (["fly", "cnn_digits"], "ERROR 2 fly cnn_digits: the arguments must be one of: ingest <source>"),
        (["train"], "ERROR 2 train: the arguments must be one of"),
    ],
)
def test_the_command_line_says_one_line_and_exits_2(arguments: list[str], words: str) -> None:
    command = [sys.executable, "-m", "tasks", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=places.ROOT, env={"TF_CPP_MIN_LOG_LEVEL": "3"})
    ours = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    assert done.returncode == 2
    assert len(ours) == 1
    assert ours[0].startswith(words)
    assert "Traceback" not in done.stderr


def test_a_recipe_must_have_what_dvc_asks_it_for() -> None:
    stages = yaml.safe_load((places.ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
    asked = {name for stage in stages for name in stage["do"].get("params", []) if name.startswith("recipes.${key}.")}
    assert len(asked) > 5
    for name in asked:
        fields, required = Recipe.model_fields, True
        for key in name.split(".")[2:]:
            required = required and fields[key].is_required()
            fields = getattr(fields[key].annotation, "model_fields", {})
        assert required, f"{name}: DVC fails where it is left out"
