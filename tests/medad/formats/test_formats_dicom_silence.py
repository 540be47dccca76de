# SPDX-License-Identifier: Apache-2.0
import logging
import warnings
from threading import Barrier, Thread
from typing import Any

import numpy as np
import pydicom
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


def test_all_is_as_before_when_the_last_of_several_threads_is_done() -> None:
    def state() -> tuple[Any, ...]:
        settings = pydicom.config.settings
        modes = settings.reading_validation_mode, settings.writing_validation_mode
        return list(warnings.filters), logging.getLogger("pydicom").level, modes

    first_is_in, both_are_in, first_is_out = Barrier(2), Barrier(2), Barrier(2)
    seen: list[tuple[Any, ...]] = []

    @silent_headers()
    def first() -> None:
        first_is_in.wait(10)
        both_are_in.wait(10)

    @silent_headers()
    def second() -> None:
        both_are_in.wait(10)
        first_is_out.wait(10)
        seen.append(state())

    def first_then_tell() -> None:
        first()
        first_is_out.wait(10)

    def second_after_first() -> None:
        first_is_in.wait(10)
        second()

    before = state()
    threads = [Thread(target=each) for each in (first_then_tell, second_after_first)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state() == before
    ((filters, level, modes),) = seen  # one is still inside: all is still silent
    assert filters[0][0] == "ignore" and level == logging.CRITICAL + 1 and modes == (pydicom.config.IGNORE,) * 2


def test_a_header_with_an_unknown_character_set_is_read_in_silence(
    dicom, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    path = dicom("a.dcm", np.zeros((4, 4), np.uint16), SpecificCharacterSet="Zwetschgen")
    recwarn.clear()
    caplog.clear()
    assert read_header(path).Rows == 4
    assert not recwarn.list and "Zwetschgen" not in caplog.text
