"""What a network of one image looks like from within: sheets of pictures drawn from models/views."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from matplotlib.figure import Figure

from models.spec import Spec
from models.views import activations, filters, grad_cam, maximisation, saliency, twins
from tasks import pictures
from tasks.prepared import Split

SHOWN = 8
"""Samples whose evidence is shown; half of them mistakes, where there are as many."""

LOOKED_AT = 256
"""Samples that a filter must answer to none of to be called dead."""

MAPS, DEPTHS, KERNELS, CLASSES = 8, 4, 64, 10
LARGE = 128
"""Images wider than this are costly to climb: fewer of them, in fewer steps."""


def look(
    network: keras.Model, exam: Split, given: np.ndarray, spec: Spec
) -> tuple[dict[str, Figure], dict[str, float]]:
    """Pictures and facts: evidence for answers; with convolutions also maps, filters, dead ones and what they like."""
    rows = chosen(np.asarray(exam.answers), given)
    samples = np.asarray(exam.samples[rows])
    found = {"evidence": evidence(network, samples, np.asarray(exam.answers)[rows], given[rows], spec)}
    if not any(isinstance(layer, layers.Conv2D) for layer in network.layers):
        return found, {}
    images = np.asarray(exam.samples[:LOOKED_AT])
    dead = activations.dead(network, images)
    rough = filters.noise(network)
    facts = {f"dead filters of {name}": float(which.sum()) for name, which in dead.items()}
    found["activation_maps"] = maps(network, samples[-1:])
    found["first_filters"] = kernels(network, rough)
    found["dead_filters"] = dead_filters(dead, len(images))
    found["what_classes_like"] = liked(network, spec)
    return found, {**facts, "noise of the first filters": float(rough.mean())}


def chosen(answers: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Rows of the surest mistakes, then of the surest right answers, each of another class as far as there are."""
    best, sure = given.argmax(axis=1), given.max(axis=1)
    order = np.argsort(-sure, kind="stable")
    wrong, right = order[(best != answers)[order]], order[(best == answers)[order]]
    _, first = np.unique(answers[right], return_index=True)
    spread = np.concatenate([right[np.sort(first)], np.delete(right, first)])
    mistakes = wrong[: SHOWN // 2]
    return np.concatenate([mistakes, spread[: SHOWN - len(mistakes)]])


def evidence(network: keras.Model, samples: np.ndarray, answers: np.ndarray, given: np.ndarray, spec: Spec) -> Figure:
    """For each sample: the image, saliency, guided backpropagation and Grad-CAM of the answer that was given."""
    best = given.argmax(axis=1)
    columns = {"image": samples, "saliency": saliency.plain(network, samples, best)}
    if any(isinstance(layer, layers.Conv2D) for layer in network.layers):
        columns["guided"] = saliency.guided(network, samples, best)
        columns["Grad-CAM"] = grad_cam.overlay(samples, grad_cam.grad_cam(network, samples, best))
    figure = pictures.blank(1.5 * len(samples) + 0.8, 1.55 * len(columns) + 0.6)
    figure.suptitle("What the answers rest on")
    grid = figure.subplots(len(columns), len(samples), squeeze=False)
    for line, (title, images) in zip(grid, columns.items(), strict=True):
        for place, (axes, image) in enumerate(zip(line, images, strict=True)):
            heat = image.ndim == 2
            axes.imshow(image.squeeze(), cmap="jet" if heat else "gray", vmin=0, vmax=1 if heat else 255)
            axes.set(xticks=[], yticks=[])
            if place == 0:
                axes.set_ylabel(title)
    for axes, answer, guess in zip(grid[0], answers, best, strict=True):
        names = (spec.classes[guess], spec.classes[answer])
        axes.set_title(names[0] if guess == answer else f"{names[0]}, not\n{names[1]}", fontsize=8)
    return figure


def maps(network: keras.Model, sample: np.ndarray) -> Figure:
    """The first maps of some layers, from the first to the last, for one sample (1, H, W, C)."""
    names = twins.rectified(network) or twins.map_layers(network)
    names = [names[place] for place in np.unique(np.linspace(0, len(names) - 1, DEPTHS).astype(int))]
    figure = pictures.blank(1.1 * MAPS + 1.2, 1.2 * len(names) + 0.5)
    figure.suptitle("What filters answer to one image, from the first layer to the last")
    grid = figure.subplots(len(names), MAPS, squeeze=False)
    for line, name, found in zip(grid, names, activations.several(network, sample, names), strict=True):
        strongest = np.argsort(-found[0].sum(axis=(0, 1)))[:MAPS]
        for axes in line:
            axes.axis("off")
        for axes, number in zip(line, strongest, strict=False):
            axes.axis("on")
            axes.imshow(found[0, ..., number], cmap="viridis")
            axes.set(xticks=[], yticks=[])
            axes.set_title(str(number), fontsize=7)
        line[0].set_ylabel(name, fontsize=7)
    return figure


def kernels(network: keras.Model, rough: np.ndarray) -> Figure:
    """The kernels of the first convolution, the smoothest first."""
    order = np.argsort(rough, kind="stable")[:KERNELS]
    title = f"First filters, the smoothest first (noise {rough.mean():.2f}; that of random ones is 2)"
    return pictures.sheet(filters.first(network)[order], [f"{number}: {rough[number]:.1f}" for number in order], title)


def dead_filters(dead: dict[str, np.ndarray], samples: int) -> Figure:
    """How many filters of each layer answer to none of so many samples."""
    figure = pictures.blank(7, min(12, 1.4 + 0.3 * len(dead)))
    axes = figure.add_subplot()
    names = list(dead)[::-1]
    shares = [float(dead[name].mean()) for name in names]
    bars = axes.barh(names, shares, color=pictures.SECOND)
    axes.bar_label(bars, [f" {int(dead[name].sum())} of {len(dead[name])}" for name in names], fontsize=7)
    axes.tick_params(axis="y", labelsize=7)
    axes.set(
        xlabel="share of the layer", xlim=(0, max(0.1, 1.25 * max(shares, default=0))), ylim=(-0.6, len(names) - 0.4)
    )
    axes.set_title(f"Filters that are zero for all of {samples} images of the exam")
    return figure


def liked(network: keras.Model, spec: Spec) -> Figure:
    """The image that each class's logit is highest for."""
    large = spec.input_shape[0] > LARGE
    numbers = list(range(min(len(spec.classes), CLASSES // 2 if large else CLASSES)))
    images = maximisation.classes(network, numbers, steps=30 if large else 120)
    return pictures.sheet(images, [spec.classes[number] for number in numbers], "What each class answers to most", 5)
