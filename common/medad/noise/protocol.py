# SPDX-License-Identifier: Apache-2.0
"""Protocol of a noise: what training and inference expect of any."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Noise(Protocol):
    """Noise as a function of seed, channel, time and voxel index.

    Attributes:
        spatial_dims: number of spatial axes of the images, 2 or 3.
    """

    spatial_dims: int

    def __call__(
        self, images: Tensor, seeds: Tensor, times: Tensor | None = None, origin: Sequence[int] | None = None
    ) -> Tensor:
        """Draw one field per image and channel.

        Args:
            images: ``(B, C, *spatial)``; gives shape, device and dtype.
            seeds: ``int64`` seeds ``(B,)``; equal seeds give equal fields.
            times: coordinate ``(B,)`` on the time axis; None means 0.
            origin: index of the first voxel, one integer per spatial axis, if ``images`` are a tile; None means 0.

        Returns:
            Noise of the shape, device and dtype of ``images``.
        """
        ...
