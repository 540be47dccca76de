# SPDX-License-Identifier: Apache-2.0
import logging
import warnings

import numpy as np
import pytest
from medad.formats.dicom_series import read_header
from medad.formats.dicom_silence import silent_headers


def test_nothing_is_said_inside_and_all_is_as_before_outside(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("pydicom")
    level = log.level
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with pytest.raises(ZeroDivisionError), silent_headers():
            warnings.warn("Zwetschgen", stacklevel=1)
            log.error("Zwetschgen")
            raise ZeroDivisionError
        assert not said and not caplog.records and log.level == level
        warnings.warn("told", stacklevel=1)
    assert [str(each.message) for each in said] == ["told"]


def test_a_header_with_an_unknown_character_set_is_read_in_silence(
    dicom, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    path = dicom("a.dcm", np.zeros((4, 4), np.uint16), SpecificCharacterSet="Zwetschgen")
    recwarn.clear()
    caplog.clear()
    assert read_header(path).Rows == 4
    assert not recwarn.list and "Zwetschgen" not in caplog.text
