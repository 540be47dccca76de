# SPDX-License-Identifier: Apache-2.0
"""NIfTI geometry: the affine of a file is its sform, else its qform, as for nibabel and FSL, and is never repaired.

A result carries qform, sform, their codes, voxel sizes and units of its image, so that a viewer, whichever of them it
reads, shows the one on the other.
"""

import logging
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from ..errors import InputError
from .affine import distance_between, require_invertible, shear_of
from .file_types import is_nifti
from .paths import is_file

_logger = logging.getLogger(__name__)

_ROUNDING = 0.1  # of a voxel
_SAME_SIZE = 1e-3
_NOTED_BY_ITK = 1e-5  # of a voxel; ITK 5.4 refuses a shear of 3e-4 and takes one of 3e-5
_SCANNER = 1  # the code of coordinates that a scanner gives
_CARRIED = [
    *("xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d"),
    *("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z"),
]
_DIRECTIONS = {"L": "left", "R": "right", "A": "front", "P": "back", "S": "top", "I": "bottom"}


def nifti_affine(image: Any, path: str) -> NDArray[np.float64]:
    """Take the affine of a NIfTI image, and warn where another part of its header says something else.

    Args:
        image: what nibabel loads.
        path: named in errors and warnings.

    Returns:
        4 x 4, voxel index to RAS in mm.

    Raises:
        InputError: if it is singular or not finite; or sheared, without a qform that programs could use which know
            orthogonal grids only.
    """
    affine = np.asarray(image.affine, dtype=np.float64)
    has_sform, qform = int(image.header["sform_code"]) > 0, _qform(image.header)
    require_invertible(affine, path, "sform" if has_sform else "qform")
    if has_sform:
        _require_no_shear(affine, qform, image.shape, path)
        contradictions = _contradictions(image, affine, qform)
        if contradictions:
            _logger.warning("%s: %s; the sform is used, as nibabel and FSL do", path, " and ".join(contradictions))
    elif qform is None:
        directions = [_DIRECTIONS[code] for code in nibabel.aff2axcodes(affine)]
        _logger.warning(
            "%s: its header has neither sform nor qform; its axes are taken to run to the %s, %s and %s, as by nibabel",
            path,
            *directions,
        )
    return affine


def has_orientation(image: Any) -> bool:
    """Say whether the header of a NIfTI image tells how its axes lie: by an sform, or by a qform."""
    return int(image.header["sform_code"]) > 0 or _qform(image.header) is not None


def save_nifti(array: NDArray[Any], path: Path, affine: NDArray[np.float64], source: str) -> None:
    """Write a result on the grid of its image.

    Args:
        array: ``(x, y)``, ``(x, y, z)`` or, with channels, ``(x, y, z, C)``.
        path: the file.
        affine: 4 x 4, voxel index to RAS in mm.
        source: the file of the image; what the header of a NIfTI file says of geometry is carried over as it stands.
    """
    if is_nifti(source) and is_file(source):
        given: Any = nibabel.load(source).header
        header: Any = nibabel.Nifti1Header()
        header.set_data_dtype(array.dtype)
        for name in _CARRIED:
            header[name] = given[name]
        header["pixdim"] = given["pixdim"]  # an affine needs it, too
        image = nibabel.Nifti1Image(array, None, header)
        image.header["pixdim"][:4] = given["pixdim"][:4]  # nibabel drops that of a third axis where there are two
        sheared = shear_of(affine, array.shape) > _NOTED_BY_ITK * np.linalg.norm(affine[:3, :3], axis=0).min()
        if sheared and int(given["qform_code"]) == 0:  # by less than a voxel: ITK opens the image without a qform
            image.set_qform(affine, int(given["sform_code"]), update_affine=False)
    else:
        image = nibabel.Nifti1Image(array, affine)
        image.set_sform(affine, _SCANNER)
        image.set_qform(affine, _SCANNER)  # what shear there is, is less than a voxel
        image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


def _qform(header: Any) -> NDArray[np.float64] | None:
    """Read the qform; ``None`` if there is none, or none that means something."""
    try:
        qform = header.get_qform(coded=True)[0]
    except (HeaderDataError, ValueError):  # the second for a quaternion that is none
        return None
    return None if qform is None or not np.isfinite(qform).all() else np.asarray(qform, dtype=np.float64)


def _contradictions(image: Any, sform: NDArray[np.float64], qform: NDArray[np.float64] | None) -> list[str]:
    sizes, found = np.linalg.norm(sform[:3, :3], axis=0), []
    if qform is not None:
        apart = distance_between(sform, qform, image.shape)
        if apart > _ROUNDING * sizes.min():
            found.append(f"its qform puts voxels up to {apart:.3g} mm away from where its sform puts them")
    zooms = np.asarray(image.header.get_zooms()[:3], dtype=np.float64)
    if not np.allclose(zooms, sizes[: len(zooms)], rtol=_SAME_SIZE):
        found.append(f"its pixdim says voxels of {_mm(zooms)} where its sform has {_mm(sizes[: len(zooms)])}")
    return found


def _require_no_shear(affine: NDArray[np.float64], qform: Any, shape: tuple[int, ...], path: str) -> None:
    sheared = shear_of(affine, shape)
    if qform is None and sheared > np.linalg.norm(affine[:3, :3], axis=0).min():
        raise InputError(
            f"a sheared affine: an axis ends {sheared:.3g} mm from where it would at right angles (gantry tilt?)",
            where=path,
            expected="axes at right angles, within a voxel; or a qform that has them, too",
            remedy="Resample it to an orthogonal grid; of a tilted CT series dcm2niix writes one.",
        )


def _mm(sizes: NDArray[np.float64]) -> str:
    return " x ".join(f"{size:.3g}" for size in sizes) + " mm"
