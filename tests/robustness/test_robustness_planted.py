# SPDX-License-Identifier: Apache-2.0
"""What is said of DICOM files that are refused quotes nothing of their headers."""

from pathlib import Path

import pytest
from medad.datalists import load_datalist
from medad.errors import InputError
from medad.transforms import LoadImageFiled
from planted import PLANTED, write_planted


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_errors_and_warnings_quote_no_header(
    every: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    paths = write_planted(tmp_path / "images", every)
    assert PLANTED.encode() in paths[0].read_bytes()
    caplog.clear(), recwarn.clear(), capfd.readouterr()
    caplog.set_level("DEBUG")
    said, refused = [], set()
    for load in (LoadImageFiled("image"), LoadImageFiled("image", display=True)):
        for path in paths:
            try:
                load({"image": str(path)})
            except InputError as error:  # noqa: PERF203
                refused.add(path)
                said.append(str(error).replace(str(path), ""))
    assert load_datalist(tmp_path / "images", "inference")
    said += [caplog.text, *capfd.readouterr(), *(str(warning.message) for warning in recwarn)]
    assert not [text for text in said if PLANTED in text]
    assert len(refused) > len(paths) / 3 and len({text.partition("(")[0] for text in said}) >= 30 // every
