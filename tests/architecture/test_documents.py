# SPDX-License-Identifier: Apache-2.0
"""What the documents say and a reader types: versions of releases, and commands in the environment that has medad."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
OTHER_ENVIRONMENT = re.compile(r"export PATH=\$PWD/\.venv-|\. deploy/bin/activate")


def test_names_of_releases_have_the_version_of_the_bundle() -> None:
    named = [match for page in PAGES for match in re.findall(r"(\w+)_v([0-9][0-9.]*)\.zip", page.read_text("utf-8"))]
    assert named
    for name, version in named:
        metadata = json.loads((ROOT / "bundles" / name / "configs" / "metadata.json").read_text("utf-8"))
        assert version == metadata["version"], name


@pytest.mark.parametrize("name", ["monai_deploy", "monai_label"])
def test_commands_of_medad_run_in_its_environment(name: str) -> None:
    """Once the page has put another environment first, ``python`` is that of the other."""
    text = (ROOT / "docs" / "how_to" / f"{name}.md").read_text("utf-8")
    before, _, after = text.partition(OTHER_ENVIRONMENT.search(text).group())
    assert re.search(r"^python -m medad", before, re.MULTILINE)
    assert re.search(r"^\.venv/bin/python -m medad", after, re.MULTILINE)
    assert not re.search(r"^python -m (medad|monai\.bundle)", after, re.MULTILINE)
