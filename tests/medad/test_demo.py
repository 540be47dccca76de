# SPDX-License-Identifier: Apache-2.0
"""The demonstration; its steps are tested with the bundles."""

from pathlib import Path

import pytest
from medad.demo import run_demo
from medad.errors import InputError


def test_a_bundle_without_demonstration_is_told_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "other" / "configs").mkdir(parents=True)
    (tmp_path / "other" / "configs" / "demo.json").touch()
    with pytest.raises(InputError, match=r"demo.json is missing.*\(other\)"):
        run_demo(tmp_path / "mine", tmp_path / "out")
    assert not (tmp_path / "out").exists()
