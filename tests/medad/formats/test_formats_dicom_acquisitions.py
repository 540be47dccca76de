# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from medad.errors import InputError
from medad.formats import MedicalImageReader

SLICE = np.arange(12, dtype=np.uint16).reshape(4, 3)


def load(dicom, tmp_path, values, tag="AcquisitionNumber", step=1.5, thickness=3.0):
    for index, value in enumerate(values):
        dicom(f"s/{index}.dcm", SLICE, step * index, SliceThickness=thickness, **{tag: value})
    image = MedicalImageReader()
    return image.get_data(image.read(str(tmp_path / "s")))[0]


def test_overlapping_acquisitions_in_turns_are_refused(dicom, tmp_path):
    found = r"2 values of AcquisitionNumber take turns along its slices, which lie 1\.5 mm apart and are 3 mm thick"
    with pytest.raises(InputError, match=f"mixed series: {found}"):
        load(dicom, tmp_path, [1, 2] * 4)


@pytest.mark.parametrize("tag", ["EchoNumbers", "EchoTime", "TemporalPositionIdentifier", "ConvolutionKernel"])
def test_echoes_and_times_in_turns_are_refused(dicom, tmp_path, tag):
    values = ["a", "b", "c"] if tag == "ConvolutionKernel" else [1, 2, 3]
    with pytest.raises(InputError, match=f"mixed series: 3 values of {tag} take turns"):
        load(dicom, tmp_path, values * 3, tag, step=3.0)


def test_acquisitions_in_turns_that_do_not_overlap_are_named(dicom, tmp_path, caplog):
    assert load(dicom, tmp_path, [1, 2] * 4, step=3.0).shape == (3, 4, 8)
    assert "2 values of AcquisitionNumber take turns" in caplog.text


@pytest.mark.parametrize("values", [[1] * 8, [1] * 4 + [2] * 4, list(range(8)), [1, 1, 2, 2, 3, 3]])
def test_one_acquisition_or_one_behind_the_other_is_a_volume(dicom, tmp_path, caplog, values):
    load(dicom, tmp_path, values)
    assert not caplog.text
