# SPDX-License-Identifier: Apache-2.0
"""White Gaussian noise: every voxel has its own number, drawn from its index.

noise(x) = std * n(hash(seed, channel, time, x)),  n standard normal
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..checks import check_at_least, check_spatial_dims
from .counter import mix
from .normal import normal_from_bits
from .seeding import check_call, check_origin, field_seeds

# odd 64-bit constants, one per axis, last axis first: 2^64 / g^i with g^4 = g + 1 (Roberts' R3 sequence), made odd
_AXES = (0xD1B54A32D192ED03 - (1 << 64), 0xABC98388FB8FAC03 - (1 << 64), 0x8CB92BA72F3D8DD7 - (1 << 64))


class GaussianNoise:
    """Independent normal numbers, a function of (seed, channel, time, voxel index).

    Differs from ``torch.randn``: there is no generator whose state the result depends on. A tile equals the same
    region of the whole field, and a field is the same on every device, bit for bit.

    Args:
        spatial_dims: 2 or 3.
        std: standard deviation.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        >>> noise = GaussianNoise(spatial_dims=2)
        >>> noise(torch.zeros(2, 1, 32, 32), seeds=torch.tensor([1, 2])).shape
        torch.Size([2, 1, 32, 32])

    References:
        Ho, Jain, Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020, section 2.
    """

    def __init__(self, spatial_dims: int, std: float = 1.0) -> None:
        check_spatial_dims(spatial_dims)
        check_at_least(0, std=std)
        self.spatial_dims = spatial_dims
        self.std = float(std)

    def __repr__(self) -> str:
        """Name all parameters."""
        return f"GaussianNoise(spatial_dims={self.spatial_dims}, std={self.std})"

    def __call__(
        self, images: Tensor, seeds: Tensor, times: Tensor | None = None, origin: Sequence[int] | None = None
    ) -> Tensor:
        """Draw one field per image and channel.

        Args:
            images: ``(B, C, *spatial)``; gives shape, device and dtype.
            seeds: ``int64`` seeds ``(B,)``; equal seeds give equal fields.
            times: ``(B,)``; each time has a field of its own, None means 0.
            origin: index of the first voxel, one integer per spatial axis, if ``images`` are a tile; None means 0.

        Returns:
            Noise of the shape, device and dtype of ``images``.

        Raises:
            ValueError: if the tensors do not fit together.
        """
        check_call(images, seeds, self.spatial_dims, times)
        start = check_origin(origin, self.spatial_dims)
        channels, *spatial = images.shape[1:]
        bits = field_seeds(seeds.to(images.device), channels, times).reshape(*images.shape[:2], *(1,) * len(spatial))
        for axis, (size, first) in enumerate(zip(spatial, start, strict=True)):
            index = torch.arange(first, first + size, device=images.device) * _AXES[len(spatial) - 1 - axis]
            bits = bits + index.reshape(size, *(1,) * (len(spatial) - 1 - axis))
        return (normal_from_bits(mix(bits)) * self.std).to(images.dtype)
