# SPDX-License-Identifier: Apache-2.0
import itk
import numpy as np
import pytest
import tifffile
from medad.errors import InputError
from medad.formats import MedicalImageReader
from medad.formats.raster import count_pages, read_raster
from monai.data import PILReader
from PIL import Image


def load(path):
    reader = MedicalImageReader()
    return reader.get_data(reader.read(path))


def array(*shape, dtype=np.uint16):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.jpg", "a.webp", "a.jp2"])
@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 3)])
def test_eight_bits_agree_with_monai(png, name, shape):
    path = png(name, array(*shape, dtype=np.uint8))
    expected, meta = (lambda reader: reader.get_data(reader.read(path)))(PILReader())
    found, found_meta = load(path)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found_meta["spatial_shape"], meta["spatial_shape"])
    assert found.shape[:2] == (5, 7)  # columns first


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bit_gray_keeps_its_values(png, name):
    pixels = array(7, 5)
    np.testing.assert_array_equal(load(png(name, pixels))[0], pixels.T)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bit_color_is_not_reduced(tmp_path, name):
    pixels = array(7, 5, 3)
    itk.imwrite(itk.image_from_array(pixels, is_vector=True), str(tmp_path / name))
    assert np.asarray(Image.open(tmp_path / name)).dtype == np.uint8  # what Pillow would make of it
    np.testing.assert_array_equal(load(str(tmp_path / name))[0], pixels.transpose(1, 0, 2))


def test_unsigned_32_and_float_tiff(tmp_path):
    large = np.asarray([[0, 2**24], [2**31, 2**32 - 256]], dtype=np.uint32)
    tifffile.imwrite(tmp_path / "u.tif", large)
    np.testing.assert_array_equal(load(str(tmp_path / "u.tif"))[0], large.T.astype(np.float32))
    tifffile.imwrite(tmp_path / "f.tif", np.asarray([[0.25, -1.5]], dtype=np.float32))
    np.testing.assert_array_equal(load(str(tmp_path / "f.tif"))[0], [[0.25], [-1.5]])


def test_palette_becomes_its_colors_and_one_bit_becomes_0_and_255(tmp_path):
    colors = np.asarray([[[255, 0, 0], [0, 0, 255]]], dtype=np.uint8)
    Image.fromarray(colors).quantize(2).save(tmp_path / "p.png")
    np.testing.assert_array_equal(load(str(tmp_path / "p.png"))[0], colors.transpose(1, 0, 2))
    Image.fromarray(np.asarray([[True, False, True]])).save(tmp_path / "b.png")
    np.testing.assert_array_equal(load(str(tmp_path / "b.png"))[0], [[255], [0], [255]])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_pages_are_slices_in_lps(tmp_path, dtype):
    pages = array(4, 7, 5, dtype=dtype)
    tifffile.imwrite(tmp_path / "v.tif", pages, photometric="minisblack")
    found, meta = load(str(tmp_path / "v.tif"))
    np.testing.assert_array_equal(found, pages.transpose(2, 1, 0))
    np.testing.assert_array_equal(meta["affine"], np.diag([-1, -1, 1, 1]))


def test_color_tiff_pages(tmp_path):
    pages = array(2, 7, 5, 3)
    tifffile.imwrite(tmp_path / "v.tif", pages, photometric="rgb")
    found, meta = load(str(tmp_path / "v.tif"))
    np.testing.assert_array_equal(found, pages.transpose(2, 1, 0, 3))
    assert meta["original_channel_dim"] == -1


def test_a_gray_gif_is_read(tmp_path):
    pixels = array(7, 5, dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.gif")
    found = load(str(tmp_path / "a.gif"))[0]
    np.testing.assert_array_equal(found if found.ndim == 2 else found[..., 0], pixels.T)


def test_sixteen_bits_in_jpeg_2000(tmp_path):
    pixels = array(16, 8)
    Image.fromarray(pixels).save(tmp_path / "a.jp2")
    np.testing.assert_array_equal(load(str(tmp_path / "a.jp2"))[0], pixels.T)
    color = (tmp_path / "c.jp2", Image.fromarray(array(16, 8, 3, dtype=np.uint8)))
    color[1].save(color[0])
    content = bytearray(color[0].read_bytes())
    start = content.find(b"\xff\x4f\xff\x51") + 42
    content[start : start + 9] = bytes([15, 1, 1] * 3)  # 16 bits per sample, says the header
    color[0].write_bytes(content)
    with pytest.raises(InputError, match="16 bits per sample, mode RGB"):
        load(str(color[0]))


def test_pages_are_counted_whatever_the_format(tmp_path):
    frames = [Image.fromarray(array(7, 5, dtype=np.uint8) // (k + 1)) for k in range(3)]
    for name, expected in (("a.png", 3), ("a.gif", 3), ("a.tif", 3), ("a.jpg", 1)):
        path = str(tmp_path / name)
        frames[0].save(path, **({} if name == "a.jpg" else {"save_all": True, "append_images": frames[1:]}))
        assert count_pages(path) == expected, name
    frames[0].save(tmp_path / "b.jpg", format="MPO", save_all=True, append_images=frames[1:])
    assert count_pages(str(tmp_path / "b.jpg")) == 1
    assert load(str(tmp_path / "b.jpg"))[0].shape == (5, 7)  # the picture, without the previews of a camera


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("turned", [1, 3, 6])
def test_up_is_where_a_viewer_shows_it(tmp_path, suffix, turned):
    pixels = np.kron(np.arange(12, dtype=np.uint8).reshape(3, 4) * 20, np.ones((8, 8), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = turned
    form = {"compression": "tiff_lzw"} if suffix == ".tif" else {}
    Image.fromarray(pixels).save(tmp_path / f"a{suffix}", exif=exif, **form)
    found = read_raster(str(tmp_path / f"a{suffix}")).array.T.astype(float)
    np.testing.assert_allclose(found, np.rot90(pixels, {1: 0, 3: 2, 6: -1}[turned]), atol=4)


def test_a_tiff_whose_rows_would_be_mixed_up_is_refused(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(tmp_path / "a.tif", exif=exif)
    with pytest.raises(InputError, match="lies on its side"):
        read_raster(str(tmp_path / "a.tif"))


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.uint64, np.int64])
def test_samples_that_would_be_read_as_others_are_refused(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", array(7, 5).astype(dtype))
    with pytest.raises(InputError, match=f"samples of type {np.dtype(dtype).name} found"):
        read_raster(str(tmp_path / "a.tif"))


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_signs_are_kept(tmp_path, dtype):
    pixels = array(7, 5).view(np.int16).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    assert pixels.min() < 0
    np.testing.assert_array_equal(read_raster(str(tmp_path / "a.tif")).array, pixels.T)
