# SPDX-License-Identifier: Apache-2.0


import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dicom_files
import highdicom
import numpy as np
import pydicom
import pytest
from dicom_files import AXIAL, OBLIQUE, SAGITTAL, assert_same_by_position, write_enhanced, write_series
from medad.datalists import load_datalist
from medad.errors import InputError
from medad.handlers import DicomResults, dicom_results
from medad.transforms import LoadImageFiled

VOLUME = np.random.default_rng(0).integers(0, 900, (5, 6, 4))
Save = Callable[..., Path]


@pytest.mark.parametrize("kind", ["CT", "MR"])
@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL, OBLIQUE], ids=["axial", "sagittal", "oblique"])
@pytest.mark.parametrize("reverse", [False, True], ids=["along", "against"])
def test_a_series_comes_back_voxel_by_voxel(
    save: Save, tmp_path: Path, kind: str, orientation: tuple[float, ...], reverse: bool
) -> None:
    write_series(tmp_path / "series", VOLUME, kind, orientation, reverse)
    out = save(tmp_path / "series")
    mask = highdicom.seg.segread(out / "c_mask.dcm")
    assert mask.NumberOfFrames == 4  # a slice without a mark is left out
    assert_same_by_position(out / "c_mask.nii.gz", mask.get_volume(combine_segments=True))
    assert_same_by_position(out / "c_anomaly_map.nii.gz", highdicom.imread(out / "c_anomaly_map.dcm").get_volume())


def test_a_multi_frame_file_comes_back_in_the_order_of_its_frames(save: Save, tmp_path: Path) -> None:
    write_enhanced(tmp_path / "enhanced.dcm", VOLUME, order=[2, 0, 4, 1, 3])
    out = save(tmp_path / "enhanced.dcm")
    assert_same_by_position(
        out / "c_mask.nii.gz", highdicom.seg.segread(out / "c_mask.dcm").get_volume(combine_segments=True)
    )
    stored = highdicom.imread(out / "c_anomaly_map.dcm")
    assert_same_by_position(out / "c_anomaly_map.nii.gz", stored.get_volume())
    positions = [
        group.PlanePositionSequence[0].ImagePositionPatient
        for group in pydicom.dcmread(tmp_path / "enhanced.dcm").PerFrameFunctionalGroupsSequence
    ]
    for groups in stored.PerFrameFunctionalGroupsSequence:
        number = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        assert groups.PlanePositionSequence[0].ImagePositionPatient == positions[number - 1]


@pytest.mark.parametrize("kind", ["CR", "MG"])
def test_an_image_without_a_position_comes_back(save: Save, tmp_path: Path, kind: str) -> None:
    dicom_files.write_single(tmp_path / "image.dcm", VOLUME[0], kind)
    out = save(tmp_path / "image.dcm")
    mask = highdicom.seg.segread(out / "c_mask.dcm")
    np.testing.assert_array_equal(mask.get_frame(1).squeeze(), np.load(out / "c_mask.npy"))
    anomaly_map = highdicom.imread(out / "c_anomaly_map.dcm")
    np.testing.assert_array_equal(anomaly_map.get_volume().array[0], np.load(out / "c_anomaly_map.npy"))
    source = pydicom.dcmread(tmp_path / "image.dcm")
    assert anomaly_map.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing == [0.1, 0.1]
    assert mask.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == (
        source.SOPInstanceUID
    )


def test_what_there_is_is_written(save: Save, result: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    def dicom(out: Path) -> list[str]:
        return sorted(path.name for path in out.glob("*.dcm"))

    series = tmp_path / "series"
    write_series(series, VOLUME)
    assert dicom(save(series, wanted="auto")) == ["c_anomaly_map.dcm", "c_mask.dcm"]
    assert dicom(save(series, wanted=False, out="no")) == []
    assert dicom(save(series, out="no_mask", pred=None)) == ["c_anomaly_map.dcm"]
    assert dicom(save(series, out="heatmap", pred_name="heatmap")) == ["c_anomaly_map.dcm"]
    nothing = result(series)["pred"] * 0
    out = save(series, out="empty", pred=nothing)
    assert not highdicom.seg.segread(out / "c_mask.dcm").get_volume(combine_segments=True).array.any()
    assert dicom(save(save(series, out="source") / "c_mask.nii.gz", out="nifti")) == []


def test_without_highdicom(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dicom_results, "find_spec", lambda name: None)
    write_series(tmp_path / "series", VOLUME)
    with caplog.at_level(logging.INFO):
        out = save(tmp_path / "series", wanted="auto")
        save(tmp_path / "series", wanted=False, out="no")
    assert not list(out.glob("*.dcm")) and (out / "c_mask.nii.gz").is_file()
    assert [record.getMessage() for record in caplog.records if "highdicom is not installed" in record.message] == [
        "DICOM images: mask and map are not written as DICOM, since highdicom is not installed: "
        'pip install "medad[dicom]" or pip install highdicom'
    ]
    with pytest.raises(InputError, match=r"dicom_output: highdicom is not installed.*medad\[dicom\]"):
        save(tmp_path / "series", wanted=True, out="required")
    assert not (tmp_path / "required").exists()


@pytest.mark.parametrize("value", ["yes", 1, 0, None])
def test_another_value_is_refused(bundle: Path, value: Any) -> None:
    with pytest.raises(InputError, match=rf"dicom_output: {value!r} found\. Expected True, False or auto"):
        DicomResults(value, bundle, bundle / "model.pt")


def test_a_run_reads_bundle_and_weights_once(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = []
    monkeypatch.setattr(dicom_results, "weights_hash", lambda path: hashed.append(path) or "0" * 64)
    results = DicomResults(True, bundle, bundle / "model.pt")
    write_series(tmp_path / "series", VOLUME)
    for case in ("one", "two"):
        results.write(tmp_path / case / case, str(tmp_path / "series"), None, np.ones((4, 6, 5), dtype=np.uint8))
    assert (tmp_path / "two" / "two_mask.dcm").is_file() and hashed == [bundle / "model.pt"]


def test_results_are_no_input(save: Save, tmp_path: Path) -> None:
    write_series(tmp_path / "series", VOLUME)
    out = save(tmp_path / "series")
    for path in out.glob("*.dcm"):
        path.rename(tmp_path / "series" / f"result_{path.name}")
    items = load_datalist(tmp_path / "series", "inference")
    assert [item["case"] for item in items] == ["series"]
    with pytest.raises(InputError, match="a DICOM parametric map found"):
        LoadImageFiled(keys="image")({"image": str(tmp_path / "series" / "result_c_anomaly_map.dcm")})
