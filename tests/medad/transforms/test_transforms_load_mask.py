# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from medad.errors import InputError, find_medad_error
from medad.transforms import LoadImageFiled, LoadMaskd
from monai.transforms import Compose
from PIL import Image

CASE = Compose([LoadImageFiled("image"), LoadMaskd()])


def gray(*shape):
    return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)


def refused(item, transform=CASE):
    with pytest.raises(RuntimeError) as caught:
        transform(item)
    error = find_medad_error(caught.value)
    assert isinstance(error, InputError)
    return str(error)


def test_masks_are_binary_on_the_files_grid(png):
    marked = np.zeros((7, 5), np.uint8)
    marked[2, 3] = 255
    item = CASE({"image": png("a.png"), "mask": png("m.png", marked), "foreground": png("f.png", 1 - marked // 255)})
    for key, expected in [("mask", marked > 0), ("foreground", marked == 0)]:
        assert item[key].dtype == torch.uint8
        np.testing.assert_array_equal(item[key].numpy(), expected.T[None])


def test_volume_mask_with_several_labels(nifti):
    labels = gray(4, 5, 6) % 4
    item = CASE({"image": nifti("a.nii", gray(4, 5, 6)), "mask": nifti("m.nii", labels)})
    np.testing.assert_array_equal(item["mask"].numpy(), labels[None] > 0)


def test_missing_masks_and_other_entries_are_left_alone(png):
    item = CASE({"image": png("a.png"), "image_path": "x", "image_meta_dict": {}, "label": 0})
    assert set(item) == {"image", "image_path", "image_meta_dict", "label"}


def test_empty_path_is_an_empty_mask(png):
    item = CASE({"image": png("a.png"), "mask": "", "label": 0})
    assert item["mask"].shape == (1, 5, 7)
    assert item["mask"].dtype == torch.uint8
    assert not item["mask"].any()


def test_rgb_mask_and_mask_of_one_slice(png, nifti):
    marked = np.zeros((7, 5), np.uint8)
    marked[2, 3] = 255
    assert CASE({"image": png("a.png"), "mask": png("m.png", np.stack([marked] * 3, -1))})["mask"].shape == (1, 5, 7)
    one_slice = nifti("a.nii", gray(5, 7, 1))
    assert CASE({"image": one_slice, "mask": png("m.png", marked)})["mask"].shape == (1, 5, 7, 1)
    assert CASE({"image": png("a.png"), "mask": nifti("m.nii", marked.T[..., None])})["mask"].shape == (1, 5, 7)


@pytest.mark.parametrize("rows_columns", [(6, 5), (5, 7)])  # also the image's shape, turned
def test_mask_of_another_shape_names_both(png, rows_columns):
    message = refused({"image": png("a.png"), "mask": png("m.png", gray(*rows_columns) // 255)})
    assert f"mask of shape {rows_columns[::-1]} for an image of shape (5, 7)" in message
    assert "m.png" in message


def test_mask_with_other_axes(nifti):
    volume = gray(4, 4, 4)
    message = refused({"image": nifti("a.nii", volume), "mask": nifti("m.nii", volume % 2, np.diag([-1, -1, 1, 1]))})
    assert "axes LPS for an image with axes RAS" in message


def test_mask_with_slightly_other_affine_is_logged(nifti, caplog):
    volume = gray(4, 4, 4)
    CASE({"image": nifti("a.nii", volume), "mask": nifti("m.nii", volume % 2, np.diag([1, 1, 1.1, 1]))})
    assert "affine differs" in caplog.text


BAD_MASKS = [
    (gray(7, 5), "different values"),
    (gray(7, 5, 3), "3 channels"),
    (gray(7, 5) / 7 - 3.0, "different values"),
]


@pytest.mark.parametrize(("mask", "message"), BAD_MASKS)
def test_what_is_no_mask(png, tmp_path, mask, message):
    if mask.dtype == np.uint8:
        path = png("m.png", mask)
    else:
        path = str(tmp_path / "m.tif")
        Image.fromarray(mask.astype(np.float32)).save(path)
    assert message in refused({"image": png("a.png"), "mask": path})


def test_mask_with_nan(nifti):
    broken = np.zeros((3, 3, 3), np.float32)
    broken[0, 0, 0] = np.nan
    assert "NaN" in refused({"image": nifti("a.nii", gray(3, 3, 3)), "mask": nifti("m.nii", broken)})


def test_mask_in_a_normal_image(png):
    marked = np.eye(7, 5, dtype=np.uint8)
    assert "5 voxels are marked" in refused({"image": png("a.png"), "mask": png("m.png", marked), "label": 0})
    assert CASE({"image": png("a.png"), "foreground": png("m.png", marked), "label": 0})["foreground"].sum() == 5


@pytest.mark.real_data
def test_real_masks_fit(real_data):
    folder = real_data / "lgg_3d"
    subject = "TCGA_CS_4941_19960909"
    item = CASE(
        {"image": folder / f"{subject}_flair.nii.gz", "mask": str(folder / f"{subject}_mask.nii.gz"), "label": 1}
    )
    assert item["mask"].shape == item["image"].shape
    assert 0 < item["mask"].float().mean() < 0.1
