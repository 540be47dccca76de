# SPDX-License-Identifier: Apache-2.0
import copy
import math
import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from medad.anomaly_map import GaussianSmoothMapd, MedianSmoothMapd, gaussian_smooth, median_smooth
from monai.data import MetaTensor
from scipy import ndimage

SHAPES = [(17, 13), (11, 9, 7)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("channels", [1, 2])
def test_median_equals_scipy(shape: tuple[int, ...], kernel_size: int, channels: int) -> None:
    x = torch.rand(channels, *shape)
    expected = np.stack([ndimage.median_filter(c, kernel_size, mode="nearest") for c in x.numpy()])
    assert np.array_equal(median_smooth(x, kernel_size, len(shape)).numpy(), expected)


def test_median_removes_a_speck_and_keeps_a_lesion() -> None:
    x = torch.zeros(1, 20, 20)
    x[0, 3, 3] = 1.0
    x[0, 10:15, 10:15] = 1.0
    y = median_smooth(x, 3, 2)
    assert y[0, 3, 3] == 0 and y[0, 11:14, 11:14].eq(1).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_median_inside_a_foreground_is_the_same_there(shape: tuple[int, ...]) -> None:
    x, mask = torch.rand(2, *shape), torch.rand(1, *shape) > 0.6
    inside, everywhere = median_smooth(x, 5, len(shape), mask), median_smooth(x, 5, len(shape))
    assert torch.equal(torch.where(mask, everywhere, x), inside)
    assert torch.equal(median_smooth(x, 5, len(shape), torch.zeros_like(mask)), x)
    box = torch.zeros_like(mask)
    box[(slice(None), *(slice(3, 6),) * len(shape))] = True
    assert torch.equal(torch.where(box, everywhere, x), median_smooth(x, 5, len(shape), box))


@pytest.mark.parametrize("smooth", [lambda x, d: median_smooth(x, 5, d), lambda x, d: gaussian_smooth(x, 1.3, d)])
def test_volume_of_a_2d_method_equals_a_loop_over_slices(smooth: Callable[[torch.Tensor, int], torch.Tensor]) -> None:
    x = torch.rand(2, 12, 10, 6)
    looped = torch.stack([smooth(s, 2) for s in x.unbind(-1)], dim=-1)
    torch.testing.assert_close(smooth(x, 2), looped, rtol=0, atol=1e-6)
    assert not torch.allclose(smooth(x, 3), looped, atol=1e-3)


@pytest.mark.parametrize("shape", [(24, 30), (20, 18, 22)])
@pytest.mark.parametrize("sigma", [0.7, 2.0])
def test_gaussian_equals_scipy(shape: tuple[int, ...], sigma: float) -> None:
    x = torch.rand(1, *shape, dtype=torch.float64)
    tail = int(max(sigma * 4.0, 0.5) + 0.5)
    # a Gaussian integrated over each voxel
    edges = [math.erf((i - 0.5) / (sigma * math.sqrt(2))) for i in range(-tail, tail + 2)]
    kernel = np.diff(edges)
    expected = x[0].numpy()
    for axis in range(len(shape)):
        expected = ndimage.correlate1d(expected, kernel / kernel.sum(), axis=axis, mode="nearest")
    assert np.abs(gaussian_smooth(x, sigma, len(shape))[0].numpy() - expected).max() < 1e-5


def test_gaussian_keeps_a_constant_up_to_the_border() -> None:
    torch.testing.assert_close(gaussian_smooth(torch.full((1, 9, 9, 9), 2.0), 1.5, 3), torch.full((1, 9, 9, 9), 2.0))


@pytest.mark.parametrize("transform", [MedianSmoothMapd(3, kernel_size=3), GaussianSmoothMapd(3, sigma=1.0)])
def test_transforms(transform: MedianSmoothMapd | GaussianSmoothMapd) -> None:
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64))
    x = MetaTensor(torch.rand(1, 6, 6, 6), affine=affine)
    before = x.clone()
    for step in (transform, copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))):
        result = step({"anomaly_map": x, "case": "a"})
        y = result["anomaly_map"]
        assert isinstance(y, MetaTensor) and torch.equal(y.affine, affine) and result["case"] == "a"
        assert torch.equal(x, before) and not torch.equal(y, x)
        plain = step({"anomaly_map": x.as_tensor()})["anomaly_map"]
        assert not isinstance(plain, MetaTensor) and torch.equal(plain, y.as_tensor())


def test_median_transform_with_a_foreground() -> None:
    x, mask = torch.rand(1, 8, 8), torch.zeros(1, 8, 8, dtype=torch.uint8)
    mask[0, 2:6, 2:6] = 1
    result = MedianSmoothMapd(2, 3, foreground_key="foreground")({"anomaly_map": x, "foreground": mask})
    assert torch.equal(result["anomaly_map"], median_smooth(x, 3, 2, mask))
    with pytest.raises(KeyError, match="foreground"):
        MedianSmoothMapd(2, 3, foreground_key="foreground")({"anomaly_map": x})


def test_tiny_map() -> None:
    assert median_smooth(torch.full((1, 1, 1), 3.0), 5, 2).item() == 3.0
    assert gaussian_smooth(torch.full((1, 1, 1, 1), 3.0), 2.0, 3).item() == pytest.approx(3.0)


def test_bad_arguments() -> None:
    for size in (0, 2, -1):
        with pytest.raises(ValueError, match="kernel_size"):
            MedianSmoothMapd(2, size)
        with pytest.raises(ValueError, match="kernel_size"):
            median_smooth(torch.rand(1, 4, 4), size, 2)
    for sigma in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="sigma"):
            GaussianSmoothMapd(2, sigma)
    for build in (MedianSmoothMapd, GaussianSmoothMapd):
        with pytest.raises(ValueError, match="spatial_dims"):
            build(4)
    with pytest.raises(ValueError, match=r"\(C, \*spatial\)"):
        median_smooth(torch.rand(1, 4, 4), 3, 3)
    with pytest.raises(ValueError, match=r"\(C, \*spatial\)"):
        gaussian_smooth(torch.rand(4, 4), 1.0, 2)
    with pytest.raises(ValueError, match="foreground"):
        median_smooth(torch.rand(1, 4, 4), 3, 2, torch.ones(1, 4, 5))
