"""Photographs by class, in one zip archive: the class is a part of each photograph's path."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from tasks.catalogue import Source
from tasks.errors import BadData
from tasks.sources import Raw, contents


def read(folder: Path, source: Source) -> Raw:
    """Decode every photograph: label, file (its path in the archive) and a square image; there is no official exam.

    Settings:
        path: regular expression that the path of a photograph matches as a whole; its group `label` is the class.
        size: height and width of the images.
    """
    (file,) = source.files
    size, pattern = int(str(source.settings["size"])), re.compile(str(source.settings["path"]))
    with contents.opened(folder / file) as archive:
        found = {name: match["label"] for name in sorted(archive.namelist()) if (match := pattern.fullmatch(name))}
        packed = [contents.content(archive, name) for name in found]
    if not found:
        raise BadData(f"`{file}` must hold photographs whose path matches {pattern.pattern!r}. Received: none")
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(partial(contents.photograph, size=size), packed, found))
    table = pd.DataFrame({"label": list(found.values()), "file": list(found), "split": ""})
    return Raw(table, np.stack(images))
