"""What goes in and out of a model, for one dataset."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Spec:
    """Shapes and classes of a dataset's samples, as a model sees them.

    Args:
        input_shape: shape of one sample without the batch; for images `(H, W, C)`.
        input_dtype: dtype of a stored sample; `"uint8"` for images, with values 0 to 255.
        classes: names of the classes, in the order of their numbers 0 to K-1.
    """

    input_shape: tuple[int, ...]
    input_dtype: str
    classes: tuple[str, ...]
