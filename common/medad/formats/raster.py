# SPDX-License-Identifier: Apache-2.0
"""Pictures (PNG, JPEG, TIFF, BMP, WebP, JPEG 2000, GIF) without loss; a file with several pages is a volume."""

from pathlib import Path
from typing import Any

import numpy as np
from monai.utils import optional_import
from numpy.typing import NDArray

from ..errors import InputError
from .declared_size import require_fitting_size
from .file_types import has_suffix
from .image_array import ImageArray
from .imagej_stack import count_slices, read_slices, require_one_axis
from .itk_silence import silent_itk
from .paths import is_file
from .tiff_pages import TIFF_BYTE_ORDERS, count_tiff_pages, first_tag
from .tiff_photometric import PHOTOMETRIC, bright_is_high

pil_image, _ = optional_import("PIL.Image")
image_ops, _ = optional_import("PIL.ImageOps")
image_mode, _ = optional_import("PIL.ImageMode")
tifffile, _ = optional_import("tifffile")

_PILLOW_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "JPEG2000", "GIF")

_PLAIN_MODES = ("L", "LA", "I", "F", "RGB", "RGBA")
_TURNED_OVER_BY_PILLOW = ("1", "L")
_CONVERTED_MODES = {"1": "L", "P": "RGB", "PA": "RGBA", "YCbCr": "RGB"}
_TIFF_BITS, _TIFF_SAMPLES, _TIFF_FORMAT = 258, 277, 339
_TIFF_UNSIGNED, _TIFF_SIGNED = 1, 2
_READ_BY_ITK = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32")
_TIFF_COMPRESSION, _TIFF_ORIENTATION = 259, 274
_PLAIN, _ON_ITS_SIDE = 1, (5, 6, 7, 8)
_PNG_BITS_AT, _PNG_COLOR_AT = 24, 25
_PNG_COLOR_TYPES = (2, 4, 6)
_PNG_ANIMATION, _PNG_HEAD = b"acTL", 2**12
_WITH_PAGES = (".png", ".tif", ".tiff", ".webp", ".gif")
_JPEG2000_START, _JPEG2000_SAMPLES_AT = b"\xff\x4f\xff\x51", 42


def read_raster(path: str) -> ImageArray:
    """Read one PNG, JPEG, TIFF, BMP, WebP, JPEG 2000 or GIF file.

    Pillow reads it, except where Pillow would drop bits or signs (color with more than 8 bits, unsigned 32 bits, signed
    8 bits): there ITK does. A palette becomes RGB, one bit becomes 0 and 255, gray stays gray; bright is high, and up
    is up, also where the file says that white is zero or that the camera was turned.

    Args:
        path: the file.

    Returns:
        Array ``(x, y)`` or ``(x, y, page)``, with a last axis for color; no physical geometry.

    Raises:
        InputError: if the color mode is not supported, the pages differ in shape, or bits would be lost.
    """
    image = _opened(path)
    if image is None or _pillow_would_lose_bits(path, image):
        if image is None or image.format == "TIFF":
            _require_samples_of_itk(path)
        return _with_axes_reversed(*_read_with_itk(path), path)
    with image:
        _require_samples_kept(path, image)
        count = _count_frames(image)
        slices = count_slices(image)
        if count == 1 < slices:
            return _with_axes_reversed(read_slices(path, slices), False, path)
        require_one_axis(image, path)
        require_fitting_size(path, (count, *image.size), _bits_per_pixel(image), packed=True)
        pages = [_page(image, index, path) for index in range(count)]
    if len({page.shape for page in pages}) > 1:
        raise InputError(
            f"its {len(pages)} pages have different shapes {sorted({page.shape for page in pages})}",
            where=path,
            expected="one image, or a stack of pages of one shape",
            remedy="Save the page you need as a file of its own.",
        )
    has_channels = pages[0].ndim > 2
    return _with_axes_reversed(pages[0] if len(pages) == 1 else np.stack(pages), has_channels, path)


def count_pages(path: str) -> int:
    """Count the pages of a picture; 1 for any other file and for one that is damaged."""
    if not has_suffix(path, _WITH_PAGES) or not is_file(path):
        return 1
    try:
        if has_suffix(path, (".png",)) and not _is_animated(path):
            return 1
        image = _opened(path)
        if image is None:
            return count_tiff_pages(path)
        with image:
            return max(_count_frames(image), count_slices(image))
    except Exception:  # reading it says what is wrong
        return 1


def _is_animated(path: str) -> bool:
    """Say whether a PNG has several pages, by a chunk that comes before its pixels."""
    with Path(path).open("rb") as file:
        return _PNG_ANIMATION in file.read(_PNG_HEAD)


def _count_frames(image: Any) -> int:
    """Count the pages; a JPEG file holds one picture, whatever previews a camera adds."""
    return 1 if image.format in ("JPEG", "MPO") else int(getattr(image, "n_frames", 1))


def _opened(path: str) -> Any:
    """Open with Pillow, or return ``None`` for a TIFF that only ITK may know."""
    with Path(path).open("rb") as file:
        is_tiff = file.read(2) in TIFF_BYTE_ORDERS
    if is_tiff:
        count_tiff_pages(path)
    try:
        # all other plug-ins stay closed: one of them starts programs
        return pil_image.open(path, formats=_PILLOW_FORMATS)
    except pil_image.DecompressionBombError as error:
        raise InputError(
            str(error).partition(",")[0],  # the number of pixels and the limit
            where=path,
            expected=f"at most {2 * pil_image.MAX_IMAGE_PIXELS} pixels",
            remedy="If the file is not damaged, cut the image into parts or save it smaller.",
        ) from error
    except pil_image.UnidentifiedImageError as error:
        if is_tiff:
            return None
        raise InputError(
            "no header of an image found",
            where=path,
            expected="a PNG, JPEG, TIFF, BMP, WebP, JPEG 2000 or GIF file",
            remedy="Export it again; it is damaged, or another kind of file.",
        ) from error


def _page(image: Any, index: int, path: str) -> NDArray[np.generic]:
    if index:
        image.seek(index)
    mode, tags = image.mode, getattr(image, "tag_v2", {})
    if tags.get(_TIFF_ORIENTATION, 1) in _ON_ITS_SIDE and tags.get(_TIFF_COMPRESSION, _PLAIN) == _PLAIN:
        raise InputError(
            "a TIFF that lies on its side without compression, whose rows Pillow 13 would mix up",
            where=path,
            expected="an upright image, or a compressed one",
            remedy="Turn it upright and save it again.",
        )
    if image.format != "TIFF":  # Pillow has turned that
        image = image_ops.exif_transpose(image)
    if mode in _CONVERTED_MODES:
        image = image.convert(_CONVERTED_MODES[mode])
    elif mode not in _PLAIN_MODES and not mode.startswith("I;16"):
        raise InputError(
            f"color mode {mode} found",
            where=path,
            expected="gray, RGB, RGBA or a palette",
            remedy="Convert the file to gray or RGB.",
        )
    array = np.asarray(image)
    if mode in _TURNED_OVER_BY_PILLOW:
        return array
    bits = max(tags.get(_TIFF_BITS, (8 * array.itemsize,)))
    return bright_is_high(array, tags.get(PHOTOMETRIC), bits, mode.startswith("I;16"), path)


def _bits_per_pixel(image: Any) -> int:
    mode = image_mode.getmode(image.mode)
    return len(mode.bands) * (1 if image.mode == "1" else 8 * np.dtype(mode.typestr).itemsize)


def _pillow_would_lose_bits(path: str, image: Any) -> bool:
    if image.format == "PNG":
        with Path(path).open("rb") as file:
            header = file.read(_PNG_COLOR_AT + 1)
        return header[_PNG_BITS_AT] > 8 and header[_PNG_COLOR_AT] in _PNG_COLOR_TYPES
    if image.format == "TIFF":
        bits = max(image.tag_v2.get(_TIFF_BITS, (1,)))
        kinds = image.tag_v2.get(_TIFF_FORMAT, (_TIFF_UNSIGNED,))
        lost = (bits == 32 and _TIFF_UNSIGNED in kinds) or (bits == 8 and _TIFF_SIGNED in kinds)
        return bool(bits > 8 and image.tag_v2.get(_TIFF_SAMPLES, 1) > 1) or lost
    return False


def _require_samples_of_itk(path: str) -> None:
    """Refuse samples that ITK takes for others: of a real number in 16 bits it reads the bits of a whole one."""
    with tifffile.TiffFile(Path(path)) as file:
        kind = file.pages[0].dtype
    if kind is not None and kind.name not in _READ_BY_ITK:
        raise InputError(
            f"samples of type {kind.name} found",
            where=path,
            expected=f"one of {', '.join(_READ_BY_ITK)}",
            remedy="Save the file again with one of these, such as float32.",
        )


def _require_samples_kept(path: str, image: Any) -> None:
    """Refuse what Pillow would bring into another form, and ITK does not read."""
    if image.format != "JPEG2000":
        return
    content = Path(path).read_bytes()
    start = content.find(_JPEG2000_START)
    sample = content[start + _JPEG2000_SAMPLES_AT] if start >= 0 else 0
    signed, bits = bool(sample & 0x80), (sample & 0x7F) + 1
    if signed or (bits > 8 and image.mode not in ("I;16", "L")):
        raise InputError(
            f"JPEG 2000 with {'signed ' if signed else ''}{bits} bits per sample, mode {image.mode}, found",
            where=path,
            expected="8 bits, or 16 bits in gray",
            remedy="Save it as TIFF.",
        )


def _read_with_itk(path: str) -> tuple[NDArray[np.generic], bool]:
    import itk

    with silent_itk():
        image_io = itk.ImageIOFactory.CreateImageIO(path, itk.CommonEnums.IOFileMode_ReadMode)
        if image_io is None:
            raise InputError(
                "neither Pillow nor ITK knows this form of the format",
                where=path,
                expected="8, 16 or 32 bits per sample, integers or real numbers",
                remedy="Export it again in such a form.",
            )
        image_io.SetFileName(path)
        image_io.ReadImageInformation()
        if image_io.GetComponentTypeAsString(image_io.GetComponentType()) == "unsigned_char":
            raise InputError(
                "this form of TIFF could only be read with 8 bits",
                where=path,
                expected="samples stored together, strips, 8 or 16 bits, or 32-bit float",
                remedy="Save the file again with interleaved channels.",
            )
        channels = int(image_io.GetNumberOfComponents())
        size = [int(image_io.GetDimensions(axis)) for axis in range(image_io.GetNumberOfDimensions())]
        require_fitting_size(path, (*size, channels), 8 * image_io.GetComponentSize(), packed=True)
        pixel = itk.D if channels == 1 else itk.Vector[itk.F, channels]  # 32 bits need more than float32
        image = itk.imread(path, pixel_type=pixel)
        array = itk.array_from_image(image)
        if channels == 1 and image_io.GetNameOfClass() == "TIFFImageIO":
            kind = image_io.GetComponentTypeAsString(image_io.GetComponentType())
            bits = 8 * image_io.GetComponentSize()
            array = bright_is_high(array, first_tag(path, PHOTOMETRIC), bits, kind.startswith("unsigned"), path)
        return array, channels > 1


def _with_axes_reversed(array: NDArray[np.generic], has_channels: bool, path: str) -> ImageArray:
    """Turn (page, row, column[, channel]) into (column, row, page[, channel])."""
    spatial = array.ndim - int(has_channels)
    order = (*reversed(range(spatial)), *range(spatial, array.ndim))
    return ImageArray(np.ascontiguousarray(array.transpose(order)), path, has_channels)
