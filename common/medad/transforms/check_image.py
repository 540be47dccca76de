# SPDX-License-Identifier: Apache-2.0
"""Check of an image: finite, not empty, not constant, with the channels and axes that are expected."""

import logging
from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from torch import Tensor

from ..checks import check_at_least, check_spatial_dims
from ..errors import InputError
from .channel_axis import with_channel_axis
from .colors import collapse_equal_colors, gray_of_similar_colors
from .meaning import require_values

_logger = logging.getLogger(__name__)


class CheckImaged(MapTransform):
    """Check that a loaded image is finite, not empty, not constant, and has the channels and axes that are expected.

    A 2D network (``spatial_dims`` 2) takes images ``(C, x, y)`` and volumes ``(C, x, y, z)``, which it meets slice by
    slice; a 3D network takes volumes only. A volume of one slice stays a volume, so that results keep the shape of
    the file. A gray image, or a nearly gray one, that was saved as RGB or RGBA becomes one channel, if one is expected;
    a constant alpha channel is dropped. An image that a program hands over in place of a file first becomes what the
    loader gives.

    Args:
        keys: entries with loaded images.
        channels: number of channels expected.
        spatial_dims: 2 or 3, that of the network.
        display: whether values are expected that a viewer shows, see :class:`LoadImageFiled`.
        allow_missing_keys: skip keys that an item does not have.
    """

    def __init__(
        self,
        keys: KeysCollection,
        channels: int,
        spatial_dims: int,
        display: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        check_spatial_dims(spatial_dims)
        check_at_least(1, channels=channels)
        self.channels = channels
        self.spatial_dims = spatial_dims
        self.display = display
        self._told = False

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Check the images of one item.

        Args:
            data: an item with loaded images ``(C, *spatial)``.

        Returns:
            The item; an image may have lost superfluous color channels.

        Raises:
            InputError: if an image fails a check.
        """
        item = dict(data)
        for key in self.key_iterator(item):
            require_values(item[key], self.display, _name(item[key], key))
            item[key] = self._checked(with_channel_axis(item[key]), _name(item[key], key))
        return item

    def _checked(self, image: Tensor, where: str) -> Tensor:
        _require_axes(image, self.spatial_dims, where)
        if image.numel() == 0:
            raise InputError(
                f"an empty image of shape {tuple(image.shape)}",
                where=where,
                expected="at least one pixel",
                remedy="Export the file again.",
            )
        image = self._gray(collapse_equal_colors(image, self.channels), where)
        if image.shape[0] != self.channels:
            raise InputError(
                f"{image.shape[0]} channels found (array of shape {tuple(image.shape)}, channels first)",
                where=where,
                expected=f"{self.channels}",
                remedy="Give images with that many channels (a list of paths is read as one path per channel), or "
                "train with in_channels set to what your images have.",
            )
        _require_values(image, where)
        return image

    def _gray(self, image: Tensor, where: str) -> Tensor:
        gray = gray_of_similar_colors(image) if self.channels == 1 and image.shape[0] > 1 else None
        if gray is None:
            return image
        if not self._told:
            _logger.info(
                "%s: its colors are nearly gray, so its brightness is used; said once, for all such images", where
            )
            self._told = True
        return gray


def _require_axes(image: Tensor, spatial_dims: int, where: str) -> None:
    allowed = (2, 3) if spatial_dims == 2 else (3,)
    found = image.ndim - 1
    if found not in allowed:
        raise InputError(
            f"{found} spatial axes found (array of shape {tuple(image.shape)}, channels first)",
            where=where,
            expected="a volume" if spatial_dims == 3 else "a 2D image or a volume",
            remedy="A method with spatial_dims 3 needs volumes; use spatial_dims 2 for single images.",
        )


def _require_values(image: Tensor, where: str) -> None:
    values = image.as_subclass(Tensor)
    broken = int((~torch.isfinite(values)).sum())
    if broken:
        raise InputError(
            f"{broken} NaN or infinite values found",
            where=where,
            expected="finite values",
            remedy="Replace them, for instance by the background value.",
        )
    flat = values.flatten(1)
    if bool((flat == flat[:, :1]).all()):
        raise InputError(
            f"a constant image (all values are {flat[0, 0].item():g})",
            where=where,
            expected="an image with contrast",
            remedy="Remove it from the data, or export it again.",
        )


def _name(image: Any, key: Hashable) -> str:
    meta = image.meta if isinstance(image, MetaTensor) else {}
    return str(meta.get("filename_or_obj", f"entry {str(key)!r}"))
