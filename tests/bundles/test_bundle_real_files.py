# SPDX-License-Identifier: Apache-2.0
"""Real files of odd kinds: single DICOM files of several scanners, and slices with three modalities as colors."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from bundle_tools import build, fails_with, reconstructs
from medad.engines import CohortError
from PIL import Image

pytestmark = [pytest.mark.slow, pytest.mark.real_data]
Infer = Callable[..., Path]

RUN = {
    "693_J2KR.dcm": "2D image, JPEG 2000 lossy",
    "MR-SIEMENS-DICOM-WithOverlays.dcm": "2D image with overlays",
    "MR2_J2KR.dcm": "2D image, JPEG 2000 lossy",
    "eCT_Supplemental.dcm": "enhanced CT with two frames",
    "emri_small.dcm": "enhanced MR with ten frames",
}
FAIL = {"liver.dcm": "a DICOM segmentation (SEG) found"}


def test_every_file_is_expected(real_data: Path) -> None:
    assert {path.name for path in (real_data / "dicom" / "pydicom_single").glob("*.dcm")} == {*RUN, *FAIL}


@pytest.mark.one_bundle
@pytest.mark.parametrize("name", RUN)
def test_single_dicom_files_run(infer: Infer, real_data: Path, tmp_path: Path, name: str) -> None:
    path = real_data / "dicom" / "pydicom_single" / name
    out = infer(tmp_path / "out", dataset_dir=path) / path.stem
    header = pydicom.dcmread(path, stop_before_pixels=True)
    frames = int(header.get("NumberOfFrames", 1))
    if frames > 1:
        found = np.asarray(nibabel.load(out / f"{path.stem}_anomaly_map.nii.gz").dataobj)
        assert found.shape == (header.Columns, header.Rows, frames)
    else:
        found = np.load(out / f"{path.stem}_anomaly_map.npy")
        assert found.shape == (header.Rows, header.Columns)
    assert np.isfinite(found).all() and found.max() > 0


@pytest.mark.one_bundle
@pytest.mark.parametrize("name", FAIL)
def test_other_dicom_files_fail_with_their_reason(infer: Infer, real_data: Path, tmp_path: Path, name: str) -> None:
    path = real_data / "dicom" / "pydicom_single" / name
    with fails_with(CohortError, f"{path}: {FAIL[name]}. Expected a DICOM image. Give the image series instead."):
        infer(tmp_path / "out", dataset_dir=path)


def test_three_modalities_as_colors(bundle: Path, real_data: Path, tmp_path: Path) -> None:
    """Train on slices without a lesion (and on some with one, where a method takes them), then infer on all slices."""
    source = real_data / "lgg_original_tif"
    slices = sorted(path for path in source.rglob("*.tif") if "mask" not in path.name)
    masks = [path.with_name(f"{path.stem}_mask.tif") for path in slices]
    items = [
        {"image": str(path), "mask": str(mask), "label": int(np.asarray(Image.open(mask)).any())}
        for path, mask in zip(slices, masks, strict=True)
        if np.asarray(Image.open(path)).max() > 50
    ]
    normal, abnormal = ([item for item in items if item["label"] == label] for label in (0, 1))
    assert len(normal) >= 6 and len(abnormal) >= 2
    splits = {"training": normal[:-3], "training_abnormal": abnormal[:2], "calibration": normal[-3:]}
    (tmp_path / "datalist.json").write_text(json.dumps(splits))
    paths = {"ckpt_path": tmp_path / "model.pt", "calibration_path": tmp_path / "calibration.json"}
    common = {"in_channels": 3, **paths}
    build(bundle, "train smoke", dataset_dir=tmp_path, ckpt_dir=tmp_path, output_dir=tmp_path / "log", **common).run()
    rates = {"image_false_positive_rate": 0.3}  # three normals support no smaller one
    out = tmp_path / "out"
    build(
        bundle, "inference smoke", "infer", dataset_dir=source, recursive=True, output_dir=out, **common, **rates
    ).run()
    with (out / "scores.csv").open() as file:
        cases = [row["case"] for row in csv.DictReader(file)]
    assert cases == sorted(path.stem for path in slices)
    for path in slices:
        rows, columns, channels = np.asarray(Image.open(path)).shape
        folder = out / path.stem
        assert channels == 3
        assert np.load(folder / f"{path.stem}_anomaly_map.npy").shape == (rows, columns)
        assert np.load(folder / f"{path.stem}_mask.npy").shape == (rows, columns)
        reconstruction = folder / f"{path.stem}_reconstruction.npy"
        assert reconstruction.exists() == reconstructs(bundle)
        assert not reconstruction.exists() or np.load(reconstruction).shape == (rows, columns, 3)
