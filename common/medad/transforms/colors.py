# SPDX-License-Identifier: Apache-2.0
"""Gray images that were saved as color: one channel is taken."""

from torch import Tensor

_ALPHA_CHANNELS = (2, 4)


def collapse_equal_colors(image: Tensor, channels: int) -> Tensor:
    """Drop a constant alpha channel and, if one channel is wanted, equal color channels.

    Args:
        image: ``(C, *spatial)``.
        channels: number of channels wanted.

    Returns:
        ``(channels, *spatial)`` where nothing is lost by it, else the image as it is.
    """
    found = int(image.shape[0])
    if found in (channels, 1) or found > max(_ALPHA_CHANNELS):
        return image
    colors = image
    if found in _ALPHA_CHANNELS and bool((image[-1] == image[-1].flatten()[0]).all()):
        colors = image[:-1]
    if channels == 1 and bool((colors == colors[:1]).all()):
        colors = colors[:1]
    return colors if colors.shape[0] == channels else image
