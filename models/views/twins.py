"""A copy of a network that can be asked for more than its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import layers, ops


def twin(model: keras.Model, *, guided: bool = False) -> keras.Model:
    """A functional copy with the same weights, whose input is float32 and whose output are logits.

    An input of whole numbers has no gradient, and behind a softmax that is sure of its answer there is hardly one.
    The layers of networks inside, such as a trunk of keras.applications, are layers of the copy itself.

    Args:
        guided: whether every ReLU passes back only what guided backpropagation lets pass.

    Raises:
        ValueError: if the network does not take one image, or is no graph of layers.
    """
    graph = flat(image_graph(model))
    end = graph.layers[-1]
    image = layers.Input(model.inputs[0].shape[1:], dtype="float32")

    def copied(layer: Any) -> Any:
        return copy(layer, linear=layer is end, guided=guided)

    made = keras.models.clone_model(graph, input_tensors=[image], clone_function=copied)
    for layer in leaves(model):
        if layer.weights:
            made.get_layer(layer.name).set_weights(layer.get_weights())
    last = made.layers[-1]
    return keras.Model(made.inputs, last.input) if isinstance(last, layers.Softmax) else made


def image_graph(model: keras.Model) -> keras.Model:
    """The network as a functional one of one output."""
    inputs = getattr(model, "inputs", None)
    if not inputs or len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise ValueError(f"this view takes a network of one image. Received inputs: {inputs}")
    return keras.Model(inputs, model.outputs[0])


def flat(graph: keras.Model) -> keras.Model:
    """The same graph without networks inside it: their layers, copied, are its own."""
    if not any(isinstance(layer, keras.Model) for layer in graph.layers):
        return graph

    def copied(layer: Any) -> Any:
        return flat(alone(layer)) if isinstance(layer, keras.Model) else again(layer)

    def called(layer: Any, *given: Any, **settings: Any) -> Any:
        # A network's `call` runs its layers one by one, where `__call__` would make one node of them all.
        return layer.call(*given) if isinstance(layer, keras.Model) else layer(*given, **settings)

    return keras.models.clone_model(graph, clone_function=copied, call_function=called)


def alone(model: keras.Model) -> keras.Model:
    """A copy, with weights of its own, of a network that lies inside another one.

    Raises:
        ValueError: if it is no graph from one tensor to one tensor.
    """
    if len(getattr(model, "inputs", None) or ()) != 1 or len(model.outputs) != 1:
        raise ValueError(f"a network inside must be a graph from one tensor to one tensor. Received: {model.name}")
    # Its input is made float32: it would be cast to whole numbers, and nothing has a gradient through those.
    entry = layers.Input(model.inputs[0].shape[1:], dtype="float32")
    return keras.models.clone_model(keras.Model(model.inputs[0], model.outputs[0]), input_tensors=entry)


def copy(layer: Any, *, linear: bool, guided: bool) -> Any:
    """A new layer of the same settings, but for its activation."""
    if guided and isinstance(layer, layers.ReLU):
        return layers.Activation(guided_by(again(layer)), name=layer.name)
    new = again(layer)
    if linear and hasattr(new, "activation"):
        new.activation = keras.activations.linear
    elif guided and is_rectified(layer):
        new.activation = guided_by(new.activation)
    return new


def again(layer: Any) -> Any:
    return layer.__class__.from_config(layer.get_config())


def guided_by(activation: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`activation`, whose gradient passes only where both its own and what comes from above are positive.

    Of a ReLU that is the gradient times 1[x > 0] times 1[gradient > 0].

    Source: Springenberg et al., "Striving for simplicity", ICLR 2015 workshop, section 3.4, figure 1.
    """
    return lambda x: upward(activation(x))


@ops.custom_gradient  # type: ignore[untyped-decorator]
def upward(x: Any) -> Any:
    """`x` itself; of what comes back, only what is positive."""

    def gradient(*above: Any, upstream: Any = None) -> Any:
        return ops.relu(above[0] if upstream is None else upstream)

    return x, gradient


def leaves(model: keras.Model) -> Iterator[Any]:
    """Every layer, those of networks inside among them, in order; inputs left out."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        elif not isinstance(layer, layers.InputLayer):
            yield layer


def map_layers(model: keras.Model) -> list[str]:
    """Names of the layers that give maps (B, H, W, C), in order, the input left out."""
    return [layer.name for layer in leaves(model) if len(getattr(layer.output, "shape", ())) == 4]


def last_maps(model: keras.Model) -> str:
    """Name of the last layer that gives maps: what the classifier sees.

    Raises:
        ValueError: if none does.
    """
    if not any(isinstance(layer, layers.Conv2D) for layer in leaves(model)):
        raise ValueError("this view takes a network with a convolution. Received one without")
    return map_layers(model)[-1]


def rectified(model: keras.Model) -> list[str]:
    """Names of the layers whose maps are the output of a ReLU, in order."""
    names = set(map_layers(model))
    return [layer.name for layer in leaves(model) if layer.name in names and is_rectified(layer)]


def is_rectified(layer: Any) -> bool:
    known = (keras.activations.relu, keras.activations.relu6)
    return isinstance(layer, layers.ReLU) or getattr(layer, "activation", None) in known
