# SPDX-License-Identifier: Apache-2.0
"""Loading of a mask onto the grid of the image's file: mask = 1 where the value is above 0."""

import logging
from collections.abc import Hashable, Mapping
from typing import Any

import nibabel as nib
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey
from torch import Tensor

from ..errors import InputError
from ..formats import has_geometry
from ..keys import Keys
from .colors import collapse_equal_colors
from .load_image import LoadImageFiled

logger = logging.getLogger(__name__)

_MOST_LABELS = 20
_SAME_AFFINE_MM = 1e-2


class LoadMaskd(MapTransform):
    """Load ``mask`` and ``foreground`` where an item has them, as 0/1 on the grid of the file.

    Place it right behind the loading of the image, before anything changes the image's grid: shapes are compared. An
    empty path (``""``) stands for an image without any anomaly and gives an all-zero mask. All other entries and items
    without the keys stay as they are.

    Args:
        keys: entries that hold a path to a mask; all may be missing.
        image_key: entry of the image, already loaded.

    Shape:
        Entries become ``(1, *spatial)`` of type ``uint8``, ``spatial`` being that of the image.
    """

    def __init__(
        self, keys: KeysCollection = (Keys.MASK.value, Keys.FOREGROUND.value), image_key: str = Keys.IMAGE.value
    ) -> None:
        super().__init__(keys, allow_missing_keys=True)
        self.image_key = image_key
        self._load = LoadImageFiled("mask")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Load and check the masks of one item.

        Args:
            data: an item with a loaded image and, for each key, a path, ``""`` or nothing.

        Returns:
            The item with 0/1 masks.

        Raises:
            InputError: if a mask cannot be read, lies on another grid, is no mask, or marks an anomaly in an image that
                is labeled normal.
        """
        item = dict(data)
        for key in self.key_iterator(item):
            image = item[self.image_key]
            path = item[key]
            if isinstance(path, str) and not path:
                mask: Tensor = torch.zeros((1, *image.shape[1:]), dtype=torch.uint8)
                item[key] = MetaTensor(mask, meta=_geometry(image))
                continue
            where = str(path) if isinstance(path, str) else f"entry {str(key)!r}"
            loaded = collapse_equal_colors(self._load({"mask": path})["mask"], 1)
            _require_labels(loaded, where)
            loaded = _with_axes_of(loaded, image)
            _require_grid(loaded, image, where)
            binary = (loaded > 0).to(torch.uint8)
            if str(key) == Keys.MASK.value and item.get(Keys.LABEL.value) == 0 and bool(binary.any()):
                raise InputError(
                    f"{int(binary.sum())} voxels are marked in an image that is labeled normal",
                    where=where,
                    expected="no marked voxel, or label 1",
                    remedy="Correct the label or the mask.",
                )
            item[key] = binary
        return item


def _geometry(image: Tensor) -> dict[str, Any]:
    meta = image.meta if isinstance(image, MetaTensor) else {}
    return {key: meta[key] for key in ("affine", "original_affine", "space", "spatial_shape") if key in meta}


def _require_labels(mask: Tensor, where: str) -> None:
    if mask.shape[0] != 1:
        found = f"{mask.shape[0]} channels found"
    elif not bool(torch.isfinite(mask).all()):
        found = "NaN or infinite values found"
    else:
        values = torch.unique(mask.as_subclass(Tensor))
        if len(values) <= 2 and bool((values >= 0).all()):
            return
        if len(values) <= _MOST_LABELS and bool(((values >= 0) & (values == values.round())).all()):
            return
        found = f"{len(values)} different values between {values.min():g} and {values.max():g} found"
    raise InputError(
        found,
        where=where,
        expected=f"a mask: one channel, 0 outside and above 0 inside, at most {_MOST_LABELS} labels",
        remedy="Threshold it and save it without lossy compression (PNG or NIfTI, not JPEG).",
    )


def _with_axes_of(mask: Tensor, image: Tensor) -> Tensor:
    """Add or drop a third axis of length one, so that a PNG mask fits a volume of one slice and the reverse."""
    if mask.ndim == image.ndim + 1 and mask.shape[-1] == 1:
        return mask[..., 0]
    if mask.ndim == image.ndim - 1 and image.shape[-1] == 1:
        return mask[..., None]
    return mask


def _require_grid(mask: Tensor, image: Tensor, where: str) -> None:
    if mask.shape[1:] != image.shape[1:]:
        raise InputError(
            f"mask of shape {tuple(mask.shape[1:])} for an image of shape {tuple(image.shape[1:])}",
            where=where,
            expected="a mask on the grid of its image",
            remedy="Resample the mask to the image with nearest-neighbor interpolation.",
        )
    if not isinstance(mask, MetaTensor) or not isinstance(image, MetaTensor):
        return
    if not (mask.ndim == 4 or _has_geometry(image)) or image.shape[-1] == 1:
        return
    mask_axes, image_axes = (nib.aff2axcodes(each.affine.numpy())[: each.ndim - 1] for each in (mask, image))
    if mask_axes != image_axes:
        raise InputError(
            f"mask with axes {''.join(mask_axes)} for an image with axes {''.join(image_axes)}",
            where=where,
            expected="a mask on the grid of its image",
            remedy="Reorient or resample the mask to the image, or repair the header that is wrong.",
        )
    has_place = mask.ndim == 4 or _has_geometry(mask)
    if has_place and not torch.allclose(mask.affine, image.affine, atol=_SAME_AFFINE_MM):
        logger.warning("%s: its affine differs from that of its image; the voxels are taken as they are", where)


def _has_geometry(image: MetaTensor) -> bool:
    return has_geometry(image.meta.get(ImageMetaKey.FILENAME_OR_OBJ, ""))
