"""What filters answer: maps by hand, their pictures, and dead filters that were planted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.views import activations
from tests.models.views import networks


def test_one_sample_that_wakes_it_is_enough() -> None:
    """A filter that answers to white alone is dead for dark images, and alive with one white one among them."""
    model = networks.plain()
    kernel, bias = model.get_layer("first").get_weights()
    kernel[..., 0], bias[0] = 1, -26.5  # 27 weights of 1 on white give 27
    model.get_layer("first").set_weights([kernel, bias])
    dark = networks.images(50) // 2
    assert activations.dead(model, dark)["first"][0]
    assert not activations.dead(model, np.concatenate([dark, np.full_like(dark[:1], 255)]))["first"][0]


def test_networks_inside_are_looked_into() -> None:
    whole = networks.pooled()
    model = networks.nested(whole)
    theirs, ours = (activations.dead(one, networks.images(20)) for one in (whole, model))
    assert list(ours) == ["first_relu", "inner_relu", "last_relu"]
    for name, which in ours.items():
        np.testing.assert_array_equal(which, theirs[name])


def test_pictures_by_hand() -> None:
    maps = np.array([[0.0, 1.0], [2.0, 5.0]], dtype=np.float32).reshape(1, 2, 2, 1)
    assert activations.pictures(maps).tolist() == [[[[0, 51], [102, 255]]]]


@given(arrays.arrays(np.float32, (2, 3, 4, 5), elements=st.floats(-100, 100, width=32)))
def test_pictures_use_the_whole_range_unless_the_map_is_flat(maps: np.ndarray) -> None:
    seen = activations.pictures(maps)
    assert seen.dtype == np.uint8
    assert seen.shape == (2, 5, 3, 4)
    flat = np.ptp(np.moveaxis(maps, -1, 1), axis=(2, 3)) == 0
    assert (seen.min(axis=(2, 3)) == 0).all()
    np.testing.assert_array_equal(seen.max(axis=(2, 3)), np.where(flat, 0, 255))


def test_an_unknown_layer_is_named() -> None:
    with pytest.raises(ValueError, match="third"):
        activations.maps(networks.plain(), networks.images(), "third")
