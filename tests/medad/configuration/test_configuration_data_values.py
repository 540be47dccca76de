# SPDX-License-Identifier: Apache-2.0
"""What a user gives is never read as part of a configuration's language."""

import json
from pathlib import Path
from typing import Any

import pytest
from medad.configuration import build, open_workflow, read_config
from medad.configuration.data_values import as_data
from monai.bundle import ConfigParser

STRANGE: list[Any] = [
    "plain.png",
    "$__import__('pathlib').Path('ran').touch()",
    "@size",
    "%size",
    "a#b",
    "a@b.nii.gz",
    'it\'s "$" \\x24 \u00fc\n',
    ["$1 + 1", 3],
    ("a", "@size"),
    {"@k": "$v"},
    {"_target_": "os.getcwd"},
    {"deep": [{"_target_": "os.getcwd"}]},
    Path("$x") / "y",
    0.5,
    None,
]


@pytest.mark.parametrize("value", STRANGE, ids=str)
def test_a_configuration_gives_back_what_was_given(value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = ConfigParser({"size": 1, "given": as_data(value), "user": "$@given", "part": {"name": "@given"}})
    expected = str(value) if isinstance(value, Path) else value
    assert [config.get_parsed_content(key) for key in ("given", "user", "part#name")] == [expected] * 3
    assert not (tmp_path / "ran").exists()


def test_overrides_and_the_folder_of_a_bundle_are_data(tmp_path: Path) -> None:
    bundle = tmp_path / "$tiny @#%"
    (bundle / "configs").mkdir(parents=True)
    content = {"bundle_root": ".", "name": "", "path": "$@bundle_root + '/models'", "initialize": [], "run": []}
    for name in ("train", "metadata"):
        (bundle / "configs" / f"{name}.json").write_text(json.dumps(content if name == "train" else {}))
    given = {"name": "$1 + 1"}
    for parser in (read_config(bundle, "train", [], given), open_workflow(bundle, "train", [], given).parser):
        assert build(parser, "name") == "$1 + 1"
        assert build(parser, "path") == f"{bundle}/models"
