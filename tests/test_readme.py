"""What the README tells people to type."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import keras_tuner
import numpy as np
import yaml

from models.spec import Input, Spec
from tasks import places
from tasks.catalogue import Recipe

README = (places.ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, word: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = (text for text in blocks if word in text)
    return str(found)


def test_the_architecture_in_ten_lines_is_one() -> None:
    module = ModuleType("softmax")
    exec(block("python", "def build"), module.__dict__)  # noqa: S102, the README's own code
    spec = Spec({"image": Input((8, 8, 1), "uint8")}, tuple("0123456789"))
    hp = keras_tuner.HyperParameters()
    model = module.build(spec, hp)
    assert model.count_params() == 650
    assert list(hp.values) == ["learning_rate"]
    assert model.predict(np.zeros((2, 8, 8, 1), np.uint8), verbose=0).shape == (2, 10)


def test_its_recipe_is_one() -> None:
    (entry,) = yaml.safe_load(block("yaml", "softmax_digits")).values()
    assert Recipe.model_validate({**entry, "model": "cnn"}).dataset == "digits"


def test_links_and_pictures_are_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert Path(places.ROOT / target).is_file(), target


def test_make_verbs_are_there() -> None:
    makefile = (places.ROOT / "Makefile").read_text(encoding="utf-8")
    for verb in set(re.findall(r"`?\bmake ([a-z]+)\b", README)) - {"production", "and"}:
        assert re.search(rf"^{verb}:", makefile, re.MULTILINE), verb
