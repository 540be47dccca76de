# SPDX-License-Identifier: Apache-2.0
"""ImageJ stacks: TIFF files of more than 4 GB have one directory for all slices, and some programs write all so.

The slices follow each other behind the first; any other reader sees one picture and passes the rest over. A hyperstack
has further axes, channels or times: its pages are not the slices of one volume.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
from monai.utils import optional_import
from numpy.typing import NDArray

from ..errors import InputError
from .declared_size import require_fitting_size
from .tiff_photometric import bright_is_high

tifffile, _ = optional_import("tifffile")

_DESCRIPTION = 270
_COUNT = re.compile(r"^images=(\d{1,9})\s*$", re.MULTILINE)
_AXES = re.compile(r"^(slices|channels|frames)=(\d{1,9})\s*$", re.MULTILINE)


def count_slices(image: Any) -> int:
    """Count the slices that ImageJ says a TIFF file has.

    Args:
        image: the file, opened by Pillow.

    Returns:
        Their number; 1 for a file that is not from ImageJ.
    """
    found = _COUNT.search(_description(image))
    return int(found[1]) if found else 1


def require_one_axis(image: Any, path: str) -> None:
    """Check that the pages of an ImageJ file are slices, or channels, or times, and no mixture of them.

    Args:
        image: the file, opened by Pillow.
        path: named in errors.

    Raises:
        InputError: if ImageJ says that they are a mixture.
    """
    axes = [f"{count} {name}" for name, count in _AXES.findall(_description(image)) if int(count) > 1]
    if len(axes) > 1:
        raise InputError(
            f"an ImageJ hyperstack of {' and '.join(axes)}",
            where=path,
            expected="a stack of slices",
            remedy="Save each channel and time as a stack of its own.",
        )


def _description(image: Any) -> str:
    """What ImageJ says of a file; nothing for a file of another program."""
    text = str(image.tag_v2.get(_DESCRIPTION, "")) if image.format == "TIFF" else ""
    return text if text.startswith("ImageJ=") else ""


def read_slices(path: str, count: int) -> NDArray[np.generic]:
    """Read a stack with one directory.

    Args:
        path: the file; its chain of directories has been checked.
        count: of slices, as announced.

    Returns:
        Array ``(slice, row, column)``.

    Raises:
        InputError: if there are fewer slices than announced, or several channels or times.
    """
    with tifffile.TiffFile(Path(path)) as file:
        page, stack = file.pages[0], file.series[0]
        require_fitting_size(path, (count, *page.shape), 8 * page.dtype.itemsize, packed=False)
        if len(stack.shape) != 3 or stack.shape[0] != count:
            raise InputError(
                f"an ImageJ stack of shape {stack.shape} with one directory for {count} slices",
                where=path,
                expected="a stack of slices, without channels and times",
                remedy="Save it with one directory for every slice.",
            )
        array, is_unsigned = stack.asarray(), page.dtype.kind == "u"
        return bright_is_high(array, page.photometric, page.bitspersample, is_unsigned, path)
