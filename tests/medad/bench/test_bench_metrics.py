# SPDX-License-Identifier: Apache-2.0
"""The benchmark door measures, prints, writes, and says what is missing."""

import csv
from pathlib import Path

import pytest
from medad.bench import metrics as bench_metrics
from medad.bench.__main__ import format_table, main


def test_metrics_benchmark_writes_comparable_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # starting interpreters takes seconds; that they measure memory is tested with the timing helpers
    monkeypatch.setattr(bench_metrics, "in_fresh_process", lambda function, *args: function(*args))
    out = tmp_path / "new" / "table.csv"
    main(["metrics", "--shape", "40", "40", "20", "--repeats", "1", "--out", str(out)])
    with out.open() as file:
        ours, theirs = csv.DictReader(file)
    assert (ours["implementation"], theirs["implementation"]) == ("medad", "scikit-learn")
    assert ours["voxels"] == "32000"
    for metric in ("auroc", "ap", "oracle_dice", "fpr95"):
        assert 0 <= float(ours[f"error_{metric}"]) < 2e-3
    assert float(theirs["error_ap"]) == 0
    assert float(theirs["speedup"]) == 1
    assert all(ours[column] for column in ("hardware", "torch", "seconds", "cores"))
    assert "scikit-learn" in capsys.readouterr().out
    assert [path.name for path in out.parent.iterdir()] == ["table.csv"]


def test_missing_scikit_learn_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench_metrics, "_HAS_SKLEARN", False)
    with pytest.raises(SystemExit, match=r"^error: .*pip install scikit-learn.*$"):
        main(["metrics"])


def test_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nothing"])
    assert "metrics" in capsys.readouterr().err


def test_table_lines_up() -> None:
    table = format_table([{"a": 1, "long": None}, {"a": 22, "long": "x"}])
    assert table.splitlines() == ["a     1  22", "long     x"]
