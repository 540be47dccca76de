# SPDX-License-Identifier: Apache-2.0
import struct

import numpy as np
import pytest
import tifffile
from medad.errors import InputError
from medad.formats.tiff_pages import count_tiff_pages
from medad.transforms import LoadImageFiled
from PIL import Image


def load(path):
    return LoadImageFiled("image")({"image": str(path)})["image"]


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_pages_are_counted_as_by_tifffile(tmp_path, big, order):
    with tifffile.TiffWriter(tmp_path / "x.tif", bigtiff=big, byteorder=order) as file:
        for _ in range(3):
            file.write(np.zeros((4, 4), dtype=np.uint8), contiguous=False)
    with tifffile.TiffFile(tmp_path / "x.tif") as file:
        assert count_tiff_pages(tmp_path / "x.tif") == len(file.pages) == 3


def test_pages_that_lead_nowhere(tmp_path):
    path = tmp_path / "x.tif"
    Image.new("L", (4, 4)).save(path)
    data = path.read_bytes()
    (start,) = struct.unpack_from("<I", data, 4)
    end = start + 2 + 12 * struct.unpack_from("<H", data, start)[0]
    for following, message in [(start, "lead in a circle"), (10**6, "page 2 lies outside of the file")]:
        path.write_bytes(data[:end] + struct.pack("<I", following) + data[end + 4 :])
        with pytest.raises(InputError, match=message):
            load(path)
    _many_pages(path, 130, 115)
    with pytest.raises(InputError, match="an earlier one follows page 130"):
        count_tiff_pages(path)
    path.write_bytes(b"PK" + data[2:])
    with pytest.raises(InputError, match="it begins with"):
        count_tiff_pages(path)
    path.write_bytes(data[:4] + bytes(len(data) - 4))
    with pytest.raises(InputError, match="it has no page"):
        count_tiff_pages(path)


def _many_pages(path, pages, following):
    """Pages of which the last one is followed by an earlier one: tifffile walks on and on."""
    with tifffile.TiffWriter(path) as file:
        for _ in range(pages):
            file.write(np.zeros((2, 2), dtype=np.uint8), contiguous=False)
    with tifffile.TiffFile(path) as file:
        offsets = [page.offset for page in file.pages]
    data = bytearray(path.read_bytes())
    end = offsets[-1] + 2 + 12 * struct.unpack_from("<H", data, offsets[-1])[0]
    struct.pack_into("<I", data, end, offsets[following])
    path.write_bytes(data)
