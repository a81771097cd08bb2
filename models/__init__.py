"""The architectures, one file each; this listing reads as the syllabus.

The contract, which ``tests/models/test_contract.py`` holds over every file here:

* A file has plain keyword-only constructors that return an uncompiled ``keras.Model``, and
  ``build(spec, hp)``, which returns a compiled one for a dataset.
* ``hp`` is a ``keras_tuner.HyperParameters``. A call such as ``hp.Int("filters", 8, 64, default=32)``
  says a hyperparameter's name, range and default once, for the search and for the fixed build alike.
* Canonical samples in, canonical answers out: ``fit`` takes samples as the problem stores them
  (images as uint8), ``predict`` gives the problem's answers (class probabilities). What is peculiar
  to an architecture stays inside its Keras model.
* A model can be saved to ``.keras`` and read again with Keras alone: no Lambda, no code of this project
  needed unless it is registered with ``keras.saving.register_keras_serializable``.
* Nothing here touches files, the network or the clock, and nothing happens at import.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    import keras
    import keras_tuner

    from models.spec import Spec

NOT_ARCHITECTURES = {"spec"}


class Architecture(Protocol):
    """What a file of this folder offers."""

    def build(self, spec: Spec, hp: keras_tuner.HyperParameters) -> keras.Model: ...


def names() -> list[str]:
    """The architectures' names, sorted: the files of this folder."""
    found = (module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
    return sorted(set(found) - NOT_ARCHITECTURES)


def know_all() -> None:
    """Import every architecture, so that Keras knows the classes of a stored network whatever it is."""
    for name in names():
        load(name)


def load(name: str) -> Architecture:
    """Import the architecture called `name`.

    Raises:
        KeyError: if no file of this folder has that name.
    """
    if name not in names():
        raise KeyError(f"`model` must be one of {', '.join(names())}. Received: {name!r}")
    return cast(Architecture, importlib.import_module(f"models.{name}"))
