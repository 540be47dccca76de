# SPDX-License-Identifier: Apache-2.0
import json
import shutil
from pathlib import Path

import pytest
from medad.new_bundle.skeleton import SKELETONS, kinds
from medad.new_bundle.write import main


@pytest.fixture
def skeletons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of the skeletons, since the command brings them into their usual form."""
    copies = tmp_path / "skeletons"
    shutil.copytree(SKELETONS, copies)
    monkeypatch.setattr("medad.new_bundle.write.SKELETONS", copies)
    return copies


def test_configs_of_all_bundles_are_written_and_skeletons_tidied(
    skeletons: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_text() for path in skeletons.glob("*.json")}
    for path, text in before.items():
        path.write_text(json.dumps(json.loads(text)))  # on a single line
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "method.json").write_text(json.dumps({"like": kinds()[0]}))
    main([str(tmp_path / "one"), str(tmp_path / "two")])
    assert {path: path.read_text() for path in before} == before
    for name, line in zip(("one", "two"), capsys.readouterr().out.splitlines(), strict=True):
        files = [*(tmp_path / name / "configs").iterdir(), tmp_path / name / "method.json"]
        assert line == f"{tmp_path / name}: {len(files)} files" and len(files) > 5


def test_a_bundle_without_method_is_one_line(skeletons: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"^error: .*method\.json: cannot be read"):
        main([str(tmp_path / "nothing")])
