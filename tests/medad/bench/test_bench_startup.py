# SPDX-License-Identifier: Apache-2.0
"""Importing medad is cheap because it brings in nothing slow that MONAI has not brought in already."""

import pytest
from medad.bench import startup
from medad.bench.__main__ import main


def test_medad_adds_no_slow_package() -> None:
    result = startup.start()
    # quick to import: every report needs the first two, every progress bar a part of the third
    assert set(result["packages"]) <= {"PIL", "markupsafe", "tqdm"}
    assert result["modules"] > 50 and result["monai_s"] > 0 and result["medad_s"] > 0


def test_the_table_has_medians_of_all_starts_but_the_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = iter([9.0, 0.1, 0.3, 0.2])
    monkeypatch.setattr(
        startup, "start", lambda: {"monai_s": 1.0, "medad_s": next(seconds), "modules": 3, "packages": []}
    )
    main(["startup", "--repeats", "3"])
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (lines["medad_adds_s"], lines["packages_added"]) == ("0.2", "none")
