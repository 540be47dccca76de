# SPDX-License-Identifier: Apache-2.0
"""DICOM results of DICOM images: geometry, references, identity, and what happens when they cannot be made."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dicom_files
import highdicom
import numpy as np
import pydicom
import pytest
import torch
from dicom_files import AXIAL, OBLIQUE, PLANTED, SAGITTAL, assert_same_by_position, write_enhanced, write_series
from medad.datalists import load_datalist
from medad.errors import InputError
from medad.handlers import CaseSaver, DicomResults, dicom_results
from medad.transforms import LoadImageFiled

VOLUME = np.random.default_rng(0).integers(0, 900, (5, 6, 4))
Save = Callable[..., Path]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """What the handler reads of a bundle."""
    root = tmp_path / "bundle"
    (root / "configs").mkdir(parents=True)
    (root / "configs" / "metadata.json").write_text('{"name": "Toy - a test", "version": "1.2.3"}')
    torch.save({"weight": torch.zeros(2)}, root / "model.pt")
    return root


@pytest.fixture
def save(bundle: Path, tmp_path: Path) -> Save:
    """Save a random result of an image as the case ``c`` and return its folder."""

    def run(source: Path, wanted: bool | str = True, out: str = "out", seed: int = 0, **changes: Any) -> Path:
        dicom = DicomResults(wanted, bundle, bundle / "model.pt")
        saver = CaseSaver(tmp_path / out, map_white=0.5, dicom=dicom, pred_name=changes.pop("pred_name", "mask"))
        engine = SimpleNamespace(state=SimpleNamespace(output=[result(source, seed, **changes)], failures=[]))
        saver(engine)
        if engine.state.failures:
            raise AssertionError(engine.state.failures)
        return tmp_path / out / "c"

    return run


def result(source: Path, seed: int = 0, **changes: Any) -> dict[str, Any]:
    """A case with a random map and mask on the grid of an image; nothing is marked in its third slice."""
    image = LoadImageFiled(keys="image")({"image": str(source)})["image"]
    generator = torch.Generator().manual_seed(seed)
    anomaly_map, mask = image.clone(), image.clone()
    anomaly_map.set_array(torch.rand(image.shape, generator=generator))
    marked = (torch.rand(image.shape, generator=generator) > 0.7).to(torch.uint8)
    if image.ndim == 4:
        marked[..., 2] = 0
    mask.set_array(marked)
    case = {"case": "c", "anomaly_map": anomaly_map, "pred": mask, **changes}
    return {key: value for key, value in case.items() if value is not None}


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


def test_frames_refer_to_the_slice_they_show(save: Save, tmp_path: Path) -> None:
    """Read with pydicom alone; slice k of the array that was written lies at position k and came from file k."""
    uids = write_series(tmp_path / "series", VOLUME, "MR", OBLIQUE, reverse=True)
    out = save(tmp_path / "series")
    sources = {ds.SOPInstanceUID: ds for ds in map(pydicom.dcmread, sorted((tmp_path / "series").iterdir()))}
    values = result(tmp_path / "series")["anomaly_map"][0].numpy()
    ds = pydicom.dcmread(out / "c_anomaly_map.dcm")
    frames = np.frombuffer(ds.FloatPixelData, "<f4").reshape(5, 6, 4)
    assert ds.FrameOfReferenceUID == sources[uids[0]].FrameOfReferenceUID
    for frame, groups in zip(frames, ds.PerFrameFunctionalGroupsSequence, strict=True):
        uid = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        assert groups.PlanePositionSequence[0].ImagePositionPatient == sources[uid].ImagePositionPatient
        np.testing.assert_array_equal(frame, values[:, :, 4 - uids.index(uid)].T)


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


def test_objects_say_what_they_are(save: Save, tmp_path: Path) -> None:
    write_series(tmp_path / "series", VOLUME)
    out = save(tmp_path / "series")
    mask, anomaly_map = (pydicom.dcmread(out / f"c_{what}.dcm") for what in ("mask", "anomaly_map"))
    source = pydicom.dcmread(next((tmp_path / "series").iterdir()))
    for ds in (mask, anomaly_map):
        assert ds.StudyInstanceUID == source.StudyInstanceUID
        assert {name: str(ds[name].value) for name in ("PatientName", "PatientID", "AccessionNumber")} == {
            name: PLANTED[name] for name in ("PatientName", "PatientID", "AccessionNumber")
        }
        assert "research use only" in ds.ContentDescription
        assert (ds.Manufacturer, ds.ManufacturerModelName) == ("medad", "Toy")
        assert ds.SoftwareVersions[1] == "bundle 1.2.3" and len(ds.DeviceSerialNumber) == 64
    assert len({mask.SeriesInstanceUID, anomaly_map.SeriesInstanceUID, source.SeriesInstanceUID}) == 3
    assert len({mask.SeriesNumber, anomaly_map.SeriesNumber, source.SeriesNumber}) == 3
    segment = mask.SegmentSequence[0]
    assert (mask.SegmentationType, segment.SegmentLabel, segment.SegmentAlgorithmType) == (
        "BINARY",
        "Anomaly",
        "AUTOMATIC",
    )
    assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "52988006"
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("Toy", "1.2.3")
    assert anomaly_map.ContentQualification == "RESEARCH"
    shared = anomaly_map.SharedFunctionalGroupsSequence[0]
    mapping = shared.RealWorldValueMappingSequence[0]
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1, 0)
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "[arb'U]"
    assert (shared.FrameVOILUTSequence[0].WindowCenter, shared.FrameVOILUTSequence[0].WindowWidth) == (0.25, 0.5)


def test_uids_belong_to_the_result(save: Save, bundle: Path, tmp_path: Path) -> None:
    write_series(tmp_path / "series", VOLUME)
    write_series(tmp_path / "other", VOLUME)

    def uids(out: Path) -> set[str]:
        files = [pydicom.dcmread(path) for path in sorted(out.glob("*.dcm"))]
        found = {str(ds[name].value) for ds in files for name in ("SeriesInstanceUID", "SOPInstanceUID")}
        assert len(found) == 4 and all(pydicom.uid.UID(uid).is_valid for uid in found)
        return found

    first = uids(save(tmp_path / "series"))
    assert uids(save(tmp_path / "series", out="again")) == first
    assert not uids(save(tmp_path / "series", out="result", seed=1)) & first
    assert not uids(save(tmp_path / "other", out="source")) & first
    torch.save({"weight": torch.ones(2)}, bundle / "model.pt")
    assert not uids(save(tmp_path / "series", out="weights")) & first


def test_what_there_is_is_written(save: Save, tmp_path: Path) -> None:
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


def test_unusable_entries_about_the_patient_are_left_empty(save: Save, tmp_path: Path) -> None:
    tags = {"PatientSex": "OTHER", "PatientBirthDate": "1937", "StudyTime": None, "PatientID": None, "StudyID": None}
    with dicom_files.pydicom.config.disable_value_validation():
        write_series(tmp_path / "series", VOLUME, **tags)
    ds = pydicom.dcmread(save(tmp_path / "series") / "c_mask.dcm")
    assert not any(ds[name].value for name in tags)
    assert str(ds.PatientName) == PLANTED["PatientName"]


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"FrameOfReferenceUID": None}, "no FrameOfReferenceUID in its headers"),
        ({"StudyInstanceUID": None}, "no StudyInstanceUID in its headers"),
        ({"SOPClassUID": "1.2.840.113619.4.2"}, "KeyError in "),
    ],
)
def test_an_image_that_cannot_be_referred_to_keeps_its_other_files(
    save: Save, tmp_path: Path, caplog: pytest.LogCaptureFixture, tags: dict[str, Any], reason: str
) -> None:
    write_series(tmp_path / "series", VOLUME, **tags)
    with caplog.at_level(logging.DEBUG):
        out = save(tmp_path / "series", wanted="auto")
        with pytest.raises(AssertionError, match="no DICOM result can be made") as caught:
            save(tmp_path / "series", wanted=True, out="required")
    assert sum("no DICOM result can be made" in message for message in caplog.messages) == 2
    for text in (str(caught.value), caplog.text):
        assert reason in text
        assert not [value for value in PLANTED.values() if value in text]
    for folder in (out, tmp_path / "required" / "c"):
        names = sorted(path.name for path in folder.iterdir())
        assert names == ["c_anomaly_map.nii.gz", "c_mask.nii.gz"]


def test_strange_names_and_dates_are_not_quoted(
    save: Save, tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    """What pydicom and highdicom warn about, they quote."""
    tags = {"PatientName": "Zwetschgen = = ^^^^^^^ = x", "PatientBirthDate": "2.14.1937", "StudyDate": "Montag"}
    with dicom_files.pydicom.config.disable_value_validation():
        write_series(tmp_path / "series", VOLUME, **tags)
    recwarn.clear()
    with caplog.at_level(logging.DEBUG):
        save(tmp_path / "series", wanted=True)
    said = caplog.text + "".join(str(warning.message) for warning in recwarn)
    assert not [value for value in (*PLANTED.values(), *tags.values(), "Zwetschgen") if value in said]


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
