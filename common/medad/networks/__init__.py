# SPDX-License-Identifier: Apache-2.0
"""Networks: plain modules, ``spatial_dims`` first, 2D and 3D from one class."""

from __future__ import annotations

from .denoising_unet import DenoisingUNet

__all__ = ["DenoisingUNet"]
