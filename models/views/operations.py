"""What an answer costs: the multiply-adds and the parameters of a network, layer by layer.

Counted are the products of inputs with weights, each with its addition: those of convolutions, with groups or apart by
depth, of transposed convolutions and of dense layers. Cells of padding count like others. Biases, normalisation,
activations, pooling, additions of maps and whatever else has no weights count nothing. An operation is a multiplication
or an addition, so there are two in a multiply-add: papers give one or the other, and often do not say which.

Source: Darknet's own count, 2 * filters * size**2 * channels / groups * height * width of each convolution, in which
the tables of Redmon and Farhadi (YOLO9000, CVPR 2017; YOLOv3, 2018) are; lesson on YOLOv3, the comparison of backbones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, tree

CONVOLVED = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.Dense)
"""Each value of the output is a sum over a window of the input; of dense layers the window is all features."""
APART = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
FREE = (
    layers.BatchNormalization,
    layers.GroupNormalization,
    layers.LayerNormalization,
    layers.Normalization,
    layers.RMSNormalization,
    layers.PReLU,
    layers.Embedding,
)
"""Layers with weights that multiply nothing, or only each value by itself."""
PRODUCTS = (
    *("AdditiveAttention", "Attention", "Dot", "Einsum", "Inner", "Matmul", "Outer", "Tensordot", "Vdot"),
    *("Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv"),
)
"""Layers and operations of Keras without weights of their own that multiply nevertheless."""


@dataclass(frozen=True)
class Cost:
    """What a layer costs, each time that it is called for one sample.

    Args:
        layer: its name, after those of the networks that it lies in: `trunk/first`.
        kind: the name of its class.
        output: the shape that it gives, without the batch.
        parameters: its weights, trainable or not; 0 for a layer that was called before.
        multiply_adds: products of an input and a weight.
    """

    layer: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int

    @property
    def operations(self) -> int:
        """Multiplications and additions."""
        return 2 * self.multiply_adds


def parameters(model: keras.Model) -> int:
    """All weights of a network, trainable or not."""
    return sum(cost.parameters for cost in costs(model))


def multiply_adds(model: keras.Model) -> int:
    """The multiply-adds of one answer."""
    return sum(cost.multiply_adds for cost in costs(model))


def operations(model: keras.Model) -> int:
    """The multiplications and additions of one answer: twice the multiply-adds."""
    return sum(cost.operations for cost in costs(model))


def costs(model: keras.Model) -> list[Cost]:
    """What each layer costs, in the order in which they are called; layers of networks inside are among them.

    Raises:
        ValueError: if the network is no graph of layers, if a size but the batch's is open, or if a layer has weights
            or products that are not counted here.
    """
    found: list[tuple[Any, Cost]] = []
    follow(model, [one.shape for one in graph(model).inputs], found, within="")
    return [cost for _, cost in found]


def graph(model: keras.Model) -> keras.Model:
    """The network as a functional one that nobody compiled."""
    if not getattr(model, "inputs", None):
        raise ValueError(f"`model` must be a graph of layers, as Sequential and functional ones are. Received: {model}")
    return keras.Model(model.inputs, model.outputs)


def follow(model: keras.Model, shapes: list[Any], found: list[tuple[Any, Cost]], *, within: str) -> None:
    """Note what `model` costs for inputs of these shapes: run a copy in which meters stand for the layers."""
    known = graph(model)
    inputs = [layers.Input(batch_shape=shape, dtype=one.dtype) for shape, one in zip(shapes, known.inputs, strict=True)]
    keras.models.clone_model(
        known, input_tensors=inputs, clone_function=lambda layer: Meter(layer, found, within=within)
    )


class Meter(keras.Operation):
    """Stands for a layer in a copy of the graph: has no weights, says what the layer would give, and notes its cost."""

    def __init__(self, layer: Any, found: list[tuple[Any, Cost]], *, within: str) -> None:
        super().__init__()
        self.layer, self.found, self.within = layer, found, within

    def compute_output_spec(self, *given: Any, **settings: Any) -> Any:
        spec = self.layer.compute_output_spec(*given, **settings)
        shapes = [one.shape for one in tree.flatten((given, settings)) if isinstance(one, keras.KerasTensor)]
        if isinstance(self.layer, keras.Model):
            follow(self.layer, shapes, self.found, within=f"{self.within}{self.layer.name}/")
        else:
            self.note(closed(self.layer, shapes[0]), closed(self.layer, tree.flatten(spec)[0].shape))
        return spec

    def note(self, given: tuple[int, ...], output: tuple[int, ...]) -> None:
        new = isinstance(self.layer, layers.Layer) and all(layer is not self.layer for layer, _ in self.found)
        cost = Cost(
            layer=f"{self.within}{self.layer.name}",
            kind=type(self.layer).__name__,
            output=output,
            parameters=self.layer.count_params() if new else 0,
            multiply_adds=counted(self.layer, given, output),
        )
        self.found.append((self.layer, cost))


def closed(layer: Any, shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """A shape without the batch, all of it known."""
    sizes = tuple(size for size in shape[1:] if size is not None)
    if len(sizes) < len(shape) - 1:
        raise ValueError(
            f"`model` must have sizes that are known but for the batch's. Received: {shape} at {layer.name}"
        )
    return sizes


def counted(layer: Any, given: tuple[int, ...], output: tuple[int, ...]) -> int:
    """The multiply-adds of a layer that takes and gives these shapes, without the batch."""
    if isinstance(layer, CONVOLVED):
        return size(output) * size(layer.kernel.shape[:-1])  # (k, k, C / groups) each
    if isinstance(layer, APART):
        return size(output) * size(layer.kernel_size)
    if isinstance(layer, SEPARABLE):
        filters = int(layer.filters)
        between = size(output) // filters * size(layer.depthwise_kernel.shape[-2:])
        return between * (size(layer.kernel_size) + filters)
    if isinstance(layer, TRANSPOSED):
        return size(given) * size(layer.kernel.shape[:-1])  # (k, k, filters) each
    if type(layer).__name__ in PRODUCTS or (getattr(layer, "weights", None) and not isinstance(layer, FREE)):
        raise ValueError(
            f"layers must be of kinds that are counted here. Received: {type(layer).__name__} {layer.name}"
        )
    return 0


def size(shape: tuple[int, ...]) -> int:
    return math.prod(shape)
