# SPDX-License-Identifier: Apache-2.0
"""Headers that announce more than there is are refused before memory is reserved; real sizes are not."""

from __future__ import annotations

import gzip
import resource
import struct
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from medad.errors import InputError
from medad.formats.affine import require_invertible
from medad.formats.declared_size import is_suspicious, needed_bytes, require_fitting_size
from medad.formats.tiff_pages import count_tiff_pages
from medad.transforms import LoadImageFiled
from PIL import Image


def load(path):
    return LoadImageFiled("image")({"image": str(path)})["image"]


def test_needed_bytes_are_exact():
    assert needed_bytes((3, 3), 1) == 2
    assert needed_bytes((np.int16(32767),) * 3, 64) == 32767**3 * 8  # beyond 16 and 32 bits


def test_what_fits(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(bytes(1000))
    require_fitting_size(path, (10, 50), 16, packed=False)
    with pytest.raises(InputError, match=r"announces 501 values, 1 kB, but the file has 1 kB"):
        require_fitting_size(path, (501,), 16, packed=False)
    require_fitting_size(path, (1000, 1000), 8, packed=True)  # 1000 to 1
    with pytest.raises(InputError, match=r"1500 x 1000 values, 1\.5 MB"):
        require_fitting_size(path, (1500, 1000), 8, packed=True)
    assert not is_suspicious(path, 2**20)
    path.write_bytes(bytes(2**27 // 200 - 1))
    assert not is_suspicious(path, 2**27) and is_suspicious(path, 2**27 + 1)


def _nifti(path, shape, content):
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape(shape)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    data = header.binaryblock + bytes(4) + content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
@pytest.mark.parametrize("shape", [(32767, 32767, 32767), (1000, 1000, 1000), (64, 64, 64)])
def test_nifti_that_announces_too_much(tmp_path, name, shape):
    path = _nifti(tmp_path / name, shape, bytes(2000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"x\.nii"):
        load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_a_well_packed_label_map_is_read(tmp_path):
    volume = np.zeros((512, 512, 513), dtype=np.uint8)  # 134 MB in some 140 kB
    volume[100:200, 100:200, 100:200] = 1
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "x.nii.gz")
    assert is_suspicious(tmp_path / "x.nii.gz", volume.nbytes)
    assert load(tmp_path / "x.nii.gz").sum() == 100**3


def _png(path: Path, width: int, height: int) -> Path:
    """A PNG that really holds so many black pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(width + 1)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


def test_a_decompression_bomb_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"12000 x 12000 values, 144 MB, but the file has 14\d kB"):
        load(_png(tmp_path / "bomb.png", 12000, 12000))
    assert load(_png(tmp_path / "mask.png", 2000, 2000)).shape == (1, 2000, 2000)


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


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.diag([1.0, 1, 0]), "voxel sizes of 1, 1, 0 mm"),
        (np.diag([1.0, 1, np.nan]), "voxel sizes of 1, 1, nan mm"),
        (np.diag([1e-300, 1, 1e300]), "voxel sizes of 0, 1, inf"),
        (np.ones((3, 3)), "singular"),
    ],
)
def test_affines_that_lead_nowhere(matrix, message):
    affine = np.eye(4)
    affine[:3, :3] = matrix
    with pytest.raises(InputError, match=message):
        require_invertible(affine, "x.nii", "sform")
    affine[:3, :3] = np.diag([2e-4, 3.0, -500.0])  # from a microscope to a satellite
    require_invertible(affine, "x.nii", "sform")
