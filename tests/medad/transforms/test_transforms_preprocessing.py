# SPDX-License-Identifier: Apache-2.0
"""The way of a case from its files to the network, and of its map back."""

from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from medad.errors import InputError, unwrap_errors
from medad.transforms import FitToGridd, LoadImageFiled, SlicesOfVolume, case_preprocessing, slice_axis
from monai.data import MetaTensor
from monai.transforms import Invertd, Lambdad

VOLUME = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)


def test_volumes_are_oriented_and_masks_stay_on_their_grid(nifti: Any) -> None:
    affine = np.diag([1.0, -1.0, 1.0, 1.0])  # to the right, to the front
    mask = (VOLUME > 100).astype(np.uint8)
    item = {"image": nifti("a.nii", VOLUME, affine), "mask": nifti("m.nii", mask, affine), "case": "a"}
    case = case_preprocessing(1, 3, [])(dict(item))
    assert nibabel.aff2axcodes(case["image"].affine) == ("L", "P", "S")
    np.testing.assert_array_equal(case["image"][0].numpy(), VOLUME[::-1].astype(np.float32))
    np.testing.assert_array_equal(case["mask"][0].numpy(), mask)  # as evaluation compares it
    learned = case_preprocessing(1, 3, [], lesions=True)(dict(item))
    np.testing.assert_array_equal(learned["mask"][0].numpy(), mask[::-1])


def test_the_steps_of_a_method_come_last_and_are_undone_first(nifti: Any) -> None:
    path = nifti("a.nii", VOLUME, np.diag([-1.0, -1.0, 1.0, 1.0]))
    double = Lambdad("image", lambda image: image * 2, track_meta=False)
    steps = case_preprocessing(1, 3, [FitToGridd("image", (10, 12, 14)), double])
    case = steps({"image": path, "case": "a"})
    assert case["image"].shape == (1, 10, 12, 14) and float(case["image"].max()) > VOLUME.max() * 1.5
    case["anomaly_map"] = MetaTensor(torch.rand(case["image"].shape))
    back = Invertd("anomaly_map", steps, "image")(case)["anomaly_map"]
    assert back.shape == (1, *VOLUME.shape)
    torch.testing.assert_close(back.affine, torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0], dtype=torch.float64)))


def test_circles_are_drawn_where_lesions_are_learned_from(png: Any) -> None:
    item = {"image": png("a.png"), "case": "a", "circles": [[2.0, 3.0, 1.0]]}
    learned = case_preprocessing(1, 2, [], lesions=True)(dict(item))
    assert learned["mask"].shape == (1, 5, 7) and learned["mask"][0, 2, 3] == 1 and learned["mask"][0, 0, 0] == 0
    assert "mask" not in case_preprocessing(1, 2, [])(dict(item))


@pytest.mark.parametrize("display", [True, False])
def test_values_are_those_shown_where_asked_for(dicom: Any, display: bool) -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(4, 3)
    path = dicom("a.dcm", pixels, PhotometricInterpretation="MONOCHROME1", WindowCenter=1, WindowWidth=30)
    values = case_preprocessing(1, 2, [], display=display)({"image": path, "case": "a"})["image"]
    turned = bool(values[0, 0, 0] > values[0, -1, -1])
    assert turned == display


@pytest.mark.parametrize(
    ("in_channels", "spatial_dims", "message"), [(3, 2, "1 channels found"), (1, 3, "2D image|2 spatial axes")]
)
def test_channels_and_axes_must_be_those_of_the_network(
    png: Any, in_channels: int, spatial_dims: int, message: str
) -> None:
    preprocessing = case_preprocessing(in_channels, spatial_dims, [])
    with pytest.raises(InputError, match=message), unwrap_errors():
        preprocessing({"image": png("a.png"), "case": "a"})


@pytest.mark.parametrize(("plane", "axes", "columns"), [("coronal", "LIP", (0, 2, 1)), ("sagittal", "PIL", (1, 2, 0))])
@pytest.mark.parametrize("file_axes", ["LPS", "RAS", "PSR"])
def test_slices_of_another_plane_are_those_of_a_volume_turned_that_way(
    nifti: Any, plane: str, axes: str, columns: tuple[int, ...], file_axes: str
) -> None:
    image = nibabel.Nifti1Image(VOLUME, np.diag([-1.0, -1.0, 1.0, 1.0]))
    stored = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt(file_axes)
    )
    image = image.as_reoriented(stored)
    item = {"image": nifti("a.nii", np.asarray(image.dataobj), image.affine), "case": "a"}
    steps = case_preprocessing(1, 2, [], slice_plane=plane)
    case = steps(dict(item))
    assert nibabel.aff2axcodes(case["image"].affine) == tuple(axes)
    expected = VOLUME.transpose(columns)[:, ::-1]  # a picture runs from the head down
    np.testing.assert_array_equal(case["image"][0].numpy(), expected.astype(np.float32))
    assert slice_axis(case["image"]) == 2
    slices = SlicesOfVolume(2, 0.0)({**case, "mask": LoadImageFiled("image")(dict(item))["image"]})
    assert isinstance(slices, list) and slices[0]["image"].shape[1:] == expected.shape[:2]
    assert all(torch.equal(each["image"], each["mask"]) for each in slices)
    back = Invertd("anomaly_map", steps, "image")({**case, "anomaly_map": case["image"].clone()})["anomaly_map"]
    np.testing.assert_array_equal(back[0].numpy(), np.asarray(image.dataobj).astype(np.float32))
    across = {"coronal": "PA", "sagittal": "LR"}[plane]
    assert nibabel.aff2axcodes(back.affine)[slice_axis(back)] in across  # where small components are looked for


def test_a_plane_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="slice_plane must be one of sagittal, coronal, axial, got 'oblique'"):
        case_preprocessing(1, 2, [], slice_plane="oblique")
