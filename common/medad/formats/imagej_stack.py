# SPDX-License-Identifier: Apache-2.0
"""ImageJ stacks: TIFF files of more than 4 GB have one directory for all slices, and some programs write all so.

The slices follow each other behind the first; any other reader sees one picture and passes the rest over.
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


def count_slices(image: Any) -> int:
    """Count the slices that ImageJ says a TIFF file has.

    Args:
        image: the file, opened by Pillow.

    Returns:
        Their number; 1 for a file that is not from ImageJ.
    """
    if image.format != "TIFF":
        return 1
    text = str(image.tag_v2.get(_DESCRIPTION, ""))
    found = _COUNT.search(text) if text.startswith("ImageJ=") else None
    return int(found[1]) if found else 1


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
