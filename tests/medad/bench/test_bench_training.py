# SPDX-License-Identifier: Apache-2.0
"""Trainer and plain loop do the same work on every bundle, and the table tells them apart."""

import csv
from pathlib import Path

import pytest
from bundle_tools import BUNDLES, asked
from medad.bench.__main__ import main
from medad.bench.training import deterministic_part, random_part
from monai.transforms import Compose, RandAdjustContrastd, RandFlipd, SelectItemsd


@pytest.mark.parametrize("bundle", asked("each_kind"), ids=lambda folder: folder.name)
def test_rows_of_trainer_and_plain_loop(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "table.csv"
    options = ["--config", "smoke", "--images", "8", "--image-size", "32", "32", "--repeats", "1", "--out", str(out)]
    if "FeatureDataset" in (bundle / "configs" / "train.json").read_text("utf-8"):
        with pytest.raises(SystemExit, match=r"medad\.bench features"):
            main(["training", "--bundle", str(bundle), *options])
        return
    main(["training", "--bundle", str(bundle), *options])
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["implementation"] for row in rows[:2]] == ["medad", "plain PyTorch loop"]
    assert rows[-1]["augmentation"] == "none" and len(rows) in (2, 4)
    for row in rows:
        batch, *parts = (float(row[f"{part}_ms"]) for part in ("batch", "loader", "network", "other"))
        assert batch == pytest.approx(sum(parts), abs=0.01) and min(batch, *parts[:2]) > 0
        assert row["image_size"].count("x") == 1 and row["bundle"] == bundle.name and int(row["parameters"]) > 0
    assert all(float(row["relative"]) == 1 for row in rows[1::2])


def test_a_config_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="there is no overlay 'nothing'"):
        main(["training", "--bundle", str(BUNDLES[0]), "--config", "nothing"])


def test_transforms_are_cut_at_the_first_random_one() -> None:
    select, flip, contrast = SelectItemsd("image"), RandFlipd("image"), RandAdjustContrastd("image")
    for steps, count in (([select, flip, select, contrast], 1), ([select], 1), ([flip], 0)):
        transform = Compose(steps)
        assert list(deterministic_part(transform).transforms) == steps[:count]
        assert list(random_part(transform)) == steps[count:]
