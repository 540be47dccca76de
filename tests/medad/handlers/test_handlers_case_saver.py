# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from medad.handlers import CaseSaver
from monai.data import MetaTensor
from PIL import Image


def _case(*spatial: int, channels: int = 1) -> dict[str, object]:
    affine = torch.tensor([[-0.5, 0, 0, 9], [0, 2, 0, 8], [0, 0, 3, 7], [0, 0, 0, 1.0]], dtype=torch.float64)
    return {
        "case": "c1",
        "anomaly_map": MetaTensor(torch.rand(1, *spatial), affine=affine),
        "pred": MetaTensor((torch.rand(1, *spatial) > 0.5).to(torch.uint8), affine=affine),
        "reconstruction": MetaTensor(torch.rand(channels, *spatial), affine=affine),
    }


def test_a_volume_keeps_values_affine_and_types(tmp_path: Path) -> None:
    case = _case(4, 5, 6)
    CaseSaver(tmp_path).save(case)
    for key, name, dtype in (
        ("anomaly_map", "anomaly_map", np.float32),
        ("pred", "mask", np.uint8),
        ("reconstruction", "reconstruction", np.float32),
    ):
        image = nibabel.load(tmp_path / "c1" / f"c1_{name}.nii.gz")
        assert image.get_data_dtype() == dtype
        np.testing.assert_array_equal(np.asarray(image.dataobj), case[key][0].numpy())  # type: ignore[index]
        np.testing.assert_array_equal(image.affine, case["anomaly_map"].affine.numpy())  # type: ignore[attr-defined]


def test_a_picture_lies_in_rows_and_columns_on_one_scale(tmp_path: Path) -> None:
    case = _case(7, 5, channels=3)
    case["anomaly_map"][0, 2, 1] = 3.0  # type: ignore[index]
    CaseSaver(tmp_path, map_white=2.0).save(case)
    stored = np.load(tmp_path / "c1" / "c1_anomaly_map.npy")
    np.testing.assert_array_equal(stored, case["anomaly_map"][0].numpy().T)  # type: ignore[index]
    picture = np.asarray(Image.open(tmp_path / "c1" / "c1_anomaly_map.png")).astype(float)
    np.testing.assert_allclose(picture / 65535, np.clip(stored / 2, 0, 1), atol=1e-4)
    assert stored[1, 2] == 3 and picture[1, 2] == 65535
    mask = np.asarray(Image.open(tmp_path / "c1" / "c1_mask.png"))
    np.testing.assert_array_equal(mask, 255 * case["pred"][0].numpy().T)  # type: ignore[index]
    rebuilt = np.load(tmp_path / "c1" / "c1_reconstruction.npy")
    assert rebuilt.shape == (5, 7, 3)
    shown = np.asarray(Image.open(tmp_path / "c1" / "c1_reconstruction.png")) / 255
    np.testing.assert_allclose(shown, rebuilt, atol=1 / 255)  # an image in [0, 1], whatever the scale of the maps


def test_what_is_missing_is_not_written(tmp_path: Path) -> None:
    case = _case(4, 4)
    del case["pred"], case["reconstruction"]
    CaseSaver(tmp_path).save(case)
    assert sorted(path.name for path in (tmp_path / "c1").iterdir()) == ["c1_anomaly_map.npy", "c1_anomaly_map.png"]


@pytest.mark.parametrize(("name", "spatial"), [("a.nii.gz", (4, 5, 6)), ("A.NII.GZ", (4, 5)), ("a.nii", (4, 5))])
def test_a_nifti_file_gives_nifti_files_that_say_the_same_of_geometry(
    tmp_path: Path, name: str, spatial: tuple[int, ...]
) -> None:
    case = _case(*spatial)
    affine = case["anomaly_map"].affine.numpy()  # type: ignore[attr-defined]
    image = nibabel.Nifti1Image(np.zeros(spatial, np.int16), affine)
    image.set_sform(affine, 4)
    image.set_qform(affine, 3)
    image.header["qoffset_x"] += 7  # the two do not agree
    nibabel.save(image, tmp_path / name)
    case["anomaly_map"].meta["filename_or_obj"] = str(tmp_path / name)  # type: ignore[attr-defined]
    CaseSaver(tmp_path / "out").save(case)
    given = nibabel.load(tmp_path / name).header
    for what in ("anomaly_map", "mask", "reconstruction"):
        written = nibabel.load(tmp_path / "out" / "c1" / f"c1_{what}.nii.gz")
        assert written.shape == spatial
        for part in ("qform_code", "sform_code", "qoffset_x", "srow_x", "pixdim"):
            np.testing.assert_array_equal(written.header[part], given[part])
