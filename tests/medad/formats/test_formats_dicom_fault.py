# SPDX-License-Identifier: Apache-2.0
"""Of what libraries say of a header, only what DICOM defines is told."""

import pytest
from medad.formats.dicom_fault import DicomFault, fault_of, name_of_uid


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (DicomFault("a lookup table of 3 entries"), "a lookup table of 3 entries"),
        (ValueError("could not convert string to float: 'Zwetschge'"), "ValueError"),
        (ValueError("The (0028,1051) Window Width 'Zwetschge' must be greater"), "ValueError at WindowWidth"),
        (AttributeError("'FileDataset' object has no attribute 'BitsStored'"), "AttributeError at BitsStored"),
        (KeyError("(0009, 10ff) Zwetschge"), "KeyError"),
    ],
)
def test_no_words_of_a_library(error: Exception, told: str) -> None:
    assert fault_of(error) == told


def test_only_known_uids_are_named() -> None:
    assert name_of_uid("1.2.840.10008.1.2.1") == "Explicit VR Little Endian"
    for uid in ("1.2.3.4", "Zwetschge", "", None):
        assert name_of_uid(uid) == "one that DICOM does not define"
