# SPDX-License-Identifier: Apache-2.0
"""Every folder here needs an environment of its own and runs only where it is named, as its make target does."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from bundle_tools import BUNDLES, of_each_kind

collect_ignore = [folder.name for folder in Path(__file__).parent.iterdir() if folder.is_dir()]


def _bundles(names: str) -> list[Path]:
    """Folders of the bundles that are asked for."""
    known = {"all": BUNDLES, "each_kind": of_each_kind(), **{folder.name: [folder] for folder in BUNDLES}}
    return [folder for name in names.split(",") for folder in known[name]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run take fewer bundles than all."""
    parser.addoption("--bundles", type=_bundles, default="all", help="all, each_kind, or names with commas between")


@pytest.fixture(scope="session")
def lower_thresholds() -> Callable[[Path, float], None]:
    """Change a calibration so that a network trained for an epoch on phantoms marks something, on real images, too."""

    def multiply(path: Path, factor: float) -> None:
        calibration = json.loads(path.read_text())
        calibration["voxel_thresholds"] = [factor * value for value in calibration["voxel_thresholds"]]
        path.write_text(json.dumps(calibration))

    return multiply
