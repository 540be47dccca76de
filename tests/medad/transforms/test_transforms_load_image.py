# SPDX-License-Identifier: Apache-2.0
"""Masks, image checks, orientation: what passes, what is refused, what can be undone."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from medad.errors import InputError, find_medad_error
from medad.transforms import CheckImaged, LoadImageFiled, LoadMaskd, OrientVolumed, collapse_equal_colors
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, Resized
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


def tensor(array, name="a.png"):
    return MetaTensor(torch.as_tensor(np.asarray(array), dtype=torch.float32), meta={"filename_or_obj": name})


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


@pytest.mark.parametrize(("shape", "dims"), [((1, 4, 5), 2), ((1, 4, 5, 6), 2), ((1, 4, 5, 6), 3), ((1, 4, 5, 1), 3)])
def test_good_images_pass_unchanged(shape, dims):
    image = tensor(gray(*shape))
    found = CheckImaged("image", 1, dims)({"image": image, "other": 1})
    assert found["other"] == 1
    assert torch.equal(found["image"], image)
    assert found["image"].meta == image.meta


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8, torch.float64])
def test_an_image_handed_over_by_a_program_becomes_as_if_loaded(nifti, dtype):
    """MONAI Deploy takes the loading away and gives ``(x, y, z)`` as stored; its metadata know the spatial shape."""
    volume = gray(4, 5, 6)
    loaded = LoadImageFiled("image")({"image": nifti("a.nii", volume)})["image"]
    given = MetaTensor(torch.as_tensor(volume).to(dtype), meta={**loaded.meta, "original_channel_dim": "no_channel"})
    check = CheckImaged("image", 1, 3)
    found, expected = (check({"image": image})["image"] for image in (given, loaded))
    assert found.dtype == expected.dtype == torch.float32
    assert found.shape == expected.shape == (1, 4, 5, 6)
    assert torch.equal(found, expected)
    assert torch.equal(found.affine, expected.affine)


def with_value(value):
    image = gray(1, 4, 5).astype(np.float32)
    image[0, 1, 1] = value
    return image


BAD_IMAGES = [
    (with_value(np.nan), 1, 2, "1 NaN or infinite values"),
    (with_value(np.inf), 1, 2, "1 NaN or infinite values"),
    (np.full((1, 4, 5), 7.0), 1, 2, r"constant image \(all values are 7\)"),
    (np.zeros((1, 0, 5)), 1, 2, "empty image"),
    (gray(3, 4, 5), 1, 2, "3 channels found"),
    (gray(1, 4, 5), 3, 2, "1 channels found"),
    (gray(1, 4, 5), 1, 3, "2 spatial axes found"),
    (gray(4, 4, 5, 6), 1, 3, "4 channels found"),
    (gray(1, 4), 1, 2, "1 spatial axes found"),
    (gray(1, 2, 2, 2, 2), 1, 3, "4 spatial axes found"),
]


@pytest.mark.parametrize(("image", "channels", "dims", "message"), BAD_IMAGES)
def test_bad_images(image, channels, dims, message):
    with pytest.raises(InputError, match=message) as caught:
        CheckImaged("image", channels, dims)({"image": tensor(image, "bad.png")})
    assert caught.value.where == "bad.png"


def test_image_without_metadata_is_named_by_its_key():
    with pytest.raises(InputError, match="entry 'image'"):
        CheckImaged("image", 1, 2)({"image": torch.zeros(1, 3, 3)})


def test_bad_arguments():
    with pytest.raises(ValueError, match="spatial_dims"):
        CheckImaged("image", 1, 4)
    with pytest.raises(ValueError, match="channels"):
        CheckImaged("image", 0, 2)


def test_gray_saved_as_color_becomes_one_channel():
    image = gray(1, 4, 5)
    alpha = np.full_like(image, 255)
    for channels in ([image] * 3, [image] * 3 + [alpha], [image, alpha]):
        found = CheckImaged("image", 1, 2)({"image": tensor(np.concatenate(channels))})["image"]
        np.testing.assert_array_equal(found.numpy(), image)
    colors = gray(3, 4, 5)
    rgba = np.concatenate([colors, alpha])
    np.testing.assert_array_equal(CheckImaged("image", 3, 2)({"image": tensor(rgba)})["image"].numpy(), colors)


def test_varying_alpha_or_color_is_not_dropped():
    for image in (
        gray(3, 4, 5),
        np.concatenate([gray(1, 4, 5), gray(2, 4, 5)[1:]]),
        np.concatenate([gray(1, 4, 5)] * 5),
    ):
        assert collapse_equal_colors(tensor(image), 1).shape == image.shape


ORIENTATIONS = [
    np.eye(4),
    np.diag([-2.0, -1, 3, 1]),
    np.asarray([[0, 0, 1.5, 2], [-1, 0, 0, 3], [0, 2, 0, 4], [0, 0, 0, 1]]),
]


@pytest.mark.parametrize("affine", ORIENTATIONS)
def test_oriented_volume_points_left_back_up_and_can_be_inverted(nifti, affine):
    volume = gray(4, 5, 6)
    pipeline = Compose([LoadImageFiled("image"), OrientVolumed("image"), Resized("image", (8, 9, 7))])
    loader = LoadImageFiled("image")({"image": nifti("a.nii", volume, affine)})
    oriented = OrientVolumed("image")(loader)["image"]
    np.testing.assert_allclose(np.sign(np.diag(oriented.affine)[:3]), [-1, -1, 1])
    item = pipeline({"image": nifti("a.nii", volume, affine)})
    item["pred"] = MetaTensor(torch.zeros(1, 8, 9, 7))  # Invertd passes plain tensors by
    item["pred"][0, :4] = 1  # the patient's right half
    undone = Invertd("pred", pipeline, orig_keys="image", nearest_interp=True)(item)["pred"]
    assert undone.shape == (1, 4, 5, 6)
    axis = int(np.abs(affine[0, :3]).argmax())  # the file's axis that runs left-right
    profile = undone[0].float().mean(dim=[dim for dim in range(3) if dim != axis])
    rightwards = profile if affine[0, axis] > 0 else profile.flip(0)
    assert rightwards[-1] == 1
    assert rightwards[0] == 0


def test_2d_images_pass_untouched_and_invert(png):
    pipeline = Compose([LoadImageFiled("image"), OrientVolumed("image"), Resized("image", (10, 14))])
    item = pipeline({"image": png("a.png")})
    assert item["image"].shape == (1, 10, 14)
    item["pred"] = item["image"].clone()
    assert Invertd("pred", pipeline, orig_keys="image")(item)["pred"].shape == (1, 5, 7)
    image = LoadImageFiled("image")({"image": png("a.png")})
    assert torch.equal(OrientVolumed("image")(image)["image"], image["image"])


def test_slice_of_a_volume_and_png_are_indexed_alike(png, nifti, tmp_path):
    rows = gray(7, 5)  # as seen on a screen: row 0 is the front, column 0 the patient's right
    volume = np.zeros((5, 7, 3), np.uint8)
    volume[..., 1] = rows.T[::-1, ::-1]  # the same slice with axes to the right and to the front (RAS)
    load = Compose([LoadImageFiled("image"), OrientVolumed("image")])
    from_volume = load({"image": nifti("v.nii", volume)})["image"][..., 1]
    assert torch.equal(from_volume.as_tensor(), load({"image": png("p.png", rows)})["image"].as_tensor())
    Image.fromarray(rows).save(tmp_path / "v.tif", save_all=True, append_images=[Image.fromarray(255 - rows)])
    stack = load({"image": tmp_path / "v.tif"})["image"]
    assert torch.equal(stack[..., 0].as_tensor(), from_volume.as_tensor())


@pytest.mark.real_data
def test_real_volume_and_png_of_one_patient_agree(real_data):
    subject = "TCGA_CS_4941_19960909"
    load = Compose([LoadImageFiled("image"), OrientVolumed("image")])
    volume = load({"image": real_data / "lgg_3d" / f"{subject}_flair.nii.gz"})["image"][0].numpy()
    rows = json.loads((real_data / "lgg_flair" / "datalist.json").read_text())["test"]
    path = next(row["image"] for row in rows if row["subject_id"] == subject)
    png_slice = load({"image": real_data / "lgg_flair" / path})["image"][0].numpy()
    correlations = [np.corrcoef(volume[..., z].ravel(), png_slice.ravel())[0, 1] for z in range(volume.shape[-1])]
    assert max(correlations) > 0.999
    best = volume[..., int(np.argmax(correlations))]
    for wrong in (best[::-1], best[:, ::-1], best.T):
        assert np.corrcoef(wrong.ravel(), png_slice.ravel())[0, 1] < 0.95


@pytest.mark.real_data
def test_real_masks_fit(real_data):
    folder = real_data / "lgg_3d"
    subject = "TCGA_CS_4941_19960909"
    item = CASE(
        {"image": folder / f"{subject}_flair.nii.gz", "mask": str(folder / f"{subject}_mask.nii.gz"), "label": 1}
    )
    assert item["mask"].shape == item["image"].shape
    assert 0 < item["mask"].float().mean() < 0.1
