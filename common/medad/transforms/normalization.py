# SPDX-License-Identifier: Apache-2.0
"""Intensity normalization: x / (quantile of the foreground), so that scanner gain does not matter.

Zero is the background by then (:class:`BackgroundToZerod`), so an offset does not matter either.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import ImageMetaKey
from torch import Tensor

from ..checks import check_window, check_within
from ..errors import InputError
from ..keys import Keys


def scale_by_foreground(
    image: Tensor, foreground: Tensor, spatial_dims: int, quantile: float, target: float, clip: float
) -> Tensor:
    """Divide an image by a quantile of its foreground.

    The statistic belongs to one image of ``spatial_dims`` axes: with 2, each slice of a volume has its own scale.

    Args:
        image: ``(C, *spatial)``.
        foreground: ``(1, *spatial)``, nonzero where the object is.
        spatial_dims: axes of one image, 2 or 3.
        quantile: which quantile of the foreground, in (0, 1).
        target: value that this quantile gets.
        clip: upper limit of the result; the lower one is 0.

    Returns:
        Tensor of the shape of ``image`` in [0, ``clip``]; 0 where there is no foreground at all.
    """
    flat = image.flatten(1, spatial_dims)  # (C, one image, slices or nothing)
    outside = (foreground.flatten(1, spatial_dims) == 0).expand_as(flat)
    # sorted with the background at the end: torch's own nanquantile refuses more than 2**24 voxels
    ordered = flat.masked_fill(outside, torch.inf).sort(dim=1).values
    count = (~outside).sum(dim=1, keepdim=True)
    position = quantile * (count - 1).clamp(min=0).double()
    low, high = (ordered.gather(1, rank.long()) for rank in (position.floor(), position.ceil()))
    scale = torch.lerp(low, high, (position - position.floor()).to(flat.dtype))
    scaled = target * flat / torch.where((scale > 0) & (count > 0), scale, torch.inf)
    return scaled.clamp(0.0, clip).reshape(image.shape)


class ScaleByForegroundd(MapTransform):
    """Divide images by a quantile of their foreground and clip; see :func:`scale_by_foreground`.

    Args:
        keys: keys of the images ``(C, *spatial)``, with 0 as background.
        spatial_dims: axes of one image, 2 or 3; with 2 each slice of a volume has its own scale.
        foreground_key: key of the foreground ``(1, *spatial)``.
        quantile: which quantile of the foreground, in (0, 1).
        target: value that this quantile gets.
        clip: upper limit of the result; the lower one is 0.
        window: the window that :class:`BackgroundToZerod` has applied: its width is then the divisor, for all images.
        allow_missing_keys: whether a missing key is passed over.

    Raises:
        ValueError: if an argument is out of range.
    """

    def __init__(
        self,
        keys: KeysCollection,
        spatial_dims: int,
        foreground_key: str = Keys.FOREGROUND,
        quantile: float = 0.99,
        target: float = 1.0,
        clip: float = 1.5,
        window: Sequence[float] | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        check_within("(0, 1)", quantile=quantile)
        check_window(window=window)
        if not 0.0 < target <= clip:
            raise ValueError(f"target={target}, clip={clip}: 0 < target <= clip is expected.")
        self.spatial_dims = spatial_dims
        self.foreground_key = foreground_key
        self.quantile = quantile
        self.target = target
        self.clip = clip
        self.window = window

    def __call__(self, data: Mapping[Hashable, Tensor]) -> dict[Hashable, Tensor]:
        """Scale the images of one case.

        Raises:
            InputError: if the foreground of an image has one value only, or there is none.
        """
        case = dict(data)
        for key in self.key_iterator(case):
            case[key] = self._scaled(case[key], case[self.foreground_key])
            require_contrast(case, key, self.foreground_key)
        return case

    def _scaled(self, image: Tensor, foreground: Tensor) -> Tensor:
        if self.window is None:
            return scale_by_foreground(image, foreground, self.spatial_dims, self.quantile, self.target, self.clip)
        return (self.target / (self.window[1] - self.window[0]) * image).clamp(0.0, self.clip)


def require_contrast(case: Mapping[Hashable, Any], key: str, foreground_key: str) -> None:
    """Refuse an image whose object has one value only after scaling.

    Args:
        case: with the image ``(C, *spatial)`` and its foreground ``(1, *spatial)``.
        key: key of the image.
        foreground_key: key of the foreground.

    Raises:
        InputError: naming the file.
    """
    values = case[key].as_subclass(Tensor)[:, case[foreground_key].as_subclass(Tensor)[0] != 0]
    if bool((values != values[:, :1]).any()):
        return
    one_value = f"the object has one value only, {abs(values[0, 0].item()):g} after scaling" if values.numel() else ""
    raise InputError(
        one_value or "there is no object: the foreground is empty",
        where=str(getattr(case[key], "meta", {}).get(ImageMetaKey.FILENAME_OR_OBJ, case.get(Keys.CASE, key))),
        expected="an object with contrast, brighter than its background",
        remedy="Look at the image; check intensity_window, foreground_threshold, or the foreground of the data list.",
    )
