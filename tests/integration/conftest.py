# SPDX-License-Identifier: Apache-2.0
"""Every folder here needs an environment of its own and runs only where it is named, as its make target does."""

import json
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest
from bundle_tools import BUNDLES, ROOT, of_each_kind

collect_ignore = [folder.name for folder in Path(__file__).parent.iterdir() if folder.is_dir()]
DISPLAYED = ROOT / "bundles" / "microcalcification_cascade"
"""A kind of its own for hosts: its 2D network takes DICOM values as a viewer shows them."""

Network = tuple[Path, int]
"""A bundle, and the number of axes of its network."""


def _networks(names: str) -> list[Network]:
    """Choose networks by the names of bundles; ``each_kind`` takes one of each kind, 2D and 3D in turn."""
    both = {folder.name: [(folder, 2), (folder, 3)] for folder in BUNDLES}
    of_kinds = zip(sorted([*of_each_kind(), DISPLAYED]), cycle((2, 3)), strict=False)
    known = {"all": [network for pair in both.values() for network in pair], "each_kind": list(of_kinds), **both}
    return [network for name in names.split(",") for network in known[name]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run take fewer networks than all."""
    parser.addoption("--networks", type=_networks, default="all", help="all, each_kind, or bundles with commas between")


@pytest.fixture(scope="session")
def lower_thresholds() -> Callable[[Path, float], None]:
    """Change a calibration so that a network trained for an epoch on phantoms marks something, on real images, too."""

    def multiply(path: Path, factor: float) -> None:
        calibration = json.loads(path.read_text())
        calibration["voxel_thresholds"] = [factor * value for value in calibration["voxel_thresholds"]]
        path.write_text(json.dumps(calibration))

    return multiply
