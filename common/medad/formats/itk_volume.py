# SPDX-License-Identifier: Apache-2.0
"""MetaImage (.mha, .mhd) and NRRD files (.nrrd, .nhdr), read by ITK, which their users know them from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .affine import require_invertible
from .file_types import META_IMAGE_SUFFIXES, has_suffix
from .image_array import LPS_TO_RAS, ImageArray
from .itk_header import require_sound_header
from .itk_silence import silent_itk


def read_itk_volume(path: str) -> ImageArray:
    """Read one MetaImage or NRRD file.

    Args:
        path: the file.

    Returns:
        Array ``(x, y)`` or ``(x, y, z)``, with channels as a last axis, and its affine.

    Raises:
        InputError: if its header does not fit its contents, or it has more than three axes in space.
    """
    header = require_sound_header(path)
    import itk

    with silent_itk():
        # named, since ITK itself knows a file by a suffix in lower case only
        image_io = (itk.MetaImageIO if has_suffix(path, META_IMAGE_SUFFIXES) else itk.NrrdImageIO).New()
        image_io.SetFileName(path)
        image_io.ReadImageInformation()
        axes = int(image_io.GetNumberOfDimensions())
        if axes not in (2, 3):
            raise InputError(
                f"{axes} axes in space found",
                where=path,
                expected="(x, y) or (x, y, z), and channels as a vector for each voxel",
                remedy="Save one image per file.",
            )
        reader = itk.ImageFileReader[itk.VectorImage[itk.F, axes]].New(FileName=path, ImageIO=image_io)
        reader.Update()
        image = reader.GetOutput()
        array = itk.array_from_image(image)
    has_channels = array.shape[-1] > 1
    array = array if has_channels else array[..., 0]
    order = (*reversed(range(axes)), *range(axes, array.ndim))
    affine = _affine(image, axes)
    require_invertible(affine, path, "directions and spacing")
    oriented = header.oriented and axes == 3  # a flat one lies on the plane of a page
    return ImageArray(np.ascontiguousarray(array.transpose(order)), path, has_channels, affine, oriented=oriented)


def _affine(image: Any, axes: int) -> NDArray[np.float64]:
    """Voxel index to position in mm; ITK counts to the left and to the back, NIfTI to the right and to the front."""
    import itk

    lps = np.eye(4)
    lps[:axes, :axes] = itk.array_from_matrix(image.GetDirection()) * np.asarray(image.GetSpacing())
    lps[:axes, 3] = np.asarray(image.GetOrigin())
    ras: NDArray[np.float64] = LPS_TO_RAS @ lps
    return ras
