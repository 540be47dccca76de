# SPDX-License-Identifier: Apache-2.0
"""Background to zero: whatever an image's values mean, 0 is its low end, as everything behind it takes for granted.

``x - low``, ``low`` the darkest value of a channel that is no outlier; with a window ``clip(x, low, high) - low``, the
same for all images.
"""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type
from torch import Tensor

from ..checks import check_window
from ..formats import without_padding
from .foreground import HIGH, LOW, nearest_rank

_FAR = 0.05  # of the robust range


def background_to_zero(image: Tensor, window: Sequence[float] | None = None) -> Tensor:
    """Move the low end of an image to 0.

    The low end belongs to the whole image, also for the volume of a 2D method, because a slice inside the object has no
    background of its own. An image whose background is 0 comes back bit by bit. What is darker than the low end becomes
    negative.

    Args:
        image: ``(C, *spatial)``.
        window: lowest and highest value that count, in the unit of the image; ``None``: each channel has its low end.

    Returns:
        Tensor of the shape of ``image``; with a window in ``[0, high - low]``.

    Raises:
        ValueError: if the window is none.
    """
    check_window(window=window)
    if window is not None:
        low, high = window
        return image.clamp(low, high) - low
    lows = torch.stack([_low_end(channel) for channel in image])
    return image if not bool(lows.any()) else image - lows.reshape(-1, *[1] * (image.ndim - 1))


class BackgroundToZerod(MapTransform):
    """Move the low end of images to 0; see :func:`background_to_zero`.

    Padding, such as -2000 around the field of view of a CT, becomes background before; DICOM files declare theirs, for
    all others see :func:`medad.formats.without_padding`.

    Args:
        keys: keys of the images ``(C, *spatial)``.
        window: lowest and highest value that count, in the unit of the images, such as Hounsfield units.
        allow_missing_keys: whether a missing key is passed over.

    Raises:
        ValueError: if the window is none.
    """

    def __init__(
        self, keys: KeysCollection, window: Sequence[float] | None = None, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        check_window(window=window)
        self.window = window

    def __call__(self, data: Mapping[Hashable, Tensor]) -> dict[Hashable, Tensor]:
        """Shift the images of one case."""
        case = dict(data)
        for key in self.key_iterator(case):
            image = case[key]
            shifted = background_to_zero(_without_padding(image.as_subclass(Tensor)), self.window)
            case[key] = convert_to_dst_type(shifted, dst=image)[0]
        return case


def _low_end(values: Tensor) -> Tensor:
    """Take the darkest value, or the 1st percentile where the darkest ones lie far below it: a few odd voxels."""
    darkest, low = values.min(), nearest_rank(values, LOW)
    is_odd = bool(low > darkest) and bool(low - darkest > _FAR * (nearest_rank(values, HIGH) - low))
    return low if is_odd else darkest


def _without_padding(image: Tensor) -> Tensor:
    channels = image.cpu().numpy()
    filled = [without_padding(channel) for channel in channels]
    unchanged = all(after is before for after, before in zip(filled, channels, strict=True))
    return image if unchanged else torch.from_numpy(np.stack(filled)).to(image.device)
