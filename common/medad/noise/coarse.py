# SPDX-License-Identifier: Apache-2.0
"""Coarse Gaussian noise: drawn on a small grid, enlarged to the image, rolled by a random offset.

noise(x) = std * roll(upsample(n), offset),  n ~ N(0, 1) on a grid of ``resolution`` points per axis.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..checks import check_at_least, check_spatial_dims
from .counter import counter_integers, counter_normal

_MODES = {2: "bilinear", 3: "trilinear"}


def roll_each(fields: Tensor, offsets: Tensor) -> Tensor:
    """Roll every sample by its own offset; what leaves on one side returns on the other.

    Args:
        fields: ``(B, C, *spatial)``.
        offsets: ``(B, len(spatial))`` in voxels.

    Returns:
        Tensor of the shape of ``fields``.
    """
    for axis in range(2, fields.ndim):
        size = fields.shape[axis]
        index = (torch.arange(size, device=fields.device)[None, :] - offsets[:, axis - 2, None]) % size
        index = index.reshape(len(fields), *(size if a == axis else 1 for a in range(1, fields.ndim)))
        fields = fields.gather(axis, index.expand(fields.shape))
    return fields


class CoarseNoise:
    """Coarse noise of denoising autoencoders.

    Differs from the MedIAnomaly code, whose rescaling shifts the noise by -1 and doubles it, and which rolls a whole
    batch by one offset: here the noise has mean zero and each sample has its own field and offset.

    Args:
        spatial_dims: 2 or 3.
        resolution: grid points per axis on which the noise is drawn.
        std: standard deviation on the grid; interpolation lowers it between grid points.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        >>> noise = CoarseNoise(spatial_dims=2, resolution=4, std=0.2)
        >>> noise(torch.zeros(2, 1, 32, 32), seeds=torch.tensor([1, 2])).shape
        torch.Size([2, 1, 32, 32])

    References:
        Kascenas et al., "Denoising Autoencoders for Unsupervised Anomaly Detection in Brain MRI", MIDL 2022, section 3.
    """

    def __init__(self, spatial_dims: int, resolution: int = 16, std: float = 0.2) -> None:
        check_spatial_dims(spatial_dims)
        check_at_least(1, resolution=resolution)
        check_at_least(0, std=std)
        self.spatial_dims = spatial_dims
        self.resolution = resolution
        self.std = std

    def __call__(self, images: Tensor, seeds: Tensor) -> Tensor:
        """Draw one field per image.

        Args:
            images: ``(B, C, *spatial)``; gives shape, device and dtype.
            seeds: ``int64`` seeds ``(B,)``; equal seeds give equal fields.

        Returns:
            Noise of the shape of ``images``, mean zero.
        """
        if images.ndim != self.spatial_dims + 2:
            raise ValueError(f"images of shape {tuple(images.shape)}: {self.spatial_dims} spatial axes are expected.")
        seeds = seeds.to(images.device)
        channels, *spatial = images.shape[1:]
        grid = counter_normal(seeds, (channels, *(self.resolution,) * self.spatial_dims))
        fields = F.interpolate(grid, size=spatial, mode=_MODES[self.spatial_dims], align_corners=True)
        # another stream of the same seed: offsets must not depend on the first grid values
        offsets = counter_integers(seeds ^ 0x5DEECE66D, spatial)
        return (self.std * roll_each(fields, offsets)).to(images.dtype)
