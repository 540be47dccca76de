# SPDX-License-Identifier: Apache-2.0
"""Case preprocessing: from the files of a case to the input of the network."""

from collections.abc import Callable, Sequence
from typing import Any

from monai.transforms import Compose

from ..keys import Keys
from .background import BackgroundToZerod
from .check_image import CheckImaged
from .circles import DrawCirclesd
from .load_image import LoadImageFiled
from .load_mask import LoadMaskd
from .orientation import OrientVolumed


def case_preprocessing(
    in_channels: int,
    spatial_dims: int,
    transforms: Sequence[Callable[[Any], Any]],
    display: bool = False,
    lesions: bool = False,
    intensity_window: Sequence[float] | None = None,
    slice_plane: str = "axial",
) -> Compose:
    """Load, check and orient the image of a case, make 0 its background, then apply the transforms of a method.

    Args:
        in_channels: channels that the network takes.
        spatial_dims: spatial axes of the network.
        transforms: dictionary transforms from that image to the input of the network.
        display: whether values are those that DICOM shows, see :class:`LoadImageFiled`.
        lesions: whether marked lesions are loaded, too, from masks or circles; else the mask stays on the grid of the
            file, as evaluation needs it.
        intensity_window: lowest and highest value that count, in the unit of the images, see
            :class:`BackgroundToZerod`; without it their own low end becomes 0.
        slice_plane: in which the slices lie that a 2D network sees of volumes, see :class:`OrientVolumed`.

    Returns:
        All of them in one list, each of which can be inverted if it changes the grid.
    """
    oriented = [Keys.IMAGE, Keys.MASK, Keys.FOREGROUND] if lesions else [Keys.IMAGE, Keys.FOREGROUND]
    return Compose(
        [
            LoadImageFiled(Keys.IMAGE, display=display),
            CheckImaged(Keys.IMAGE, in_channels, spatial_dims, display=display),
            LoadMaskd([Keys.MASK, Keys.FOREGROUND]),
            *([DrawCirclesd()] if lesions else []),
            BackgroundToZerod(Keys.IMAGE, intensity_window),
            OrientVolumed(oriented, allow_missing_keys=True, plane=slice_plane),
            *transforms,
        ]
    )
