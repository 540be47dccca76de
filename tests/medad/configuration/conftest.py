# SPDX-License-Identifier: Apache-2.0
"""A bundle of a few lines."""

import json
from pathlib import Path

import pytest

BASE = {
    "bundle_root": ".",
    "size": 3,
    "batch_size": 2,
    "loss": {"_target_": "torch.nn.L1Loss", "reduction": "none"},
    "steps": [{"name": "first"}, {"name": "second"}],
    "path": "$@bundle_root + '/models'",
    "done": "$[]",
    "run": ["$@done.append('run')"],
}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A bundle that has a base and an overlay."""
    configs = tmp_path / "tiny" / "configs"
    configs.mkdir(parents=True)
    for name, content in {"inference": BASE, "cpu": {"size": 5}, "train": {}, "metadata": {}}.items():
        (configs / f"{name}.json").write_text(json.dumps(content))
    return tmp_path / "tiny"
