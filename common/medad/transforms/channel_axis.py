# SPDX-License-Identifier: Apache-2.0
"""Channel axis of an image that a program hands over in place of a file."""

from monai.data import MetaTensor
from monai.utils import MetaKeys
from torch import Tensor


def with_channel_axis(image: Tensor) -> Tensor:
    """Give an image its channel axis and its type; a loaded image is returned as it is.

    MONAI Deploy takes the loading out of a bundle and hands over voxels as they are stored, without a channel axis. The
    metadata say how many spatial axes there are. (They also say where the channel axis was, but MONAI leaves that entry
    as it is when the axis is put in front, so it cannot tell the two apart.)

    Args:
        image: ``(C, *spatial)``; or ``(*spatial)`` of a ``MetaTensor`` that knows its spatial shape.

    Returns:
        ``(C, *spatial)``, float32.
    """
    if isinstance(image, MetaTensor):
        axes = image.meta.get(MetaKeys.SPATIAL_SHAPE)
        if axes is not None and len(axes) == image.ndim:
            image = image[None]
    return image.float()
