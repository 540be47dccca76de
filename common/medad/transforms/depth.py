# SPDX-License-Identifier: Apache-2.0
"""Depth in the object, as an entry of its own that random transforms can turn with the image."""

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform
from torch import Tensor

from ..checks import check_spatial_dims
from ..keys import Keys
from ..morphology import relative_depth

DEPTH = "depth"
"""Entry of a training item: how deep in the object each voxel is, 0 outside and 1 at the deepest one."""


class RelativeDepthd(MapTransform):
    """Say how deep in the object each voxel is, see :func:`medad.morphology.relative_depth`.

    Args:
        spatial_dims: 2 or 3.
        keys: key of the mask of the object ``(1, *spatial)``.

    Raises:
        ValueError: if ``spatial_dims`` is not 2 or 3.
    """

    def __init__(self, spatial_dims: int, keys: KeysCollection = Keys.FOREGROUND) -> None:
        super().__init__(keys)
        check_spatial_dims(spatial_dims)
        self.spatial_dims = spatial_dims

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add the depth to one case."""
        case = dict(data)
        for key in self.keys:
            depth: Tensor = relative_depth(case[key], self.spatial_dims)
            case[DEPTH] = depth
        return case
