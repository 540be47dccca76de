# SPDX-License-Identifier: Apache-2.0
"""Crop centers for training: in lesions, or anywhere in the object where there are none."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Transform
from torch import Tensor

from ..checks import check_at_least
from ..keys import Keys


class CropCentersd(Transform):
    """List the centers that ``RandCropByPosNegLabeld`` draws from, once per image and not once per patch.

    Centers are the voxels of the lesions if there are any, else those of the object, else all. Of many, every n-th is
    kept: as flat indices of a large volume they would need more memory than the volume.

    Args:
        most: so many are kept at most.
        mask_key: the lesions, ``(1, *spatial)``.
        foreground_key: the object, ``(1, *spatial)``; may be missing.
        centers_keys: where the indices go: ``fg_indices_key`` and ``bg_indices_key``, which takes no empty list.
    """

    def __init__(
        self,
        most: int = 50_000,
        mask_key: str = Keys.MASK,
        foreground_key: str = Keys.FOREGROUND,
        centers_keys: tuple[str, str] = ("crop_centers", "crop_centers_bg"),
    ) -> None:
        check_at_least(1, most=most)
        self.most = most
        self.mask_key = mask_key
        self.foreground_key = foreground_key
        self.centers_keys = tuple(centers_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """List the centers of one item."""
        masks = [data[key] for key in (self.mask_key, self.foreground_key) if data.get(key) is not None]
        found = next((mask for mask in masks if bool(mask.any())), torch.ones_like(masks[0]))
        indices = found.as_subclass(Tensor).flatten().nonzero()[:, 0]
        kept = indices[:: -(-len(indices) // self.most)].to(torch.int32)
        return {**data, **dict.fromkeys(self.centers_keys, kept)}
