# SPDX-License-Identifier: Apache-2.0
"""What a run says about itself."""

import json
import shlex
from pathlib import Path

import monai
import pytest
import torch
from medad.report import run_provenance
from medad.report.provenance import command_line


def test_bundle_command_and_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "metadata.json").write_text(json.dumps({"name": "Some bundle", "version": "1.2.3"}))
    monkeypatch.setattr("sys.orig_argv", ["/somewhere/bin/python3", "-m", "medad.predict", "a b.png"])
    provenance = run_provenance(tmp_path)
    assert provenance["command"] == "python -m medad.predict 'a b.png'"
    assert (provenance["bundle"], provenance["version"]) == ("Some bundle", "1.2.3")
    assert (provenance["monai"], provenance["torch"]) == (monai.__version__, torch.__version__)


@pytest.mark.parametrize("argument", ["['a.json','b.json']", "it's $HOME", 'say "it\'s"', "a b", "", "plain"])
def test_a_shell_reads_the_command_as_it_was(argument: str) -> None:
    assert shlex.split(command_line(["run", argument, "end"])) == ["run", argument, "end"]
