# SPDX-License-Identifier: Apache-2.0
"""Raster, NIfTI and archive files: nothing lost, axes as in MONAI, one clear error each."""

from __future__ import annotations

import gzip
from pathlib import Path

import itk
import nibabel as nib
import numpy as np
import pytest
import tifffile
import torch
from medad.errors import InputError
from medad.formats import MedicalImageReader
from medad.transforms import LoadImageFiled
from monai.data import ITKReader, NibabelReader, PILReader
from monai.transforms import LoadImaged
from PIL import Image


def load(path):
    reader = MedicalImageReader()
    return reader.get_data(reader.read(path))


def array(*shape, dtype=np.uint16):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.jpg"])
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


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 6), (4, 5, 6, 2), (4, 5, 1)])
def test_nifti_agrees_with_monai(nifti, shape):
    affine = np.asarray([[0, -2.0, 0, 5], [1.5, 0, 0, -3], [0, 0, 3, 1], [0, 0, 0, 1]])
    path = nifti("a.nii.gz", array(*shape, dtype=np.uint8), affine)
    expected, meta = (lambda reader: reader.get_data(reader.read(path)))(NibabelReader())
    found, found_meta = load(path)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found_meta["affine"], meta["affine"])
    np.testing.assert_array_equal(found_meta["spatial_shape"], meta["spatial_shape"])


def test_nifti_vector_image_has_channels(nifti):
    pixels = array(3, 4, 5, 1, 2, dtype=np.uint8)
    image = LoadImageFiled("image")({"image": nifti("v.nii", pixels)})["image"]
    np.testing.assert_array_equal(image.numpy(), pixels[:, :, :, 0].transpose(3, 0, 1, 2))


def test_float64_becomes_float32_channel_first(nifti):
    image = LoadImageFiled("image")({"image": nifti("a.nii", np.full((3, 4, 5), 0.1))})["image"]
    assert image.dtype == torch.float32
    assert image.shape == (1, 3, 4, 5)
    assert image.meta["filename_or_obj"].endswith("a.nii")


def test_one_path_per_channel(png):
    first, second = array(7, 5), array(7, 5, dtype=np.uint8)
    image = LoadImageFiled("image")({"image": [png("a.png", first), png("b.png", second)]})["image"]
    np.testing.assert_array_equal(image.numpy(), np.stack([first.T, second.T]))


def test_channels_of_other_shape_or_affine_or_color_are_refused(png, nifti):
    loader = LoadImageFiled("image")
    with pytest.raises(InputError, match=r"channel with shape \(6, 7\).*shape \(5, 7\)"):
        loader({"image": [png("a.png"), png("b.png", array(7, 6, dtype=np.uint8))]})
    volume = array(3, 4, 5, dtype=np.uint8)
    with pytest.raises(InputError, match="another position or orientation"):
        loader({"image": [nifti("a.nii", volume), nifti("b.nii", volume, np.diag([1, 1, 2, 1]))]})
    with pytest.raises(InputError, match="one path per channel, each with one channel"):
        loader({"image": [png("a.png"), png("c.png", array(7, 5, 3, dtype=np.uint8))]})


def test_archive_reference(tmp_path):
    images, colors, volumes = (array(*shape, dtype=np.uint8) for shape in [(3, 7, 5), (3, 7, 5, 3), (2, 6, 7, 5)])
    path = tmp_path / "m.npz"
    np.savez(path, train_images=images, test_images=colors, val_images=volumes)
    np.testing.assert_array_equal(load(f"{path}#train_images[2]")[0], images[2].T)
    np.testing.assert_array_equal(load(f"{path}#test_images[1]")[0], colors[1].transpose(1, 0, 2))
    np.testing.assert_array_equal(load(f"{path}#val_images[0]")[0], volumes[0].T)
    for reference, found in [("train_images[3]", "no image 3"), ("other[0]", "no array 'other'")]:
        with pytest.raises(InputError, match=found):
            load(f"{path}#{reference}")
    with pytest.raises(InputError, match="does not exist"):
        load(f"{tmp_path}/absent.npz#train_images[0]")


def broken_png(path: Path) -> Path:
    Image.fromarray(array(64, 64, dtype=np.uint8)).save(path / "broken.png")
    (path / "broken.png").write_bytes((path / "broken.png").read_bytes()[:500])
    return path / "broken.png"


def no_png(path: Path) -> Path:
    (path / "text.png").write_text("no image")
    return path / "text.png"


def broken_nifti(path: Path) -> Path:
    with gzip.open(path / "broken.nii.gz", "wb") as file:
        file.write(b"\x5c\x01\x00\x00" + b"\0" * 100)
    return path / "broken.nii.gz"


def truncated_nifti(path: Path) -> Path:
    nib.save(nib.Nifti1Image(array(9, 9, 9), np.eye(4)), path / "cut.nii.gz")
    (path / "cut.nii.gz").write_bytes((path / "cut.nii.gz").read_bytes()[:600])
    return path / "cut.nii.gz"


def pages_of_two_shapes(path: Path) -> Path:
    first, second = (Image.fromarray(array(*shape, dtype=np.uint8)) for shape in [(4, 4), (4, 5)])
    first.save(path / "two.tif", save_all=True, append_images=[second])
    return path / "two.tif"


def cmyk(path: Path) -> Path:
    Image.new("CMYK", (4, 4)).save(path / "cmyk.jpg")
    return path / "cmyk.jpg"


def planar_color(path: Path) -> Path:
    tifffile.imwrite(path / "planar.tif", array(3, 7, 5), photometric="rgb", planarconfig="separate")
    return path / "planar.tif"


def double_tiff(path: Path) -> Path:
    tifffile.imwrite(path / "double.tif", np.zeros((4, 4)))
    return path / "double.tif"


def complex_nifti(path: Path) -> Path:
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), dtype=np.complex64), np.eye(4)), path / "complex.nii")
    return path / "complex.nii"


def five_dimensions(path: Path) -> Path:
    nib.save(nib.Nifti1Image(array(2, 2, 2, 2, 2, dtype=np.uint8), np.eye(4)), path / "five.nii")
    return path / "five.nii"


def singular_affine(path: Path) -> Path:
    nib.save(nib.Nifti1Image(array(3, 3, 3, dtype=np.uint8), np.eye(4)), path / "flat.nii")
    raw = bytearray((path / "flat.nii").read_bytes())
    rows = [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]]  # columns of length 1, as pixdim says, but two of them equal
    raw[280:328] = np.asarray(rows, dtype="<f4").tobytes()
    (path / "flat.nii").write_bytes(bytes(raw))
    return path / "flat.nii"


def unknown_format(path: Path) -> Path:
    (path / "a.xyz").write_text("?")
    return path / "a.xyz"


def absent(path: Path) -> Path:
    return path / "absent.png"


def folder_without_images(path: Path) -> Path:
    return path


BAD_FILES = [
    (broken_png, "cannot be read"),
    (no_png, "no header of an image"),
    (broken_nifti, "no readable NIfTI header"),
    (truncated_nifti, "no readable NIfTI header"),
    (pages_of_two_shapes, "different shapes"),
    (cmyk, "color mode CMYK"),
    (planar_color, "8 bits"),
    (double_tiff, "cannot be read"),
    (complex_nifti, "complex64"),
    (five_dimensions, "5D array"),
    (singular_affine, "singular"),
    (unknown_format, "unknown file format"),
    (absent, "does not exist"),
    (folder_without_images, "no DICOM image"),
]


@pytest.mark.parametrize(("make", "message"), BAD_FILES, ids=[make.__name__ for make, _ in BAD_FILES])
def test_bad_file_is_one_input_error(tmp_path, make, message):
    path = make(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        LoadImageFiled("image")({"image": str(path)})
    assert path.name in caught.value.where
    assert caught.value.expected
    assert caught.value.remedy.endswith(".")


def test_missing_key_and_other_keys(png):
    with pytest.raises(InputError, match="no entry 'image'; its entries are case"):
        LoadImageFiled("image")({"case": "a"})
    assert LoadImageFiled("image", allow_missing_keys=True)({"case": "a"}) == {"case": "a"}
    extra = {"image_path": "/a/b", "image_meta_dict": {"x": 1}, "label": 1}
    item = LoadImageFiled("image")({"image": Path(png("a.png")), **extra})
    assert {key: item[key] for key in extra} == extra


def test_is_a_monai_loader_and_gives_metadata_on_request(png):
    loader = LoadImageFiled("image", image_only=False)
    assert isinstance(loader, LoadImaged)
    item = loader({"image": png("a.png")})
    assert item["image_meta_dict"]["filename_or_obj"].endswith("a.png")
    assert LoadImageFiled("image", reader="ITKReader")({"image": png("a.png")})["image"].shape == (1, 5, 7)


def test_array_instead_of_path_is_passed_on():
    image = LoadImageFiled("image")({"image": np.ones((2, 3, 4))})["image"]
    assert image.dtype == torch.float32
    assert image.shape == (2, 3, 4)


def test_verify_suffix(png, tmp_path):
    assert MedicalImageReader().verify_suffix(png("a.png"))
    assert not MedicalImageReader().verify_suffix([png("a.png"), str(tmp_path / "a.xyz")])


@pytest.mark.real_data
def test_real_volumes_and_tiff(real_data):
    loader = LoadImageFiled("image")
    for name, shape in [
        ("MNI152_T1_2mm.nii.gz", (1, 91, 109, 91)),
        ("voxelmorph_test_vol_T1.nii.gz", (1, 160, 192, 224)),
    ]:
        image = loader({"image": real_data / "healthy_3d" / name})["image"]
        assert image.shape == shape
        assert image.dtype == torch.float32
    path = next((real_data / "lgg_original_tif").rglob("*_12.tif"))
    image = loader({"image": path})["image"]
    expected, _ = (lambda reader: reader.get_data(reader.read(path)))(ITKReader())
    assert image.shape == (3, 256, 256)
    np.testing.assert_array_equal(image.numpy(), expected.transpose(2, 0, 1))
