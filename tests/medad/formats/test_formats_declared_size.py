# SPDX-License-Identifier: Apache-2.0
"""Headers that announce more than there is are refused before memory is reserved; real sizes are not."""

import gzip
import resource
import struct
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
from medad.errors import InputError
from medad.formats.declared_size import is_suspicious, needed_bytes, require_fitting_size
from medad.transforms import LoadImageFiled


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
