# SPDX-License-Identifier: Apache-2.0
"""Image array: what every format is turned into, indexed (x, y[, z][, channel]), with its RAS affine."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

LPS_TO_RAS: NDArray[np.float64] = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Affine of an image without geometry (PNG, TIFF): pixels of 1 mm, x to the left and y to the back, as in DICOM."""
ORIENTED = "medad_oriented"
"""Entry of an image's metadata: whether its file says how its axes lie in the body."""


def _unit_affine() -> NDArray[np.float64]:
    return LPS_TO_RAS.copy()


@dataclass(frozen=True)
class ImageArray:
    """One decoded file or series.

    Attributes:
        array: ``(*spatial)`` or, if ``has_channels``, ``(*spatial, C)``; the first axis runs along columns (x).
        path: what the user gave.
        has_channels: whether the last axis holds channels.
        affine: 4 x 4, voxel index to RAS in mm, also for 2D images.
        series: identifies the DICOM series, empty for other formats.
        oriented: whether the file says how its axes lie in the body; else the affine is a convention.
    """

    array: NDArray[np.generic]
    path: str
    has_channels: bool = False
    affine: NDArray[np.float64] = field(default_factory=_unit_affine)
    series: str = ""
    oriented: bool = False

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """Shape without the channel axis."""
        return self.array.shape[:-1] if self.has_channels else self.array.shape
