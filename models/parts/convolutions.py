"""Convolutions with what always comes with them: Darknet's, its residual block, and SSD's normalised map."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


def convolution(
    x: keras.KerasTensor,
    filters: int,
    size: int,
    *,
    strides: int = 1,
    slope: float = 0.1,
    momentum: float = 0.99,
    name: str | None = None,
) -> keras.KerasTensor:
    """Convolution without bias, batch normalisation, leaky ReLU: maps (B, h, w, D) as (B, h / strides, w / strides, F).

    Args:
        filters: F.
        size: of the window, odd, in cells.
        strides: in cells; h and w are rounded up.
        slope: of the activation below zero; 0 makes it a ReLU.
        momentum: of the mean and variance that inference uses; less where training has few steps.
        name: of the last layer; the others' names begin with it. Keras finds names where there is none.

    Source: Redmon and Farhadi, "YOLO9000", CVPR 2017, section 2, and Darknet's own configurations. The map is padded
    by as much on each side, whatever the strides, which Keras's `same` does only where they are 1. Departure: 1e-5 is
    added to the variance, where Darknet adds 1e-6 to the deviation.
    """
    if strides > 1:
        x = layers.ZeroPadding2D(size // 2, name=name and f"{name}_margin")(x)
    x = layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same" if strides == 1 else "valid",
        use_bias=False,
        name=name and f"{name}_convolution",
    )(x)
    x = layers.BatchNormalization(momentum=momentum, epsilon=1e-5, name=name and f"{name}_normalisation")(x)
    return layers.LeakyReLU(slope, name=name)(x)


def residual(
    x: keras.KerasTensor, *, slope: float = 0.1, momentum: float = 0.99, name: str | None = None
) -> keras.KerasTensor:
    """Darknet-53's block: maps (B, h, w, D), and what a 1x1 convolution to D / 2 and a 3x3 back to D add to them.

    Args:
        slope, momentum: as those of `convolution`.
        name: of the last layer; the others' names begin with it.

    Source: Redmon and Farhadi, "YOLOv3: An incremental improvement", 2018, table 1. Nothing follows the sum.
    """
    depth = x.shape[-1]
    learnt = convolution(x, depth // 2, 1, slope=slope, momentum=momentum, name=name and f"{name}_narrow")
    learnt = convolution(learnt, depth, 3, slope=slope, momentum=momentum, name=name and f"{name}_wide")
    return layers.Add(name=name)([x, learnt])


@keras.saving.register_keras_serializable(package="miar")
class L2Normalization(layers.Layer):
    """Scales each cell's features (B, h, w, D) to length 1, then each feature by a factor that is learnt.

    Shallow maps have larger features than deep ones; so both can feed predictors that learn at one rate.

    Args:
        scale: where the D factors start.

    Source: Liu et al., "ParseNet", 2015, section 3.3; SSD applies it to conv4_3 with a scale of 20 (ECCV 2016, 3.1).
    """

    def __init__(self, *, scale: float = 20.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale

    def build(self, input_shape: tuple[int, ...]) -> None:
        start = keras.initializers.Constant(self.scale)
        self.factors = self.add_weight(shape=(input_shape[-1],), initializer=start, name="factors")

    def call(self, inputs: Any) -> Any:
        length = ops.sum(ops.square(inputs), axis=-1, keepdims=True)
        return inputs * ops.rsqrt(length + 1e-10) * self.factors  # added, so that a cell of zeros has a gradient

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}
