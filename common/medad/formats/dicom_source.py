# SPDX-License-Identifier: Apache-2.0
"""DICOM headers behind an image, frame by frame, for results that go back to an archive."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dicom_geometry import order_and_affine
from .dicom_image import dicom_series_files
from .dicom_planes import planes_of_frames
from .dicom_series import read_header
from .file_types import is_dicom, is_nifti, stem_of
from .npz_reference import is_npz_reference
from .paths import is_folder


@dataclass(frozen=True)
class DicomSource:
    """Headers of an image and the order of its frames.

    Attributes:
        path: what stands for the image in the data list.
        headers: one per slice, in the order of the volume; or one, of a single image or a multi-frame file.
        slices: for each frame, in the order of the headers or of the file, the slice of the volume that it is.
    """

    path: str
    headers: list[Any]
    slices: list[int]

    def frames(self, volume: NDArray[Any]) -> NDArray[Any]:
        """Lay an array on the grid of the image out as DICOM frames.

        Args:
            volume: ``(x, y, z)``, or ``(x, y)`` for a single image.

        Returns:
            ``(frame, row, column)``.
        """
        stack = volume.T if volume.ndim == 3 else volume.T[None]
        return np.ascontiguousarray(stack[self.slices])


def is_dicom_source(path: str) -> bool:
    """Say whether an image comes from DICOM files: a file of a series, or a folder that holds one."""
    return bool(path) and not is_npz_reference(path) and (is_folder(path) or is_dicom(path))


def series_behind(path: str) -> Path | None:
    """Find the DICOM series that a NIfTI file was made of, if it lies beside it in a folder of the same name.

    MONAI Label keeps the images of a DICOM server in this way, and hands over the NIfTI file.
    """
    folder = Path(path).with_name(stem_of(path))
    if not is_nifti(path) or not is_folder(folder):
        return None
    return folder if any(is_dicom(file) for file in folder.iterdir()) else None


def read_dicom_source(path: str | Path) -> DicomSource:
    """Read the headers of the image that a DICOM file or folder stands for.

    Args:
        path: a DICOM file, or a folder that holds one series.

    Returns:
        Headers without pixels, and how the frames lie in the volume that the reader makes of them.

    Raises:
        InputError: if the reader would refuse the image, too.
    """
    headers = [read_header(file) for file in dicom_series_files(path)]
    frames = int(headers[0].get("NumberOfFrames") or 1)
    if len(headers) > 1 or frames == 1:
        return DicomSource(str(path), headers, list(range(len(headers))))
    planes = planes_of_frames(headers[0])
    order = list(range(frames)) if planes is None else order_and_affine(planes, str(path))[0]
    return DicomSource(str(path), headers, [order.index(frame) for frame in range(frames)])
