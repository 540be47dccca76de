# SPDX-License-Identifier: Apache-2.0
"""Turn a mask that another program saved as NIfTI, such as MONAI Label, into the DICOM SEG that inference writes.

The mask may list its voxels in another order than the series does; what counts is where they lie in the patient.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from numpy.typing import NDArray

from .command_line import door, door_parser
from .errors import InputError
from .files import user_path
from .formats import is_dicom_source, read_dicom_source, stem_of
from .formats.dicom_series import read_header
from .handlers import DicomResults
from .handlers.dicom_results import INSTALL_HIGHDICOM
from .transforms import LoadImageFiled

_SAME_MM = 0.1


def write_segmentation(mask: str | Path, series: str | Path, bundle: str | Path, out: str | Path) -> Path:
    """Write the mask of a DICOM series as a DICOM SEG.

    Args:
        mask: NIfTI file with 0 and 1, on the grid of the series.
        series: folder of the series, or a multi-frame file.
        bundle: the bundle or release that made it, with ``models/model.pt``; its name, version and hash are stored.
        out: folder for ``<series>_mask.dcm``.

    Returns:
        The file. One that stands there is replaced if it was made from the same series.

    Raises:
        InputError: if the bundle is none or has no weights, highdicom is missing, the mask does not fit the series, the
            series cannot be referred to, or the file cannot be written or was made from another series.
    """
    root, source = user_path(bundle), user_path(series).resolve()
    results = _results_of(root)
    if not is_dicom_source(str(source)):
        raise InputError(
            "it is no DICOM", where=source, expected="a folder with one DICOM series", remedy="Correct --series."
        )
    volume = LoadImageFiled("image")({"image": str(source)})["image"]
    array = on_grid(user_path(mask), np.asarray(volume.affine, dtype=np.float64), tuple(volume.shape[1:]))
    stem = user_path(out) / stem_of(source)
    path = stem.with_name(f"{stem.name}_mask.dcm")
    _require_made_from(path, source)
    try:
        results.write(stem, str(source), None, array)
    except InputError as error:
        remedy = "Export the series again with complete headers."
        raise InputError(error.what, where=error.where, expected=error.expected, remedy=remedy) from None
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror})",
            where=path,
            expected="a folder in which files can be made",
            remedy="Choose another --out.",
        ) from error
    return path


def _results_of(bundle: Path) -> DicomResults:
    """Prepare results that name a bundle and its weights; both are there."""
    weights = bundle / "models" / "model.pt"
    for file in (bundle / "configs" / "metadata.json", weights):
        if not file.is_file():
            raise InputError(
                f"it has no {file.relative_to(bundle)}",
                where=bundle.resolve(),
                expected="the trained bundle or release that made the mask",
                remedy="Correct --bundle.",
            )
    try:
        return DicomResults(True, bundle, weights)
    except InputError as error:
        remedy = f"Install it: {INSTALL_HIGHDICOM}."
        raise InputError(error.what, where="medad.dicom_seg", expected=error.expected, remedy=remedy) from None


def _require_made_from(path: Path, source: Path) -> None:
    """Refuse to replace a file, unless it refers to all files of this series and to no other."""
    if not path.exists():
        return
    files = {str(header.get("SOPInstanceUID")) for header in read_dicom_source(source).headers}
    try:
        series = read_header(path).ReferencedSeriesSequence
        referred = {str(item.ReferencedSOPInstanceUID) for one in series for item in one.ReferencedInstanceSequence}
    except Exception:  # whatever pydicom raises at another kind of file
        referred = set()
    if referred != files:
        raise InputError(
            "a file that was not made from this series stands there",
            where=path,
            expected="no file, or an earlier result of this series",
            remedy="Choose another --out, or another name for the folder of the series.",
        )


def on_grid(path: Path, affine: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read a mask and bring its voxels into the order of an image.

    Args:
        path: NIfTI file.
        affine: voxel to position of the image, RAS as in NIfTI.
        shape: of the image.

    Returns:
        The mask, uint8, of this shape.

    Raises:
        InputError: if it cannot be read, lies elsewhere, or holds something else than 0 and 1.
    """
    try:
        image: Any = nibabel.load(path)
        values = np.asarray(image.dataobj)
    except Exception as error:  # whatever nibabel raises
        raise _misfit(path, f"cannot be read ({type(error).__name__})") from error
    if values.ndim != 3 or len(shape) != 3:
        raise _misfit(path, f"{values.ndim} axes for a series with {len(shape)}")
    turn = io_orientation(np.linalg.inv(affine) @ image.affine)
    if np.isnan(turn).any():
        raise _misfit(path, "its affine is singular")
    turned = apply_orientation(values, turn)
    placed = image.affine @ inv_ornt_aff(turn, values.shape)
    corners = np.array([(0, 0, 0, 1), (*(size - 1 for size in shape), 1)], dtype=np.float64).T
    if turned.shape != shape or np.abs((placed - affine) @ corners).max() > _SAME_MM:
        raise _misfit(path, f"it lies on another grid: {turned.shape} voxels for {shape}, or another place")
    if not set(np.unique(turned)) <= {0, 1}:
        raise _misfit(path, f"values up to {turned.max():g}")
    return turned.astype(np.uint8)


def _misfit(path: Path, what: str) -> InputError:
    return InputError(
        what,
        where=path,
        expected="a mask of 0 and 1 in NIfTI, on the grid of the series",
        remedy="Give the mask that was made from this series, as it came.",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; the last line says which file was written."""
    parser = door_parser("dicom_seg", __doc__)
    parser.add_argument("mask", type=Path, help="NIfTI file with 0 and 1")
    parser.add_argument("--series", type=Path, required=True, help="folder of the DICOM series")
    parser.add_argument("--bundle", type=Path, required=True, help="bundle or release that made the mask")
    parser.add_argument("--out", type=Path, required=True, help="folder for the result")
    args = parser.parse_args(arguments)
    with door():
        print(write_segmentation(args.mask, args.series, args.bundle, args.out))


if __name__ == "__main__":
    main()
