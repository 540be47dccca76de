# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from medad.formats.padding import fill_padding, without_padding

AXES = np.meshgrid(np.arange(48), np.arange(48), np.arange(6), indexing="ij")
OUTSIDE = (AXES[0] - 24) ** 2 + (AXES[1] - 24) ** 2 >= 24**2
"""Around the round field of view of a CT."""
BODY = ((AXES[0] - 24) / 17) ** 2 + ((AXES[1] - 24) / 13) ** 2 < 1


def chest() -> np.ndarray:
    """A body of -300 to 300 HU in air."""
    values = np.full(BODY.shape, -1000.0, np.float32)
    values[BODY] = (300 * np.sin(AXES[0] / 2 + AXES[1] / 3))[BODY]
    return values


@pytest.mark.parametrize("sentinel", [-2000, -3024, -32768, 32767, 3.4e38])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_a_sentinel_becomes_air_declared_or_not(sentinel, spatial_dims):
    padded = np.where(OUTSIDE, np.float32(sentinel), chest())
    np.testing.assert_array_equal(fill_padding(padded, OUTSIDE, spatial_dims), chest())
    np.testing.assert_array_equal(without_padding(padded), chest())
    np.testing.assert_array_equal(without_padding(padded[..., 0]), chest()[..., 0])


WEDGE = AXES[0] + AXES[1] < 16
EDGE = (AXES[0] < 8) & (AXES[1] < 8)
"""One edge of the box, and two of its eight corners."""
STRIP = (AXES[0] < 3) & (np.abs(AXES[1] - 24) < 12)
"""At one side, without any corner."""


@pytest.mark.parametrize("where", [WEDGE, EDGE, STRIP])
@pytest.mark.parametrize("sentinel", [-3024, -32768])
def test_a_dark_sentinel_needs_no_corners(where, sentinel):
    padded = np.where(where, np.float32(sentinel), chest())
    np.testing.assert_array_equal(without_padding(padded), chest())
    np.testing.assert_array_equal(without_padding(padded[..., 0]), chest()[..., 0])


def test_two_sentinels():
    values = chest()
    values[OUTSIDE] = -2000
    values[:4] = -9000
    np.testing.assert_array_equal(without_padding(values)[4:], chest()[4:])
    assert without_padding(values).min() == -1000


def test_tissue_at_the_rim_of_a_small_field_of_view():
    """A spine: no air anywhere, and corners far below all tissue."""
    tissue = (300 * np.sin(AXES[0] / 2 + AXES[1] / 3) + 100).astype(np.float32)
    padded = np.where(OUTSIDE, np.float32(-2000), tissue)
    low = np.quantile(tissue[~OUTSIDE], 0.01, method="nearest")
    for filled in (fill_padding(padded, OUTSIDE, 2), without_padding(padded)):
        np.testing.assert_array_equal(filled, np.where(OUTSIDE, low, tissue))


def test_air_that_is_declared_as_padding_stays_air():
    np.testing.assert_array_equal(fill_padding(chest(), ~BODY, 2), chest())


def test_padding_within_the_measured_values_becomes_dark():
    padded = np.where(OUTSIDE, np.float32(100), chest())
    np.testing.assert_array_equal(fill_padding(padded, OUTSIDE, 2), chest())


def test_nothing_measured_or_nothing_declared():
    values = chest()
    for padding in (np.zeros_like(OUTSIDE), np.ones_like(OUTSIDE)):
        assert fill_padding(values, padding, 3) is values


@pytest.mark.parametrize(
    "values",
    [
        chest(),
        np.where(BODY, chest() + 1300, 0),  # an object with a hard edge on zero
        np.where(BODY, chest() + 300, -1),  # ... and on another value
        np.where(BODY, 500 + 500 * np.cos(np.pi / 2 * np.hypot((AXES[0] - 24) / 17, (AXES[1] - 24) / 13)), -7),
        np.where(OUTSIDE, 0, chest() + 1500),  # zero is what most programs fill with
        np.full((4, 4), -5.0),
        np.full((4, 4), 0.0),
        np.where(BODY, 5.0, -5.0),  # two values
        np.where(BODY, chest(), 400),  # a bright background stays bright
        np.where(BODY, np.where(OUTSIDE | (np.abs(AXES[0] - 24) < 4), 1000, 90 + AXES[1] % 9), 0),  # a bright lesion
        np.where(BODY, np.where(np.abs(AXES[0] - 24) < 4, 3071, 40 + AXES[1] % 9), -1000),  # metal
    ],
)
def test_a_background_is_no_padding(values):
    values = values.astype(np.float32)
    assert without_padding(values) is values


@pytest.mark.parametrize("spatial", [BODY.shape, BODY.shape[:2]])
@pytest.mark.parametrize("surrounding", [0.0, 0.25])
def test_a_value_around_the_object_amid_its_values_becomes_dark(spatial, surrounding):
    """As where each image was brought to mean 0 and deviation 1 inside the object."""
    inside = BODY[..., : spatial[2] if len(spatial) == 3 else 1].reshape(spatial)
    values = np.where(inside, np.sin(np.arange(inside.size).reshape(spatial)) * 2, surrounding).astype(np.float32)
    low = np.quantile(values[inside], 0.01, method="nearest")
    np.testing.assert_array_equal(without_padding(values), np.where(inside, values, low))


def test_a_few_dark_voxels_move_no_background():
    values = np.where(BODY, 1 + np.sin(AXES[0] + AXES[1]) / 2, 0).astype(np.float32)
    values[20:24, 20:24, 0] = -3  # an edge that rings
    assert without_padding(values) is values
    slightly = values.copy()
    slightly[BODY & (AXES[0] % 5 == 0)] = -0.01
    assert without_padding(slightly) is slightly
