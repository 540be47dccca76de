# SPDX-License-Identifier: Apache-2.0
import re

import pytest
from medad.datalists import load_datalist


@pytest.fixture
def touch(tmp_path):
    """Create empty files: layouts look at names only."""

    def write(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return write


def test_cases_are_unique_and_safe(touch):
    root = touch("x/FLAIR.nii", "y/flair.nii", "z/a b ü.png", "a_b.png")
    cases = [item["case"] for item in load_datalist(root, "inference", recursive=True)]
    assert cases == ["a_b", "x_FLAIR", "y_flair", "z_a_b"]
    assert all(re.fullmatch(r"[\w.-]+", case, re.ASCII) for case in cases)


def test_cases_that_stay_equal_are_numbered(touch):
    root = touch("x_y/a.png", "x/y_a.png", "x/y/a.png")
    cases = [item["case"] for item in load_datalist(root, "inference", recursive=True)]
    assert len(set(cases)) == 3
