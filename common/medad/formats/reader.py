# SPDX-License-Identifier: Apache-2.0
"""Image readers for all formats: NIfTI, MetaImage, NRRD, pictures, DICOM series, images of a MedMNIST archive."""

from collections.abc import Sequence
from functools import partial
from os import PathLike
from typing import Any, ClassVar

import numpy as np
from monai.data import ImageReader
from monai.utils import MetaKeys, SpaceKeys, ensure_tuple
from numpy.typing import NDArray

from ..errors import InputError, brief
from .dicom_fault import fault_of
from .dicom_image import read_dicom
from .file_types import NIFTI_PAIR_SUFFIXES, SUPPORTED_FORMATS, has_geometry, has_suffix, is_dicom, is_nifti, is_raster
from .image_array import ORIENTED, ImageArray
from .itk_volume import read_itk_volume
from .nifti import read_nifti
from .nifti_pair import read_nifti_pair
from .npz_reference import is_npz_reference, npz_archive, read_npz_reference
from .paths import is_folder, require_openable
from .raster import read_raster

_SAME_AFFINE = 1e-3


class MedicalImageReader(ImageReader):
    """Read any supported image as MONAI does: first array axis along columns (x), affine to RAS.

    Differs from MONAI's readers: the file decides which reader is used (suffix, or content where there is none), a
    DICOM file stands for its whole series, 16-bit color is kept, and every failure is an ``InputError``. The metadata
    holds geometry only, no header fields, so no patient data and nothing that a batch could not hold.

    On dimensions: a NIfTI volume with one slice stays a volume ``(x, y, 1)``; a DICOM series of one image is 2D; the
    pages of a TIFF are slices; the fourth axis of a NIfTI file holds channels.
    """

    display: ClassVar[bool] = False
    """Whether DICOM values are those that a viewer shows."""

    def verify_suffix(self, filename: Sequence[str | PathLike[str]] | str | PathLike[str]) -> bool:
        """Say whether every file (or folder of a DICOM series) is of a format that this reader knows."""
        return all(_format_reader(str(name)) is not None for name in ensure_tuple(filename))

    def read(
        self, data: Sequence[str | PathLike[str]] | str | PathLike[str], **_: Any
    ) -> ImageArray | list[ImageArray]:
        """Read one image, or one image per channel.

        Args:
            data: a path, or a list with one path per channel.

        Returns:
            The image, or a list of them where there are several paths.

        Raises:
            InputError: if a file cannot be read or the channels do not fit together.
        """
        images = [_read(str(name), self.display) for name in ensure_tuple(data)]
        if len(images) == 1:
            return images[0]
        _require_same_grid(images)
        return images

    def get_data(self, img: ImageArray | Sequence[ImageArray]) -> tuple[NDArray[np.generic], dict[str, Any]]:
        """Return the array and its metadata; several images are stacked along a new first axis, the channel axis.

        Args:
            img: what ``read`` returned.

        Returns:
            Array ``(*spatial)``, ``(*spatial, C)`` or ``(C, *spatial)`` and metadata that say which it is.
        """
        images = [img] if isinstance(img, ImageArray) else list(img)
        first = images[0]
        array = first.array if len(images) == 1 else np.stack([image.array for image in images])
        stacked_dim = 0.0 if len(images) > 1 else float("nan")
        meta: dict[str, Any] = {
            MetaKeys.AFFINE.value: first.affine.copy(),
            MetaKeys.ORIGINAL_AFFINE.value: first.affine.copy(),
            MetaKeys.SPACE.value: SpaceKeys.RAS,
            MetaKeys.SPATIAL_SHAPE.value: np.asarray(first.spatial_shape),
            MetaKeys.ORIGINAL_CHANNEL_DIM.value: -1.0 if first.has_channels else stacked_dim,
            ORIENTED: first.oriented,
        }
        return array, meta


class DisplayedImageReader(MedicalImageReader):
    """Read DICOM values as a viewer shows them, and all other formats as :class:`MedicalImageReader` does.

    The lookup table of the file, or its window, is applied, and MONOCHROME1 becomes bright where it is bright. That is
    what a mammogram or a radiograph needs; values with a unit, such as Hounsfield units, would lose it.
    """

    display: ClassVar[bool] = True


def _format_reader(path: str, display: bool = False) -> Any:
    if is_npz_reference(path):
        return read_npz_reference
    if is_folder(path) or is_dicom(path):
        return partial(read_dicom, display=display)
    if is_nifti(path):
        return read_nifti_pair if has_suffix(path, NIFTI_PAIR_SUFFIXES) else read_nifti
    if has_geometry(path):
        return read_itk_volume
    return read_raster if is_raster(path) else None


def _read(path: str, display: bool) -> ImageArray:
    require_openable(npz_archive(path))
    read = _format_reader(path, display)
    if read is None:
        raise InputError(
            "unknown file format", where=path, expected=SUPPORTED_FORMATS, remedy="Convert the file to one of these."
        )
    try:
        image: ImageArray = read(path)
    except InputError:
        raise
    except Exception as error:  # each library raises its own kinds for a damaged file
        raise InputError(
            f"the file cannot be read ({_told(error, path)})",
            where=path,
            expected=f"an intact file: {SUPPORTED_FORMATS}",
            remedy="Open it in a viewer to see whether it is damaged, and export it again.",
        ) from error
    _require_real_numbers(image)
    _require_float32(image)
    return image


def _told(error: Exception, path: str) -> str:
    return fault_of(error) if is_folder(path) or is_dicom(path) else brief(error)


def _require_real_numbers(image: ImageArray) -> None:
    if image.array.dtype.kind not in "biuf":
        raise InputError(
            f"values of type {image.array.dtype} found",
            where=image.path,
            expected="integers or real numbers",
            remedy="Save the magnitude of complex data, or the color planes as separate channels.",
        )


def _require_float32(image: ImageArray) -> None:
    """Refuse finite values that would become infinite: everything after the file is float32."""
    if image.array.dtype.kind != "f" or image.array.dtype.itemsize <= 4:
        return
    with np.errstate(over="ignore"):
        lost = np.isinf(image.array.astype(np.float32)) & np.isfinite(image.array)
    if lost.any():
        raise InputError(
            f"values of up to {np.abs(image.array[lost]).max():.3g} found",
            where=image.path,
            expected=f"values up to {np.finfo(np.float32).max:.3g}, the largest that float32 holds",
            remedy="Divide them by a number that fits, or repair the file.",
        )


def _require_same_grid(images: list[ImageArray]) -> None:
    first = images[0]
    for image in images:
        if image.has_channels:
            raise InputError(
                f"{image.array.shape[-1]} channels found in one of {len(images)} channel files",
                where=image.path,
                expected="one path per channel, each with one channel",
                remedy="Save each channel as a gray file.",
            )
        same_shape = image.spatial_shape == first.spatial_shape
        if not same_shape or not np.allclose(image.affine, first.affine, atol=_SAME_AFFINE):
            found = f"shape {image.spatial_shape}" if not same_shape else "another position or orientation (affine)"
            raise InputError(
                f"channel with {found}",
                where=image.path,
                expected=f"the grid of the first channel {first.path}, shape {first.spatial_shape}",
                remedy="Resample all channels of a case to one grid.",
            )
    series = [image.series for image in images if image.series]
    if len(set(series)) < len(series):
        raise InputError(
            "two channel paths stand for the same DICOM series",
            where=images[0].path,
            expected="one path per channel; a DICOM file stands for its whole series",
            remedy="Name the folder, or one file, of each series once.",
        )
