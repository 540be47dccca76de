# SPDX-License-Identifier: Apache-2.0


import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dicom_files
import numpy as np
import pydicom
import pytest
from dicom_files import PLANTED, write_series
from medad.errors import InputError
from medad.handlers.dicom_reference import referable
from pydicom.datadict import DicomDictionary

VOLUME = np.random.default_rng(0).integers(0, 900, (5, 6, 4))
Save = Callable[..., Path]
# of the header itself; groups of file, directory and overlays have other rules
TEXTS = [
    keyword
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items()
    if vr in ("AE", "AS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT") and keyword and 0x08 <= tag >> 16 < 0x5000
]


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


def test_a_result_carries_of_the_patient_what_dicom_asks_for_and_no_more(save: Save, tmp_path: Path) -> None:
    """A text of its own stands in every entry that may hold one."""
    write_series(tmp_path / "series", VOLUME)
    for path in (tmp_path / "series").iterdir():
        ds = pydicom.dcmread(path)
        with dicom_files.pydicom.config.disable_value_validation():
            planted = [name for name in TEXTS if name not in ds and name != "SpecificCharacterSet"]
            for number, name in enumerate(planted):
                setattr(ds, name, f"Planted{number}")
            ds.save_as(path)
    assert len(planted) > 700
    out = save(tmp_path / "series")
    for what in ("mask", "anomaly_map"):
        content = (out / f"c_{what}.dcm").read_bytes()
        assert b"Planted" not in content
        told = [value.encode() in content for value in PLANTED.values()]
        assert dict(zip(PLANTED, told, strict=True)) == {
            name: name not in ("InstitutionName", "StudyDescription", "PatientComments") for name in PLANTED
        }


def _headers(count: int, **tags: Any) -> list[pydicom.Dataset]:
    headers = [pydicom.Dataset() for _ in range(count)]
    for header in headers:
        header.file_meta = pydicom.dataset.FileMetaDataset()
        for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "FrameOfReferenceUID"):
            setattr(header, name, "1.2.3")
        for name, value in tags.items():
            setattr(header, name, value)
    return headers


def test_slices_that_highdicom_cannot_refer_to_are_told() -> None:
    frame, position = pydicom.Dataset(), pydicom.Dataset()
    position.ImagePositionPatient = [0, 0, 0]
    frame.PlanePositionSequence = [position]
    split = _headers(3)
    split[1].SeriesInstanceUID = "1.2.4"
    for headers, reason in (
        (split, "its slices have a series UID each"),
        (_headers(3, PerFrameFunctionalGroupsSequence=[frame]), "enhanced files of one frame each"),
        (_headers(1, NumberOfFrames=9), "several frames without positions of their own"),
    ):
        with pytest.raises(InputError, match=reason):
            referable(headers, "series")
    assert len(referable(_headers(3), "series")) == 3
