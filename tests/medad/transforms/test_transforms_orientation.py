# SPDX-License-Identifier: Apache-2.0
import json

import nibabel as nib
import numpy as np
import pytest
import torch
from medad.transforms import LoadImageFiled, OrientVolumed, slice_axis
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, Resized
from PIL import Image


def gray(*shape):
    return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)


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


@pytest.mark.parametrize("axes", ["LPS", "RAS", "PLS", "ARI"])
@pytest.mark.parametrize("suffix", [".nii", ".NII.GZ"])
def test_a_2d_nifti_follows_its_header_like_a_volume_of_one_slice(tmp_path, axes, suffix):
    rows = gray(9, 7)
    volume = nib.Nifti1Image(rows.T[..., None], np.diag([-1.0, -2, 3, 1]))
    turn = nib.orientations.ornt_transform(nib.io_orientation(volume.affine), nib.orientations.axcodes2ornt(axes))
    volume = volume.as_reoriented(turn)
    flat = nib.Nifti1Image(np.asarray(volume.dataobj)[..., 0], volume.affine)
    pipeline = Compose([LoadImageFiled("image"), OrientVolumed("image"), Resized("image", (14, 18))])
    for image, name in ((volume, "one"), (flat, "flat")):
        nib.save(image, tmp_path / f"{name}{suffix}")
        loaded = LoadImageFiled("image")({"image": tmp_path / f"{name}{suffix}"})
        oriented = OrientVolumed("image")(loaded)["image"]
        np.testing.assert_array_equal(oriented.numpy().reshape(7, 9), rows.T)
        assert oriented.pixdim[:2].tolist() == [1, 2]
    item = pipeline({"image": tmp_path / f"flat{suffix}"})
    item["pred"] = item["image"].clone()
    undone = Invertd("pred", pipeline, orig_keys="image")(item)["pred"]
    assert undone.shape == (1, *flat.shape)
    np.testing.assert_array_equal(undone.affine, flat.affine)


@pytest.mark.parametrize("shape", [(1, 6, 5), (6, 1, 5), (6, 5, 1)])
def test_a_single_slice_stays_one_slice(nifti, shape):
    volume = gray(*shape)
    pipeline = Compose([LoadImageFiled("image"), OrientVolumed("image")])
    item = pipeline({"image": nifti("a.nii", volume)})  # axes to the right, front and top
    turned = {0: volume[:, ::-1, ::-1].transpose(1, 2, 0), 1: volume[::-1, :, ::-1].transpose(0, 2, 1)}
    expected = turned.get(shape.index(1), volume[::-1, ::-1])
    np.testing.assert_array_equal(item["image"][0].numpy(), expected)
    np.testing.assert_array_equal(pipeline.inverse(item)["image"][0].numpy(), volume)


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [((4, 5, 6), "LPS", 2), ((4, 5, 6), "RAS", 2), ((4, 5, 6), "SPL", 0), ((4, 5, 6), "PSR", 1), ((4, 1, 6), "RAS", 1)],
)
def test_slices_follow_each_other_along_the_axis_that_becomes_the_last(shape, axes, expected):
    affine = np.eye(4)
    for column, (axis, sign) in enumerate(nib.orientations.axcodes2ornt(axes)):
        affine[:3, column] = sign * np.eye(3)[int(axis)]
    volume = MetaTensor(torch.rand(1, *shape), affine=torch.from_numpy(affine))
    assert slice_axis(volume) == expected
    oriented = OrientVolumed("image")({"image": volume})["image"]
    assert oriented.shape[-1] == shape[expected]
    assert slice_axis(oriented) == slice_axis(volume.as_tensor()) == 2 or 1 in shape
