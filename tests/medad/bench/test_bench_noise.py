# SPDX-License-Identifier: Apache-2.0
"""All forms of the noise are measured, and what they are compared with is the same kind of noise."""

import csv
import os
from pathlib import Path

import pytest
import torch
from medad.bench.__main__ import main
from medad.bench.noise import ours, theirs
from medad.noise import backend

# not among the requirements: it puts a package named "tests" beside ours
pytest.importorskip("opensimplex", reason="opensimplex is not installed")


def test_rows_of_every_form(tmp_path: Path) -> None:
    out, before = tmp_path / "table.csv", dict(os.environ)
    options = ["--size", "32", "--batch", "2", "--volume-size", "16", "--repeats", "1", "--out", str(out)]
    main(["noise", *options])
    assert dict(os.environ) == before
    with out.open() as file:
        rows = list(csv.DictReader(file))
    forms = ["medad torch"] if backend("cpu") == "torch" else ["medad compiled", "medad torch"]
    assert [row["implementation"] for row in rows] == [*forms, "opensimplex", "one by one"] * 3
    for row in rows:
        assert float(row["ms_per_image"]) > 0
        assert not row["implementation"].startswith("medad") or float(row["difference"]) < 1e-4
        assert row["implementation"] != "opensimplex" or float(row["speedup"]) == 1.0


@pytest.mark.parametrize("spatial", [[96, 96], [40, 40, 40]])
def test_both_draw_the_same_kind_of_noise(spatial: list[int]) -> None:
    one, other = ours("torch", 8, spatial, torch.device("cpu")), theirs("opensimplex", 8, spatial)
    assert one.shape == other.shape
    assert one.std() == pytest.approx(float(other.std()), rel=0.15)
    for axis in range(2, one.ndim):
        assert one.diff(dim=axis).std() == pytest.approx(float(other.diff(dim=axis).std()), rel=0.1)
    assert torch.equal(other, theirs("one by one", 8, spatial))
