# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from medad.errors import InputError
from medad.transforms import CheckImaged, LoadImageFiled
from medad.transforms.meaning import require_values, values_entry
from monai.data import MetaTensor


def image(**meta: Any) -> MetaTensor:
    return MetaTensor(torch.rand(1, 5, 4), meta=meta)


@pytest.mark.parametrize("display", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".nii.gz", "array", "tensor"])
def test_what_the_loader_gives_is_what_the_bundle_takes(display: bool, suffix: str, png: Any, nifti: Any) -> None:
    pixels = np.arange(20, dtype=np.uint8).reshape(5, 4)
    given = {".png": lambda: png("a.png", pixels), ".nii.gz": lambda: nifti("a.nii.gz", pixels[..., None])}
    given |= {"array": lambda: pixels[None], "tensor": lambda: MetaTensor(pixels[None])}
    item = LoadImageFiled("image", display=display)({"image": given[suffix]()})
    assert CheckImaged("image", 1, 2, display=display)(item)["image"].shape[0] == 1
    require_values(item["image"], display, "a")
    with pytest.raises(InputError, match=r"a: another program hands over .*ed values\. Expected"):
        require_values(item["image"], not display, "a")


def test_an_image_of_a_program_is_taken_as_measured_and_not_as_displayed() -> None:
    for each in (image(), torch.rand(1, 5, 4)):
        require_values(each, False, "a")
        with pytest.raises(InputError, match="another program hands over values that nothing is said about"):
            require_values(each, True, "a")


@pytest.mark.parametrize("display", [False, True])
def test_monai_deploy_has_to_ask_the_loader(display: bool) -> None:
    from_sdk = {"series_instance_uid": "1.2.3"}
    require_values(image(**from_sdk, **values_entry(display)), display, "a")
    with pytest.raises(InputError, match=r"MONAI Deploy hands over values .*monai_deploy\.md"):
        require_values(image(**from_sdk), display, "a")


def test_a_copy_of_a_dicom_series_does_not_tell_what_is_displayed(
    dicom_series: Any, nifti: Any, tmp_path: Path
) -> None:
    volume = dicom_series("1.2.840.5")
    copy = nifti("1.2.840.5.nii.gz", volume.astype(np.float32))  # as MONAI Label keeps the images of a DICOM server
    np.testing.assert_array_equal(LoadImageFiled("image")({"image": copy})["image"][0].numpy(), volume)
    with pytest.raises(InputError, match=r"1\.2\.840\.5\.nii\.gz: a NIfTI file .*MONAI Label .*CONVERT_TO_NIFTI=false"):
        LoadImageFiled("image", display=True)({"image": copy})
    nib.save(nib.load(copy), tmp_path / "other.nii.gz")
    LoadImageFiled("image", display=True)({"image": str(tmp_path / "other.nii.gz")})
