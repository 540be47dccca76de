# SPDX-License-Identifier: Apache-2.0
"""Median and Gaussian smoothing of anomaly maps: lone bright voxels go, lesions stay."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.networks.layers import gaussian_1d, separable_filtering
from monai.transforms import Transform

from ..checks import check_channel_first, check_odd, check_positive, check_spatial_dims
from ..keys import Keys
from .grid import entry, like, on_grid_of
from .median import cube_median


def median_smooth(
    x: torch.Tensor, kernel_size: int, spatial_dims: int, foreground: torch.Tensor | None = None
) -> torch.Tensor:
    """Replace every voxel by the median of the cube around it; the border is replicated.

    MONAI's ``MedianFilter`` builds all windows at once (one channel per window voxel: 4.5 GB for 5 x 5 x 5 on 240 x 240
    x 155), sorts each on its own and cannot stay within the slices of a volume; :func:`~.median.cube_median` is used
    instead. Given a foreground, only boxes around its parts are worked on.

    Args:
        x: map ``(C, *spatial)``; with ``spatial_dims=2`` also a volume ``(C, X, Y, Z)``, filtered slice by slice.
        kernel_size: edge of the window in voxels, odd.
        spatial_dims: 2 or 3.
        foreground: 0/1 mask ``(1, *spatial)``; voxels outside keep their value (they still count as neighbors).

    Returns:
        Smoothed map, float32, of the shape of ``x``; the metadata is kept.

    Raises:
        ValueError: if an argument is out of its range or a shape does not fit.
    """
    check_channel_first(x, spatial_dims)
    check_odd(kernel_size=kernel_size)
    values = x.as_subclass(torch.Tensor).float()
    inside = None if foreground is None else on_grid_of(foreground, values[:1])
    return like(cube_median(values, kernel_size, spatial_dims, inside), x)


def gaussian_smooth(x: torch.Tensor, sigma: float, spatial_dims: int) -> torch.Tensor:
    """Convolve with a Gaussian of unit sum; the border is replicated.

    The pieces of MONAI's ``GaussianFilter`` (its kernel and its separable convolution), but not the filter itself: that
    one pads with zeros, which pulls lesions at the border down, and smooths a volume across its slices.

    Args:
        x: map ``(C, *spatial)``; with ``spatial_dims=2`` also a volume ``(C, X, Y, Z)``, smoothed slice by slice.
        sigma: standard deviation in voxels, positive.
        spatial_dims: 2 or 3.

    Returns:
        Smoothed map, float32, of the shape of ``x``; the metadata is kept.

    Raises:
        ValueError: if an argument is out of its range or a shape does not fit.
    """
    check_channel_first(x, spatial_dims)
    check_positive(sigma=sigma)
    values = x.as_subclass(torch.Tensor).float()
    kernel = gaussian_1d(torch.tensor(float(sigma)), truncated=4.0, approx="erf", normalize=True)
    kernels = [kernel] * spatial_dims + [torch.ones(1)] * (values.ndim - 1 - spatial_dims)
    return like(separable_filtering(values[None], kernels, mode="replicate")[0], x)


class MedianSmoothMapd(Transform):
    """Median-smooth the anomaly map of a case.

    Args:
        spatial_dims: 2 or 3; with 2, a volume is filtered slice by slice.
        kernel_size: edge of the window in voxels, odd.
        map_key: the map.
        foreground_key: restricts the work to this mask (faster; equal inside); ``None`` filters everywhere.

    Shape:
        anomaly_map: ``(C, *spatial)``, in and out.

    Raises:
        ValueError: at construction, if an argument is out of its range.
    """

    def __init__(
        self,
        spatial_dims: int,
        kernel_size: int = 5,
        map_key: str = Keys.ANOMALY_MAP,
        foreground_key: str | None = None,
    ) -> None:
        check_spatial_dims(spatial_dims)
        check_odd(kernel_size=kernel_size)
        self.spatial_dims = spatial_dims
        self.kernel_size = kernel_size
        self.map_key = map_key
        self.foreground_key = foreground_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Smooth the map."""
        step = type(self).__name__
        mask = None if self.foreground_key is None else entry(data, self.foreground_key, step)
        smooth = median_smooth(entry(data, self.map_key, step), self.kernel_size, self.spatial_dims, mask)
        return {**data, self.map_key: smooth}


class GaussianSmoothMapd(Transform):
    """Gaussian-smooth the anomaly map of a case.

    Args:
        spatial_dims: 2 or 3; with 2, a volume is smoothed slice by slice.
        sigma: standard deviation in voxels, positive.
        map_key: the map.

    Shape:
        anomaly_map: ``(C, *spatial)``, in and out.

    Raises:
        ValueError: at construction, if an argument is out of its range.
    """

    def __init__(self, spatial_dims: int, sigma: float = 1.0, map_key: str = Keys.ANOMALY_MAP) -> None:
        check_spatial_dims(spatial_dims)
        check_positive(sigma=sigma)
        self.spatial_dims = spatial_dims
        self.sigma = sigma
        self.map_key = map_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Smooth the map."""
        x = entry(data, self.map_key, type(self).__name__)
        return {**data, self.map_key: gaussian_smooth(x, self.sigma, self.spatial_dims)}
