# SPDX-License-Identifier: Apache-2.0

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import torch
from dicom_files import OBLIQUE, PLANTED, write_series

VOLUME = np.random.default_rng(0).integers(0, 900, (5, 6, 4))
Save = Callable[..., Path]


def test_frames_refer_to_the_slice_they_show(save: Save, result: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
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
