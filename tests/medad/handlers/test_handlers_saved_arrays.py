# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest
import torch
from medad.handlers import CaseSaver
from medad.handlers.saved_arrays import read_saved
from monai.data import MetaTensor


@pytest.mark.parametrize("size", [(5, 4), (5, 4, 3)])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_what_the_saver_wrote_is_read_back(size: tuple[int, ...], channels: int, tmp_path: Path) -> None:
    case = {
        "case": "a",
        "anomaly_map": MetaTensor(torch.rand(1, *size)),
        "pred": (torch.rand(1, *size) > 0.5).to(torch.uint8),
        "reconstruction": torch.rand(channels, *size),
    }
    assert CaseSaver(tmp_path).save(case) is None
    for key, what in (("anomaly_map", "anomaly_map"), ("pred", "mask"), ("reconstruction", "reconstruction")):
        array = read_saved(tmp_path / "a" / f"a_{what}", len(size))
        assert array is not None and array.flags["C_CONTIGUOUS"]
        np.testing.assert_array_equal(array, np.asarray(case[key]))


def test_what_was_not_written_is_none(tmp_path: Path) -> None:
    assert read_saved(tmp_path / "a" / "a_mask", 2) is None
