# SPDX-License-Identifier: Apache-2.0
"""The table of kept features has a row for each kind of work, and relates both kinds of training."""

import csv
from pathlib import Path

import pytest
from medad.bench.__main__ import main


def test_rows(tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    options = ["--backbone", "resnet10", "--image-size", "64", "--feature-size", "8", "--batch-size", "2"]
    main(["features", *options, "--repeats", "1", "--out", str(out)])
    with out.open() as file:
        computed, kept, inference = csv.DictReader(file)
    assert [row["what"] for row in (computed, kept, inference)] == [
        "training, features computed",
        "training, features kept",
        "inference",
    ]
    for row in (computed, kept, inference):
        assert float(row["images_per_second"]) * float(row["ms_per_image"]) == pytest.approx(1000, rel=0.02)
        assert row["features"] == "512x8x8" and int(row["threads"]) > 0
    assert float(computed["speedup"]) == 1.0 and not inference["speedup"]
    speedup = float(computed["ms_per_image"]) / float(kept["ms_per_image"])
    assert float(kept["speedup"]) == pytest.approx(speedup, rel=0.02, abs=0.01)
