# SPDX-License-Identifier: Apache-2.0


import json
from pathlib import Path

import pytest
from medad.configuration import record_settings
from medad.errors import InputError


def test_a_continued_run_has_the_settings_of_the_first_part(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    settings = {"folds": 5, "size": (64, 64)}  # as JSON holds them: a list
    record_settings(path, settings)
    assert json.loads(path.read_text()) == {"folds": 5, "size": [64, 64]}
    record_settings(path, settings)


def test_every_change_is_named(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    record_settings(path, {"folds": 5, "seed": 0, "old": 1})
    before = path.read_bytes()
    with pytest.raises(InputError) as raised:
        record_settings(path, {"folds": 4, "seed": 0, "new": 2})
    assert f"{path}: the earlier run had folds 5, new None, old 1. " in str(raised.value)
    assert "Expected folds 4, new 2, old None, as this one has." in str(raised.value)
    assert path.read_bytes() == before
