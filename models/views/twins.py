"""A copy of a network that can be asked for more than its answer."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


def twin(model: keras.Model, *, guided: bool = False) -> keras.Model:
    """A functional copy with the same weights, whose input is float32 and whose output are logits.

    An input of whole numbers has no gradient, and behind a softmax that is sure of its answer there is hardly one.

    Args:
        guided: whether every ReLU passes back only what `guided_relu` does.

    Raises:
        ValueError: if the network does not take one image.
    """
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        raise ValueError(f"this view takes a network of one image. Received inputs: {model.inputs}")
    graph = keras.Model(model.inputs, model.outputs[0])
    last = graph.layers[-1]
    image = layers.Input(model.inputs[0].shape[1:], dtype="float32")

    def copied(layer: Any) -> Any:
        return copy(layer, linear=layer is last, guided=guided)

    made = keras.models.clone_model(graph, input_tensors=[image], clone_function=copied)
    made.set_weights(graph.get_weights())
    return made


def copy(layer: Any, *, linear: bool, guided: bool) -> Any:
    """A new layer of the same settings, but for its activation."""
    if guided and isinstance(layer, layers.ReLU):
        return layers.Activation(guided_relu, name=layer.name)
    new = layer.__class__.from_config(layer.get_config())
    if linear and hasattr(new, "activation"):
        new.activation = keras.activations.linear
    if linear and isinstance(new, layers.Softmax):
        return layers.Activation("linear", name=layer.name)
    if guided and getattr(new, "activation", None) is keras.activations.relu:
        new.activation = guided_relu
    return new


@ops.custom_gradient  # type: ignore[untyped-decorator]
def guided_relu(x: Any) -> Any:
    """ReLU whose gradient passes only where both the input and what comes from above are positive.

    Source: Springenberg et al., "Striving for simplicity", ICLR 2015 workshop, section 3.4.
    """

    def gradient(*above: Any, upstream: Any = None) -> Any:
        got = above[0] if upstream is None else upstream
        return ops.where(ops.logical_and(x > 0, got > 0), got, ops.zeros_like(got))

    return ops.relu(x), gradient


def map_layers(model: keras.Model) -> list[str]:
    """Names of the layers that give maps (B, H, W, C), in order, the input left out."""
    return [
        layer.name
        for layer in model.layers
        if not isinstance(layer, layers.InputLayer) and len(getattr(layer.output, "shape", ())) == 4
    ]


def last_maps(model: keras.Model) -> str:
    """Name of the last layer that gives maps: what the classifier sees.

    Raises:
        ValueError: if none does.
    """
    names = map_layers(model)
    if not any(isinstance(layer, layers.Conv2D) for layer in model.layers):
        raise ValueError("this view takes a network with a convolution. Received one without")
    return names[-1]


def rectified(model: keras.Model) -> list[str]:
    """Names of the layers whose maps are the output of a ReLU, in order."""
    names = set(map_layers(model))
    return [layer.name for layer in model.layers if layer.name in names and is_rectified(layer)]


def is_rectified(layer: Any) -> bool:
    return isinstance(layer, layers.ReLU) or getattr(layer, "activation", None) is keras.activations.relu
