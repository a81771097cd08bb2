"""Clothes: generated second-hand clothes whose price nobody can tell from one thing alone.

The brand and the age are in the attributes, fabric and condition are only in the description, what kind of garment it
is and whether it is stained only in the photograph. The price is the product of what they all are worth, and 4 %
of chance.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from tasks.catalogue import Source
from tasks.sources import Raw

BRANDS = {"alba": 12.0, "brisa": 18.0, "coral": 26.0, "duna": 36.0, "estela": 52.0, "faro": 75.0}
FABRICS = {"polyester": 0.7, "cotton": 1.0, "linen": 1.25, "wool": 1.6, "silk": 2.0}
CONDITIONS = {
    ("worn", "faded", "threadbare"): 0.55,
    ("used", "washed", "broken-in"): 0.8,
    ("good", "clean", "neat"): 1.0,
    ("new", "unworn", "labelled"): 1.4,
}
OPENINGS = ("for sale", "selling my", "a lovely piece in", "from my wardrobe", "bought last year in")
ENDINGS = ("from a smoke-free home", "collect or post", "no returns", "ask me for measures", "fits as expected")
KINDS = {"shirt": 0.7, "trousers": 1.0, "dress": 1.5, "coat": 2.3}
STAINED, HALVED, CHANCE, SIZE = 0.6, 30.0, 0.04, 32
"""What a stain leaves of the price, months in which it halves, standard deviation of chance, pixels of a side."""


def read(folder: Path, source: Source) -> Raw:
    """Generate clothes: brand, months, text, price, and an image 32x32x3; there is no official exam.

    Settings:
        seed: of all of it.
    """
    rng = np.random.default_rng(int(str(source.settings["seed"])))
    facts = draw_facts(source.samples, rng)
    images = np.stack(
        [photograph(kind, stained, rng) for kind, stained in zip(facts["kind"], facts["stained"], strict=True)]
    )
    table = facts[["brand", "months"]].assign(text=describe(facts, rng), price=price(facts, rng), split="")
    return Raw(table, images)


def draw_facts(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """What each garment is: brand, months, fabric, condition, kind, stained."""
    return pd.DataFrame(
        {
            "brand": rng.choice(list(BRANDS), count),
            "months": rng.integers(0, 61, count).astype(float),
            "fabric": rng.choice(list(FABRICS), count),
            "condition": rng.integers(0, len(CONDITIONS), count),
            "kind": rng.choice(list(KINDS), count),
            "stained": rng.random(count) < 0.3,
        }
    )


def price(facts: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """What a garment costs, in euros: float (N,)."""
    worth = facts["brand"].map(BRANDS) * facts["fabric"].map(FABRICS) * facts["kind"].map(KINDS)
    state = np.array(list(CONDITIONS.values()))[facts["condition"]] * np.where(facts["stained"], STAINED, 1.0)
    return np.asarray(worth * state * 0.5 ** (facts["months"] / HALVED) * np.exp(rng.normal(0, CHANCE, len(facts))))


def describe(facts: pd.DataFrame, rng: np.random.Generator) -> list[str]:
    """A sentence about fabric and condition; the words around them say nothing."""
    words = list(CONDITIONS)
    return [
        f"{rng.choice(OPENINGS)} {fabric} {rng.choice(words[condition])} {rng.choice(ENDINGS)}"
        for fabric, condition in zip(facts["fabric"], facts["condition"], strict=True)
    ]


SHAPES = {
    "shirt": [[(8, 8), (24, 8), (29, 14), (25, 17), (23, 14), (23, 26), (9, 26), (9, 14), (7, 17), (3, 14)]],
    "trousers": [[(10, 4), (22, 4), (24, 29), (18, 29), (16, 12), (14, 29), (8, 29)]],
    "dress": [[(12, 3), (20, 3), (19, 13), (27, 29), (5, 29), (13, 13)]],
    "coat": [
        [(9, 4), (15, 4), (15, 29), (6, 29), (6, 12), (2, 22), (1, 20)],
        [(17, 4), (23, 4), (31, 20), (30, 22), (26, 12), (26, 29), (17, 29)],
    ],
}


def photograph(kind: str, stained: bool, rng: np.random.Generator) -> np.ndarray:
    """A garment of any colour on a pale ground, moved a little, with noise: uint8 (32, 32, 3)."""
    ground = tuple(int(value) for value in rng.integers(195, 245, 3))
    cloth = tuple(int(value) for value in rng.integers(30, 190, 3))
    picture = Image.new("RGB", (SIZE, SIZE), ground)
    pen, moved = ImageDraw.Draw(picture), rng.integers(-2, 3, 2)
    for outline in SHAPES[kind]:
        pen.polygon([(x + int(moved[0]), y + int(moved[1])) for x, y in outline], fill=cloth)
    for _ in range(3 if stained else 0):
        x, y = (int(value) for value in rng.integers(10, 21, 2) + moved)
        pen.ellipse((x, y, x + 3, y + 3), fill=(15, 12, 8))
    return np.clip(np.asarray(picture) + rng.normal(0, 6, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)
