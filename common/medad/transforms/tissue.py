# SPDX-License-Identifier: Apache-2.0
"""Tissue scale of heads: x / (median of the deep interior), so that neither scalp nor background sets the scale."""

from collections.abc import Hashable, Mapping

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type
from torch import Tensor

from ..checks import check_spatial_dims, check_within
from ..keys import Keys
from ..morphology import relative_depth
from .normalization import require_contrast


def scale_by_tissue(
    image: Tensor, foreground: Tensor, spatial_dims: int, depth: float = 0.35, target: float = 1.0, clip: float = 4.0
) -> Tensor:
    """Divide an image by the median of its deep interior, which is brain in every contrast.

    Of the voxels deeper than ``depth`` those count that are brighter than half of their median: neither fluid that is
    dark nor a cyst moves the scale. The statistic belongs to one image of ``spatial_dims`` axes: with 2, each slice of
    a volume has its own scale.

    Args:
        image: ``(C, *spatial)``, with 0 as background.
        foreground: ``(1, *spatial)``, nonzero where the head is.
        spatial_dims: axes of one image, 2 or 3.
        depth: how deep, from 0 at the rim to 1 at the deepest voxel, see :func:`medad.morphology.relative_depth`.
        target: value that the tissue gets.
        clip: upper limit of the result; the lower one is 0.

    Returns:
        Tensor of the shape of ``image`` in [0, ``clip``]; 0 where there is no head at all, or nothing deep in it.
    """
    images = image.as_subclass(Tensor).float().reshape(*image.shape[: spatial_dims + 1], -1)  # the slices, or one image
    deep = (relative_depth(foreground, spatial_dims) > depth).reshape(images.shape[1:])
    scaled = torch.zeros_like(images)
    for number in range(images.shape[-1]):
        inside = deep[..., number]
        for channel in range(len(images)):
            values = images[channel, ..., number]
            scaled[channel, ..., number] = _scaled(values, values[inside], target, clip)
    return scaled.reshape(image.shape)


class ScaleByTissued(MapTransform):
    """Divide images by the median of their deep interior and clip; see :func:`scale_by_tissue`.

    Args:
        keys: keys of the images ``(C, *spatial)``, with 0 as background.
        spatial_dims: axes of one image, 2 or 3; with 2 each slice of a volume has its own scale.
        foreground_key: key of the head ``(1, *spatial)``.
        depth: see :func:`scale_by_tissue`.
        target: see there.
        clip: see there.
        allow_missing_keys: whether a missing key is passed over.

    Raises:
        ValueError: if an argument is out of range.
        InputError: in a call, if the head has one value only, or there is none.
    """

    def __init__(
        self,
        keys: KeysCollection,
        spatial_dims: int,
        foreground_key: str = Keys.FOREGROUND,
        depth: float = 0.35,
        target: float = 1.0,
        clip: float = 4.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        check_spatial_dims(spatial_dims)
        check_within("[0, 1)", depth=depth)
        if not 0.0 < target <= clip:
            raise ValueError(f"target={target}, clip={clip}: 0 < target <= clip is expected.")
        self.spatial_dims = spatial_dims
        self.foreground_key = foreground_key
        self.depth = depth
        self.target = target
        self.clip = clip

    def __call__(self, data: Mapping[Hashable, Tensor]) -> dict[Hashable, Tensor]:
        """Scale the images of one case."""
        case = dict(data)
        for key in self.key_iterator(case):
            image, foreground = case[key], case[self.foreground_key]
            scaled = scale_by_tissue(image, foreground, self.spatial_dims, self.depth, self.target, self.clip)
            case[key] = convert_to_dst_type(scaled, dst=image)[0]
            require_contrast(case, key, self.foreground_key)
        return case


def _scaled(values: Tensor, interior: Tensor, target: float, clip: float) -> Tensor:
    if not len(interior):
        return torch.zeros_like(values)
    tissue = interior[interior >= 0.5 * interior.median()].median()
    return (values * (target / tissue)).clamp(0.0, clip) if tissue > 0 else torch.zeros_like(values)
