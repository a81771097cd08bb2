"""Region proposals by selective search: boxes that may hold something, of whatever class, found without learning.

A picture is cut into small regions, the two most similar neighbours are merged, and again, until the whole picture is
one region. The boxes around all regions that there were on the way are the proposals. Several such hierarchies, which
differ in colours, in the size of the first regions and in what counts as similar, find more than one.

Source: Uijlings et al., "Selective search for object recognition", IJCV 2013. Departures from it are where they are
made.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2hsv, rgb2lab
from skimage.segmentation import felzenszwalb

Space = Literal["rgb", "hsv", "lab"]
Measure = Literal["colour", "texture", "size", "fill"]

COLOURS, TEXTURES, DIRECTIONS = 25, 10, 8
"""Bins of a colour channel, bins of a derivative, and directions that derivatives are taken in."""


TOLD = 100
"""Images after which it is told how many are done."""


@dataclass(frozen=True)
class Settings:
    """How selective search looks; one hierarchy for each space, scale and mix.

    Args:
        spaces: colours that pictures of three channels are looked at in; others have their intensity alone.
        scales: of the first regions, positive: the greater, the larger they are; k of Felzenszwalb and Huttenlocher,
            for intensities from 0 to 255.
        mixes: similarities whose sum says which neighbours are merged next.
        sigma: of the Gaussian that smooths the picture before it is cut, in pixels, at least 0.
        smallest_region: a first region has at least so many pixels, from 1.
        smallest_box: a proposal is at least so many pixels high and wide, from 1.
        most: how many proposals a picture may have, from 1.
        seed: of the random weights that proposals are ordered by.

    Source: the paper's "fast" selection, in section 5.1, which has two scales, 50 and 100, of regions.
    """

    spaces: tuple[Space, ...] = ("hsv", "lab")
    scales: tuple[float, ...] = (50,)
    mixes: tuple[tuple[Measure, ...], ...] = (("colour", "texture", "size", "fill"), ("texture", "size", "fill"))
    sigma: float = 0.8
    smallest_region: int = 20
    smallest_box: int = 8
    most: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.smallest_region, self.smallest_box, self.most) < 1:
            raise ValueError(f"`smallest_region`, `smallest_box` and `most` must be at least 1. Received: {self}")
        if not (self.spaces and self.scales and self.mixes and all(self.mixes)):
            raise ValueError(f"`spaces`, `scales`, `mixes` and each mix must name at least one. Received: {self}")


@dataclass(frozen=True)
class Regions:
    """Regions of one picture, in arrays of R rows.

    Args:
        sizes: in pixels, (R,).
        boxes: (y1, x1, y2, x2) in pixels, the second corner being the first pixel beyond, (R, 4).
        colours: histograms of the colours, whose sum is 1, (R, 25 * C).
        textures: histograms of derivatives of the colours, whose sum is 1, (R, 10 * 8 * C).
        picture: pixels of the whole picture.
    """

    sizes: np.ndarray
    boxes: np.ndarray
    colours: np.ndarray
    textures: np.ndarray
    picture: int

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        return self.sizes, self.boxes, self.colours, self.textures

    def at(self, rows: int | np.ndarray) -> Regions:
        """Those at the given rows; one alone, without the axis R, at a number."""
        return self.each(lambda array: array[rows])

    def with_room(self, count: int) -> Regions:
        """The same with `count` empty rows more."""
        room = ((0, count), (0, 0))
        return self.each(lambda array: np.pad(array, room[: array.ndim]))

    def each(self, change: Callable[[np.ndarray], np.ndarray]) -> Regions:
        sizes, boxes, colours, textures = (change(array) for array in self.arrays)
        return Regions(sizes=sizes, boxes=boxes, colours=colours, textures=textures, picture=self.picture)

    def put(self, row: int, region: Regions) -> None:
        """Write one region into a row."""
        for array, value in zip(self.arrays, region.arrays, strict=True):
            array[row] = value


def selective_search(image: np.ndarray, settings: Settings | None = None) -> np.ndarray:
    """Boxes of a picture that may hold something, in the order in which they should be looked at.

    Args:
        image: uint8 (H, W, C), C being 1 or 3 (red, green, blue).
        settings: as they are by default if there are none.

    Returns:
        float32 (N, 4), relative (y1, x1, y2, x2), no two alike; N is at most `settings.most`, and 0 if the picture
        itself is too small.

    Raises:
        ValueError: if `image` is no such picture.

    Source: section 3.3 for the order: each hierarchy from the whole picture downward, its ranks multiplied by random
    numbers from 0 to 1, so that neither large boxes nor one hierarchy come first as a block.
    """
    settings = settings or Settings()
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3) or not image.size:
        raise ValueError(
            f"`image` must be uint8 (H, W, 1) or (H, W, 3), not empty. Received: {image.dtype} {image.shape}"
        )
    boxes = in_order(list(hierarchies(image, settings)), seed=settings.seed)
    large = (boxes[:, 2:] - boxes[:, :2] >= settings.smallest_box).all(axis=1)
    height, width = image.shape[:2]
    relative = boxes[large][: settings.most] / np.array([height, width, height, width])
    return np.asarray(relative, dtype=np.float32)


def of_images(images: np.ndarray, *, most: int, say: Callable[[int, int], None] = lambda *_: None) -> np.ndarray:
    """The first proposals of each image, as networks take them.

    Args:
        images: uint8 (N, H, W, C), C being 1 or 3.
        most: proposals of an image, P, from 1.
        say: told how many of how many images are done, now and then.

    Returns:
        float32 (N, P, 4), relative (y1, x1, y2, x2); rows of zeros where an image has fewer.
    """
    settings, table = Settings(most=most), np.zeros((len(images), most, 4), dtype=np.float32)
    for done, (row, image) in enumerate(zip(table, images, strict=True), start=1):
        found = selective_search(np.asarray(image), settings)
        row[: len(found)] = found
        if done % TOLD == 0 or done == len(images):
            say(done, len(images))
    return table


def hierarchies(image: np.ndarray, settings: Settings) -> Iterator[np.ndarray]:
    """Boxes of each hierarchy, in pixels, (R, 4), the whole picture last."""
    for channels in colour_spaces(image, settings.spaces):
        derivatives = directed(channels)
        for scale in settings.scales:
            labels = felzenszwalb(
                channels, scale=scale, sigma=settings.sigma, min_size=settings.smallest_region, channel_axis=-1
            )
            first, pairs = described(labels, channels, derivatives), neighbours(labels)
            for mix in settings.mixes:
                yield hierarchy(first, pairs, mix=mix).boxes


def in_order(found: list[np.ndarray], *, seed: int) -> np.ndarray:
    """All hierarchies' boxes (R, 4) as one, by rank times a random number; of those that are alike, the first."""
    ranks = np.concatenate([np.arange(len(boxes), 0, -1) for boxes in found])
    lots = np.random.default_rng(seed).random(len(ranks))
    boxes = np.concatenate(found)[np.argsort(ranks * lots, kind="stable")]
    first = np.unique(boxes, axis=0, return_index=True)[1]
    return np.asarray(boxes[np.sort(first)])


def colour_spaces(image: np.ndarray, spaces: tuple[Space, ...]) -> list[np.ndarray]:
    """The picture in each space, (H, W, C) from 0 to 1; once, as it is, if it has one channel."""
    values = image.astype(np.float32) / 255
    return [values] if image.shape[2] == 1 else [CONVERSIONS[space](values) for space in spaces]


def scaled_lab(values: np.ndarray) -> np.ndarray:
    """Lab of RGB, its channels from 0 to 1 as the others' are."""
    lab = (rgb2lab(values) + np.array([0, 128, 128])) / np.array([100, 255, 255])
    return np.asarray(lab, dtype=np.float32)


CONVERSIONS: dict[Space, Callable[[np.ndarray], np.ndarray]] = {"rgb": np.asarray, "hsv": rgb2hsv, "lab": scaled_lab}


def directed(channels: np.ndarray) -> np.ndarray:
    """Gaussian derivatives of channels (H, W, C) in eight directions, (H, W, 8 * C), 0 to 1: 0 where one falls.

    Source: section 3.2, "texture". Departure: 1 is the steepest that there is in any channel of the picture.
    """
    down, right = (gaussian_filter(channels, (1, 1, 0), order=order) for order in ((1, 0, 0), (0, 1, 0)))
    angles = 2 * np.pi * np.arange(DIRECTIONS, dtype=np.float32) / DIRECTIONS
    slopes = down[..., np.newaxis] * np.sin(angles) + right[..., np.newaxis] * np.cos(angles)
    rising = np.maximum(slopes, 0).reshape(*channels.shape[:2], -1)
    steepest = rising.max()
    return np.asarray(rising / steepest if steepest > 0 else rising)


def described(labels: np.ndarray, channels: np.ndarray, derivatives: np.ndarray) -> Regions:
    """The regions that labels (H, W), 0 to R - 1, make of a picture's channels and their derivatives."""
    return Regions(
        sizes=np.bincount(labels.ravel()),
        boxes=bounds(labels),
        colours=histograms(labels, channels, bins=COLOURS),
        textures=histograms(labels, derivatives, bins=TEXTURES),
        picture=labels.size,
    )


def bounds(labels: np.ndarray) -> np.ndarray:
    """The box around each region, (R, 4), in pixels."""
    count = labels.max() + 1
    low = np.full((count, 2), max(labels.shape))
    high = np.zeros((count, 2), dtype=low.dtype)
    places = np.moveaxis(np.indices(labels.shape), 0, -1)
    for axis in (0, 1):
        np.minimum.at(low[:, axis], labels, places[..., axis])
        np.maximum.at(high[:, axis], labels, places[..., axis] + 1)
    return np.concatenate([low, high], axis=1)


def histograms(labels: np.ndarray, values: np.ndarray, *, bins: int) -> np.ndarray:
    """How the values (H, W, D), 0 to 1, of each region are spread over bins of equal width: (R, bins * D), sum 1."""
    count, depth = labels.max() + 1, values.shape[2]
    place = np.clip((values * bins).astype(np.intp), 0, bins - 1)
    place += (labels[..., np.newaxis] * depth + np.arange(depth)) * bins
    counts = np.bincount(place.ravel(), minlength=count * depth * bins).reshape(count, -1)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def neighbours(labels: np.ndarray) -> np.ndarray:
    """Pairs of regions that have an edge in common, each once, the smaller number first: (E, 2)."""
    beside = np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()], axis=1)
    below = np.stack([labels[:-1].ravel(), labels[1:].ravel()], axis=1)
    pairs = np.sort(np.concatenate([beside, below]), axis=1)
    count = labels.max() + 1
    keys = np.unique(pairs[pairs[:, 0] < pairs[:, 1]] @ np.array([count, 1]))  # far quicker than rows
    return np.stack([keys // count, keys % count], axis=1)


def hierarchy(first: Regions, pairs: np.ndarray, *, mix: tuple[Measure, ...]) -> Regions:
    """Merge the two most similar neighbours, again and again, until there is one region.

    Args:
        first: the R regions to begin with.
        pairs: of neighbours among them, (E, 2); all must hang together.
        mix: what counts as similar.

    Returns:
        All regions that there were, the 2 * R - 1 first ones and merged ones, in the order in which they came.

    Source: algorithm 1. Of pairs that are equally similar the one with the oldest regions comes first.
    """
    count = len(first.sizes)
    regions, around = first.with_room(count - 1), sets_of(pairs, count)
    queue = entries(regions, pairs, mix)
    heapq.heapify(queue)
    for new in range(count, 2 * count - 1):
        one, other = next_pair(queue, around)
        regions.put(new, merged(regions.at(one), regions.at(other)))
        join(around, one, other)
        touching = np.array([(place, new) for place in around[new]], dtype=np.intp).reshape(-1, 2)
        for entry in entries(regions, touching, mix):
            heapq.heappush(queue, entry)
    return regions


Entry = tuple[float, int, int]
"""A pair in the queue: its similarity, negative, so that the greatest comes out first, and its two regions."""


def sets_of(pairs: np.ndarray, count: int) -> list[set[int]]:
    """The neighbours of each of `count` regions."""
    around: list[set[int]] = [set() for _ in range(count)]
    for one, other in pairs.tolist():
        around[one].add(other)
        around[other].add(one)
    return around


def entries(regions: Regions, pairs: np.ndarray, mix: tuple[Measure, ...]) -> list[Entry]:
    found = similarity(regions.at(pairs[:, 0]), regions.at(pairs[:, 1]), mix)
    return list(zip((-found).tolist(), *pairs.T.tolist(), strict=True))


def next_pair(queue: list[Entry], around: list[set[int]]) -> tuple[int, int]:
    """The most similar pair of neighbours; entries of regions that have been merged meanwhile are dropped."""
    while True:
        _, one, other = heapq.heappop(queue)
        if other in around[one]:
            return one, other


def join(around: list[set[int]], one: int, other: int) -> None:
    """Let a new region, the last, have the neighbours of two, which have none any more."""
    new = len(around)
    around.append((around[one] | around[other]) - {one, other})
    around[one], around[other] = set(), set()
    for place in around[new]:
        around[place] -= {one, other}
        around[place].add(new)


def merged(first: Regions, second: Regions) -> Regions:
    """Two regions as one, or each of several with the one of its row; all from what is known of the two.

    Source: section 3.2, equation 2.
    """
    sizes = first.sizes + second.sizes
    share = (first.sizes / sizes)[..., np.newaxis]
    return Regions(
        sizes=sizes,
        boxes=around_both(first.boxes, second.boxes),
        colours=share * first.colours + (1 - share) * second.colours,
        textures=share * first.textures + (1 - share) * second.textures,
        picture=first.picture,
    )


def around_both(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The smallest boxes (..., 4) around boxes and those of the same rows."""
    low, high = np.minimum(first[..., :2], second[..., :2]), np.maximum(first[..., 2:], second[..., 2:])
    return np.concatenate([low, high], axis=-1)


def similarity(first: Regions, second: Regions, mix: tuple[Measure, ...]) -> np.ndarray:
    """The sum of some similarities of regions with those of the same rows, (R,): 0 to the number of them.

    Source: section 3.2, equation 6.
    """
    return np.asarray(sum(SIMILARITIES[name](first, second) for name in mix))


def colour(first: Regions, second: Regions) -> np.ndarray:
    """What the histograms of colours have in common, 0 to 1. Source: section 3.2, equation 1."""
    return np.asarray(np.minimum(first.colours, second.colours).sum(axis=-1))


def texture(first: Regions, second: Regions) -> np.ndarray:
    """What the histograms of derivatives have in common, 0 to 1. Source: section 3.2, equation 3."""
    return np.asarray(np.minimum(first.textures, second.textures).sum(axis=-1))


def size(first: Regions, second: Regions) -> np.ndarray:
    """How little of the picture both have, 0 to 1, so that small ones go first. Source: section 3.2, equation 4."""
    return np.asarray(1 - (first.sizes + second.sizes) / first.picture)


def fill(first: Regions, second: Regions) -> np.ndarray:
    """How little of the picture is in the box around both and in neither, 0 to 1. Source: section 3.2, equation 5."""
    sides = around_both(first.boxes, second.boxes)
    areas = (sides[..., 2:] - sides[..., :2]).prod(axis=-1)
    return np.asarray(1 - (areas - first.sizes - second.sizes) / first.picture)


SIMILARITIES: dict[Measure, Callable[[Regions, Regions], np.ndarray]] = {
    "colour": colour,
    "texture": texture,
    "size": size,
    "fill": fill,
}
