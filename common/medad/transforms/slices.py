# SPDX-License-Identifier: Apache-2.0
"""Slices of a volume, for a 2D network that is trained: those that show enough of the object."""

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Transform
from torch import Tensor

from ..checks import check_spatial_dims, check_within
from ..errors import InputError
from ..keys import ABNORMAL, NORMAL, Keys
from .orientation import OrientVolumed, slice_plane

Case = Mapping[Hashable, Any]

IMAGE, FOREGROUND, MASK, LABEL, CASE = (
    key.value for key in (Keys.IMAGE, Keys.FOREGROUND, Keys.MASK, Keys.LABEL, Keys.CASE)
)


class SlicesOfVolume(Transform):
    """Turn a preprocessed volume into its slices, if the network has two axes; other images stay as they are.

    In inference a 2D network meets a volume slice by slice, after the same preprocessing: so it is trained on what it
    will see. Slices near the ends of the object, in which there is little of it, and empty ones are left out.

    An abnormal volume gives abnormal slices, where its mask marks something, and normal ones.

    Args:
        spatial_dims: axes of the network, 2 or 3.
        min_foreground: share of the largest foreground of a slice of this volume that a slice must have, in [0, 1]; of
            no effect where each slice was stretched to its object, see :class:`FitObjectToGridd`.

    Shape:
        ``image (C, x, y, z)``, ``foreground`` and ``mask`` ``(1, x, y, z)`` become those of one slice, without ``z``.

    Raises:
        ValueError: if an argument is out of range.
    """

    def __init__(self, spatial_dims: int, min_foreground: float = 0.1) -> None:
        check_spatial_dims(spatial_dims)
        check_within("[0, 1]", min_foreground=min_foreground)
        self.spatial_dims = spatial_dims
        self.min_foreground = min_foreground

    def __call__(self, data: Case) -> dict[Hashable, Any] | list[dict[Hashable, Any]]:
        """Give the slices of a volume, or the item itself.

        Args:
            data: item with a preprocessed image.

        Returns:
            The item, or items of slices, which are plain tensors.

        Raises:
            InputError: if a volume is abnormal and has no mask.
        """
        item = dict(data)
        if self.spatial_dims == 3 or item[IMAGE].ndim == 3:
            return item
        if item.get(LABEL) == ABNORMAL and not isinstance(item.get(MASK), Tensor):
            raise InputError(
                "an abnormal volume without a mask",
                where=str(item.get(CASE, IMAGE)),
                expected="a mask, which says in which of its slices the anomaly is",
                remedy="Give masks, give single slices with labels of their own, or train a 3D network.",
            )
        item = OrientVolumed(MASK, allow_missing_keys=True, plane=slice_plane(item[IMAGE]))(item)
        return [self._slice(item, number) for number in self.chosen(item)]

    def chosen(self, item: Case) -> list[int]:
        """List the slices of a preprocessed volume that show enough of the object."""
        image = item[IMAGE].as_subclass(Tensor).flatten(0, 2)
        seen = (image != image[:1]).any(dim=0)
        if FOREGROUND in item:
            sizes = (item[FOREGROUND].as_subclass(Tensor) != 0).flatten(0, 2).sum(dim=0)
            seen &= (sizes > 0) & (sizes >= self.min_foreground * sizes.max())
        return [int(number) for number in torch.nonzero(seen)]

    def _slice(self, item: Case, number: int) -> dict[Hashable, Any]:
        case = {key: item[key] for key in item if key not in (IMAGE, FOREGROUND, MASK)}
        for key in (IMAGE, FOREGROUND, MASK):
            if isinstance(item.get(key), Tensor):
                case[key] = item[key].as_subclass(Tensor)[..., number].contiguous()
        case[CASE] = f"{item.get(CASE, IMAGE)}, slice {number}"
        if isinstance(case.get(MASK), Tensor):
            case[LABEL] = ABNORMAL if bool(case[MASK].any()) else NORMAL
        return case
