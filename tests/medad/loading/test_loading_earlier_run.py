# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest
from medad.errors import InputError
from medad.loading.earlier_run import RUN_FILE, EarlierRun, read_earlier_run

RUN = EarlierRun({"threshold": 0.5, "score": {"a": 1}}, dict.fromkeys("abcdefg", "hash"), batch_size=2, processes=2)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / RUN_FILE).write_text(json.dumps(RUN.record()))
    assert read_earlier_run(tmp_path) == RUN
    assert list(RUN.record()) == ["threshold", "score", "batch_size", "processes", "cases"]


def test_without_a_record_there_is_no_run(tmp_path: Path) -> None:
    assert read_earlier_run(tmp_path) is None


def test_batches_of_all_processes_are_shared_out_together() -> None:
    assert RUN.shares() == [("a", "b", "c", "d"), ("e", "f", "g")]
    assert EarlierRun({}, {}, 2, 1).shares() == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"cases": 3, "batch_size": 1, "processes": 1}',
        '{"cases": {}, "batch_size": "x", "processes": 1}',
    ],
)
def test_a_record_that_cannot_be_used_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / RUN_FILE).write_text(text)
    with pytest.raises(InputError, match=r"run\.json: no usable record of a run .*Begin anew"):
        read_earlier_run(tmp_path)
