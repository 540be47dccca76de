# SPDX-License-Identifier: Apache-2.0
"""Gray images that were saved as color: one channel is taken."""

import torch
from torch import Tensor

_ALPHA_CHANNELS = (2, 4)
_COLORS = 3
_SIMILAR = 1 / 16  # of the range: chroma noise of JPEG reaches 14 of 255
_MOSTLY = 0.9  # of the pixels: banners of publishers take up to 7 %
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, that of JPEG, where gray was before its compression


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
    colors = _without_constant_alpha(image)
    if channels == 1 and bool((colors == colors[:1]).all()):
        colors = colors[:1]
    return colors if colors.shape[0] == channels else image


def gray_of_similar_colors(image: Tensor) -> Tensor | None:
    """Take the brightness of an image that is nearly gray.

    It is, if in at least 90 % of the pixels that are not black the three channels differ by no more than a sixteenth of
    the range of the image. So gray is found again behind the color noise of JPEG, a slight tint, and colored marks.

    Args:
        image: ``(C, *spatial)``.

    Returns:
        ``(1, *spatial)``; ``None`` if it is not nearly gray.
    """
    colors = _without_constant_alpha(image)
    if colors.shape[0] != _COLORS:
        return None
    values = colors.as_subclass(Tensor)
    darkest, tolerance = values.min(), _SIMILAR * (values.max() - values.min())
    differences = (values.amax(dim=0) - values.amin(dim=0))[values.amax(dim=0) > darkest + tolerance]
    if float((differences <= tolerance).double().mean()) < _MOSTLY:
        return None
    weights = torch.tensor(_LUMA).reshape(-1, *[1] * (colors.ndim - 1))
    return (colors * weights.to(values)).sum(dim=0, keepdim=True)


def _without_constant_alpha(image: Tensor) -> Tensor:
    is_constant = image.shape[0] in _ALPHA_CHANNELS and bool((image[-1] == image[-1].flatten()[0]).all())
    return image[:-1] if is_constant else image
