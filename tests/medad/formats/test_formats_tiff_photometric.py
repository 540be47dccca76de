# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import tifffile
from medad.errors import InputError
from medad.formats.raster import read_raster
from medad.formats.tiff_pages import first_tag

PIXELS = np.arange(12).reshape(3, 4) * 20


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4)])
def test_white_is_zero_in_any_unsigned_type(tmp_path, dtype, byteorder, bigtiff, shape):
    if (dtype, byteorder, bigtiff) == ("u1", ">", True):
        pytest.skip("Pillow does not know this form, and it is refused")
    pixels = np.broadcast_to(PIXELS, shape).astype(dtype)
    form = {"byteorder": byteorder, "bigtiff": bigtiff}
    tifffile.imwrite(tmp_path / "black.tif", pixels, photometric="minisblack", **form)
    tifffile.imwrite(tmp_path / "white.tif", np.iinfo(dtype).max - pixels, photometric="miniswhite", **form)
    black, white = (read_raster(str(tmp_path / f"{name}.tif")).array for name in ("black", "white"))
    np.testing.assert_array_equal(white.astype(np.float32), black.astype(np.float32))
    np.testing.assert_array_equal(black, pixels.T)
    assert first_tag(tmp_path / "white.tif", 262) == 0 and first_tag(tmp_path / "black.tif", 262) == 1
    assert first_tag(tmp_path / "white.tif", 9999) is None


def test_one_bit(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.eye(16, dtype=bool), photometric="miniswhite")
    np.testing.assert_array_equal(read_raster(str(tmp_path / "a.tif")).array, 255 - 255 * np.eye(16))


@pytest.mark.parametrize("dtype", ["i2", "i4", "f4"])
def test_signed_and_real_numbers_do_not_say_what_black_is(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS.astype(dtype), photometric="miniswhite")
    with pytest.raises(InputError, match="white is zero"):
        read_raster(str(tmp_path / "a.tif"))
