# SPDX-License-Identifier: Apache-2.0
"""The check that training images have the axes of the network."""

from __future__ import annotations

from torch import Tensor

from .errors import InputError


def require_axes(images: Tensor, spatial_dims: int) -> None:
    """Refuse to train a network on images of another dimension.

    Raises:
        InputError: if the images are not ``(B, C, *spatial)`` with ``spatial_dims`` spatial axes.
    """
    if images.ndim != spatial_dims + 2:
        raise InputError(
            f"images with {images.ndim - 2} spatial axes found",
            where="training data",
            expected=f"{spatial_dims} spatial axes",
            remedy="Train a 2D network on slices, or add volume_3d.json to the config files.",
        )
