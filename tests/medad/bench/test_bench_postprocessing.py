# SPDX-License-Identifier: Apache-2.0
"""Both chains of the benchmark give the same map and mask, and every step is measured."""

import csv
from pathlib import Path

import pytest
import torch
from medad.bench.__main__ import main
from medad.bench.postprocessing import make_example, ours, theirs


def test_rows_of_both_implementations(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    out = tmp_path / "table.csv"
    options = ["--shape", "48", "48", "40", "--repeats", "1", "--threads", "1", "--out", str(out)]
    main(["postprocessing", *options])
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["implementation"], row["threads"]) for row in rows] == [("medad", "1"), ("SciPy", "1")]
    for row in rows:
        assert row["map_equal"] == row["foreground_equal"] == row["mask_equal"] == "True"
        steps = [float(row[f"{step}_s"]) for step in ("median", "erosion", "threshold", "components")]
        assert steps[0] > 0 and sum(steps) == pytest.approx(float(row["total_s"]), abs=1e-3)
        assert int(row["components"]) > 5
    assert float(rows[1]["speedup"]) == 1 and float(rows[0]["speedup"]) > 0
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("seed", [0, 1])
def test_something_is_kept_and_something_dropped(seed: int) -> None:
    example = make_example((48, 48, 40), seed)
    result = ours(example)
    above = (result.anomaly_map > 1.03).sum()
    assert 0 < result.mask.sum() < above
    assert 0.3 < example.foreground.float().mean() < 0.4
    assert (theirs(example).mask == result.mask).all()
    assert 0 < result.inside.sum() < example.foreground.sum()
