# SPDX-License-Identifier: Apache-2.0
"""DICOM pixels as values: decoded, rescaled, color as RGB."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from monai.utils import optional_import
from numpy.typing import NDArray

from ..errors import InputError
from .declared_size import require_fitting_size
from .dicom_compressed import decode_compressed
from .dicom_display import as_displayed, require_one_polarity
from .dicom_fault import fault_of, name_of_uid
from .dicom_frames import frame_headers
from .dicom_measured import as_measured
from .dicom_padding import declared_padding
from .dicom_silence import silent_headers
from .padding import fill_padding

pydicom, _ = optional_import("pydicom")

_IMPLICIT, _EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_PLAIN = (_IMPLICIT, _EXPLICIT, "1.2.840.10008.1.2.2")
_DEFLATED_OR_RLE = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5")


def require_pixels(file: str, header: Any) -> None:
    """Check that a file can hold the pixels that its header announces, before memory for them is reserved.

    Args:
        file: a DICOM file.
        header: its header.

    Raises:
        InputError: if the size is missing, or larger than the file can be.
    """
    sizes = {name: header.get(name) or 0 for name in ("Rows", "Columns", "BitsAllocated")}
    sizes |= {name: header.get(name) or 1 for name in ("NumberOfFrames", "SamplesPerPixel")}
    if not all(isinstance(value, int) and value > 0 for value in sizes.values()):
        raise InputError(
            f"pixels without a size: {', '.join(f'{name} {_shown(value)}' for name, value in sizes.items())}",
            where=file,
            expected="positive whole numbers",
            remedy="Export the file again; its header is damaged.",
        )
    rows, columns, bits, frames, samples = (int(value) for value in sizes.values())
    if str(header.get("PhotometricInterpretation", "")).startswith("YBR_FULL_422"):
        samples = 2  # two pixels share their colors
    require_fitting_size(file, (frames, rows, columns, samples), bits, packed=_syntax(header) not in _PLAIN)


def decode_pixels(files: Sequence[str], display: bool = False) -> NDArray[np.float32]:
    """Decode the pixels of DICOM files and apply their Modality LUTs, or rescale slopes and intercepts, frame by frame.

    pydicom decodes what is uncompressed, deflated or compressed by RLE, GDCM the JPEG family. What a header declares as
    padding becomes background.

    Args:
        files: files of one size that :func:`require_pixels` has approved.
        display: whether window, lookup table and MONOCHROME1 are applied, too.

    Returns:
        ``(slice, row, column)`` in the order of ``files``, or ``(slice, row, column, channel)`` for color.

    Raises:
        InputError: if pixels are damaged, or compressed in another way, or the window cannot be applied,
            or the header says both bright and dark.
    """
    decoded = [_decode(file, display) for file in files]
    values = np.concatenate([values for values, _ in decoded])
    if all(padding is None for _, padding in decoded):
        return values
    padding = np.concatenate([np.zeros(each.shape, bool) if mask is None else mask for each, mask in decoded])
    return fill_padding(values.T, padding.T, spatial_dims=2).T


def _decode(file: str, display: bool) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Decode one file: its values, and which of them are declared as padding."""
    data = pydicom.dcmread(file, force=True)
    if "TransferSyntaxUID" not in data.file_meta:  # a file without preamble
        data.file_meta.TransferSyntaxUID = pydicom.uid.UID(_IMPLICIT if data.original_encoding[0] else _EXPLICIT)
    headers = frame_headers(data)
    try:
        if _syntax(data) in (*_PLAIN, *_DEFLATED_OR_RLE):
            with silent_headers():
                stored = pydicom.pixels.pixel_array(data)
        else:
            stored = decode_compressed(data)
        channels = int(data.get("SamplesPerPixel") or 1)
        if data.get("PhotometricInterpretation") == "PALETTE COLOR":
            stored = pydicom.pixels.apply_color_lut(stored, data)
            channels = stored.shape[-1]
        stored = stored.reshape(-1, data.Rows, data.Columns, *([channels] if channels > 1 else []))
    except Exception as error:  # each decoder raises its own kinds
        raise InputError(
            f"the pixels cannot be decoded (transfer syntax {name_of_uid(_syntax(data))}; {fault_of(error)})",
            where=file,
            expected="complete pixels, uncompressed or compressed by RLE, JPEG, JPEG-LS or JPEG 2000",
            remedy="Decompress the file with a DICOM tool, or export it again.",
        ) from error
    if len(headers) != len(stored):
        raise InputError(
            f"{len(stored)} frames, but its header describes {len(headers)}",
            where=file,
            expected="one description per frame",
            remedy="Export the file again; it is damaged.",
        )
    values = np.empty(stored.shape, dtype=np.float32)
    for frame, header, result in zip(stored, headers, values, strict=True):
        result[...] = as_measured(frame, header, file)
    padding = declared_padding(stored, data)
    if not display:
        return values, padding
    for header in headers:
        require_one_polarity(header, file)
    try:
        shown = [as_displayed(frame, header) for frame, header in zip(values, headers, strict=True)]
        return np.stack(shown), padding
    except Exception as error:  # pydicom raises several kinds
        raise InputError(
            f"its window or lookup table cannot be applied ({fault_of(error)})",
            where=file,
            expected="a window of positive width, or a complete lookup table, or neither",
            remedy="Export the file again, or remove WindowCenter, WindowWidth and VOILUTSequence.",
        ) from error


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, int) else "no number"


def _syntax(header: Any) -> str:
    return str(header.file_meta.get("TransferSyntaxUID", ""))
