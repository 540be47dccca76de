# SPDX-License-Identifier: Apache-2.0

from pathlib import Path

import pytest
from medad.predict.__main__ import main, summary


def test_summary_counts(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("case,score,p_value,decision\na,1,.1,1\nb,1,.1,0\nc,1,.1,0\nd,1,,\n")
    (tmp_path / "failures.csv").write_text("case,failure\ne,broken\n")
    first, *rest = summary(tmp_path).splitlines()
    assert first == "5 cases: 1 abnormal, 2 normal, 1 without a decision, 1 failed (failures.csv)"
    assert str(tmp_path / "report.html") in rest[0]


def test_the_door_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    (bundle / "configs").mkdir(parents=True)
    (bundle / "configs" / "inference.json").write_text('{"bundle_root": ".", "batch_size": 2}')
    with pytest.raises(SystemExit, match=r"^error: .*'batch_size' in place of 'batchsize'"):
        main(["x.png", "--bundle", str(bundle), "--out", str(tmp_path), "--batchsize", "3"])
    with pytest.raises(SystemExit, match=r"^error: .*no bundle there"):
        main(["x.png", "--bundle", str(tmp_path), "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"^error: command line: --output_dir given. Expected --out"):
        main(["x.png", "--bundle", str(bundle), "--out", str(tmp_path), "--output_dir", "elsewhere"])
