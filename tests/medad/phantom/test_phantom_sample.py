# SPDX-License-Identifier: Apache-2.0
"""The phantom's images: deterministic, anatomically ordered, frozen, and not solved by trivial scores."""

import numpy as np
import pytest
from medad.phantom import abnormal_phantom, healthy_phantom
from scipy.ndimage import label

SIZES = [(2, (64, 64)), (2, (48, 72)), (3, (32, 32, 32)), (3, (16, 24, 20))]


@pytest.mark.parametrize(("dims", "size"), SIZES)
def test_healthy_image(dims: int, size: tuple[int, ...]) -> None:
    image = healthy_phantom(3, 5, dims, size)
    assert image.shape == size
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert image.min() == 0
    assert 0.4 < image.max() < 2.0
    inside = image > 0
    assert 0.1 < inside.mean() < 0.7
    assert label(inside)[1] == 1  # one head, nothing around it
    assert not any(np.take(inside, [0, -1], axis=axis).any() for axis in range(dims))


@pytest.mark.parametrize(("dims", "size"), SIZES)
def test_a_subject_is_its_seed_and_index(dims: int, size: tuple[int, ...]) -> None:
    first = abnormal_phantom(3, 5, dims, size)
    healthy_phantom(3, 4, dims, size)  # another subject in between
    again = abnormal_phantom(3, 5, dims, size)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert first[2] == again[2]
    for seed, index in ((4, 5), (3, 6), (5, 3)):
        assert not np.array_equal(first[0], abnormal_phantom(seed, index, dims, size)[0])


def test_global_random_state_is_neither_used_nor_changed() -> None:
    np.random.seed(0)  # noqa: NPY002 - the legacy global state is what is tested
    first, state = abnormal_phantom(1, 2, 2, (32, 32))[0], np.random.get_state()[1]  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    np.testing.assert_array_equal(first, abnormal_phantom(1, 2, 2, (32, 32))[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0, 4, (32, 32)), "spatial_dims=4"),
        ((0, 0, 2, (32, 32, 32)), "image_size="),
        ((0, 0, 3, (32, 32)), "image_size="),
        ((0, 0, 2, (32, 8)), "image_size="),
        ((-1, 0, 2, (32, 32)), "seed=-1"),
        ((0, -2, 2, (32, 32)), "index=-2"),
    ],
)
def test_bad_arguments(arguments: tuple[int, int, int, tuple[int, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        healthy_phantom(*arguments)
