# SPDX-License-Identifier: Apache-2.0
import pickle

import pytest
from medad.calibration.notes import Notes


def test_notes_add_up_and_each_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    notes = pickle.loads(pickle.dumps(Notes()))
    case = notes.add({"case": "a", "result": {"score": 1}}, ["One.", None])
    case = notes.add(case, ["Two."])
    assert case == {"case": "a", "note": "One. Two.", "result": {"score": 1, "note": "One. Two."}}
    assert notes.add({"case": "b"}, [None]) == {"case": "b", "note": ""}
    notes.add({}, ["Two."])
    assert [record.message for record in caplog.records] == ["One.", "Two."]
