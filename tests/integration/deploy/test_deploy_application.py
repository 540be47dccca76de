# SPDX-License-Identifier: Apache-2.0
"""The application of docs/how_to/monai_deploy.md, from DICOM series to DICOM SEG."""

import json
import shutil
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from deploy_tools import Exported, run
from dicom_files import PLANTED, assert_same_by_position


@pytest.fixture(params=["oblique", pytest.param("mr_vs_seg_001", marks=pytest.mark.slow)])
def series(request: pytest.FixtureRequest) -> Path:
    """A generated series, and a real one where there is one."""
    if request.param == "oblique":
        return Path(request.getfixturevalue("oblique_series"))
    return Path(request.getfixturevalue("real_data")) / "dicom" / str(request.param)


def _only_seg(folder: Path) -> Path:
    (path,) = folder.glob("*.dcm")
    return path


def _assert_belongs_to(path: Path, series: Path) -> None:
    """The SEG refers to the series and carries its patient, study, frame of reference and geometry."""
    sources = [pydicom.dcmread(file, stop_before_pixels=True) for file in series.iterdir()]
    first, ds = sources[0], pydicom.dcmread(path)
    for name in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID", "PatientName"):
        assert ds[name].value == first[name].value
    referred = ds.ReferencedSeriesSequence[0]
    assert referred.SeriesInstanceUID == first.SeriesInstanceUID
    named = {item.ReferencedSOPInstanceUID for item in referred.ReferencedInstanceSequence}
    assert named <= {source.SOPInstanceUID for source in sources}
    shared = ds.SharedFunctionalGroupsSequence[0]
    np.testing.assert_allclose(shared.PixelMeasuresSequence[0].PixelSpacing, first.PixelSpacing)
    np.testing.assert_allclose(
        shared.PlaneOrientationSequence[0].ImageOrientationPatient, first.ImageOrientationPatient, atol=1e-6
    )
    assert (ds.Rows, ds.Columns) == (first.Rows, first.Columns)
    assert ds.ContentDescription == "research use only"
    (segment,) = ds.SegmentSequence
    assert (segment.SegmentLabel, segment.SegmentAlgorithmType) == ("Anomaly", "AUTOMATIC")


def test_from_series_to_seg(application: Path, exported: Exported, series: Path, tmp_path: Path) -> None:
    done = run(tmp_path, application, "--input", series, "--model", exported.mask, "--output", "out")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    path = _only_seg(out)
    _assert_belongs_to(path, series)

    expected = exported.detector()(series)
    assert expected.mask.any()
    nibabel.save(nibabel.Nifti1Image(expected.mask, expected.affine), tmp_path / "mask.nii.gz")
    assert_same_by_position(tmp_path / "mask.nii.gz", highdicom.seg.segread(path).get_volume(combine_segments=True))

    images = (nibabel.load(out / "anomaly_map.nii.gz"), nibabel.Nifti1Image(expected.anomaly_map, expected.affine))
    found, wanted = map(nibabel.as_closest_canonical, images)
    np.testing.assert_allclose(found.affine, wanted.affine, atol=1e-4)
    np.testing.assert_allclose(found.get_fdata(), wanted.get_fdata(), atol=1e-5 * expected.anomaly_map.max())
    score = json.loads((out / "score.json").read_text())
    assert score["score"] == pytest.approx(expected.score, rel=1e-5)
    assert (score["p_value"], score["decision"]) == (expected.p_value, expected.decision)


def test_paths_from_the_environment_as_in_a_container(
    application: Path, one_exported: Exported, oblique_series: Path, tmp_path: Path
) -> None:
    shutil.copytree(one_exported.mask, tmp_path / "models" / "anomalies")
    paths = {"INPUT": oblique_series, "MODEL": tmp_path / "models", "OUTPUT": tmp_path / "out"}
    done = run(tmp_path, application, **{f"HOLOSCAN_{name}_PATH": path for name, path in paths.items()})
    assert done.returncode == 0, done.stderr
    _assert_belongs_to(_only_seg(tmp_path / "out"), oblique_series)
    results = (tmp_path / "out" / "score.json", tmp_path / "out" / "anomaly_map.nii.gz")
    contents = [results[0].read_bytes(), nibabel.load(results[1]).header.binaryblock]
    assert not [word for word in PLANTED.values() if any(word.encode() in content for content in contents)]


def test_without_a_calibration_there_is_a_message_and_no_seg(
    application: Path, one_exported: Exported, oblique_series: Path, tmp_path: Path
) -> None:
    bundle = Path(shutil.copytree(one_exported.mask, tmp_path / "bundle"))
    (bundle / "models" / "calibration.json").unlink()
    done = run(tmp_path, application, "--input", oblique_series, "--model", bundle, "--output", "out")
    assert done.returncode == 1
    assert "calibration.json: no calibration found" in done.stderr
    assert not list(tmp_path.rglob("*.dcm"))


def test_without_a_bundle_there_is_a_message(application: Path, oblique_series: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run(tmp_path, application, "--input", oblique_series, "--model", "empty", "--output", "out")
    assert done.returncode != 0
    assert "0 bundles found, expected the folder of one release" in done.stderr
